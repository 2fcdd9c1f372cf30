r"""Plug-and-play restoration of photographs and hyperspectral cubes by a denoiser.

    python -m recipes.plug_and_play.restore blurred.png --task deblur --kernel kernel.npy \
        --out restored --denoiser dncnn.weights.h5
    python -m recipes.plug_and_play.restore cube.mat --task sr --scale 2 --simulate \
        --out x2 --denoiser tv
    python -m recipes.plug_and_play.restore kodim01.png kodim02.png --task inpaint --missing 0.7 \
        --simulate --baselines --out table --denoiser dncnn.weights.h5 --level 25

With `--simulate` the files are the truth and are degraded first; the scores MPSNR, MSSIM and SAM
are printed and written. Without it they are the measurements. A folder OUT gets for each file the
restored file, of the format of the old one, a figure and, with a truth, `scores.json`.
Tasks: see `recipes.plug_and_play.degraded`. Denoisers: names and files of the zoo's weights
(GRUNet, DnCNN), or `tv`, total variation, which needs none.
"""

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

from asykeras import plots
from recipes.data.volumes import Volume, read_volume, write_volume
from recipes.plug_and_play.classical import BANDS_AT_ONCE, Problem, classical, restore
from recipes.plug_and_play.degraded import (
    TASKS,
    Options,
    make_task,
    picture_shape,
    schedule_of,
    simulate,
)
from recipes.plug_and_play.figure import figure
from recipes.plug_and_play.levels import option, written
from recipes.plug_and_play.record import Record, Tuned
from recipes.plug_and_play.rows import OURS, nearest_row, settings_of
from recipes.plug_and_play.search import Settings
from recipes.plug_and_play.spectral_metrics import scores
from zoo.app.command import Work, command
from zoo.machine.failures import reason
from zoo.machine.files import make_folder, replacing, write_atomically
from zoo.networks.families import build
from zoo.pictures.images import ImageError
from zoo.plug_and_play import Schedule, Task, pad_borders, plug_and_play, total_variation
from zoo.plug_and_play.denoisers import Denoiser
from zoo.plug_and_play.solver import METHODS
from zoo.store.card import WeightsError
from zoo.store.claims import ContentError
from zoo.store.npy import open_npy
from zoo.store.weight import find


