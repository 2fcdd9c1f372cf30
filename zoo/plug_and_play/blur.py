"""Tasks that convolve the picture with a kernel: they are solved in the Fourier domain."""

import numpy as np
from keras import ops
from numpy.typing import ArrayLike

from asykeras.resize import bicubic_resize
from asykeras.types import Tensor
from zoo.plug_and_play.task import Shape, Task, checked

SUM_TOLERANCE = 1e-3  # by which the sum of a kernel may differ from 1


class Blur(Task):
    """y = k * x, a convolution with circular borders: deblurring.

    Args:
        kernel: `(rows, columns)`, odd or even; its middle, at `rows // 2` and `columns // 2`, is
            the pixel itself. As in a convolution the kernel is turned by 180 degrees.

    Raises:
        ValueError: if the kernel is not finite or does not sum to one.

    Pictures with other borders: mirror the measurement at its borders by `pad_borders` first, and
    cut the result.
    """

    scale = 1

    def __init__(self, kernel: ArrayLike) -> None:
        super().__init__()
        self.kernel = checked("kernel", kernel, "rows, columns")
        if abs(self.kernel.sum() - 1) > SUM_TOLERANCE:
            raise ValueError(
                f"kernel must sum to one. Received: kernel.sum()={self.kernel.sum():g}"
            )

    def forward(self, picture: Tensor) -> Tensor:
        """Blur."""
        return self._filtered(picture, 1)

    def adjoint(self, measurement: Tensor) -> Tensor:
        """Blur with the turned kernel."""
        return self._filtered(measurement, -1)

    def solve(self, residual: Tensor, rho: Tensor) -> Tensor:
        """Divide by the mean of |K|^2 over the frequencies that fall together, plus rho."""
        _, height, width, _ = residual.shape
        s = self.scale
        real, imaginary = self._spectrum((1, s * height, s * width))
        power = (real**2 + imaginary**2).reshape(s, height, s, width).mean(axis=(0, 2))
        return filtered(residual, 1 / (power + rho), ops.zeros_like(power))

    def start(self, measurement: Tensor) -> Tensor:
        """Return the blurred picture."""
        return measurement

    def picture_shape(self, measurement: Shape) -> Shape:
        """Return the shape s times larger, which the kernel must fit into."""
        batch, *sides, bands = measurement
        size = tuple(self.scale * side for side in sides)
        if any(k > n for k, n in zip(self.kernel.shape, size, strict=True)):
            raise ValueError(
                f"kernel must not be larger than the picture of {size}. Received: "
                f"kernel.shape={self.kernel.shape}"
            )
        return (batch, *size, bands)

    def _filtered(self, picture: Tensor, sign: int) -> Tensor:
        real, imaginary = self._spectrum(picture.shape)
        return filtered(picture, real, sign * imaginary)

    def _spectrum(self, shape: Shape) -> tuple[np.ndarray, np.ndarray]:
        """Return the transfer function for pictures of a shape, (height, width), as two arrays."""
        height, width = shape[1:3]
        large = np.zeros((height, width))
        rows, columns = self.kernel.shape
        large[:rows, :columns] = self.kernel
        transfer = np.fft.fft2(np.roll(large, (-(rows // 2), -(columns // 2)), (0, 1)))
        return transfer.real.astype(np.float32), transfer.imag.astype(np.float32)


class SuperResolution(Blur):
    """y = every s-th pixel of k * x, from the first: super-resolution with a known kernel.

    Args:
        kernel: See `Blur`.
        scale: s, 2 or more.

    Raises:
        ValueError: as `Blur`, or for another scale.

    Reference, of the closed form: Zhao et al., "Fast single image super-resolution using a new
    analytical solution for l2-l2 problems", TIP 2016.
    """

    def __init__(self, kernel: ArrayLike, scale: int) -> None:
        super().__init__(kernel)
        if not isinstance(scale, int) or scale < 2:
            raise ValueError(f"scale must be an int of 2 or more. Received: scale={scale!r}")
        self.scale = scale

    def forward(self, picture: Tensor) -> Tensor:
        """Blur, and keep every s-th pixel."""
        return super().forward(picture)[:, :: self.scale, :: self.scale]

    def adjoint(self, measurement: Tensor) -> Tensor:
        """Put zeros between, and blur with the turned kernel."""
        return super().adjoint(self._with_zeros(measurement))

    def start(self, measurement: Tensor) -> Tensor:
        """Return the picture enlarged with bicubic interpolation, its first pixel in place."""
        large = bicubic_resize(measurement, self.scale)
        # Its pixels lie (s - 1) / 2 further to the right and below than here.
        shift = (self.scale - 1) // 2
        return ops.roll(large, (-shift, -shift), axis=(1, 2)) if shift else large

    def _with_zeros(self, measurement: Tensor) -> Tensor:
        _, height, width, bands = measurement.shape
        s = self.scale
        apart = ops.reshape(measurement, (-1, height, 1, width, 1, bands))
        padded = ops.pad(apart, [(0, 0), (0, 0), (0, s - 1), (0, 0), (0, s - 1), (0, 0)])
        return ops.reshape(padded, (-1, s * height, s * width, bands))


class BicubicSuperResolution(Task):
    """y = `asykeras.bicubic_resize(x, 1 / s)`: super-resolution of what MATLAB's imresize shrank.

    Exact up to the borders, which `bicubic_resize` mirrors: the resizing is a matrix along the rows
    and one along the columns, whose products with their transposes are diagonalised.

    Args:
        shape: Height and width of the picture, multiples of the scale.
        scale: 2, 3 or 4.

    Raises:
        ValueError: for another scale, or a shape that it does not divide.
    """

    def __init__(self, shape: tuple[int, int], scale: int) -> None:
        super().__init__()
        if scale not in (2, 3, 4) or any(side % scale for side in shape):
            raise ValueError(
                "scale must be 2, 3 or 4 and divide height and width. Received: "
                f"scale={scale!r}, shape={tuple(shape)}"
            )
        self.shape, self.scale = tuple(shape), scale
        self.matrices = [self._matrix(side) for side in shape]
        grams = [np.linalg.eigh(m.astype(np.float64) @ m.T) for m in self.matrices]
        self.values = np.outer(*(values for values, _ in grams)).astype(np.float32)
        self.bases = [basis.astype(np.float32) for _, basis in grams]

    def forward(self, picture: Tensor) -> Tensor:
        """Shrink."""
        return _along_both(picture, *self.matrices)

    def adjoint(self, measurement: Tensor) -> Tensor:
        """Multiply by the transposed matrices."""
        return _along_both(measurement, *(matrix.T for matrix in self.matrices))

    def solve(self, residual: Tensor, rho: Tensor) -> Tensor:
        """Divide by the eigenvalues plus rho."""
        turned = _along_both(residual, *(basis.T for basis in self.bases))
        return _along_both(turned / (self.values[..., None] + rho), *self.bases)

    def start(self, measurement: Tensor) -> Tensor:
        """Return the picture enlarged with bicubic interpolation."""
        return bicubic_resize(measurement, self.scale)

    def picture_shape(self, measurement: Shape) -> Shape:
        """Return the shape of the picture."""
        batch, *size, bands = measurement
        if tuple(self.scale * side for side in size) != self.shape:
            raise ValueError(
                f"measurement must be 1/{self.scale} of the picture, which is of {self.shape}. "
                f"Received: measurement.shape={measurement}"
            )
        return (batch, *self.shape, bands)

    def _matrix(self, side: int) -> np.ndarray:
        # One picture per column of the matrix, each constant along its rows.
        units = np.repeat(np.eye(side, dtype=np.float32)[None, :, None], self.scale, axis=2)
        return np.asarray(ops.convert_to_numpy(bicubic_resize(units, 1 / self.scale)))[0, :, 0]


def _along_both(pictures: Tensor, rows: np.ndarray, columns: np.ndarray) -> Tensor:
    """Multiply (batch, height, width, bands) by a matrix along the rows and one along columns."""
    return ops.einsum("ih,jw,bhwc->bijc", rows, columns, pictures)


def filtered(pictures: Tensor, real: Tensor, imaginary: Tensor) -> Tensor:
    """Multiply the spectrum of (batch, height, width, bands) by a (height, width) one."""
    planes = ops.transpose(pictures, (0, 3, 1, 2))
    a, b = ops.fft2((planes, ops.zeros_like(planes)))
    product = (a * real - b * imaginary, a * imaginary + b * real)
    return ops.transpose(ops.ifft2(product)[0], (0, 2, 3, 1))


def pad_borders(
    measurement: np.ndarray, kernel: np.ndarray
) -> tuple[np.ndarray, tuple[slice, ...]]:
    """Mirror a blurred picture at its borders, for a `Blur` of a picture that is not circular.

    What lies beyond the border also shone into the measurement; without it the restored picture has
    waves along its borders.

    Args:
        measurement: `(batch, height, width, bands)`.
        kernel: Of the blur.

    Returns:
        The larger measurement, and the slices that cut the result to its former size.
    """
    rows, columns = (2 * side for side in kernel.shape)
    padded = np.pad(measurement, [(0,), (rows,), (columns,), (0,)], mode="symmetric")
    return padded, (slice(None), slice(rows, -rows), slice(columns, -columns), slice(None))
