"""The whole job on real photographs: train two networks, compare them, draw, export, check.

    python -m recipes.demo --out runs/demo

Trains SRCNN 9-1-5 for super-resolution by 3 with the plain MSE and with AsyMSE, from the same
initial weights on the same samples of `zoo/samples/train`; scores both and bicubic interpolation
on `zoo/samples/test`; exports the AsyMSE network as a SavedModel and runs that in a process of its
own. About 3 minutes on 2 CPU cores; needs no GPU and downloads nothing.

The folder OUT then holds `demo.png`, what the published weights of EDSR and DnCNN make of the
photographs in `showcase.png`, the scores in `scores.csv`, the work folders `mse` and
`asy_mse` (`zoo.load` takes them), `savedmodel`, and `demo.json` with what was done. They appear
when everything has succeeded, and replace those of an earlier demo.
"""

import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

import zoo
from asykeras import Reciprocal, plots
from asykeras.color import rgb_to_luma
from asykeras.resize import bicubic_resize
from recipes import srcnn
from recipes.evaluate import csv_text, table
from recipes.publish import showcase
from recipes.training import run as training
from zoo.app import command
from zoo.machine.files import make_folder, write_atomically
from zoo.machine.parts import part_folder, temporary_folder
from zoo.pictures.images import crop_to_multiple, find_images, read_image, to_channels
from zoo.restoring.restore import enlarge_bicubic, super_resolve, to_numpy
from zoo.scoring.evaluation import Restore, Scores, protocol, super_resolution

SAMPLES = Path(zoo.__file__).with_name("samples")
SCALE = 3
STEPS = 3000
NETWORKS = {"MSE": "mse", "AsyMSE": "asy_mse"}  # name in tables -> loss, and work folder
EXPORTED = "savedmodel"
# All that a demo leaves in its folder. The record comes first: where it is, the others are ours.
RECORD = "demo.json"
PICTURES = ("demo.png", "showcase.png")
RESULTS = (RECORD, *NETWORKS.values(), EXPORTED, "scores.csv", *PICTURES)
LARGEST_DIFFERENCE = 1e-5  # between the network and its SavedModel, on images in [0, 1]
# What the page shows: test image -> region (top, left, height, width) in pixels.
REGIONS = {"perched-osprey": (55, 130, 81, 144), "roman-colosseum": (90, 80, 81, 144)}
MAPPED = "casa-mila"  # the test image whose weight map is drawn: it reaches from black to white

# What someone runs who has the SavedModel and TensorFlow (which itself imports Keras) alone.
FRESH_PROCESS = """
import sys
import numpy
import tensorflow
folder, image, restored = sys.argv[1:]
network = tensorflow.saved_model.load(folder)
numpy.save(restored, network.serve(numpy.load(image)).numpy())
imported = {"asykeras", "zoo", "recipes"} & set(sys.modules)
if imported:
    sys.exit(f"it imported {sorted(imported)}")
"""


class DemoError(RuntimeError):
    """A demo that cannot start or did not succeed, with the reason in one sentence."""


def run(out: Path, steps: int, quiet: bool = False) -> None:
    """Run the demo and put its results into the folder `out`.

    Args:
        out: Folder; made if need be.
        steps: Steps of each of the two trainings.
        quiet: Print nothing.

    Raises:
        DemoError: if the folder holds something else, or the exported network differs.
        ImportError: if matplotlib is missing.
    """
    begun = time.monotonic()
    say = _silent if quiet else print
    if steps < 1:
        raise DemoError(f"--steps must be at least 1. Received: {steps}")
    page = plots.page(10.5, 10.4)  # fails now and not after the training without matplotlib
    images = {path.stem: read_image(path) for path in find_images(SAMPLES / "test")}
    _check_folder(out)
    with part_folder(out) as work:
        train(work, steps, quiet)
        restorers: dict[str, Restore] = {"bicubic": partial(enlarge_bicubic, scale=SCALE)}
        for name, at in NETWORKS.items():
            restorers[name] = partial(super_resolve, zoo.load(str(work / at)), scale=SCALE)
        columns = evaluate(restorers, images, work)
        report = summary(columns)
        say(f"\n{table(list(images), columns)}\n\n{protocol(SCALE, False)}\n\n{report}\n")
        draw(page, images, restorers, columns, f"SRCNN 9-1-5, x3, {steps} steps, seed 0. {report}")
        plots.save(page, work / "demo.png", dpi=120)
        plots.save(showcase.draw(), work / "showcase.png", dpi=110)
        difference = export(work, images)
        say(_export_report(difference))
        record = {"steps": steps, "report": report, "savedmodel_difference": difference}
        write_atomically(work / RECORD, (json.dumps(record, indent=2) + "\n").encode())
        publish(work, out)
    say(f"wrote {', '.join(name for name in RESULTS if (out / name).exists())} into {out}")
    say(f"{time.monotonic() - begun:.0f} seconds in all")


