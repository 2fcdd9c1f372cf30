"""What an input leaves uncertain: the mean and the variance of the labels that fit an answer.

Pixels are sorted into kinds by the answer of a network that was trained with MSE: by its grey value
and by how much it varies around. Flat pixels are nearly certain and edges are not, so one variance
for each grey value would be wrong for both. Of each kind the labels' mean and variance are taken.
"""

from dataclasses import dataclass

import keras
import numpy as np

from recipes.compare.grey_levels import BINS, bins_of
from recipes.compare.light import Scoring, cut, degrade, encoded, record, restore

VALUES = 32  # kinds by grey value
EDGES = np.geomspace(0.003, 0.2, 9)  # of the deviation in a square of pixels, between the others
SIDE = 5  # of that square
KINDS = VALUES * (len(EDGES) + 1)


@dataclass(frozen=True)
class Uncertain:
    """The kinds of pixels, in the units of what was learned."""

    mean: np.ndarray  # of the labels of each kind, `(kinds,)`
    variance: np.ndarray
    count: np.ndarray  # pixels by grey level of the label after sRGB and kind, `(bins, kinds)`

    def by_level(self, values: np.ndarray) -> np.ndarray:
        """Return the mean at each grey level of values by kind; 0 where there are no pixels."""
        return np.asarray(self.count @ values / np.maximum(self.count.sum(axis=1), 1))


def kinds_of(answer: np.ndarray, linear: bool) -> np.ndarray:
    """Return the kind of each pixel of an answer `(height, width, 1)`, `(height, width)`.

    Raises:
        ImportError: if SciPy is not installed.
    """
    from scipy.ndimage import uniform_filter

    seen = (encoded(answer) if linear else answer)[..., 0]
    variance = uniform_filter(seen**2, SIDE) - uniform_filter(seen, SIDE) ** 2
    around = np.digitize(np.sqrt(np.maximum(variance, 0)), EDGES)
    value = np.clip((seen * VALUES).astype(int), 0, VALUES - 1)
    return np.asarray(value * (len(EDGES) + 1) + around)


def answers_of(
    network: keras.Model, scenes: dict[str, np.ndarray], scoring: Scoring
) -> dict[str, np.ndarray]:
    """Return what a network makes of the degraded scenes, clipped to [0, 1]."""
    return {
        name: restore(network, degrade(label, number, scoring.degradation))
        for number, (name, label) in enumerate(scenes.items())
    }


def uncertain(
    answers: dict[str, np.ndarray], scenes: dict[str, np.ndarray], scoring: Scoring
) -> Uncertain:
    """Return what the labels (the scenes) of each kind of pixel are, by the answers of MSE."""
    number, total, squares = (np.zeros(KINDS) for _ in range(3))
    count = np.zeros((BINS, KINDS))
    for name, label in scenes.items():
        kind = cut(kinds_of(answers[name], scoring.linear)[..., None], scoring).ravel()
        values = cut(label, scoring).ravel()
        seen = encoded(values) if scoring.linear else values
        bins = bins_of(seen)
        number += np.bincount(kind, minlength=KINDS)
        total += np.bincount(kind, values, KINDS)
        squares += np.bincount(kind, values**2, KINDS)
        count += np.bincount(bins * KINDS + kind, minlength=BINS * KINDS).reshape(BINS, KINDS)
    mean = total / np.maximum(number, 1)
    return Uncertain(mean, np.maximum(squares / np.maximum(number, 1) - mean**2, 0), count)


def dark_psnr(
    answers: dict[str, np.ndarray],
    scenes: dict[str, np.ndarray],
    scoring: Scoring,
    shift: np.ndarray,
) -> float:
    """Return the mean PSNR of dark pixels, after sRGB, of answers with a shift for each kind."""
    found = []
    for name, label in scenes.items():
        moved = answers[name] + shift[kinds_of(answers[name], scoring.linear)][..., None]
        found.append(record(label, np.clip(moved, 0, 1), scoring)["psnr_dark"])
    return float(np.nanmean(found))
