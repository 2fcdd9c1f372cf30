"""How near a cube is to another: MPSNR, MSSIM and SAM, as papers on hyperspectral images print."""

import numpy as np
from keras.ops import convert_to_numpy

from asykeras.metrics import psnr, ssim


def scores(truth: np.ndarray, restored: np.ndarray) -> dict[str, float]:
    """Return MPSNR in dB, MSSIM and SAM in radians.

    Of cubes `(height, width, bands)` in [0, 1], to which the restored one is clipped. MPSNR and
    MSSIM are means over the bands; SSIM has the 7x7 window of scikit-image's default. SAM is the
    mean angle between the spectra of a pixel; pixels that are black in either are left out. It is
    NaN for one band.

    Reference, of SAM: Kruse et al., "The spectral image processing system (SIPS)", Remote Sensing
    of Environment 44, 1993.
    """
    clipped = np.clip(restored, 0, 1)
    # Bands as images of one channel, so that each has a PSNR of its own.
    a, b = (np.moveaxis(each, -1, 0)[..., None].astype(np.float64) for each in (truth, clipped))
    last = "channels_last"
    return {
        "mpsnr": float(np.mean(convert_to_numpy(psnr(a, b, data_format=last)))),
        "mssim": float(np.mean(convert_to_numpy(ssim(a, b, window="uniform", data_format=last)))),
        "sam": spectral_angle(truth, clipped),
    }


def spectral_angle(truth: np.ndarray, restored: np.ndarray) -> float:
    """Return the mean angle between spectra in radians, NaN for one band."""
    if truth.shape[-1] == 1:
        return float("nan")
    a, b = (each.reshape(-1, each.shape[-1]).astype(np.float64) for each in (truth, restored))
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    seen = lengths > 0
    cosine = np.sum(a[seen] * b[seen], axis=1) / lengths[seen]
    return float(np.mean(np.arccos(np.clip(cosine, -1, 1)))) if seen.any() else float("nan")
