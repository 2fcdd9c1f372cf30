"""Errors by the grey level of the label: do dark pixels gain, and what do bright ones pay?

The paper argues that dark pixels should weigh more. Here the error of a restored image is split by
the grey level of the label into 16 bins, and what the asymmetric loss changes is taken per bin.
"""

import numpy as np

BINS = 16  # of 16 grey levels of 255 each
# Thirds of the range from black to white.
BANDS = {"dark": (0, 5), "middle": (5, 11), "bright": (11, 16)}


def bins_of(values: np.ndarray) -> np.ndarray:
    """Return the bin of each of some values in [0, 1], flat."""
    return np.minimum((np.ravel(values) * BINS).astype(int), BINS - 1)


def errors_by_grey_level(label: np.ndarray, restored: np.ndarray) -> dict[str, list[float]]:
    """Return `count`, the number of pixels, and `squared`, the sum of their squared errors, by bin.

    Images have one channel, in [0, 1]. Of labels 0 and 1, restored as 0.1 and 0.8, `squared` is
    0.01 in the first bin and 0.04 in the last.
    """
    bins = bins_of(label)
    squared = (np.ravel(restored).astype(np.float64) - np.ravel(label)) ** 2
    return {
        "count": np.bincount(bins, minlength=BINS).tolist(),
        "squared": np.bincount(bins, squared, BINS).tolist(),
    }


def change(plain: np.ndarray, asymmetric: np.ndarray) -> np.ndarray:
    """Return by how many per cent the mean squared error changes in each bin, all pixels pooled.

    Of sums of squared errors of the same labels: `(..., images, bins)` -> `(..., bins)`; NaN where
    a bin has no error.
    """
    before, after = plain.sum(axis=-2), asymmetric.sum(axis=-2)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(100 * (np.where(before > 0, after / before, np.nan) - 1))


def band_sums(sums: np.ndarray, band: str) -> np.ndarray:
    """Return the sums of a band, `"dark"`, `"middle"` or `"bright"`: `(..., bins)` -> `(...)`."""
    low, high = BANDS[band]
    return np.asarray(sums[..., low:high].sum(axis=-1))


def band_change(plain: np.ndarray, asymmetric: np.ndarray, band: str) -> np.ndarray:
    """Return by how many per cent that of a band changes: `(seeds, images, bins)` -> `(seeds,)`."""
    before, after = (band_sums(sums, band)[..., None] for sums in (plain, asymmetric))
    return change(before, after)[..., 0]
