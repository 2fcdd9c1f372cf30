r"""Search the settings of plug-and-play and of the classical methods, for the table.

    python -m recipes.plug_and_play.tune zoo/samples/train/[bhl]*.jpg --crop 64 \
        --denoiser dphsir-small --out photographs.json
    python -m recipes.plug_and_play.tune jasperRidge2_R198.mat --crop 40 --bands 31 \
        --denoiser dphsir-small --out cubes.json

Every method of every row of the table goes through the same search (`recipes.plug_and_play.search`)
from its own beginning; with the second level of noise it begins with what it found for the first.
What counts is the mean MPSNR over the files, which have one shape after `--crop` and are no files
that the table is made of. OUT gets the settings of each method after its search, and a second start
goes on from there.
"""

import argparse
from pathlib import Path

import numpy as np

from recipes.plug_and_play.classical import Method, Problem
from recipes.plug_and_play.levels import in_grey_levels, read, written
from recipes.plug_and_play.record import Made, Record, Tuned
from recipes.plug_and_play.restore import add_inputs, network_of
from recipes.plug_and_play.rows import ROWS, methods_of, problem_of
from recipes.plug_and_play.search import Found, Settings, search
from recipes.plug_and_play.truths import add_options, read_truth
from zoo.app.command import Work, command


def tune(method: Method, problem: Problem, truths: np.ndarray, begin: Settings) -> Found:
    """Return the best settings of a method for measurements of which the truth is known."""
    run = method.prepare(problem)
    return search(lambda settings: mpsnr(truths, run(settings)), method.ladders, begin)


def mpsnr(truths: np.ndarray, restored: np.ndarray) -> float:
    """Return the mean PSNR in dB over pictures `(batch, height, width, bands)` and bands."""
    errors = np.mean((np.clip(restored, 0, 1) - truths).astype(np.float64) ** 2, axis=(1, 2))
    return float(np.mean(-10 * np.log10(np.maximum(errors, 1e-20))))


@command
def main(parser: argparse.ArgumentParser) -> Work:
    """Add the options; return what is done with them."""
    add_inputs(parser)
    add_options(parser)
    return tune_all


def tune_all(options: argparse.Namespace) -> None:
    """Search what no earlier start has searched."""
    denoiser = network_of(options.denoiser)
    truths = [read_truth(Path(path), options) for path in options.inputs]
    if len({truth.shape for truth in truths}) > 1:
        raise ValueError("the files are of several sizes: cut them with --crop")
    made = Made(denoiser=options.denoiser, crop=options.crop, bands=options.bands)
    made["images"] = [Path(path).name for path in options.inputs]
    found = Record[Tuned](Path(options.out), made)
    begins: dict[tuple[str, str], Settings] = {}
    for row in ROWS:
        problem, clean = problem_of(row, truths)
        for name, method in methods_of(row, denoiser).items():
            key, kin = f"{row.label}/{name}", (row.label.split(", noise")[0], name)
            if key not in found.cells:
                best = tune(method, problem, clean, begins.get(kin, method.begin))
                cell: Tuned = {
                    "task": row.task,
                    "noise": in_grey_levels(row.options.noise),
                    "method": name,
                    "settings": written(best.settings),
                    "mpsnr": round(best.score, 3),
                    "tried": best.tried,
                }
                found.add({key: cell})
                print(
                    f"{key}: {best.score:.2f} dB, {best.tried} tried, {cell['settings']}",
                    flush=True,
                )
            begins[kin] = read(found.cells[key]["settings"])


if __name__ == "__main__":
    raise SystemExit(main())
