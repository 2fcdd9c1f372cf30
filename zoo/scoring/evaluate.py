"""Evaluation: pictures degraded, restored by the very network that a user runs, and scored."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np

from zoo.pictures.images import to_channels
from zoo.restoring.bands import Settings, restore_array
from zoo.restoring.network import Restorer, network_of
from zoo.scoring.tasks import METRICS, Scores, Task


class Evaluation(NamedTuple):
    """One image of an evaluation.

    Attributes:
        reference: What is scored against, uint8, of cubes uint16.
        restored: What came out: uint8 of super-resolution, else floating point in [0, 1].
        scores: PSNR in dB, SSIM, RMSE on [0, 1] and NRMSE.
    """

    reference: np.ndarray
    restored: np.ndarray
    scores: Scores


def evaluate(
    model: Restorer | None, images: Iterable[np.ndarray], task: Task
) -> Iterator[Evaluation]:
    """Yield, image by image, what a network makes of degraded images, and its scores.

    Args:
        model: As `zoo.restore` takes it; None: no network, but what a table has as its baseline,
            such as bicubic enlargement.
        images: Originals, uint8, `(height, width, 1 or 3)`; colour images are made grey for a
            denoiser of one channel. For one of any number of bands also cubes, uint16.
        task: Of `zoo.scoring.tasks`, `parse("x3")` for example.

    Raises:
        WeightsError: if the name is unknown or its weights cannot be loaded.
        ValueError: if the network enlarges by another factor, or takes other channels.

    Example:
        >>> for each in zoo.evaluate("srcnn-955-x3", images, zoo.parse("x3")):
        ...     print(each.scores["psnr"])
    """
    if model is None:
        yield from evaluate_with(task.baseline, images, task)
        return
    network = network_of(model, scale=task.scale)
    if network.use.scale != task.scale:
        raise ValueError(
            f"{network.name} enlarges by {network.use.scale}, so it cannot be scored at {task}"
        )
    if network.channels == 1 and task.scale == 1:
        images = (to_channels(image, "grey") for image in images)
    level = task.sigma if not network.use.takes_sigma else task.sigma or 0.0
    restore = partial(restore_array, network, settings=Settings(level))
    yield from evaluate_with(restore, images, task)


def evaluate_with(
    restore: Callable[[np.ndarray], np.ndarray], images: Iterable[np.ndarray], task: Task
) -> Iterator[Evaluation]:
    """Yield what any function from a degraded image to a restored one makes; see `evaluate`."""
    for number, image in enumerate(images):
        reference = task.reference(image)
        restored = restore(task.degrade(reference, number))
        if restored.dtype != np.uint8:
            restored = np.clip(restored, 0, 1)
        yield Evaluation(reference, restored, task.score(reference, restored))


def mean(evaluations: Iterable[Evaluation]) -> Scores:
    """Return the mean of each metric over the images."""
    scores = [each.scores for each in evaluations]
    return {name: float(np.mean([each[name] for each in scores])) for name in METRICS}
