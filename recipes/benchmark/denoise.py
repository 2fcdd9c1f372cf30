r"""Published denoisers beside non-local means and BM3D, with the same noise, at four levels.

    python -m recipes.benchmark denoise --data CBSD68 --weights ffdnet-color dphsir-small
    python -m recipes.benchmark denoise --data BSD68 --weights ffdnet-gray dncnn-gray-25

Non-local means are scikit-image's, with the best of 20 settings for each level on photographs of
the zoo's training samples. BM3D is that of its authors (`pip install bm3d`), told the level; its
licence allows research alone, so nothing here asks for it, and its column is empty without it.
"""

import importlib
import itertools
from collections.abc import Callable, Sequence

import numpy as np
from skimage.restoration import denoise_nl_means

from zoo.pictures.images import find_images, read_image, to_channels
from zoo.scoring.evaluate import evaluate, evaluate_with, mean
from zoo.scoring.tasks import Denoising
from zoo.scoring.verify import SAMPLES
from zoo.store.weight import published_card

LEVELS = (5, 15, 25, 50)  # grey levels of 255
STRENGTHS = (0.4, 0.5, 0.6, 0.7, 0.9)
PATCHES, DISTANCES = (5, 7), (6, 10)
TUNED_ON = 2  # sample photographs
SIDE = 128  # of their middle, in pixels

Denoiser = Callable[[np.ndarray], np.ndarray]


def benchmark_denoise(data: str, weights: Sequence[str], side: int) -> None:
    """Print the mean PSNR of each method at each level, in dB.

    Args:
        data: Folder of clean images.
        weights: Names of denoisers, all grey or all for colour.
        side: Of the square in the middle of each image that is denoised, in pixels.

    Raises:
        ValueError: if some are for grey pictures and some for colour.
    """
    uses = [published_card(name).use for name in weights]
    if not all(use.levels for use in uses):
        raise ValueError(f"a denoiser has levels of noise on its card. Received: {weights}")
    kinds = {"grey" if "grey" in (use.colours or ()) else "rgb" for use in uses}
    if len(kinds) != 1:
        raise ValueError(f"give weights for grey or for colour, not both. Received: {weights}")
    (kind,) = kinds
    images = [middle(to_channels(read_image(path), kind), side) for path in find_images(data)]
    samples = [to_channels(read_image(path), kind) for path in find_images(SAMPLES / "train")]
    tuning = [middle(image, SIDE) for image in samples[:TUNED_ON]]
    print(f"{len(images)} images, the middle {side} x {side} pixels, {kind}, PSNR in dB")
    print(f"| level | noisy | non-local means | BM3D | {' | '.join(weights)} |")
    print("|---" * (4 + len(weights)) + "|")
    for level in LEVELS:
        task = Denoising(level / 255)
        methods = [lambda noisy: noisy, tuned_means(tuning, task.sigma), bm3d(task.sigma)]
        cells = [psnr(method, images, task) for method in methods]
        cells += [_of_weight(name, images, task) for name in weights]
        print(f"| {level} | {' | '.join(cells)} |", flush=True)


def psnr(method: Denoiser | None, images: Sequence[np.ndarray], task: Denoising) -> str:
    """Return the mean PSNR of a method, with two digits; empty where there is none."""
    if method is None:
        return ""
    return f"{mean(evaluate_with(method, images, task))['psnr']:.2f}"


def _of_weight(name: str, images: Sequence[np.ndarray], task: Denoising) -> str:
    low, high = published_card(name).use.levels or (0.0, 0.0)
    if not low <= task.sigma <= high:
        return ""  # not what it was trained for
    return f"{mean(evaluate(name, images, task))['psnr']:.2f}"


def tuned_means(images: Sequence[np.ndarray], sigma: float) -> Denoiser:
    """Return non-local means with the settings that are best on some images.

    Args:
        images: uint8, grey or RGB.
        sigma: Deviation of the noise in image units.
    """
    task = Denoising(sigma)

    def score(settings: tuple[float, int, int]) -> float:
        return mean(evaluate_with(non_local_means(sigma, *settings), images, task))["psnr"]

    best = max(itertools.product(STRENGTHS, PATCHES, DISTANCES), key=score)
    return non_local_means(sigma, *best)


def non_local_means(sigma: float, strength: float, patch: int, distance: int) -> Denoiser:
    """Return scikit-image's non-local means for noise of a level.

    Args:
        sigma: Deviation of the noise in image units.
        strength: Of the filter, as a multiple of it.
        patch: Side of the patches that are compared, in pixels.
        distance: How far they lie apart at the most, in pixels.
    """

    def denoise(noisy: np.ndarray) -> np.ndarray:
        found: np.ndarray = denoise_nl_means(
            noisy, patch, distance, strength * sigma, sigma=sigma, channel_axis=-1
        )
        return found

    return denoise


def bm3d(sigma: float) -> Denoiser | None:
    """Return BM3D of its authors for noise of a level, None where it is not installed."""
    try:
        authors = importlib.import_module("bm3d")
    except ImportError:
        return None

    def denoise(noisy: np.ndarray) -> np.ndarray:
        if noisy.shape[-1] == 3:
            return np.asarray(authors.bm3d_rgb(noisy, sigma))
        return np.asarray(authors.bm3d(noisy[..., 0], sigma)).reshape(noisy.shape)

    return denoise


def middle(image: np.ndarray, side: int) -> np.ndarray:
    """Return the square in the middle of an image, or all of what is smaller."""
    top, left = (max(length - side, 0) // 2 for length in image.shape[:2])
    return image[top : top + side, left : left + side]