def train(work: Path, steps: int, quiet: bool) -> None:
    """Train with each loss; nothing but the loss differs."""
    for number, (name, loss) in enumerate(NETWORKS.items(), 1):
        if not quiet:
            print(f"\ntraining {number} of {len(NETWORKS)}: {name}")
        settings = srcnn.SrcnnSettings(
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


def evaluate(
    restorers: dict[str, Restore], images: dict[str, np.ndarray], work: Path
) -> dict[str, list[Scores]]:
    """Score every network on every test image, and write the scores to `scores.csv`."""
    columns = {
        name: super_resolution(restore, list(images.values()), SCALE)
        for name, restore in restorers.items()
    }
    rows = csv_text(list(images), columns, "samples/test")
    write_atomically(work / "scores.csv", rows.encode())
    return columns


def summary(columns: dict[str, list[Scores]]) -> str:
    """Return what was seen, in one neutral sentence."""
    plain, ours = (np.array([s["psnr"] for s in columns[name]]) for name in NETWORKS)
    return (
        f"AsyMSE minus MSE: mean {np.mean(ours - plain):+.3f} dB over {len(plain)} images, one "
        "seed: not evidence by itself"
    )


def draw(
    page: plots.Figure,
    images: dict[str, np.ndarray],
    restorers: dict[str, Restore],
    columns: dict[str, list[Scores]],
    note: str,
) -> None:
    """Draw the page: two test images, the weights of one label, and the bars of all."""
    page.suptitle(note, fontsize=plots.TEXT + 1)
    *rows, bottom = page.subfigures(len(REGIONS) + 1, 1, squeeze=False).ravel()
    names = list(images)
    for (name, region), row in zip(REGIONS.items(), rows, strict=True):
        clean = crop_to_multiple(images[name], SCALE)
        small = to_numpy(bicubic_resize(clean, 1 / SCALE))
        versions = {network: restore(small) for network, restore in restorers.items()}
        scores = {network: columns[network][names.index(name)] for network in restorers}
        plots.comparison({**versions, "truth": clean}, region, scores=scores, figure=row)
        row.supylabel(name, fontsize=plots.TEXT)
    left, right = bottom.subfigures(1, 2)
    label = to_channels(images[MAPPED], "luma") / 255
    plots.weight_map(label, Reciprocal()(label[None])[0], figure=left)
    left.supylabel(MAPPED, fontsize=plots.TEXT)
    short = [name.replace("-", "\n") for name in names]
    plots.score_bars(short, columns, baseline={"AsyMSE": "MSE"}, figure=right)


def export(work: Path, images: dict[str, np.ndarray]) -> float | None:
    """Export the AsyMSE network and compare it, in a fresh process, with the network itself.

    Returns:
        The largest absolute difference on a test image; None without TensorFlow.

    Raises:
        DemoError: if the SavedModel does not run, or its output differs.
    """
    if importlib.util.find_spec("tensorflow") is None:
        return None
    network = zoo.load(str(work / NETWORKS["AsyMSE"]))
    network.export(work / EXPORTED, format="tf_saved_model", verbose=False)
    luma = to_numpy(rgb_to_luma(next(iter(images.values()))[None] / 255)).astype(np.float32)
    restored = _in_fresh_process(work / EXPORTED, luma)
    difference = float(np.abs(restored - to_numpy(network(luma, training=False))).max())
    if not difference <= LARGEST_DIFFERENCE:
        raise DemoError(
            "the SavedModel must give the output of the network to "
            f"{LARGEST_DIFFERENCE:g}. Received: a difference of {difference:.3g}"
        )
    return difference


def _in_fresh_process(saved_model: Path, luma: np.ndarray) -> np.ndarray:
    """Return what a SavedModel makes of an image where nothing of this package is imported."""
    with temporary_folder() as folder:
        np.save(folder / "image.npy", luma)
        finished = subprocess.run(
            [
                sys.executable,
                "-c",
                FRESH_PROCESS,
                saved_model.resolve(),
                "image.npy",
                "restored.npy",
            ],
            cwd=folder,  # not the clone, whose packages could be imported from there
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
            capture_output=True,
            text=True,
        )
        if finished.returncode:
            reason = (finished.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise DemoError(f"the SavedModel does not run in a fresh process: {reason}")
        restored: np.ndarray = np.load(folder / "restored.npy")
        return restored


def _export_report(difference: float | None) -> str:
    if difference is None:
        return "no export: a SavedModel needs TensorFlow, which is not installed"
    return (
        "SavedModel, run in a fresh process that imports TensorFlow and NumPy alone: largest "
        f"difference from the network {difference:.2g}"
    )


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


def _silent(line: str) -> None:
    """Print nothing."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m recipes.demo",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", default="runs/demo", metavar="DIR", help="default: runs/demo")
    parser.add_argument(
        "--steps", type=int, default=STEPS, metavar="N", help=f"of each training; default: {STEPS}"
    )
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")
    return command.run(
        parser, lambda options: run(Path(options.out), options.steps, options.quiet), arguments
    )


if __name__ == "__main__":
    sys.exit(main())
