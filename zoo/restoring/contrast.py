"""A change of contrast, so that the noise of pictures fits a denoiser of another level."""

from collections.abc import Callable

from asykeras.types import Tensor

GREY = 0.5  # what stays as it is


def at_contrast(denoise: Callable[[Tensor], Tensor], pictures: Tensor, factor: Tensor) -> Tensor:
    """Denoise pictures whose contrast is changed meanwhile.

    Denoiser scaling: Xu et al., IEEE Signal Processing Letters 2020, arXiv:2002.11546.

    Args:
        denoise: From pictures in [0, 1] to clean ones.
        pictures: Of any shape, white at 1.
        factor: What the contrast around the middle grey, and so the noise, is multiplied by.

    Returns:
        Clean pictures in the contrast that they had.
    """
    return GREY + (denoise(GREY + factor * (pictures - GREY)) - GREY) / factor
