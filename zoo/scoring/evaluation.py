"""Evaluation: the protocols by which restored images are scored, in one place.

Recipes, cards and `asykeras verify` call these functions, so that their numbers are the same.
"""

import io
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import keras
import numpy as np
from PIL import Image

from asykeras.metrics import nrmse, psnr, rmse, ssim
from asykeras.resize import bicubic_resize
from zoo.pictures.images import crop_to_multiple, to_channels
from zoo.restoring.restore import denoise, super_resolve, to_numpy

METRICS = {"psnr": psnr, "ssim": ssim, "rmse": rmse, "nrmse": nrmse}
NOISE_SEED = 0
Restore = Callable[[np.ndarray], np.ndarray]  # small uint8 image -> large uint8 image
Denoise = Callable[[np.ndarray], np.ndarray]  # noisy image -> image in [0, 1]
Scores = dict[str, float]


def score_network(
    network: keras.Model,
    images: Sequence[np.ndarray],
    scale: int | None = None,
    sigma: float | None = None,
    round_luma: bool = False,
    window: str = "gaussian",
    quality: int | None = None,
    kept: list[np.ndarray] | None = None,
) -> list[Scores]:
    """Score a network on images, by `super_resolution`, `denoising` or `deblocking`.

    Args:
        network: Model of the zoo.
        images: Originals, uint8, `(height, width, 1 or 3)`; colour images are made grey for a
            denoiser with one channel.
        scale: Factor of super-resolution; or
        sigma: level of the noise in grey levels of 255.
        round_luma: See `super_resolution`.
        window: See `denoising`.
        quality: Quality of JPEG, 1 to 100, for `deblocking`, instead of `scale` or `sigma`.
        kept: List that the restored images are added to, as they are scored: uint8 of
            super-resolution, else in [0, 1].

    Raises:
        ValueError: if not exactly one of `scale`, `sigma` and `quality` is given, or the network
            takes another scale or, without one, three channels where an image is grey.
    """
    given = [scale, sigma, quality]
    if given.count(None) != 2:
        raise ValueError(f"give one of scale, sigma and quality. Received: {given}")
    if scale is not None:
        enlarge = keeping(partial(super_resolve, network, scale=scale), kept)
        return super_resolution(enlarge, images, scale, round_luma)
    if network.inputs[0].shape[-1] == 1:
        images = [to_channels(image, "grey") for image in images]
    level = float(sigma or 0)
    clean = keeping(partial(denoise, network, sigma=level / 255), kept)
    if quality is not None:
        return deblocking(clean, images, quality, window)
    return denoising(clean, images, level, window)


def keeping(restore: Restore, kept: list[np.ndarray] | None) -> Restore:
    """Return a function that restores and also adds each result to a list, if there is one."""
    if kept is None:
        return restore

    def restore_and_keep(degraded: np.ndarray) -> np.ndarray:
        kept.append(restore(degraded))
        return kept[-1]

    return restore_and_keep


def score(clean: np.ndarray, restored: np.ndarray, **options: Any) -> Scores:
    """Score one image in [0, 1] against its original.

    Args:
        clean: `(height, width, channels)`.
        restored: Same shape.
        **options: Those of `asykeras.ssim`; the other metrics take all but `window`.

    Returns:
        PSNR in dB, SSIM, RMSE on the scale [0, 1] and NRMSE.
    """
    # float64, so that the figures do not depend on the order of a sum
    y_true, y_pred = (image[None].astype(np.float64) for image in (clean, restored))
    scores = {}
    for name, metric in METRICS.items():
        wanted = {k: v for k, v in options.items() if k != "window" or metric is ssim}
        values = metric(y_true, y_pred, **wanted, data_format="channels_last")
        scores[name] = float(to_numpy(values)[0])
    return scores


def super_resolution(
    restore: Restore, images: Sequence[np.ndarray], scale: int, round_luma: bool = False
) -> list[Scores]:
    """Shrink each image, restore it, and score the result.

    Args:
        restore: Function from the small uint8 image to the one that is `scale` times larger.
        images: Originals, uint8; cropped to a multiple of `scale`.
        scale: Factor.
        round_luma: See `score`.
    """
    scores = []
    for image in images:
        clean = crop_to_multiple(image, scale)
        small = to_numpy(bicubic_resize(clean, 1 / scale))
        colour = clean.shape[-1] == 3
        options: dict[str, Any] = {"border": scale, "luma": colour}
        options["round_luma"] = round_luma and colour
        scores.append(score(clean / 255, restore(small) / 255, **options))
    return scores


def denoising(
    restore: Denoise, images: Sequence[np.ndarray], sigma: float, window: str = "gaussian"
) -> list[Scores]:
    """Add noise to each image, restore it, and score the result on all channels, without a border.

    Args:
        restore: Function from the noisy image, float in [0, 1] plus noise, to the restored one.
        images: Originals, uint8.
        sigma: Standard deviation of the noise in grey levels of 255.
        window: Of SSIM; `"uniform"` is the one of the paper's tables.
    """
    scores = []
    for number, image in enumerate(images):
        clean = image / 255
        # One generator per image: a picture keeps its noise whatever stands before it.
        noise = np.random.default_rng([NOISE_SEED, number]).normal(0, sigma / 255, clean.shape)
        scores.append(score(clean, restore(clean + noise), window=window))
    return scores


def deblocking(
    restore: Denoise, images: Sequence[np.ndarray], quality: int, window: str = "gaussian"
) -> list[Scores]:
    """Compress each image as JPEG, restore it, and score the result on all channels, borderless.

    Args:
        restore: Function from the decoded image in [0, 1] to the restored one.
        images: Originals, uint8.
        quality: Quality of Pillow's encoder (libjpeg), 1 to 100; colour at half resolution.
        window: See `denoising`.
    """
    scores = []
    for image in images:
        restored = restore(compressed(image, quality) / 255)
        scores.append(score(image / 255, restored, window=window))
    return scores


def compressed(image: np.ndarray, quality: int) -> np.ndarray:
    """Return a uint8 image as it comes back from a JPEG file."""
    file = io.BytesIO()
    pixels = image[..., 0] if image.shape[-1] == 1 else image
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file)).reshape(image.shape)


def mean(scores: Sequence[Scores]) -> Scores:
    """Return the mean of each metric over the images."""
    return {name: float(np.mean([each[name] for each in scores])) for name in METRICS}


def protocol(
    scale: int | None = None,
    round_luma: bool = False,
    sigma: float | None = None,
    window: str = "gaussian",
    quality: int | None = None,
) -> str:
    """Return the line that stands beside every number."""
    windows = {"gaussian": "an 11x11 Gaussian of 1.5", "uniform": "7x7 equal weights"}
    common = f"SSIM with {windows[window]}, RMSE on [0, 1], mean over images"
    if sigma is not None:
        return (
            f"protocol: Gaussian noise of {sigma:g}/255 (seed {NOISE_SEED}), input neither clipped "
            f"nor rounded, output clipped to [0, 1], all channels, no border, {common}"
        )
    if quality is not None:
        return f"protocol: JPEG of quality {quality} (libjpeg), all channels, no border, {common}"
    luma = "Y rounded to 8 bit" if round_luma else "Y in floating point"
    return (
        f"protocol: x{scale}, low resolution by MATLAB's 8-bit bicubic, output rounded to 8 bit, "
        f"{luma} (BT.601 studio range; a greyscale file on its own values), border of {scale} "
        f"pixels removed, {common}"
    )
