"""The sample photographs as a network takes them: degraded for what it restores."""

import keras
import numpy as np
from keras.ops import convert_to_numpy

from asykeras.resize import bicubic_resize
from zoo.pictures.images import find_images, read_image, to_channels
from zoo.pictures.picture import picture_of
from zoo.restoring.channels import channels_for
from zoo.restoring.network import Network
from zoo.runtimes.errors import ExportError
from zoo.scoring.tasks import Denoising, SuperResolution, Task, parse, unit_range
from zoo.scoring.verify import SAMPLES
from zoo.store.card import Card, Use
from zoo.tiling.graph import growth

# Level of the noise, where nothing says which level a denoiser is for.
SIGMA = 25 / 255
# Lowest and highest level, where nothing says for which levels one is that takes the level.
LEVELS = (0.0, 75 / 255)


def use_of(model: keras.Model, card: Card | None, scale: int | None) -> Use:
    """Return how a network is used that makes one image of one.

    The scale is the caller's, else the one on the card of its weights, else what it shows; that of
    a denoiser is 1.

    Raises:
        ExportError: if the output is no whole number of times as large as the input, or another
            number of times than `scale`.
    """
    try:
        grown = growth(model)
    except ValueError as error:
        raise ExportError(f"the network cannot be exported: {error}") from error
    if scale is None:
        scale = card.use.scale if card else grown
    if scale not in (1, 2, 3, 4) or grown not in (1, scale):
        raise ExportError(f"{model.name} enlarges by {grown}. Received: scale={scale}")
    return Use(scale, enlarge_first=grown < scale, takes_sigma=len(model.inputs) == 2)


def task_of(use: Use, card: Card | None) -> Task:
    """Return what a network is for: the first of its card's tests, or noise of 25 grey levels."""
    if use.scale > 1:
        return SuperResolution(use.scale)
    tasks = [parse(test.task) for test in card.tests] if card else []
    if card and card.use.jpeg_below and tasks:
        return tasks[0]
    return Denoising(next((task.sigma for task in tasks if task.sigma is not None), SIGMA))


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


def network_inputs(network: Network, photo: np.ndarray, task: Task) -> list[np.ndarray]:
    """Return the degraded photograph as the network's inputs, a batch of one in float32."""
    if task.scale == 1:
        photo = with_bands(photo, network.channels)
    degraded = task.degrade(task.reference(photo), 0)
    picture = picture_of(degraded)
    way = channels_for(picture.colour, picture.channels, network.channels, task.scale)
    image, _ = way.apart(unit_range(degraded)[None])
    if network.use.enlarge_first:
        image = convert_to_numpy(bicubic_resize(image, task.scale))
    inputs = [image.astype(np.float32)]
    if network.use.takes_sigma:
        inputs.append(np.full((1, 1), task.sigma, np.float32))
    return inputs


def calibration(
    network: Network, task: Task, levels: tuple[float, float]
) -> list[list[np.ndarray]]:
    """Return the training photographs as a network's inputs, for files in integers.

    A network that takes the level of the noise is shown levels from the lowest to the highest:
    what lies beyond those that it is shown would be cut off in integers.
    """
    photos = photographs("train")
    if not network.use.takes_sigma:
        return [network_inputs(network, photo, task) for photo in photos]
    steps = np.linspace(*levels, len(photos))
    return [
        network_inputs(network, photo, Denoising(float(sigma)))
        for photo, sigma in zip(photos, steps, strict=True)
    ]


def crop(inputs: list[np.ndarray], height: int, width: int) -> list[np.ndarray]:
    """Return inputs whose image is cut to a size at most, from its upper left corner."""
    return [inputs[0][:, :height, :width], *inputs[1:]]
