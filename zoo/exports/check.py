"""Whether an exported file computes what the network does, and what it costs in dB."""

from pathlib import Path
from typing import Any

import keras
import numpy as np

from asykeras.resize import bicubic_resize
from zoo.exports.samples import crop, network_inputs, photographs, with_bands
from zoo.pictures.images import crop_to_multiple
from zoo.restoring.restore import super_resolve, to_numpy, to_uint8
from zoo.runtimes.engines import keras_engine
from zoo.runtimes.errors import ExportError, in_one_sentence
from zoo.runtimes.formats import Format
from zoo.runtimes.signatures import Run
from zoo.scoring.evaluation import mean, protocol, score_network

# Batch, height and width of the network's input: two sizes, the second odd.
SIZES = ((2, 64, 96), (1, 47, 71))
# Largest difference of a float file, relative to the largest value where that is above 1.
BOUND = 1e-5


def check(
    network: keras.Model, chosen: Format, path: Path, task: dict[str, Any], int8: bool
) -> dict[str, Any]:
    """Return `signatures`, `parity` and `psnr` of an exported file.

    Raises:
        ExportError: if it cannot be run or differs by more than the bound.
    """
    photos = photographs("test")
    # A GPU computes convolutions in TF32: the network itself would be the one that differs.
    with keras.device("cpu:0"):
        # As `predict` runs it: a direct call differs in the last digit, where TensorFlow adds two
        # constants first.
        expected = Served(network, keras_engine(network))
        with in_one_sentence(f"the {chosen.name} file does not run"):
            runs = chosen.read(path)
            parity = _parity(expected, runs["serve"], photos, task, int8)
        if "serve_uint8" in runs:
            parity["uint8"] = _uint8(expected, runs, photos, task)
        psnr = _psnr(expected, Served(network, runs["serve"]), photos, task)
    return {"signatures": sorted(runs), "parity": parity, "psnr": psnr}


class Served:
    """Something that runs in the place of a network, for `zoo.scoring` and `zoo.restore`."""

    def __init__(self, network: keras.Model, run: Run) -> None:
        self._network = network
        self._run = run

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the network: its inputs, its shapes, its name."""
        return getattr(self._network, name)

    def __call__(self, inputs: Any, training: bool = False) -> np.ndarray:
        """Return the restored images."""
        arrays = inputs if isinstance(inputs, list) else [inputs]
        return self._run([np.asarray(array, np.float32) for array in arrays])


def _parity(
    network: Served, run: Run, photos: list[np.ndarray], task: dict[str, Any], int8: bool
) -> dict[str, Any]:
    """Compare the float outputs at two sizes."""
    largest, sizes = 0.0, []
    for batch, height, width in SIZES:
        parts = [
            crop(network_inputs(network, photo, task), height, width) for photo in photos[:batch]
        ]
        inputs = [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]
        expected, found = network(inputs), run(inputs)
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
    network: Served, runs: dict[str, Run], photos: list[np.ndarray], task: dict[str, Any]
) -> dict[str, Any]:
    """Count the pixels in which the uint8 signatures differ from the functions of the zoo."""
    inputs = crop(network_inputs(network, photos[0], task), *SIZES[0][1:])
    image = to_uint8(inputs[0])
    level = inputs[1:]
    values = (image.astype(np.float64) / 255).astype(np.float32)
    expected = to_uint8(network([values, *level]).astype(np.float64))
    counts = {
        "serve_uint8": _differing("serve_uint8", runs["serve_uint8"]([image, *level]), expected)
    }
    for name in sorted(set(runs) - {"serve", "serve_uint8"}):
        photo = photos[0] if name == "restore" else with_bands(photos[0], 1)
        scale = task["scale"]
        small = to_numpy(bicubic_resize(crop_to_multiple(photo, scale), 1 / scale))
        counts[name] = _differing(
            name, runs[name]([small[None]])[0], super_resolve(network, small, scale)
        )
    return counts


def _differing(name: str, found: np.ndarray, expected: np.ndarray) -> int:
    """Return the number of values that differ; refuse more than one grey level."""
    steps = np.abs(found.astype(int) - expected.astype(int))
    if steps.max() > 1:
        raise ExportError(f"the signature {name} differs by {steps.max()} grey levels")
    return int(np.count_nonzero(steps))


def _psnr(
    network: Served, exported: Served, photos: list[np.ndarray], task: dict[str, Any]
) -> dict[str, Any]:
    """Score the network and the file on the sample photographs."""
    if "sigma" in task:
        photos = [with_bands(photo, network.inputs[0].shape[-1]) for photo in photos]
    before, after = (
        mean(score_network(each, photos, **task))["psnr"] for each in (network, exported)
    )
    scores = {"network": before, "exported": after, "change": after - before}
    return {**scores, "data": "samples", "images": len(photos), "protocol": protocol(**task)}
