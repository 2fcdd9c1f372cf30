"""A classical denoiser, for comparison and where no network is at hand."""

from keras import ops

from asykeras.types import Tensor
from zoo.plug_and_play.denoisers import Denoiser

TAU = 0.25  # step of the iterations; 1 / (2 axes)


def total_variation(strength: float = 1.0, iterations: int = 50) -> Denoiser:
    """Return a denoiser that keeps the sum of the lengths of the gradients small, band by band.

    It returns the u with the least |u - y|^2 / 2 + strength sigma TV(u), approximately.

    Args:
        strength: How smooth; 1 suits photographs.
        iterations: Of its own.

    Raises:
        ValueError: for a strength or a number that is not above 0.

    Reference: Chambolle, "An algorithm for total variation minimization and applications", JMIV
    2004; the iterations are those of scikit-image's `denoise_tv_chambolle`.
    """
    if strength <= 0 or iterations < 1:
        raise ValueError(
            "strength and iterations must be above 0. Received: "
            f"strength={strength!r}, iterations={iterations!r}"
        )

    def denoise(pictures: Tensor, sigma: Tensor) -> Tensor:
        weight = strength * sigma

        def step(number: Tensor, dual: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
            down, right = _gradient(pictures + _divergence(*dual))
            shrink = 1 + TAU / weight * ops.sqrt(down**2 + right**2)
            return (dual[0] - TAU * down) / shrink, (dual[1] - TAU * right) / shrink

        nothing = ops.zeros_like(pictures)
        dual = ops.fori_loop(0, iterations - 1, step, (nothing, nothing))
        return pictures + _divergence(*dual)

    return denoise


def _gradient(pictures: Tensor) -> tuple[Tensor, Tensor]:
    """Return the differences to the pixel below and to the right; 0 at the border."""
    down = pictures[:, 1:] - pictures[:, :-1]
    right = pictures[:, :, 1:] - pictures[:, :, :-1]
    return (
        ops.pad(down, [(0, 0), (0, 1), (0, 0), (0, 0)]),
        ops.pad(right, [(0, 0), (0, 0), (0, 1), (0, 0)]),
    )


def _divergence(down: Tensor, right: Tensor) -> Tensor:
    """Return the adjoint of the gradient: what flows out of each pixel."""
    above = ops.pad(down[:, :-1], [(0, 0), (1, 0), (0, 0), (0, 0)])
    left = ops.pad(right[:, :, :-1], [(0, 0), (0, 0), (1, 0), (0, 0)])
    return above - down + left - right
