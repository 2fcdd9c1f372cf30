"""Errors: the difference of two images, one value per element, before any weighting."""

import keras
from keras import ops

from asykeras.configured import Configured, positive
from asykeras.types import Tensor


@keras.saving.register_keras_serializable(package="asykeras")
def squared_error(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """Return the squared error of each element (Eq. 3): `(f - y)^2`."""
    return ops.square(y_pred - y_true)


@keras.saving.register_keras_serializable(package="asykeras")
def absolute_error(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """Return the absolute error of each element (Eq. 4): `|f - y|`."""
    return ops.abs(y_pred - y_true)


@keras.saving.register_keras_serializable(package="asykeras")
class Huber(Configured):
    """Huber error: quadratic up to `delta`, linear beyond.

    `e^2 / 2` where `|e| <= delta`, else `delta |e| - delta^2 / 2`.

    Args:
        delta: Where the two pieces meet, in image units; > 0. Keras' own default of 1 would never
            leave the quadratic piece on images in [0, 1]; ours is 0.1.

    Raises:
        ValueError: if `delta` is not positive.

    Example:
        errors 0.05 and 0.3, delta 0.1 -> 0.00125 and 0.1 * 0.3 - 0.005 = 0.025

    Reference: Huber, "Robust Estimation of a Location Parameter", 1964.
    """

    def __init__(self, delta: float = 0.1):
        self.delta = positive("delta", delta)

    def __call__(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Return the Huber error of each element."""
        error = ops.abs(y_pred - y_true)
        quadratic = ops.minimum(error, self.delta)
        return 0.5 * ops.square(quadratic) + self.delta * (error - quadratic)


@keras.saving.register_keras_serializable(package="asykeras")
class Charbonnier(Configured):
    """Charbonnier error: a smooth absolute error, `sqrt(e^2 + epsilon^2)`.

    Args:
        epsilon: Width of the smooth part, in image units; > 0. A perfect prediction costs
            `epsilon`, not 0.

    Raises:
        ValueError: if `epsilon` is not positive.

    Example:
        errors 0 and 0.004, epsilon 0.003 -> 0.003 and 0.005

    Reference: Charbonnier et al., "Two deterministic half-quadratic regularization algorithms for
    computed imaging", 1994; epsilon = 1e-3 as Lai et al., 2017, arXiv:1704.03915.
    """

    def __init__(self, epsilon: float = 1e-3):
        self.epsilon = positive("epsilon", epsilon)

    def __call__(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Return the Charbonnier error of each element."""
        return ops.sqrt(ops.square(y_pred - y_true) + self.epsilon**2)
