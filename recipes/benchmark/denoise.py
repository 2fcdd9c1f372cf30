r"""Published denoisers beside non-local means and BM3D, with the same noise, at four levels.

    python -m recipes.benchmark denoise --data CBSD68 --weights ffdnet-color dphsir-small
    python -m recipes.benchmark denoise --data BSD68 --weights ffdnet-gray dncnn-gray-25

Non-local means are scikit-image's, tuned for each level on photographs of the zoo's training
samples by the search of `recipes.plug_and_play.tune`. BM3D is that of its authors (`pip install
bm3d`), told the level; its licence allows research alone, so nothing here asks for it, and its
column is empty without it.
"""

import importlib
from collections.abc import Callable, Sequence

import numpy as np

from recipes.data.middle import middle
from recipes.plug_and_play.classical import Method, Problem, classical, restore
from recipes.plug_and_play.degraded import Options, make_task
from recipes.plug_and_play.search import Settings, search
from zoo.pictures.images import find_images, read_image, to_channels
from zoo.scoring.evaluate import evaluate, evaluate_with, mean
from zoo.scoring.tasks import Denoising
from zoo.scoring.verify import SAMPLES
from zoo.store.weight import published_card

LEVELS = (5, 15, 25, 50)  # grey levels of 255
TUNED_ON = 2  # sample photographs
SIDE = 128  # of their middle, in pixels

Denoiser = Callable[[np.ndarray], np.ndarray]


def benchmark_denoise(data: str, weights: Sequence[str], side: int) -> None:
    """Print the mean PSNR of each method at each level, in dB, for a folder of clean images.

    Of each image the middle of `side` by `side` pixels is denoised.

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

    Raises:
        ImportError: if scikit-image is not installed.
    """
    task, method = Denoising(sigma), classical("denoise")["non-local means"]

    def score(settings: Settings) -> float:
        return mean(evaluate_with(denoiser(method, sigma, settings), images, task))["psnr"]

    return denoiser(method, sigma, search(score, method.ladders, method.begin).settings)


def denoiser(method: Method, sigma: float, settings: Settings) -> Denoiser:
    """Return a method of `classical("denoise")` for a level, as a function of one picture."""
    options = Options(noise=sigma)

    def denoise(noisy: np.ndarray) -> np.ndarray:
        task = make_task("denoise", noisy.shape, options)
        problem = Problem("denoise", task, noisy[None], options.kernel, sigma)
        return restore(method, problem, settings)[0]

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
