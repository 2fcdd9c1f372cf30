"""The statistics that a table of means lacks: intervals, tests, and the noise between seeds.

The unit is the seed. Scores of one network on several images share its initial weights and samples,
so the mean over the images is taken first, and what is tested are the differences of the seeds. Of
other images than the ones that were scored nothing is said.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np

LEVEL = 0.05
LEAST_SEEDS = 5  # with fewer nothing is called better or worse
HOW = (
    "Interval and p: Student's t over the seeds, of the differences of each seed (mean over the "
    "images first), two-sided; the interval is that of one comparison alone"
)


@dataclass(frozen=True)
class Interval:
    """A mean over seeds with its 95 % interval and p of no difference; NaN with one seed."""

    mean: float
    low: float
    high: float
    p: float

    def text(self, digits: int) -> str:
        """Return the mean with its interval, which one seed has not."""
        mean, low, high = (f"{value:+.{digits}f}" for value in (self.mean, self.low, self.high))
        return mean if np.isnan(self.low) else f"{mean} [{low}, {high}]"


def student(differences: Sequence[float] | np.ndarray) -> Interval:
    """Return Student's t of paired differences, one for each seed.

    Example:
        Differences 1, 2, 3 -> mean 2, interval -0.484 to 4.484, p 0.0742.

    Raises:
        ImportError: if SciPy is not installed.
    """
    try:
        from scipy import stats
    except ImportError:
        raise ImportError("Student's t needs SciPy: pip install scipy") from None
    values = np.asarray(differences, np.float64)
    mean, seeds, nan = float(values.mean()), len(values), float("nan")
    if seeds < 2:
        return Interval(mean, nan, nan, nan)
    error = float(values.std(ddof=1)) / seeds**0.5
    if error == 0:
        return Interval(mean, mean, mean, float(mean == 0))
    half = error * float(stats.t.ppf(1 - LEVEL / 2, seeds - 1))
    p = 2 * float(stats.t.sf(abs(mean) / error, seeds - 1))
    return Interval(mean, mean - half, mean + half, p)


def holm(p: Sequence[float]) -> list[float]:
    """Return p corrected for the number of comparisons by Holm's step-down method.

    The probability that any of them is below 0.05 without an effect is at most 0.05, however they
    depend on each other.

    Example:
        0.01, 0.04, 0.03 -> 0.03, 0.06, 0.06.
    """
    order = np.argsort(p)
    factors = np.arange(len(p), 0, -1)
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(1, np.maximum.accumulate(factors * np.asarray(p)[order]))
    return corrected.tolist()


def improved(differences: np.ndarray, higher_is_better: bool) -> int:
    """Return the number of cells (seed x image) that are better by any amount."""
    return int(np.sum(differences > 0 if higher_is_better else differences < 0))


def seed_spread(values: np.ndarray) -> float:
    """Return the standard deviation between seeds of the mean over images; NaN for one seed."""
    return float(values.mean(axis=1).std(ddof=1)) if len(values) > 1 else float("nan")


def luckiest_seed(scores: np.ndarray, signs: np.ndarray) -> tuple[int, int] | None:
    """Return how many cells "improve", of how many, when nothing changes but the seed.

    Of all ordered pairs of seeds of one loss, the pair in which the one is better than the other in
    the most cells: what luck alone can do. None for one seed. The scores are `(metrics, seeds,
    images)` of one loss; the signs are 1 for each metric where higher is better, else -1.
    """
    _, seeds, images = scores.shape
    if seeds < 2:
        return None
    better = [
        int(np.sum(signs[:, None] * (scores[:, one] - scores[:, other]) > 0))
        for one, other in permutations(range(seeds), 2)
    ]
    return max(better), len(signs) * images
