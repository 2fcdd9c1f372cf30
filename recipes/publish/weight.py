"""A weight of the zoo out of a finished run: what `python -m recipes.publish` does."""

import argparse
import math
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from recipes.publish.packing import packed
from zoo.app.command import Work, command
from zoo.machine.files import write_atomically
from zoo.machine.parts import temporary_folder
from zoo.pictures.errors import ImageError
from zoo.pictures.images import find_images
from zoo.restoring.network import Network, open_network
from zoo.scoring.tasks import (
    METRICS,
    Deblocking,
    Denoising,
    PhotoEnlargement,
    SuperResolution,
    parse,
)
from zoo.scoring.verify import measure, test_folder
from zoo.store.card import Test, Use, WeightsError
from zoo.store.weight import PUBLISHED, SUFFIX, find, json_beside, save_card

SAMPLE_QUALITY = 20  # of JPEG, whose artefacts a network without a scale removes
CHANGE_BY_HALVES = 0.005  # dB by which float16 must not move any figure
SAMPLES = "samples"


def read_test(text: str) -> Test:
    """Return a test of a card from its short form on the command line."""
    folder, task, published, note = [*text.split(":", 3), "", "", ""][:4]
    return Test(
        folder.lower(),
        str(parse(task)),
        math.nan,
        published=float(published) if published else 0.0,
        published_note=note,
    )


def publish(
    workdir: str, name: str, data: str, tests: Sequence[str], note: str, half: bool = False
) -> Path:
    """Measure the network of a work folder and write weights and card into the zoo.

    Raises:
        WeightsError: if the folder holds no finished run, or float16 costs too much.
        ImageError: if the images of a test are not there.
        TaskError: if a test names no task.
    """
    weight = find(workdir)
    planned = [read_test(text) for text in tests] + [_sample_test(weight.card.use)]
    content = packed(weight.file, half)
    with temporary_folder() as folder:
        part = folder / f"{name}{SUFFIX}"
        part.write_bytes(content)
        made = save_card(part, weight.card)
        whole = open_network(workdir)
        network = open_network(str(part)) if half else whole
        measured = []
        for test in planned:
            measured.append(_measured(test, network, data))
            if half:
                _check_cost(measured[-1], measured[-1].psnr - _measured(test, whole, data).psnr)
            print(f"{measured[-1]!s:32} {measured[-1].psnr:.3f} dB", flush=True)
    PUBLISHED.mkdir(exist_ok=True)
    target = PUBLISHED / part.name
    write_atomically(target, content)
    card = replace(made.card, tests=measured).with_more(
        licence="Apache-2.0", dtype="float16" if half else "float32", commit=_commit(), note=note
    )
    return json_beside(save_card(target, card).file)


def _measured(test: Test, network: Network, data: str) -> Test:
    """Return a test with what a network has in it."""
    folder = test_folder(test.data, data)
    if folder is None:
        raise ImageError(f"there is no folder or file {test.data} below {data}")
    scores = measure(network, folder, test.task)
    psnr, ssim, rmse, nrmse = (round(scores[metric], 5) for metric in METRICS)
    measured = replace(test, psnr=psnr, ssim=ssim, rmse=rmse, nrmse=nrmse)
    images, protocol = len(find_images(folder)), parse(test.task).protocol()
    return replace(measured, images=images, protocol=protocol)


def _check_cost(test: Test, change: float) -> None:
    """Refuse float16 where it moves a figure."""
    if abs(change) >= CHANGE_BY_HALVES:
        raise WeightsError(
            f"float16 changes {test} by {change:+.3f} dB, not by less than {CHANGE_BY_HALVES}"
        )


def _sample_test(use: Use) -> Test:
    """Return the test on the sample photographs; noise is of 25 grey levels at the most."""
    level = min((use.levels or (0.0, 25 / 255))[1], use.level or math.inf, 25 / 255)
    if use.scale == 1:
        task = Deblocking(SAMPLE_QUALITY) if use.jpeg_below else Denoising(level)
        return Test(SAMPLES, str(task), math.nan)
    enlargement = PhotoEnlargement if use.jpeg_below else SuperResolution
    return Test(SAMPLES, str(enlargement(use.scale)), math.nan)


def _commit() -> str:
    done = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def describe(parser: argparse.ArgumentParser) -> Work:
    """Add the options; return what is done with them."""
    parser.add_argument("workdir", help="work folder of a finished recipe")
    parser.add_argument("--name", required=True, help="name of the weight")
    parser.add_argument("--data", required=True, metavar="DIR", help="folder of the test sets")
    parser.add_argument("--test", action="append", default=[], metavar="TEST", help="see above")
    parser.add_argument("--half", action="store_true", help="store the values as float16")
    parser.add_argument("--note", default="", help="what a user should know, on the card")
    return _publish


def _publish(options: argparse.Namespace) -> None:
    path = publish(
        options.workdir, options.name, options.data, options.test, options.note, options.half
    )
    print(f"wrote {path}")


main = command(describe, module="recipes.publish")
