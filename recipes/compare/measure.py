"""Scores and errors by grey level of restored test images, by the protocols of `zoo.scoring`."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np

from asykeras.color import rgb_to_luma
from asykeras.metrics import ssim
from recipes.compare.grey_levels import errors_by_grey_level
from recipes.compare.plan import scale_of, sigma_of
from zoo.pictures.images import ImageError, crop_to_multiple, find_images, read_image, to_channels
from zoo.restoring.restore import denoise, enlarge_bicubic, super_resolve, to_numpy
from zoo.scoring.evaluation import denoising, keeping, super_resolution

Restore = Callable[[np.ndarray], np.ndarray]
Record = dict[str, Any]  # metric -> value, and "grey_levels" -> sums


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


def restorer(network: keras.Model | None, task: str) -> Restore:
    """Return what restores a degraded image; without a network, what a table has as its baseline.

    Returns:
        For super-resolution, from the small uint8 image to the large one; for denoising, from the
        noisy image to the one in [0, 1].
    """
    scale, sigma = scale_of(task), sigma_of(task)
    if scale is not None:
        if network is None:
            return partial(enlarge_bicubic, scale=scale)
        return partial(super_resolve, network, scale=scale)
    if network is None:
        return partial(np.clip, a_min=0, a_max=1)
    return partial(denoise, network, sigma=(sigma or 0) / 255)


def measure(restore: Restore, images: dict[str, np.ndarray], task: str) -> dict[str, Record]:
    """Restore and score images.

    Args:
        restore: See `restorer`.
        images: Originals by name, uint8; for denoising they are made grey.
        task: `"x3"`, `"sigma25"`, ...

    Returns:
        For each image `psnr` (dB), `ssim_gaussian`, `ssim_uniform`, `rmse`, `nrmse` and
        `grey_levels`, all of them of what the protocol scores.
    """
    scores, restored = _by_protocol(restore, images, task)
    records = {}
    for name, each in zip(images, scores, strict=True):
        pair = scored(original(images[name], task), task), scored(restored[name], task)
        records[name] = {
            "psnr": each["psnr"],
            "ssim_gaussian": each["ssim"],
            "ssim_uniform": _uniform_ssim(*pair),
            "rmse": each["rmse"],
            "nrmse": each["nrmse"],
            "grey_levels": errors_by_grey_level(*pair),
        }
    return records


def restore_some(
    restore: Restore, images: dict[str, np.ndarray], task: str, wanted: Sequence[str]
) -> dict[str, np.ndarray]:
    """Return some of the images as `measure` restores them; noise depends on an image's number."""
    names, cheap = iter(images), restorer(None, task)

    def chosen(degraded: np.ndarray) -> np.ndarray:
        return restore(degraded) if next(names) in wanted else cheap(degraded)

    _, restored = _by_protocol(chosen, images, task)
    return {name: restored[name] for name in wanted}


def _by_protocol(
    restore: Restore, images: dict[str, np.ndarray], task: str
) -> tuple[list[dict[str, float]], dict[str, np.ndarray]]:
    """Return the scores of the zoo's protocol, and what it scored: in [0, 1] or uint8."""
    kept: list[np.ndarray] = []

    keep = keeping(restore, kept)
    if scale := scale_of(task):
        scores = super_resolution(keep, list(images.values()), scale)
    else:
        grey = [original(image, task) for image in images.values()]
        scores = denoising(keep, grey, sigma_of(task) or 0)
    return scores, dict(zip(images, kept, strict=True))


def original(image: np.ndarray, task: str) -> np.ndarray:
    """Return what a restored image is compared with: cropped, or made grey; uint8."""
    scale = scale_of(task)
    return crop_to_multiple(image, scale) if scale else to_channels(image, "grey")


def scored(image: np.ndarray, task: str) -> np.ndarray:
    """Return what is scored of an image: Y or the grey image, without its border.

    Args:
        image: uint8 or in [0, 1], `(height, width, 1 or 3)`.
        task: See `measure`.

    Returns:
        `(height, width, 1)`, in [0, 1].
    """
    values = image / 255 if image.dtype == np.uint8 else image
    luma = to_numpy(rgb_to_luma(values)) if image.shape[-1] == 3 else values
    border = scale_of(task) or 0
    return luma[border : len(luma) - border, border : luma.shape[1] - border]


def _uniform_ssim(label: np.ndarray, restored: np.ndarray) -> float:
    y_true, y_pred = (image[None].astype(np.float64) for image in (label, restored))
    values = ssim(y_true, y_pred, window="uniform", data_format="channels_last")
    return float(to_numpy(values)[0])
