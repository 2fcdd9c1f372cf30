"""Errors by the grey level of the label: do dark pixels gain, and what do bright ones pay?

The paper argues that dark pixels should weigh more. Here the error of a restored image is split by
the grey level of the label into 16 bins, and what the asymmetric loss changes is taken per bin.
"""

from typing import Any

import numpy as np

from recipes.compare.statistics import RESAMPLES, Interval, resampled_counts

BINS = 16  # of 16 grey levels of 255 each
# Thirds of the range from black to white.
BANDS = {"dark": (0, 5), "middle": (5, 11), "bright": (11, 16)}


def errors_by_grey_level(label: np.ndarray, restored: np.ndarray) -> dict[str, list[float]]:
    """Return the number of pixels and the sums of their errors in each bin.

    Args:
        label: What is scored, in [0, 1], any shape; with one channel.
        restored: Same shape.

    Returns:
        `count`, `error` (restored minus label), `absolute` and `squared`, each a list of 16 sums.

    Example:
        labels 0 and 1, restored 0.1 and 0.8 -> squared is 0.01 in the first bin and 0.04 in the
        last.
    """
    bins = np.minimum((np.ravel(label) * BINS).astype(int), BINS - 1)
    difference = np.ravel(restored).astype(np.float64) - np.ravel(label)
    sums = {"error": difference, "absolute": np.abs(difference), "squared": difference**2}
    counted = np.bincount(bins, minlength=BINS).tolist()
    return {"count": counted} | {
        name: np.bincount(bins, values, BINS).tolist() for name, values in sums.items()
    }


def change(plain: np.ndarray, asymmetric: np.ndarray) -> np.ndarray:
    """Return by how many per cent the mean squared error changes in each bin, all pixels pooled.

    Args:
        plain: Sums of squared errors, `(..., images, bins)`.
        asymmetric: Same shape; the labels are the same, and so are the numbers of pixels.

    Returns:
        `(..., bins)`; NaN where a bin has no error.
    """
    before, after = plain.sum(axis=-2), asymmetric.sum(axis=-2)
    with np.errstate(invalid="ignore", divide="ignore"):
        return 100 * (np.where(before > 0, after / before, np.nan) - 1)


def band_change(
    plain: np.ndarray, asymmetric: np.ndarray, band: str, resamples: int = RESAMPLES
) -> Interval:
    """Return the change in per cent of the mean squared error in a band, with its interval.

    Args:
        plain: Sums of squared errors, `(seeds, images, bins)`.
        asymmetric: Same shape.
        band: `"dark"`, `"middle"` or `"bright"`.
        resamples: See `statistics.paired_bootstrap`; the same resampling of seeds and images.
    """
    low, high = BANDS[band]
    before, after = (values[..., low:high].sum(axis=-1) for values in (plain, asymmetric))
    seeds, images = resampled_counts(len(before), before.shape[1], resamples)

    def total(values: np.ndarray) -> Any:
        return np.einsum("rs,si,ri->r", seeds, values, images)

    with np.errstate(invalid="ignore", divide="ignore"):
        changes = 100 * (total(after) / total(before) - 1)
        mean = 100 * (after.sum() / before.sum() - 1)
    return Interval(float(mean), *(float(v) for v in np.percentile(changes, (2.5, 97.5))))
