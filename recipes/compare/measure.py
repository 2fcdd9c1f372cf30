"""Scores and errors by grey level of restored test images, by the protocols of `zoo.scoring`."""

from pathlib import Path

import numpy as np
from keras.ops import convert_to_numpy

from asykeras.metrics import ssim
from recipes.compare.grey_levels import errors_by_grey_level
from recipes.compare.records import Record
from zoo.pictures.images import ImageError, find_images, read_image, to_channels
from zoo.restoring.network import Restorer
from zoo.scoring.evaluate import Evaluation, evaluate
from zoo.scoring.tasks import Task

Images = dict[str, np.ndarray]


def read_tests(folder: Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Return the test images by name, in the order of `names`; all of the folder without names.

    Raises:
        ImageError: if one is missing or cannot be read.
    """
    paths = {path.stem: path for path in find_images(folder)}
    missing = [name for name in names if name not in paths]
    if missing:
        raise ImageError(f"{folder} has no image named {missing[0]}")
    return {name: read_image(paths[name]) for name in names or paths}


def evaluations(model: Restorer | None, images: Images, task: Task) -> dict[str, Evaluation]:
    """Return what is made of images, uint8, by their names; without a model the baseline of tables.

    For tasks that do not enlarge the images are made grey.
    """
    given = list(images.values())
    if task.scale == 1:
        given = [to_channels(image, "grey") for image in given]
    return dict(zip(images, evaluate(model, given, task), strict=True))


def measure(model: Restorer | None, images: Images, task: Task) -> dict[str, Record]:
    """Restore and score images; see `evaluations`."""
    return {name: record(each, task) for name, each in evaluations(model, images, task).items()}


def record(evaluation: Evaluation, task: Task) -> Record:
    """Return what is kept of an image."""
    pair = task.compared(evaluation.reference), task.compared(evaluation.restored)
    scores = evaluation.scores
    return {
        "psnr": scores["psnr"],
        "ssim_gaussian": scores["ssim"],
        "ssim_uniform": _uniform_ssim(*pair),
        "rmse": scores["rmse"],
        "nrmse": scores["nrmse"],
        "grey_levels": errors_by_grey_level(*pair),
    }


def _uniform_ssim(label: np.ndarray, restored: np.ndarray) -> float:
    values = ssim(label[None], restored[None], window="uniform", data_format="channels_last")
    return float(convert_to_numpy(values)[0])
