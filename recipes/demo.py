"""The whole job on real photographs: train two networks, compare them, draw, export, check.

    python -m recipes.demo --out runs/demo

Trains SRCNN 9-1-5 for super-resolution by 3 with the plain MSE and with AsyMSE, from the same
initial weights on the same samples of `zoo/samples/train`; scores both and bicubic interpolation
on `zoo/samples/test`; exports the AsyMSE network as a SavedModel, which is compared with it. At
most 5 minutes on 2 CPU cores, which it prints; needs no GPU and downloads nothing.

The folder OUT then holds `demo.png`, what the published weights of EDSR and FFDNet make of the
photographs in `showcase.png`, the scores in `scores.csv`, the work folders `mse` and
`asy_mse` (`zoo.load` takes them), `savedmodel`, and `demo.json` with what was done. They appear
when everything has succeeded, and replace those of an earlier demo.
"""

import argparse
import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

import zoo
from asykeras import Reciprocal, plots
from recipes import BEGUN, srcnn
from recipes.evaluate import Columns, csv_text, table
from recipes.publish import showcase
from recipes.training import run as training
from zoo.app.command import Work, command
from zoo.exports.export import Report, describe
from zoo.machine.files import make_folder, write_atomically
from zoo.machine.parts import part_folder
from zoo.pictures.images import find_images, read_image, to_channels
from zoo.scoring.evaluate import evaluate
from zoo.scoring.tasks import SuperResolution
from zoo.scoring.verify import SAMPLES

SCALE = 3
TASK = SuperResolution(SCALE)
STEPS = 2200
NETWORKS = {"MSE": "mse", "AsyMSE": "asy_mse"}  # name in tables -> loss, and work folder
EXPORTED = "savedmodel"
# All that a demo leaves in its folder. The record comes first: where it is, the others are ours.
RECORD = "demo.json"
PICTURES = ("demo.png", "showcase.png")
RESULTS = (RECORD, *NETWORKS.values(), EXPORTED, f"{EXPORTED}.json", "scores.csv", *PICTURES)
# What the page shows: test image -> region (top, left, height, width) in pixels.
REGIONS = {"perched-osprey": (55, 130, 81, 144), "roman-colosseum": (90, 80, 81, 144)}
MAPPED = "casa-mila"  # the test image whose weight map is drawn: it reaches from black to white


class DemoError(RuntimeError):
    """A demo that cannot start or did not succeed, with the reason in one sentence."""


def run(out: Path, steps: int, quiet: bool = False) -> None:
    """Run the demo and put its results into the folder `out`, which is made if need be.

    Raises:
        DemoError: if the folder holds something else, or the exported network differs.
        ImportError: if matplotlib is missing.
    """
    say: Callable[[str], None] = (lambda line: None) if quiet else print
    if steps < 1:
        raise DemoError(f"--steps must be at least 1. Received: {steps}")
    page = plots.page(10.5, 10.4)  # fails now and not after the training without matplotlib
    images = {path.stem: read_image(path) for path in find_images(SAMPLES / "test")}
    _check_folder(out)
    with part_folder(out) as work:
        train(work, steps, quiet)
        columns = score(work, images)
        report = summary(columns)
        say(f"\n{table(list(images), columns)}\n\n{TASK.protocol()}\n\n{report}\n")
        draw(page, images, columns, f"SRCNN 9-1-5, x3, {steps} steps, seed 0. {report}")
        plots.save(page, work / "demo.png", dpi=120)
        plots.save(showcase.draw(), work / "showcase.png", dpi=110)
        exported = export(work)
        none = "no export: a SavedModel needs Keras on TensorFlow"
        say(describe(exported, EXPORTED) if exported else none)
        difference = exported["parity"]["largest_difference"] if exported else None
        record = {"steps": steps, "report": report, "savedmodel_difference": difference}
        write_atomically(work / RECORD, (json.dumps(record, indent=2) + "\n").encode())
        publish(work, out)
    say(f"wrote {', '.join(name for name in RESULTS if (out / name).exists())} into {out}")
    say(f"{time.monotonic() - BEGUN:.0f} seconds in all, from the start of the command")


