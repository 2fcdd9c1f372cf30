"""The sample photographs as a network takes them: degraded for what it restores."""

from pathlib import Path
from typing import Any

import keras
import numpy as np

from asykeras.color import rgb_to_ycbcr
from asykeras.resize import bicubic_resize
from zoo.pictures.images import crop_to_multiple, find_images, read_image, to_channels
from zoo.restoring.restore import to_numpy
from zoo.runtimes.errors import ExportError
from zoo.store.usage import usage
from zoo.tiling.graph import growth

SAMPLES = Path(__file__).parents[1] / "samples"
# Grey levels of the noise, where nothing says which level a denoiser is for.
SIGMA = 25.0


def task_of(network: keras.Model, its_card: dict[str, Any], scale: int | None) -> dict[str, Any]:
    """Return what a network is for: `{"scale": 3}` or `{"sigma": 25.0}`, as `score_network` takes.

    Args:
        network: One image in, one image out.
        its_card: Card of its weights, or an empty one.
        scale: Upsampling factor, where the caller knows it; 1 is a denoiser.

    Raises:
        ExportError: if the output is no whole number of times as large as the input, or another
            number of times than `scale`.
    """
    try:
        grown = growth(network)
    except ValueError as error:
        raise ExportError(f"the network cannot be exported: {error}") from error
    if scale is None:
        scale = usage(its_card).scale if its_card else grown
    if scale not in (1, 2, 3, 4) or grown not in (1, scale):
        raise ExportError(f"{network.name} enlarges by {grown}. Received: scale {scale}")
    if scale > 1:
        return {"scale": scale}
    levels = [float(test["sigma"]) for test in its_card.get("tests", []) if "sigma" in test]
    return {"sigma": [*levels, SIGMA][0]}


def photographs(part: str) -> list[np.ndarray]:
    """Return the sample photographs of `"train"` or `"test"`, uint8 RGB."""
    return [read_image(path) for path in find_images(SAMPLES / part)]


def with_bands(photo: np.ndarray, bands: int | None) -> np.ndarray:
    """Return an RGB photograph with another number of bands, for a denoiser.

    One band is grey; more than three repeat R, G and B; None, any number, keeps the three.
    """
    if bands == 1:
        return to_channels(photo, "grey")
    return photo[..., np.arange(bands or 3) % 3]


def network_inputs(
    network: keras.Model, photo: np.ndarray, task: dict[str, Any]
) -> list[np.ndarray]:
    """Return the degraded photograph as the network's inputs, a batch of one in float32."""
    channels = network.inputs[0].shape[-1]
    if "scale" in task:
        small = to_numpy(bicubic_resize(crop_to_multiple(photo, task["scale"]), 1 / task["scale"]))
        image = small / 255
        if channels == 1:
            image = to_numpy(rgb_to_ycbcr(image))[..., :1]
        if growth(network) == 1:
            image = to_numpy(bicubic_resize(image, task["scale"]))
    else:
        clean = with_bands(photo, channels) / 255
        image = clean + np.random.default_rng(0).normal(0, task["sigma"] / 255, clean.shape)
    inputs = [image[None].astype(np.float32)]
    if len(network.inputs) == 2:
        inputs.append(np.full((1, 1), task["sigma"] / 255, np.float32))
    return inputs


def crop(inputs: list[np.ndarray], height: int, width: int) -> list[np.ndarray]:
    """Return inputs whose image is cut to a size at most, from its upper left corner."""
    return [inputs[0][:, :height, :width], *inputs[1:]]
