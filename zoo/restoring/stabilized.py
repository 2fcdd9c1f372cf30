"""Denoisers of Gaussian noise on the noise of a sensor, by a transform that makes it Gaussian.

The noise of light and of its reading has the variance `gain y + read_noise^2`: it grows with the
light. After Anscombe's curve its deviation is 1 everywhere, and any denoiser of Gaussian noise can
remove it. What comes out is about the mean of the curve, not the curve of the mean: the algebraic
inverse of that is too dark, most of all where there are few electrons. The exact unbiased inverse
is the function that leads from the mean of the curve back to the mean.

Source: Mäkitalo and Foi, "Optimal inversion of the generalized Anscombe transformation for
Poisson-Gaussian noise", 2013.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from keras.ops import convert_to_numpy

from asykeras import Anscombe
from zoo.restoring.contrast import at_contrast, contrast
from zoo.restoring.network import Network, Restorer, network_of
from zoo.runtimes.signatures import Engine
from zoo.store.card import WHITE, Use

MOST = 200.0  # electrons up to which the mean is summed; a closed form goes on from there
NODES = 400  # of the table of means
REACH = 8.0  # deviations of the read noise over which the mean is taken


def stabilized(
    model: Restorer,
    *,
    gain: float,
    read_noise: float = 0.0,
    dtype: str | None = None,
    device: str | None = None,
) -> Network:
    """Return a network that removes the noise of a sensor, made of a denoiser of Gaussian noise.

    Its pictures are transformed by Anscombe's curve, brought to the range and to a level of noise
    that the denoiser knows, denoised, and brought back by the exact unbiased inverse.

    Args:
        model: The denoiser: what `restore` takes.
        gain: What one electron adds, in image units; > 0.
        read_noise: Deviation of the noise of black, in image units; >= 0.
        dtype: As in `restore`.
        device: As in `restore`.

    Returns:
        A network for `restore`, which takes no level.

    Raises:
        ValueError: for a network that enlarges, and for a gain or a read noise out of range.
        WeightsError: if the name is unknown or its weights cannot be loaded.

    Example:
        >>> network = zoo.stabilized("dphsir-small", gain=1 / 50, read_noise=2 / 255)
        >>> clean = zoo.restore(network, noisy)
    """
    curve = Anscombe(gain, read_noise=read_noise)
    network = network_of(model, dtype=dtype, device=device, scale=1)
    use = replace(network.use, takes_sigma=False, levels=None, level=None)
    return replace(network, use=use, engine=_engine(network, curve))


def sensor_of(text: str) -> tuple[float, float]:
    """Return gain and read noise, in image units, of a text `poisson:GAIN,READ`.

    That is in grey levels of 255: the variance at the grey level y is `GAIN y + READ^2`.

    Example:
        >>> sensor_of("poisson:2.55,5.1")
        (0.01, 0.02)
    """
    name, _, rest = text.partition(":")
    try:
        gain, read_noise = (float(number) for number in rest.split(","))
        if name != "poisson" or not (0 < gain < np.inf and 0 <= read_noise < np.inf):
            raise ValueError
    except ValueError:
        raise ValueError(
            "a noise model is poisson:GAIN,READ, of which GAIN is positive and READ 0 or more. "
            f"Received: {text!r}"
        ) from None
    return gain / WHITE, read_noise / WHITE


def level_of(curve: Anscombe) -> float:
    """Return the level of the noise after the curve, where black is 0 and white 1."""
    return 1 / float(curve.span)


def unbiased_inverse(curve: Anscombe) -> Callable[[np.ndarray], np.ndarray]:
    """Return the exact unbiased inverse of Anscombe's curve.

    From the mean of the curve over the noise, to the mean of the light; values below the mean of
    black are black.

    Example:
        >>> light = unbiased_inverse(Anscombe(0.02))(denoised)
    """
    light = MOST * np.linspace(0, 1, NODES) ** 2  # electrons, densest at black
    read = curve.read_noise / curve.gain
    means = _means(light, read)
    seam = MOST - _series(means[-1], read)  # 0.01 electrons

    def inverse(values: np.ndarray) -> np.ndarray:
        bright = np.maximum(values, means[-1])
        found = np.interp(values, means, light)
        return curve.gain * np.where(values > means[-1], _series(bright, read) + seam, found)

    return inverse


def _engine(network: Network, curve: Anscombe) -> Engine:
    """Return what denoises between the curve and its inverse."""
    inverse = unbiased_inverse(curve)
    black, span = float(convert_to_numpy(curve(np.zeros(1)))[0]), float(curve.span)
    level, factor = _fitting(network.use, 1 / span)

    def run(inputs: list[np.ndarray]) -> np.ndarray:
        image, *more = inputs
        if network.use.takes_sigma:
            more = [np.full((len(image), 1), level, np.float32), *more]

        def denoise(pictures: np.ndarray) -> np.ndarray:
            return network.engine([pictures.astype(np.float32), *more]).astype(np.float64)

        stable = convert_to_numpy(curve(image.astype(np.float64))).astype(np.float64)
        shown = (stable - black) / span
        clean = denoise(shown) if factor == 1 else at_contrast(denoise, shown, factor)
        return inverse(clean * span + black).astype(np.float32)

    return run


def _fitting(use: Use, level: float) -> tuple[float, float]:
    """Return the level that a denoiser is told and the contrast that brings the noise there."""
    if use.level is not None:
        # At most 1: pictures that leave [0, 1] lose their white.
        return level, min(1.0, contrast(use, level))
    highest = use.levels[1] if use.levels else level
    return min(level, highest), min(1.0, highest / level)


def _means(light: np.ndarray, read: float) -> np.ndarray:
    """Return the means of the curve of gain 1 over the noise, for each number of electrons."""
    most = int(MOST + 10 * np.sqrt(MOST)) + 10
    counts = np.arange(most + 1)
    curve = Anscombe(1.0, read_noise=read)
    if read == 0:
        values = convert_to_numpy(curve(counts.astype(np.float64)))
    else:
        noise = np.linspace(-REACH, REACH, 401)
        weights = np.exp(-(noise**2) / 2)
        read_out = counts[:, None] + read * noise
        values = convert_to_numpy(curve(read_out)) @ (weights / weights.sum())
    return _poisson(counts, light) @ values.astype(np.float64)


def _poisson(counts: np.ndarray, light: np.ndarray) -> np.ndarray:
    """Return the probability of each count for each mean, `(means, counts)`."""
    factorials = np.concatenate([[0.0], np.cumsum(np.log(counts[1:]))])
    with np.errstate(divide="ignore", invalid="ignore"):
        powers = np.where(counts == 0, 0.0, counts * np.log(light)[:, None])
    return np.exp(powers - light[:, None] - factorials)


def _series(values: np.ndarray | float, read: float) -> np.ndarray:
    """Return the electrons of large values of the curve of gain 1, by the source's closed form."""
    root = np.sqrt(1.5)
    terms = values**2 / 4 + root / (4 * values) - 11 / (8 * values**2) + 5 * root / (8 * values**3)
    return np.asarray(terms - 1 / 8 - read**2)