def restore_file(path: Path, options: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Restore one file; return the scores by method, nothing where the truth is unknown.

    Raises:
        ImageError: if the file cannot be read.
        ValueError: if the task or the denoiser cannot be used on it.
    """
    volume = read_volume(path, options.bands_axis, options.variable)
    if volume.remark:
        _say(volume.remark)
    task, measured, truth = _prepared(volume, options)
    tuned = options.tuned.get(OURS, {})
    padded, inner = measured, tuple(4 * [slice(None)])
    if options.task == "deblur" and not (options.circular or options.simulate):
        padded, inner = pad_borders(measured, options.chosen.kernel)
    found = plug_and_play(
        task,
        padded,
        options.network,
        _schedule(options, tuned),
        method=options.method or tuned.get("method", "admm"),
        augment=options.augment,
        tolerance=options.tolerance,
        truth=None if truth is None else truth[None],
        group=BANDS_AT_ONCE,
        level=options.level,
    )
    name = Path(options.denoiser).name
    restored = {name: getattr(found, tuned.get("returns", "pictures"))[inner][0]}
    if options.baselines:
        kernel, noise = options.chosen.kernel, options.chosen.noise
        problem = Problem(options.task, task, measured, kernel, noise)
        restored |= {
            method: restore(each, problem, options.tuned.get(method))[0]
            for method, each in classical(options.task).items()
        }
    enlarged = options.task in ("sr", "bicubic") and not options.simulate
    target = Path(options.out) / path.stem
    write_volume(volume, restored[name], target, options.scale if enlarged else 1, _say)
    drawn = figure(volume, measured[0], restored[name], truth, found)
    with replacing(target.with_name(f"{path.stem}-figure.png")) as part:
        plots.save(drawn, part)
    if truth is None:
        return {}
    pictures = {"input": np.asarray(task.start(measured))[0], **restored}
    return {key: scores(truth, each) for key, each in pictures.items()}


def _schedule(options: argparse.Namespace, tuned: Settings) -> Schedule:
    """Return what is given, else what was tuned, else the schedule of the task."""
    schedule = schedule_of(options.task, options.noise)
    if "level" in tuned:
        schedule = replace(schedule, first=tuned["level"], last=tuned["level"])
    for name in ("first", "last", "lam", "iterations"):
        given = getattr(options, name)
        value = tuned.get(name) if given is None else given
        schedule = schedule if value is None else replace(schedule, **{name: value})
    return schedule


def _prepared(
    volume: Volume, options: argparse.Namespace
) -> tuple[Task, np.ndarray, np.ndarray | None]:
    """Return the task, the measurement with an axis for the batch, and the truth."""
    name, chosen = options.task, options.chosen
    shape, kernel = volume.values.shape, chosen.kernel.shape
    if not options.simulate:
        shape = picture_shape(name, shape, chosen)
    beyond = any(k > n for k, n in zip(kernel, shape, strict=False))
    if name in ("deblur", "sr") and beyond:
        raise ImageError(
            f"the kernel of {_size(kernel)} is larger than the picture of {_size(shape[:2])}, "
            f"{volume.path}: cut its borders off"
        )
    if options.simulate:
        return simulate(name, volume.values, chosen)
    return make_task(name, shape, chosen), volume.values[None], None


def _chosen(options: argparse.Namespace) -> Options:
    names = ("scale", "missing", "noise", "seed", "step", "bands")
    given = {name: getattr(options, name) for name in names}
    for name in ("kernel", "mask"):
        if (path := getattr(options, name)) is not None:
            given[name] = _array(path)
    return Options(**given)


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _say(text: str) -> None:
    print(f"restore: {text}", file=sys.stderr)


def _array(path: str) -> np.ndarray:
    try:
        return np.array(open_npy(Path(path), "biuf"), np.float64)
    except (ContentError, OSError) as error:
        raise ImageError(f"{path} cannot be read as .npy: {reason(error)}") from None


def network_of(name: str) -> keras.Model | Denoiser:
    """Return the denoiser of a name.

    Raises:
        WeightsError: if it is unknown, or no denoiser.
    """
    if name == "tv":
        return total_variation()
    weight = find(name)
    if weight.card.use.scale != 1:
        raise WeightsError(f"{name} enlarges: it is no denoiser")
    return build(weight)


@command
def main(parser: argparse.ArgumentParser) -> Work:
    """Add the options; return what is done with them."""
    add_inputs(parser)
    add = parser.add_argument
    add("--task", choices=TASKS, required=True)
    add("--simulate", action="store_true", help="the files are the truth: degrade them first")
    add("--baselines", action="store_true", help="also restore by classical methods")
    add("--level", type=option, help="grey levels that a network for one level was trained for")
    add("--noise", type=option, default=0.0, help="of the measurement, in grey levels of 255")
    add("--kernel", metavar="FILE.npy", help="default: Gaussian 8x8 of sigma 3")
    add("--mask", metavar="FILE.npy", help="1 where known; default: random")
    add("--scale", type=int, default=2)
    add("--missing", type=float, default=0.3, help="share of the pixels (inpaint)")
    add("--bands", type=int, default=0, help="of the picture (cassi, spectral)")
    add("--step", type=int, default=2, help="columns between bands (cassi)")
    add("--circular", action="store_true", help="the blur wraps around; implied by --simulate")
    add("--first", type=option, help="first level in grey levels")
    add("--last", type=option, help="last level")
    add("--lam", type=float, help="weight of the prior")
    add("--iterations", type=int)
    add("--method", choices=METHODS, help="default: admm, or as tuned")
    add(
        "--settings",
        metavar="FILE",
        help="of recipes.plug_and_play.tune, for the nearest of its rows",
    )
    add("--augment", action="store_true", help="turn the pictures another way in each iteration")
    add("--tolerance", type=float, default=0.0, help="stop at this root mean square change")
    add("--seed", type=int, default=0, help="of masks and noise")
    return restore_files


def restore_files(options: argparse.Namespace) -> None:
    """Restore all files, print and write their scores."""
    out = Path(options.out)
    options.network = network_of(options.denoiser)
    options.chosen, options.tuned = _chosen(options), {}
    if options.settings:
        cells = Record[Tuned](Path(options.settings)).cells
        nearest = nearest_row(options.task, options.chosen)
        options.tuned = settings_of(nearest, options.network, cells)
    make_folder(out)
    everything = {}
    for path in options.inputs:
        table = restore_file(Path(path), options)
        everything[Path(path).stem] = table
        for method, row in table.items():
            print(
                f"{Path(path).stem:24} {method:24} MPSNR {row['mpsnr']:6.2f} dB  "
                f"MSSIM {row['mssim']:.4f}  SAM {row['sam']:.4f}",
                flush=True,
            )
    if any(everything.values()):
        _print_means(everything)
        record = {"options": _record(options), "scores": everything}
        write_atomically(out / "scores.json", json.dumps(record, indent=2).encode())


def _print_means(everything: dict[str, dict[str, dict[str, float]]]) -> None:
    for method in next(iter(everything.values())):
        mean = np.mean([table[method]["mpsnr"] for table in everything.values()])
        print(f"{'mean of ' + str(len(everything)):24} {method:24} MPSNR {mean:6.2f} dB")


def _record(options: argparse.Namespace) -> Settings:
    left_out = ("inputs", "out", "network", "chosen", "tuned", "debug")
    return written({name: each for name, each in vars(options).items() if name not in left_out})


def add_inputs(parser: argparse.ArgumentParser) -> None:
    """Add the options of every command that restores files by plug-and-play."""
    add = parser.add_argument
    add("inputs", nargs="+", metavar="FILE")
    add("--denoiser", required=True, metavar="NAME", help="weights of the zoo, or tv")
    add("--out", required=True, metavar="DIR")
    add("--bands-axis", choices=("first", "last"), default="last", help="of .mat and .npy")
    add("--variable", default="", help="array of a .mat file with several cubes")


if __name__ == "__main__":
    raise SystemExit(main())