def train(work: Path, steps: int, quiet: bool) -> None:
    """Train with each loss; nothing but the loss differs."""
    for number, (name, loss) in enumerate(NETWORKS.items(), 1):
        if not quiet:
            print(f"\ntraining {number} of {len(NETWORKS)}: {name}")
        settings = srcnn.SrcnnSettings.of(
            data=str(SAMPLES / "train"),
            workdir=str(work / loss),
            loss=loss,
            scale=SCALE,
            variant="9-1-5",
            steps=steps,
            every=steps // 10 if steps % 10 == 0 else steps,  # must divide the steps
            batch=16,
            learning_rate=3e-3,  # at 1e-3 a run as short as this one ends 0.05 dB lower
            ema=0.99,  # averages the last few hundred steps; the default is for longer runs
            precision="float32",  # quick on every CPU; the networks are built in float32 later on
            quiet=quiet,
        )
        training.train(settings, srcnn.recipe(settings))


def score(work: Path, images: dict[str, np.ndarray]) -> Columns:
    """Score every network on every test image, and write the scores to `scores.csv`."""
    models: dict[str, str | None] = {"bicubic": None}
    models |= {name: str(work / at) for name, at in NETWORKS.items()}
    columns = {name: list(evaluate(model, images.values(), TASK)) for name, model in models.items()}
    rows = csv_text(list(images), columns, "samples/test")
    write_atomically(work / "scores.csv", rows.encode())
    return columns


def summary(columns: Columns) -> str:
    """Return what was seen, in one neutral sentence."""
    plain, ours = (np.array([each.scores["psnr"] for each in columns[name]]) for name in NETWORKS)
    return (
        f"AsyMSE minus MSE: mean {np.mean(ours - plain):+.3f} dB over {len(plain)} images, one "
        "seed: not evidence by itself"
    )


def draw(page: plots.Figure, images: dict[str, np.ndarray], columns: Columns, note: str) -> None:
    """Draw the page: two test images, the weights of one label, and the bars of all."""
    page.suptitle(note, fontsize=plots.TEXT + 1)
    *rows, bottom = page.subfigures(len(REGIONS) + 1, 1, squeeze=False).ravel()
    names = list(images)
    for (name, region), row in zip(REGIONS.items(), rows, strict=True):
        found = {network: each[names.index(name)] for network, each in columns.items()}
        versions = {network: each.restored for network, each in found.items()}
        truth = {"truth": found["bicubic"].reference}
        scores = {network: each.scores for network, each in found.items()}
        plots.comparison(versions | truth, region, scores=scores, figure=row)
        row.supylabel(name, fontsize=plots.TEXT)
    left, right = bottom.subfigures(1, 2)
    label = to_channels(images[MAPPED], "luma") / 255
    plots.weight_map(label, Reciprocal()(label[None])[0], figure=left)
    left.supylabel(MAPPED, fontsize=plots.TEXT)
    short = [name.replace("-", "\n") for name in names]
    bars = {network: [each.scores for each in found] for network, found in columns.items()}
    plots.score_bars(short, bars, baseline={"AsyMSE": "MSE"}, figure=right)


def export(work: Path) -> Report | None:
    """Export the AsyMSE network, which is compared with the file; None on another backend."""
    if keras.backend.backend() != "tensorflow":
        return None
    return zoo.export(work / NETWORKS["AsyMSE"], work / EXPORTED)


def publish(work: Path, out: Path) -> None:
    """Move the results into their folder in place of those of an earlier demo."""
    for name in RESULTS:
        old, new = out / name, work / name
        if old.is_dir():
            shutil.rmtree(old)
        if new.exists():
            os.replace(new, old)


def _check_folder(out: Path) -> None:
    """Make the folder `out`, which may hold nothing of others by the names of results."""
    try:
        make_folder(out)
        strange = [name for name in RESULTS if (out / name).exists()]
    except OSError as error:
        raise DemoError(f"the folder {out} cannot be used: {error.strerror}") from None
    if strange and not (out / RECORD).is_file():
        raise DemoError(f"{out} holds something that no demo wrote: {strange[0]}")


@command
def main(parser: argparse.ArgumentParser) -> Work:
    """Add the options; return what is done with them."""
    parser.add_argument("--out", default="runs/demo", metavar="DIR", help="default: runs/demo")
    parser.add_argument(
        "--steps", type=int, default=STEPS, metavar="N", help=f"of each training; default: {STEPS}"
    )
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")
    return lambda options: run(Path(options.out), options.steps, options.quiet)


if __name__ == "__main__":
    raise SystemExit(main())
