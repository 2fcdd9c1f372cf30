"""The statistics that a table of means lacks: intervals, tests, and the noise between seeds.

All take arrays `(seeds, images)`: what a network of a seed scores on an image. The asymmetric and
the plain loss share seeds and images, so their difference is taken cell by cell.
"""

from dataclasses import dataclass
from itertools import permutations

import numpy as np

RESAMPLES = 10_000
HOW = (
    "two-way bootstrap: seeds and images are drawn with replacement, each independently of the "
    f"other, {RESAMPLES:,} times; the interval spans the 2.5 and 97.5 percentiles of the mean over "
    "the drawn seeds x images. With few seeds it is too narrow rather than too wide"
)


@dataclass(frozen=True)
class Interval:
    """A mean and its 95 % interval."""

    mean: float
    low: float
    high: float

    @property
    def holds_zero(self) -> bool:
        """Whether no difference is shown."""
        return self.low <= 0 <= self.high


def resampled_counts(
    seeds: int, images: int, resamples: int = RESAMPLES
) -> tuple[np.ndarray, np.ndarray]:
    """Return how often each seed and each image is drawn: `(resamples, seeds)`, `(..., images)`."""
    generator = np.random.default_rng(0)  # the same intervals whenever a report is written again

    def drawn(things: int) -> np.ndarray:
        return generator.multinomial(things, np.full(things, 1 / things), size=resamples)

    return drawn(seeds), drawn(images)


def paired_bootstrap(differences: np.ndarray, resamples: int = RESAMPLES) -> Interval:
    """Return the mean difference with its 95 % interval over images and seeds.

    The images are the same for every seed, so the two are crossed: in each resample the drawn
    images go with every drawn seed. (Drawing images anew within each seed would take them for
    different images, and give intervals that are too narrow.) With one seed it is a bootstrap over
    images, and says nothing about other seeds.

    Args:
        differences: Asymmetric minus plain, `(seeds, images)`.
        resamples: Number of resamples.

    Example:
        Differences that are all 0.1 -> mean 0.1, interval from 0.1 to 0.1.
    """
    seeds, images = resampled_counts(len(differences), differences.shape[1], resamples)
    means = np.einsum("rs,si,ri->r", seeds, differences, images) / differences.size
    low, high = np.percentile(means, (2.5, 97.5))
    return Interval(float(differences.mean()), float(low), float(high))


def wilcoxon(differences: np.ndarray) -> float:
    """Return the two-sided p of Wilcoxon's signed-rank test over images.

    The differences of an image are averaged over the seeds first: the scores of one network on ten
    images are not independent of each other, and counting each seed again would pretend that there
    are more images.

    Args:
        differences: `(seeds, images)`.

    Returns:
        p; 1 where every difference is 0. With ten images the smallest is 2 / 2^10 = 0.00195.

    Raises:
        ImportError: if SciPy is not installed.
    """
    try:
        from scipy import stats
    except ImportError:
        raise ImportError("Wilcoxon's test needs SciPy: pip install scipy") from None
    per_image = differences.mean(axis=0)
    if not per_image.any():
        return 1.0
    return float(stats.wilcoxon(per_image).pvalue)


def improved(differences: np.ndarray, higher_is_better: bool) -> int:
    """Return the number of cells (seed x image) that are better by any amount."""
    return int(np.sum(differences > 0 if higher_is_better else differences < 0))


def seed_spread(values: np.ndarray) -> float:
    """Return the standard deviation between seeds of the mean over images; NaN for one seed."""
    return float(values.mean(axis=1).std(ddof=1)) if len(values) > 1 else float("nan")


def luckiest_seed(scores: np.ndarray, signs: np.ndarray) -> tuple[int, int] | None:
    """Return how many cells "improve" when nothing changes but the seed.

    Of all ordered pairs of seeds of one loss, the pair in which the one is better than the other in
    the most cells: what luck alone can do.

    Args:
        scores: `(metrics, seeds, images)` of one loss.
        signs: 1 for each metric where higher is better, else -1.

    Returns:
        Cells that improve, of how many; None for one seed.
    """
    _, seeds, images = scores.shape
    if seeds < 2:
        return None
    better = [
        int(np.sum(signs[:, None] * (scores[:, one] - scores[:, other]) > 0))
        for one, other in permutations(range(seeds), 2)
    ]
    return max(better), len(signs) * images
