"""Whether an exported file computes what the network does, and what it costs in dB."""

from dataclasses import replace
from pathlib import Path
from typing import TypedDict

import keras
import numpy as np

from zoo.exports.samples import crop, network_inputs, photographs, with_bands
from zoo.pictures.images import to_uint8
from zoo.restoring.bands import Settings, restore_array
from zoo.restoring.network import Network
from zoo.runtimes.errors import ExportError, in_one_sentence
from zoo.runtimes.formats import Format
from zoo.runtimes.signatures import Engine
from zoo.scoring.evaluate import evaluate, mean
from zoo.scoring.tasks import Task

# Batch, height and width of the network's input: two sizes, the second odd.
SIZES = ((2, 64, 96), (1, 47, 71))
# Largest difference of a float file, relative to the largest value where that is above 1.
BOUND = 1e-5
# What integers may cost on the sample photographs, in dB; above it they are of no use.
MOST_LOST = 1.0


class Parity(TypedDict, total=False):
    """How near an exported file is to the network."""

    largest_difference: float
    bound: float | None
    sizes: list[list[int]]
    uint8: dict[str, int]


class Cost(TypedDict):
    """What an exported file costs in dB."""

    network: float
    exported: float
    change: float
    data: str
    images: int
    protocol: str


class Check(TypedDict):
    """What was compared of an exported file."""

    signatures: list[str]
    parity: Parity
    psnr: Cost


def check(network: Network, chosen: Format, path: Path, task: Task, int8: bool) -> Check:
    """Return `signatures`, `parity` and `psnr` of an exported file.

    It is compared with the network as Keras runs it, on whole pictures. In integers it may differ
    as it likes.

    Raises:
        ExportError: if it cannot be run, differs by more than the bound, or loses more than
            `MOST_LOST` in integers.
    """
    photos = photographs("test")
    # A GPU computes convolutions in TF32: the network itself would be the one that differs.
    with keras.device("cpu:0"):
        with in_one_sentence(f"the {chosen.name} file does not run"):
            runs = chosen.read(path)
            parity = _parity(network, runs["serve"], photos, task, int8)
        if "serve_uint8" in runs:
            parity["uint8"] = _uint8(network, runs, photos, task)
        psnr = _psnr(network, replace(network, engine=runs["serve"]), photos, task)
    if int8 and psnr["change"] < -MOST_LOST:
        raise ExportError(
            f"{network.name} in 8-bit integers loses {-psnr['change']:.1f} dB on the sample "
            f"photographs, more than {MOST_LOST:g}: its activations differ too much in range"
        )
    return {"signatures": sorted(runs), "parity": parity, "psnr": psnr}


def _parity(
    network: Network, run: Engine, photos: list[np.ndarray], task: Task, int8: bool
) -> Parity:
    """Compare the float outputs at two sizes."""
    largest, sizes = 0.0, []
    for batch, height, width in SIZES:
        parts = [
            crop(network_inputs(network, photo, task), height, width) for photo in photos[:batch]
        ]
        inputs = [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]
        expected, found = network.engine(inputs), run(inputs)
        if found.shape != expected.shape or not np.isfinite(found).all():
            raise ExportError(
                f"the exported file returns {found.shape} where the network returns "
                f"{expected.shape}, or values that are not finite"
            )
        difference = float(np.abs(found - expected).max())
        bound = BOUND * max(1.0, float(np.abs(expected).max()))
        if not int8 and difference > bound:
            raise ExportError(
                f"the exported file differs from the network by {difference:.1e} at "
                f"{height} x {width} pixels, more than {bound:.0e}"
            )
        largest = max(largest, difference)
        sizes.append([batch, height, width])
    return {"largest_difference": largest, "bound": None if int8 else BOUND, "sizes": sizes}


def _uint8(
    network: Network, runs: dict[str, Engine], photos: list[np.ndarray], task: Task
) -> dict[str, int]:
    """Count the pixels in which the uint8 signatures differ from the functions of the zoo."""
    inputs = crop(network_inputs(network, photos[0], task), *SIZES[0][1:])
    image = to_uint8(inputs[0])
    level = inputs[1:]
    values = (image.astype(np.float64) / 255).astype(np.float32)
    expected = to_uint8(network.engine([values, *level]).astype(np.float64))
    counts = {
        "serve_uint8": _differing("serve_uint8", runs["serve_uint8"]([image, *level]), expected)
    }
    for name in sorted(set(runs) - {"serve", "serve_uint8"}):
        photo = photos[0] if name == "restore" else with_bands(photos[0], 1)
        small = task.degrade(task.reference(photo), 0)
        whole = restore_array(network, small, Settings())
        counts[name] = _differing(name, runs[name]([small[None]])[0], whole)
    return counts


def _differing(name: str, found: np.ndarray, expected: np.ndarray) -> int:
    """Return the number of values that differ; refuse more than one grey level."""
    steps = np.abs(found.astype(int) - expected.astype(int))
    if steps.max() > 1:
        raise ExportError(f"the signature {name} differs by {steps.max()} grey levels")
    return int(np.count_nonzero(steps))


def _psnr(network: Network, exported: Network, photos: list[np.ndarray], task: Task) -> Cost:
    """Score the network and the file on the sample photographs."""
    if task.scale == 1:
        photos = [with_bands(photo, network.channels) for photo in photos]
    before, after = (mean(evaluate(each, photos, task))["psnr"] for each in (network, exported))
    return {
        "network": before,
        "exported": after,
        "change": after - before,
        "data": "samples",
        "images": len(photos),
        "protocol": task.protocol(),
    }
