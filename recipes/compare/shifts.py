"""By how much a loss moves the answer, as the theory says.

The theory (recipes/results/weightings/PREDICTIONS.md): with a label weight w the answer is
E[w y] / E[w] and not E[y]; with an error after the curve g it is the inverse of g at E[g(y)]; a
weight that is read from the prediction does not move it. Here these are taken by quadrature of
normal labels y with the mean and the variance of each kind of pixel (`recipes.compare.uncertain`).
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


def visible(linear: bool) -> np.ndarray:
    """Return the grey levels of 255 after sRGB of a small change of what was learned, by level."""
    if not linear:
        return np.full(BINS, WHITE)
    return WHITE * _numpy(SRGB().slope(SRGB().inverse(CENTRES)))


def mean_of_bins(sums: np.ndarray, count: np.ndarray, low: int, high: int) -> np.ndarray:
    """Return the mean over the pixels of some bins of their sums, `(..., bins)` -> `(...)`."""
    return np.asarray(sums[..., low:high].sum(axis=-1) / max(count[low:high].sum(), 1))


def answers(
    configuration: Configuration, mean: np.ndarray, variance: np.ndarray, noise: np.ndarray
) -> np.ndarray | None:
    """Return by how much the theory moves the answer, in the units of what was learned.

    Of each kind: mean and variance are those of the clean labels, noise is the variance of that of
    the labels. None for a weighting that depends on the images.
    """
    changes = configuration.changes
    labels, parts = drawn(mean, variance, noise)
    middle = labels @ parts
    if "domain" in changes:
        curve = curve_of(str(changes["domain"]))
        return _numpy(curve.inverse(_numpy(curve(labels)) @ parts)) - middle
    if configuration.loss == "mse" or changes.get("reference") == "prediction":
        return np.zeros_like(mean)
    text = str(changes.get("weighting", "reciprocal"))
    if text.startswith(("density", "quartile")):
        return None
    weights = _numpy(weighting_of(text, list)(labels[..., None]))[..., 0]
    return (weights * labels) @ parts / (weights @ parts) - middle


def best(linear: bool, mean: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Return the shift that is best after sRGB, `(kinds,)`; 1/255 darker where none is."""
    if not linear:
        return np.full_like(mean, -1 / WHITE)
    labels, parts = drawn(mean, variance, np.zeros_like(mean))
    return _numpy(SRGB().inverse(_numpy(SRGB()(labels)) @ parts)) - labels @ parts


def drawn(
    mean: np.ndarray, variance: np.ndarray, noise: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return normal labels, `(kinds, nodes)`, and the part that each node has.

    Clean labels are from black to white; noise may lead beyond.
    """
    nodes, parts = np.polynomial.hermite_e.hermegauss(NODES)
    labels = mean[:, None] + np.sqrt(variance + noise)[:, None] * nodes
    return (labels if noise.any() else np.clip(labels, 0, 1)), parts / parts.sum()


def _numpy(values: Tensor) -> np.ndarray:
    return np.asarray(convert_to_numpy(values), np.float64)
