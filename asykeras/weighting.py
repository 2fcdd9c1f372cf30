"""Weightings: from a label image to the weight of each of its pixels.

The paper describes one idea, "dark pixels weigh more", in two ways that differ: Eq. 2
(`Reciprocal`) and the pseudo-code of its Table 1 (`Quartile`). A weighting is any callable
`y_true -> weights`. To save a loss that uses it, give it `get_config()`, which returns the
constructor's arguments, and register it with `keras.saving.register_keras_serializable`.

Source: Zhu et al., "Asymmetric Loss Based on Image Properties for Deep Learning-Based Image
Restoration", 2023, Sec. 2.
"""

from typing import ClassVar

import keras
from keras import ops

from asykeras.color import grey
from asykeras.configured import Configured, positive
from asykeras.eager import check_range
from asykeras.types import Config, Tensor


def normalize(image: Tensor) -> Tensor:
    """Stretch each image to [0, 1] by its own extremes (Eq. 1).

    `(I - min) / (max - min)`, where the extremes are taken over all values of one image. A constant
    image, for which the equation divides zero by zero, becomes all zeros.

    Args:
        image: Tensor of shape `(batch, ...)`, any range.

    Returns:
        Tensor of the same shape, in [0, 1].

    Example:
        `[[2, 4, 6]]` -> `[[0, 0.5, 1]]`
    """
    image = ops.convert_to_tensor(image)
    axes = tuple(range(1, len(image.shape)))
    low = ops.min(image, axis=axes, keepdims=True)
    span = ops.max(image, axis=axes, keepdims=True) - low
    return (image - low) / ops.where(span > 0, span, ops.ones_like(span))


class Weighting(Configured):
    """Base of the weightings: label -> grey value -> weight.

    Subclasses implement `weigh(grey)` and may declare the range of the labels that they are made
    for; nothing is checked where they do not. Labels are read as float32 and values below 0 count
    as black, so the weights of any label are finite.

    Both compute `0.5 tanh(x) + 0.5` as `sigmoid(2 x)`, which is equal and one operation instead of
    three.

    Attributes:
        label_range: Lowest and highest value of a label, such as `(0, 1)`, or None. Labels beyond
            it by more than half of the range are refused when running eagerly; noise and overshoot
            stay within. Compiled code has no values that could be checked.

    Example:
        >>> @keras.saving.register_keras_serializable(package="mine")
        ... class Bright(Weighting):
        ...     def weigh(self, grey):
        ...         return 0.5 + grey
        ...
        ...     def get_config(self):
        ...         return {}
    """

    label_range: ClassVar[tuple[float, float] | None] = None

    def __call__(self, y_true: Tensor) -> Tensor:
        """Return the weights of a label.

        Args:
            y_true: Label of shape `(batch, ..., channels)`, or `(batch, d)`, whose `d` values then
                count as pixels.

        Returns:
            float32 tensor of shape `(batch, ..., 1)`, or `(batch, d)`. Three channels are weighed
            by their luma (0.299 R + 0.587 G + 0.114 B), any other number by their mean.

        Raises:
            ValueError: when running eagerly, for labels far outside `label_range`.
        """
        label = ops.cast(y_true, "float32")
        if self.label_range:
            low, high = self.label_range
            check_range(
                label, low, high,
                f"{type(self).__name__} expects labels in [{low:g}, {high:g}]: divide 8-bit images "
                "by 255, or give the loss normalize=True",
            )  # fmt: skip
        if len(label.shape) > 2:
            label = grey(label)
        return self.weigh(ops.maximum(label, 0.0))

    def weigh(self, grey: Tensor) -> Tensor:
        """Return the weight of each grey value, same shape."""
        raise NotImplementedError


@keras.saving.register_keras_serializable(package="asykeras")
class Reciprocal(Weighting):
    """Weigh by the reciprocal of the grey value (Eq. 2).

    `M = 0.5 tanh(1 / (y + epsilon)) + 0.5`, which lies in [0.8808, 1] for y in [0, 1]: black weighs
    1, mid-grey 0.982, white 0.8808. Labels are expected in [0, 1].

    Args:
        epsilon: Added to the grey value against division by zero; > 0. The text of the paper prints
            "1 x e^-10", its Table 1 prints 1e-10; both give the same weights to 1e-9.

    Raises:
        ValueError: if `epsilon` is not positive.

    Example:
        labels 0, 0.5, 1 -> weights 1, 0.5 tanh(2) + 0.5 = 0.98201, 0.5 tanh(1) + 0.5 = 0.88080
    """

    label_range = (0.0, 1.0)

    def __init__(self, epsilon: float = 1e-10):
        self.epsilon = positive("epsilon", epsilon)

    def weigh(self, grey: Tensor) -> Tensor:
        """Return 0.5 tanh(1 / (y + epsilon)) + 0.5."""
        return ops.sigmoid(2.0 / (grey + self.epsilon))

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {"epsilon": self.epsilon}


@keras.saving.register_keras_serializable(package="asykeras")
class Quartile(Weighting):
    """Weigh by a quantile of the label over the grey value (Table 1).

    `M = 0.5 tanh(Q / (y + epsilon)) + 0.5`, where Q is a quantile of the grey values of that image.
    Pixels darker than Q weigh most; the brighter a pixel is against Q, the nearer is its weight to
    0.5. Where Q is 0 (a quarter of the image is black), every weight is 0.5. Labels are expected
    in [0, 1].

    Table 1 leaves two things open. It names Q the smaller quartile and also "the 25th percentile in
    descending order", which is the larger one: `quantile=0.25` and `quantile=0.75`. And it names a
    function TH() without defining it: here TH is the tanh form of Eq. 2.

    Args:
        quantile: Which quantile of the image Q is, in [0, 1], with linear interpolation.
        epsilon: Added to the grey value against division by zero; > 0.

    Raises:
        ValueError: if `quantile` is outside [0, 1] or `epsilon` is not positive.

    Example:
        label 0, 0.25, 0.5, 0.75, 1 -> Q = 0.25 -> weights 1, 0.5 tanh(1) + 0.5 = 0.88080,
        0.5 tanh(0.5) + 0.5 = 0.73106, 0.66076, 0.62246
    """

    label_range = (0.0, 1.0)

    def __init__(self, quantile: float = 0.25, *, epsilon: float = 1e-10):
        if not 0 <= quantile <= 1:
            raise ValueError(f"quantile must be in [0, 1]. Received: {quantile=}")
        self.quantile = float(quantile)
        self.epsilon = positive("epsilon", epsilon)

    def weigh(self, grey: Tensor) -> Tensor:
        """Return 0.5 tanh(Q / (y + epsilon)) + 0.5."""
        axes = tuple(range(1, len(grey.shape)))
        quantile = ops.quantile(grey, self.quantile, axis=axes, keepdims=True)
        return ops.sigmoid(2.0 * quantile / (grey + self.epsilon))

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {"quantile": self.quantile, "epsilon": self.epsilon}
