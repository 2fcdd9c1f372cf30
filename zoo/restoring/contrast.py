"""A change of contrast, so that the noise of pictures fits a denoiser of another level."""

from collections.abc import Callable

from asykeras.types import Tensor
from zoo.store.card import Use

GREY = 0.5  # what stays as it is


def at_contrast(denoise: Callable[[Tensor], Tensor], pictures: Tensor, factor: Tensor) -> Tensor:
    """Denoise pictures whose contrast is changed meanwhile.

    Denoiser scaling: Xu et al., IEEE Signal Processing Letters 2020, arXiv:2002.11546. The contrast
    around the middle grey, and so the noise, is multiplied by a factor, and what is clean divided.
    """
    return GREY + (denoise(GREY + factor * (pictures - GREY)) - GREY) / factor


def contrast(use: Use, sigma: float | None) -> float:
    """Return what the contrast of a picture is multiplied by, so that its noise fits a network.

    A network that was trained for one level alone removes another one where the contrast is changed
    so that the noise has that level. For levels below those that it is for it is not changed
    further: the picture would leave the range that the network knows.
    """
    if use.level is None or use.levels is None or sigma is None:
        return 1.0
    return use.level / max(sigma, use.levels[0])
