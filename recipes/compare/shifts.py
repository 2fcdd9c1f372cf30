"""By how much a loss moves the answer, measured and as the theory says.

The theory (recipes/results/weightings/PREDICTIONS.md): with a label weight w the answer is
E[w y] / E[w] and not E[y]; with an error after the curve g it is the inverse of g at E[g(y)]; a
weight that is read from the prediction does not move it. Here these are taken of normal labels y
around each grey level, by quadrature. Their variance is the squared error of the network that was
trained with MSE: what the input leaves uncertain.
"""

import numpy as np
from keras.ops import convert_to_numpy

from asykeras import SRGB
from asykeras.types import Tensor
from recipes.compare.grey_levels import BINS
from recipes.compare.plan import Configuration
from recipes.training.weightings import curve_of, weighting_of
from zoo.store.card import WHITE

# Bins of the dark, middle and bright pixels of `recipes.compare.light`, as near as bins come.
BANDS = {"dark": (0, 4), "middle": (4, 10), "bright": (10, BINS), "all": (0, BINS)}
CENTRES = (np.arange(BINS) + 0.5) / BINS  # of the grey values, after sRGB
NODES = 101  # of the quadrature


def levels(linear: bool) -> np.ndarray:
    """Return the labels of the bins as they are learned: linear light, or the grey values."""
    return np.asarray(convert_to_numpy(SRGB().inverse(CENTRES))) if linear else CENTRES


def visible(linear: bool) -> np.ndarray:
    """Return the grey levels of 255 after sRGB that a small change of what was learned makes."""
    if not linear:
        return np.full(BINS, WHITE)
    return WHITE * np.asarray(convert_to_numpy(SRGB().slope(levels(linear))))


def mean_of_bins(sums: np.ndarray, count: np.ndarray, low: int, high: int) -> np.ndarray:
    """Return the mean over the pixels of some bins of their sums, `(..., bins)` -> `(...)`."""
    return np.asarray(sums[..., low:high].sum(axis=-1) / max(count[low:high].sum(), 1))


def answers(
    configuration: Configuration, linear: bool, variance: np.ndarray, noise: np.ndarray
) -> np.ndarray | None:
    """Return by how much the theory moves the answer, `(bins,)`, in the units of what was learned.

    Args:
        configuration: The loss.
        linear: Whether linear light was learned.
        variance: What the input leaves uncertain of a clean label, `(bins,)`.
        noise: Variance of the noise of the labels, `(bins,)`.

    Returns:
        None for a weighting that depends on the images.
    """
    changes = configuration.changes
    labels, parts = drawn(linear, variance, noise)
    mean = labels @ parts
    if "domain" in changes:
        curve = curve_of(str(changes["domain"]))
        return _numpy(curve.inverse(_numpy(curve(labels)) @ parts)) - mean
    if configuration.loss == "mse" or changes.get("reference") == "prediction":
        return np.zeros(BINS)
    text = str(changes.get("weighting", "reciprocal"))
    if text.startswith(("density", "quartile")):
        return None
    weights = _numpy(weighting_of(text, list)(labels[..., None]))[..., 0]
    return (weights * labels) @ parts / (weights @ parts) - mean


def drawn(
    linear: bool, variance: np.ndarray, noise: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return labels around each grey level, `(bins, nodes)`, and the part that each node has.

    Clean labels are from black to white; noise may lead beyond.
    """
    nodes, parts = np.polynomial.hermite_e.hermegauss(NODES)
    clean = np.clip(levels(linear)[:, None] + np.sqrt(variance)[:, None] * nodes, 0, 1)
    if noise is None or not noise.any():
        return clean, parts / parts.sum()
    both = np.sqrt(variance + noise)
    return levels(linear)[:, None] + both[:, None] * nodes, parts / parts.sum()


def best(linear: bool, variance: np.ndarray) -> np.ndarray:
    """Return the shift that is best after sRGB, `(bins,)`; 1/255 where nothing is."""
    if not linear:
        return np.full(BINS, -1 / WHITE)
    labels, parts = drawn(linear, variance)
    return _numpy(SRGB().inverse(_numpy(SRGB()(labels)) @ parts)) - labels @ parts


def gain_of_shift(
    shift: np.ndarray, linear: bool, variance: np.ndarray, count: np.ndarray
) -> tuple[float, float]:
    """Return what moved answers of dark pixels gain after sRGB, if nothing else changes.

    Args:
        shift: Of the answers, `(bins,)`, in the units of what was learned.
        linear: Whether linear light was learned.
        variance: What the input leaves uncertain, `(bins,)`.
        count: Numbers of pixels, `(bins,)`.

    Returns:
        The mean shift of dark pixels in grey levels of 255 after sRGB, and PSNR in dB against
        answers that are not moved.
    """
    labels, parts = drawn(linear, variance)
    mean = labels @ parts

    def seen(light: np.ndarray) -> np.ndarray:
        return _numpy(SRGB()(light)) if linear else light

    def error(answer: np.ndarray) -> float:
        squared = (seen(labels) - seen(answer)[:, None]) ** 2 @ parts
        return float(mean_of_bins(squared * count, count, *BANDS["dark"]))

    moved = mean_of_bins(shift * visible(linear) * count, count, *BANDS["dark"])
    return float(moved), float(10 * np.log10(error(mean) / error(mean + shift)))


def _numpy(values: Tensor) -> np.ndarray:
    return np.asarray(convert_to_numpy(values), np.float64)
