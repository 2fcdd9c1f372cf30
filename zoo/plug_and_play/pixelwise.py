"""Tasks whose operator looks at one pixel, or one spectrum, at a time."""

import numpy as np
from keras import ops
from numpy.typing import ArrayLike

from asykeras.types import Tensor
from zoo.plug_and_play.task import Shape, Task, checked


class Denoising(Task):
    """y = x + noise."""

    def forward(self, picture: Tensor) -> Tensor:
        """Return the picture."""
        return picture

    def adjoint(self, measurement: Tensor) -> Tensor:
        """Return the measurement."""
        return measurement

    def solve(self, residual: Tensor, rho: Tensor) -> Tensor:
        """Divide by 1 + rho."""
        return residual / (1 + rho)

    def picture_shape(self, measurement: Shape) -> Shape:
        """Return the same."""
        return measurement


class Inpainting(Task):
    """y = m x: what is known of a picture; missing pixels, stripes, dead lines or bands.

    Args:
        mask: 1 where the picture is known, 0 elsewhere; values between are weights. `(height,
            width)`, or `(height, width, bands)` for each band its own.

    Raises:
        ValueError: if nothing is known, or the mask has values outside [0, 1].
    """

    def __init__(self, mask: ArrayLike) -> None:
        super().__init__()
        array = np.asarray(mask)
        array = array[..., None] if array.ndim == 2 else array
        array = checked("mask", array, "height, width, bands")
        if array.min() < 0 or array.max() > 1:
            raise ValueError(
                f"mask must be in [0, 1]. Received: values from {array.min():g} to {array.max():g}"
            )
        if not array.any():
            raise ValueError("mask must be above 0 somewhere. Received: no known pixel")
        self.mask = array

    def forward(self, picture: Tensor) -> Tensor:
        """Return what is known."""
        return self.mask * picture

    def adjoint(self, measurement: Tensor) -> Tensor:
        """Return what is known."""
        return self.mask * measurement

    def solve(self, residual: Tensor, rho: Tensor) -> Tensor:
        """Divide by m^2 + rho."""
        return residual / (self.mask**2 + rho)

    def picture_shape(self, measurement: Shape) -> Shape:
        """Return the same, which the mask must fit."""
        height, width, bands = self.mask.shape
        if measurement[1:3] != (height, width) or bands not in (1, measurement[3]):
            raise ValueError(
                f"mask must fit pictures of {measurement[1:]}. Received: "
                f"mask.shape={self.mask.shape}"
            )
        return measurement

    def start(self, measurement: Tensor) -> Tensor:
        """Return the picture with the mean of what is known of a band wherever it is not."""
        weight = np.maximum(self.mask.sum(axis=(0, 1)), 1e-8)
        mean = ops.sum(measurement * self.mask, axis=(1, 2), keepdims=True) / weight
        return ops.where(self.mask > 0, measurement, mean)


class CompressedSensing(Task):
    """CASSI: a coded aperture and a prism put all bands onto one sensor.

    Band c is multiplied by the mask, shifted by `step` times c columns, and all are added:
    `(batch, height, width, bands)` -> `(batch, height, width + step (bands - 1), 1)`.

    Args:
        mask: The aperture, `(height, width)`, in [0, 1].
        bands: Number of bands.
        step: Columns between neighbouring bands.

    Raises:
        ValueError: for an empty mask, or no band.

    Reference: Wagadarikar et al., "Single disperser design for coded aperture snapshot spectral
    imaging", Applied Optics 2008.
    """

    def __init__(self, mask: ArrayLike, bands: int, step: int = 2) -> None:
        super().__init__()
        self.mask = checked("mask", mask, "height, width")
        if not self.mask.any():
            raise ValueError("mask must be above 0 somewhere. Received: no light")
        if bands < 1 or step < 0:
            raise ValueError(
                f"bands must be 1 or more, step 0 or more. Received: bands={bands}, step={step}"
            )
        self.bands, self.step = bands, step
        ones = np.ones((1, *self.mask.shape, bands), np.float32)
        self.light = np.asarray(ops.convert_to_numpy(self.forward(self.mask[..., None] * ones)))

    def forward(self, picture: Tensor) -> Tensor:
        """Mask, shift and add the bands."""
        coded = self.mask[..., None] * picture
        last = self.step * (self.bands - 1)
        shifted = [
            ops.pad(band, [(0, 0), (0, 0), (self.step * c, last - self.step * c)])
            for c, band in enumerate(ops.unstack(coded, axis=-1))
        ]
        return ops.expand_dims(sum(shifted[1:], shifted[0]), -1)

    def adjoint(self, measurement: Tensor) -> Tensor:
        """Cut each band out of the sensor, and mask it."""
        width = self.mask.shape[1]
        bands = [
            measurement[:, :, self.step * c : self.step * c + width, 0] for c in range(self.bands)
        ]
        return self.mask[..., None] * ops.stack(bands, axis=-1)

    def solve(self, residual: Tensor, rho: Tensor) -> Tensor:
        """Divide by the squared mask as the sensor sees it, plus rho."""
        return residual / (self.light + rho)

    def start(self, measurement: Tensor) -> Tensor:
        """Share what the sensor saw among the bands."""
        return self.adjoint(measurement / np.maximum(self.light, 1e-3))

    def picture_shape(self, measurement: Shape) -> Shape:
        """Return the shape with the bands apart."""
        height, width = self.mask.shape
        wide = width + self.step * (self.bands - 1)
        if measurement[1:] != (height, wide, 1):
            raise ValueError(
                f"measurement must be of the sensor's {(height, wide, 1)}. Received: "
                f"measurement.shape={measurement}"
            )
        return (measurement[0], height, width, self.bands)


class SpectralResponse(Task):
    """y = x R: few channels that each add up many bands, such as RGB of a spectrum.

    Args:
        response: `(bands, channels)`: how much of a band a channel sees.

    Raises:
        ValueError: if it is not finite or sees nothing.
    """

    def __init__(self, response: ArrayLike) -> None:
        super().__init__()
        self.response = checked("response", response, "bands, channels")
        if not self.response.any():
            raise ValueError(
                "response must be other than 0 somewhere. Received: no channel sees a band"
            )
        # R'R = U diag(s) U'
        values, self.basis = np.linalg.eigh(self.response.T.astype(np.float64) @ self.response)
        self.values = np.maximum(values, 0).astype(np.float32)
        self.basis = self.basis.astype(np.float32)

    def forward(self, picture: Tensor) -> Tensor:
        """Add the bands up."""
        return ops.matmul(picture, self.response)

    def adjoint(self, measurement: Tensor) -> Tensor:
        """Spread the channels over the bands."""
        return ops.matmul(measurement, self.response.T)

    def solve(self, residual: Tensor, rho: Tensor) -> Tensor:
        """Divide by R'R + rho, which is small."""
        turned = ops.matmul(residual, self.basis) / (self.values + rho)
        return ops.matmul(turned, self.basis.T)

    def picture_shape(self, measurement: Shape) -> Shape:
        """Return the shape with the bands."""
        bands, channels = self.response.shape
        if measurement[3] != channels:
            raise ValueError(
                f"measurement must have the {channels} channels of the response. Received: "
                f"measurement.shape={measurement}"
            )
        return (*measurement[:3], bands)
