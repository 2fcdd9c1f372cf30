"""What a picture was put through: a linear operator, its adjoint, and the step towards the data."""

from collections.abc import Callable

import numpy as np
from keras import ops

from asykeras.types import Tensor

Shape = tuple[int, ...]


class Task:
    """A linear operator A that made a measurement y = A x + noise out of a picture x.

    A new task is a subclass with `forward`, `adjoint` and `picture_shape`. Where A A' is easily
    inverted, `solve` does that and the step towards the data is exact; here it is done by conjugate
    gradients, for any operator.

    Pictures are `(batch, height, width, bands)`; a measurement has whatever shape A gives.

    Args:
        iterations: Of the conjugate gradients, at most.
        tolerance: Of the conjugate gradients: the norm of what is left, relative to the beginning.
    """

    def __init__(self, iterations: int = 200, tolerance: float = 1e-6) -> None:
        self.iterations = iterations
        self.tolerance = tolerance

    def forward(self, picture: Tensor) -> Tensor:
        """Return A x."""
        raise NotImplementedError

    def adjoint(self, measurement: Tensor) -> Tensor:
        """Return A' y, for which <A x, y> = <x, A' y>."""
        raise NotImplementedError

    def picture_shape(self, measurement: Shape) -> Shape:
        """Return the shape of the picture that belongs to a measurement of a shape.

        Raises:
            ValueError: if A gives no measurement of this shape.
        """
        raise NotImplementedError

    def solve(self, residual: Tensor, rho: Tensor) -> Tensor:
        """Return (A A' + rho)^-1 r."""

        def gram(r: Tensor) -> Tensor:
            return self.forward(self.adjoint(r)) + rho * r

        return conjugate_gradients(gram, residual, self.iterations, self.tolerance)

    def start(self, measurement: Tensor) -> Tensor:
        """Return a picture to begin with: A' y."""
        return self.adjoint(measurement)

    def prox(self, measurement: Tensor, picture: Tensor, rho: Tensor) -> Tensor:
        """Return the x with the least |A x - y|^2 + rho |x - v|^2.

        That is v + A' (A A' + rho)^-1 (y - A v), by the identity of Woodbury. Unlike
        (A'A + rho)^-1 (A'y + rho v) it does not divide small differences by a small rho.

        Args:
            measurement: y.
            picture: v.
            rho: How much v counts against y; a number above 0.
        """
        residual = measurement - self.forward(picture)
        return picture + self.adjoint(self.solve(residual, rho))


class LinearTask(Task):
    """Any linear operator, given by two functions; its steps are conjugate gradients.

    Args:
        forward: Picture -> measurement.
        adjoint: Measurement -> picture.
        picture_shape: Shape of a measurement -> shape of its picture.
        iterations: See `Task`.
        tolerance: See `Task`.

    Example:
        >>> halve = LinearTask(lambda x: x[:, ::2], lambda y: twice(y), lambda shape: ...)
    """

    def __init__(
        self,
        forward: Callable[[Tensor], Tensor],
        adjoint: Callable[[Tensor], Tensor],
        picture_shape: Callable[[Shape], Shape],
        iterations: int = 200,
        tolerance: float = 1e-6,
    ) -> None:
        super().__init__(iterations, tolerance)
        self._functions = forward, adjoint, picture_shape

    def forward(self, picture: Tensor) -> Tensor:
        """Return A x."""
        return self._functions[0](picture)

    def adjoint(self, measurement: Tensor) -> Tensor:
        """Return A' y."""
        return self._functions[1](measurement)

    def picture_shape(self, measurement: Shape) -> Shape:
        """Return the shape of the picture of a measurement."""
        return self._functions[2](measurement)


def conjugate_gradients(
    operator: Callable[[Tensor], Tensor], target: Tensor, iterations: int, tolerance: float
) -> Tensor:
    """Return x with operator(x) = target, for a symmetric positive definite operator.

    The residual whose norm stops the iterations is taken relative to the target.

    Reference: Hestenes and Stiefel, "Methods of conjugate gradients for solving linear systems",
    J. Res. Nat. Bur. Stand. 49, 1952.
    """
    stop = tolerance**2 * ops.sum(target**2)

    def goes_on(k: Tensor, x: Tensor, r: Tensor, p: Tensor, norm: Tensor) -> Tensor:
        return ops.logical_and(k < iterations, norm > stop)

    def step(k: Tensor, x: Tensor, r: Tensor, p: Tensor, norm: Tensor) -> tuple[Tensor, ...]:
        product = operator(p)
        length = norm / ops.sum(p * product)
        x, r = x + length * p, r - length * product
        new = ops.sum(r**2)
        return k + 1, x, r, r + new / norm * p, new

    begin = (ops.convert_to_tensor(0), ops.zeros_like(target), target, target, ops.sum(target**2))
    return ops.while_loop(goes_on, step, begin)[1]


def checked(name: str, values: Tensor, axes: str, shape: Shape | None = None) -> np.ndarray:
    """Return values as a finite float32 array of some axes, named with commas, and of a shape."""
    array = np.asarray(ops.convert_to_numpy(values), np.float32)
    received = f"Received: {name}.shape={array.shape}"
    if shape is not None and array.shape != shape:
        raise ValueError(f"{name} must have the shape {shape}. {received}")
    if array.ndim != axes.count(",") + 1 or array.size == 0:
        raise ValueError(f"{name} must be ({axes}). {received}")
    if not np.isfinite(array).all():
        count = array.size - np.isfinite(array).sum()
        raise ValueError(f"{name} must be finite. Received: {count} NaN or infinite values")
    return array
