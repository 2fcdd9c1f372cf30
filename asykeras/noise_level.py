"""How much white noise a single picture holds, found in the patches that have the least texture."""

import math
from collections.abc import Callable

import numpy as np

SIDE = 7  # pixels of a patch, a side
PATCHES = 300_000  # that are looked at, channels counted each: 15 million values
CHANNELS = 8  # that are looked at, evenly spaced, of a picture that has more
SMALLEST = 32  # pixels a side: fewer patches tell nothing
FEWEST = 500  # patches that a variance is taken of
CLIPPED = SIDE * SIDE // 10  # values of a patch that may be black or white
ROUNDS = 10
# What the texture of white noise of variance 1 stays below with a probability of 1 - 1e-6: the
# quantile of the gamma distribution of mean 35 and 45 degrees of freedom, as the paper takes it.
ONLY_NOISE = 81.82


def estimate_noise(image: np.ndarray) -> float:
    """Return the standard deviation of the white Gaussian noise in a picture.

    The smallest eigenvalue of the covariance of all patches of 7 x 7 pixels is a first variance of
    the noise. Patches with larger differences of neighbours than noise of that variance has are
    left out, and the variance is taken again until it stays. Channels are measured each; the result
    is the root of their mean variance. Left out, too, are patches of which more than a tenth is
    black or white, where noise is cut off, and those of one value, as borders are; where most
    patches are of one value, there is no noise.

    Noise that is not white, as JPEG and the demosaicing of cameras leave it, is underrated.

    Args:
        image: `(H, W)` or `(H, W, C)`, at least 32 pixels a side; uint8, uint16, or floating point
            with white at 1. Of large pictures an evenly spaced part is looked at.

    Returns:
        The level in image units: times 255, in grey levels.

    Raises:
        TypeError: the image is no array of these dtypes.
        ValueError: the image has another rank or is smaller, or a value is not finite.

    Example:
        noise = np.random.default_rng(0).normal(0, 0.1, photo.shape)
        asykeras.estimate_noise(photo + noise)  ->  0.100

    Reference: Liu, Tanaka, Okutomi, "Single-Image Noise Level Estimation for Blind Denoising", IEEE
    Transactions on Image Processing 22 (12), 2013.
    """
    if not isinstance(image, np.ndarray):
        raise TypeError(f"image must be a NumPy array. Received: type={type(image)}")
    dtype, shape = image.dtype, image.shape
    if dtype not in (np.uint8, np.uint16) and dtype.kind != "f":
        raise TypeError(f"image must be uint8, uint16 or floating point. Received: {dtype=}")
    if len(shape) not in (2, 3) or 0 in shape:
        raise ValueError(f"image must be (H, W) or (H, W, C). Received: {shape=}")
    pixels = image.reshape(*shape[:2], -1)
    white = 1.0 if dtype.kind == "f" else float(np.iinfo(dtype).max)
    return noise_of_rows(lambda top, end: pixels[top:end], pixels.shape, white)


def noise_of_rows(
    rows: Callable[[int, int], np.ndarray], shape: tuple[int, ...], white: float
) -> float:
    """Return what `estimate_noise` does, of a picture of a shape `(H, W, C)` that is read by rows.

    `rows` returns those from a first to one past the last, `(rows, W, channels)`; calls go down the
    picture. Channels beyond those of `shape` are not looked at.
    """
    height, width, count = shape
    if min(height, width) < SMALLEST:
        raise ValueError(
            f"noise can be told in pictures of at least {SMALLEST} x {SMALLEST} pixels. Received: "
            f"height={height}, width={width}"
        )
    channels = np.linspace(0, count - 1, min(count, CHANNELS)).astype(int)
    step = math.ceil(math.sqrt(height * width * len(channels) / PATCHES))
    tops = range(0, height - SIDE + 1, step)
    bands = [_patches(rows(top, top + SIDE)[..., channels], step) for top in tops]
    variances = [_variance(each, white) for each in np.concatenate(bands, axis=1)]
    return math.sqrt(np.mean(variances))


def _patches(band: np.ndarray, step: int) -> np.ndarray:
    """Return every so many patches of a band `(SIDE, W, C)`: `(C, patches, SIDE, SIDE)`."""
    windows = np.lib.stride_tricks.sliding_window_view(band, SIDE, axis=1)[:, ::step]
    return np.ascontiguousarray(windows.transpose(2, 1, 0, 3))


def _variance(patches: np.ndarray, white: float) -> float:
    """Return the variance of the noise in patches `(n, SIDE, SIDE)` of one channel."""
    flat = patches.min(axis=(1, 2)) == patches.max(axis=(1, 2))
    clipped = np.count_nonzero((patches == 0) | (patches == white), axis=(1, 2)) > CLIPPED
    known = patches[~flat & ~clipped].astype(np.float64) / white
    if not np.isfinite(known).all():
        raise ValueError(
            f"image must hold finite values. Received: lowest={known.min()}, highest={known.max()}"
        )
    if len(known) < FEWEST or flat.mean() > 0.5:
        return 0.0
    texture = _texture(known)
    variance = _smallest_variance(known)
    for _ in range(ROUNDS):
        weak = known[texture < ONLY_NOISE * variance]
        if len(weak) < FEWEST:
            break
        before, variance = variance, _smallest_variance(weak)
        if math.isclose(before, variance, rel_tol=1e-3):
            break
    return variance


def _texture(patches: np.ndarray) -> np.ndarray:
    """Return the sums of the squares of all central differences, one number per patch."""
    across = np.square(patches[:, :, 2:] - patches[:, :, :-2]).sum(axis=(1, 2))
    down = np.square(patches[:, 2:] - patches[:, :-2]).sum(axis=(1, 2))
    return (across + down) / 4


def _smallest_variance(patches: np.ndarray) -> float:
    """Return the variance of patches in the direction in which they vary least.

    The smallest eigenvalue of a finite number of samples is too small, on average by the factor
    `(1 - sqrt(values / samples))^2`, a tenth for 20,000 patches, by which it is divided.

    Reference: Marchenko, Pastur, "Distribution of eigenvalues for some sets of random matrices",
    1967.
    """
    values = patches.reshape(len(patches), -1)
    values = values - values.mean(axis=0)
    smallest = float(np.linalg.eigvalsh(values.T @ values / len(values))[0])
    edge = 1 - math.sqrt(SIDE * SIDE / len(values))
    return max(smallest, 0.0) / edge**2
