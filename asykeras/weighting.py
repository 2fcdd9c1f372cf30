"""Weightings: from an image to the weight of each of its pixels.

The paper describes one idea, "dark pixels weigh more", in two ways that differ: Eq. 2
(`Reciprocal`) and the pseudo-code of its Table 1 (`Quartile`). Both are nearly flat. `Power`,
`Slope`, `NoiseVariance` and `Steps` are steeper, `Density` looks for what is rare, and `Annealed`
lets any of them fade. Read from the label, a steep weighting biases what is learned; the loss can
read it from the prediction instead (`reference="prediction"`).

A weighting is any callable `image -> weights`. To save a loss that uses it, give it `get_config()`,
which returns the constructor's arguments, and register it with
`keras.saving.register_keras_serializable`.

Source of the first two: Zhu et al., "Asymmetric Loss Based on Image Properties for Deep
Learning-Based Image Restoration", 2023, Sec. 2.
"""

from collections.abc import Iterable, Sequence
from typing import ClassVar, Self

import keras
import numpy as np
from keras import ops

from asykeras.color import grey
from asykeras.configured import Configured, not_negative, positive
from asykeras.curves import Curve
from asykeras.eager import check_range
from asykeras.types import Config, LabelWeights, Tensor


def stretched(image: Tensor, label: Tensor) -> Tensor:
    """Return images after the stretching of each label to [0, 1] by its own extremes (Eq. 1).

    `(I - min) / (max - min)`, the extremes taken over all values of one label, `(batch, ...)`. A
    constant label, for which the equation divides zero by zero, becomes all zeros.

    Example:
        `[[2, 4, 8]]` by the label `[[2, 4, 6]]` -> `[[0, 0.5, 1.5]]`
    """
    image, label = ops.convert_to_tensor(image), ops.convert_to_tensor(label)
    axes = tuple(range(1, len(label.shape)))
    low = ops.min(label, axis=axes, keepdims=True)
    span = ops.max(label, axis=axes, keepdims=True) - low
    return (image - low) / ops.where(span > 0, span, ops.ones_like(span))


class Weighting(Configured):
    """Base of the weightings: label -> grey value -> weight.

    Subclasses implement `weigh(grey)` and may declare the range of the labels that they are made
    for; nothing is checked where they do not. Labels are read as float32 and values below 0 count
    as black, so the weights of any label are finite.

    The paper's two compute `0.5 tanh(x) + 0.5` as `sigmoid(2 x)`, which is equal and one operation
    instead of three.

    Attributes:
        label_range: Lowest and highest value of a label, such as `(0, 1)`, or None. Labels beyond
            it by more than half of the range are refused when running eagerly; noise and overshoot
            stay within. Compiled code cannot raise: there a loss of such labels is NaN.
        black: What darker values count as; None: they keep their value.

    Example:
        >>> @keras.saving.register_keras_serializable(package="mine")
        ... class Bright(Weighting):
        ...     def weigh(self, grey):
        ...         return 0.5 + grey
    """

    label_range: ClassVar[tuple[float, float] | None] = None
    black: ClassVar[float | None] = 0.0

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
        check_labels(self, label)
        if len(label.shape) > 2:
            label = grey(label)
        return self.weigh(label if self.black is None else ops.maximum(label, self.black))

    def weigh(self, grey: Tensor) -> Tensor:
        """Return the weight of each grey value, same shape."""
        raise NotImplementedError


def check_labels(weighting: LabelWeights, label: Tensor) -> None:
    """Refuse eager labels far outside of the range that a weighting declares, if it does."""
    limits = getattr(weighting, "label_range", None)
    if limits:
        low, high = limits
        check_range(
            label, low, high,
            f"{type(weighting).__name__} expects labels in [{low:g}, {high:g}]: divide 8-bit "
            "images by 255, or give the loss normalize=True",
        )  # fmt: skip


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


@keras.saving.register_keras_serializable(package="asykeras")
class Power(Weighting):
    """Weigh by a negative power of the grey value, `M = (y + epsilon)^-p`.

    With p = 1 a squared error counts as that of Poisson noise, with p = 2 as a relative error. The
    images have any range from 0 up: HDR, counts.

    Args:
        power: p; > 0.
        epsilon: Grey value below which the weights level off; > 0. The largest weight is
            `epsilon^-p`.

    Raises:
        ValueError: if an argument is not positive.

    Example:
        Power(1, epsilon=0.05): labels 0, 0.15, 0.95 -> weights 20, 5, 1

    Reference: p = 2, read from the prediction, is the loss of Lehtinen et al., "Noise2Noise", 2018
    (epsilon 0.01), for HDR, and of Mildenhall et al., "NeRF in the Dark", 2022 (0.001).
    """

    def __init__(self, power: float = 1.0, *, epsilon: float = 0.05):
        self.power = positive("power", power)
        self.epsilon = positive("epsilon", epsilon)

    def weigh(self, grey: Tensor) -> Tensor:
        """Return (y + epsilon)^-p."""
        if self.power == 1:
            return 1.0 / (grey + self.epsilon)
        if self.power == 2:
            return ops.square(1.0 / (grey + self.epsilon))
        return (grey + self.epsilon) ** -self.power


@keras.saving.register_keras_serializable(package="asykeras")
class Slope(Weighting):
    """Weigh by the squared slope of a curve, `M = g'(y)^2`.

    To first order that is the squared error after the curve, `(g(f) - g(y))^2`, without its bias if
    the weight is read from the prediction, and with four times its bias if it is read from the
    label.

    Args:
        curve: See `asykeras.Curve`.

    Raises:
        ValueError: if `curve` is none.

    Example:
        Slope(SRGB()): labels 0, 0.5 -> weights 12.92^2 = 166.9,
        (1.055 / 2.4 * 0.5^(1 / 2.4 - 1))^2 = 0.4338
    """

    black = None  # a curve knows what to do there; CT numbers are negative

    def __init__(self, curve: Curve):
        if not isinstance(curve, Curve):
            raise ValueError(f"curve must be a curve such as SRGB(). Received: {curve=}")
        self.curve = curve

    def weigh(self, grey: Tensor) -> Tensor:
        """Return g'(y)^2."""
        return ops.square(self.curve.slope(grey))

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {"curve": keras.saving.serialize_keras_object(self.curve)}

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """Build the weighting from the arguments that `get_config` returned."""
        return cls(keras.saving.deserialize_keras_object(config["curve"]))

    def __repr__(self) -> str:
        return f"Slope({self.curve!r})"


@keras.saving.register_keras_serializable(package="asykeras")
class NoiseVariance(Weighting):
    """Weigh by the inverse of the variance of Poisson-Gaussian noise, `M = 1 / (a y + s^2)`.

    Where the labels are noisy, these weights waste least of them (Gauss and Markov), if they are
    read from the prediction. Read from the noisy label they bias it towards the dark. A label also
    scatters about the prediction by the error of that, so add its square to `s^2`.

    Args:
        gain: a, the light of one electron in image units; > 0.
        read_noise: s, the deviation of the noise of black in image units; > 0, since the largest
            weight is `1 / s^2`.

    Raises:
        ValueError: if an argument is not positive.

    Example:
        NoiseVariance(0.01, read_noise=0.1): labels 0, 1 -> weights 100, 50
    """

    def __init__(self, gain: float, *, read_noise: float):
        self.gain = positive("gain", gain)
        self.read_noise = positive("read_noise", read_noise)

    def weigh(self, grey: Tensor) -> Tensor:
        """Return 1 / (a y + s^2)."""
        return 1.0 / (self.gain * grey + self.read_noise**2)


@keras.saving.register_keras_serializable(package="asykeras")
class Density(Weighting):
    """Weigh by how rare a grey value is among the training labels.

    `M = density(y)^-power`, divided so that its mean over the training labels is 1. Made by
    `Density.from_labels`, which counts them.

    Args:
        weights: Of grey values from 0 to 1 in equal steps, two or more, each > 0; in between they
            are interpolated. Labels are expected in [0, 1].

    Raises:
        ValueError: if there are fewer than two weights or one is not positive.

    Example:
        >>> weighting = Density.from_labels(images, power=0.5)
        >>> loss = AsyMSE(weighting, reference="prediction")

    Reference: label distribution smoothing of Yang et al., "Delving into Deep Imbalanced
    Regression", 2021.
    """

    label_range = (0.0, 1.0)

    def __init__(self, weights: Sequence[float]):
        self.weights = [positive("weights", float(weight)) for weight in weights]
        if len(self.weights) < 2:
            raise ValueError(f"there must be two weights or more. Received: {weights=}")

    @classmethod
    def from_labels(
        cls,
        images: Iterable[np.ndarray],
        *,
        power: float = 1.0,
        bins: int = 64,
        smoothing: float = 2.0,
        least: float = 1e-3,
    ) -> Self:
        """Count the grey values of training labels.

        Args:
            images: Arrays `(..., channels)` in [0, 1], as the loss will see them; values outside
                count as black and white.
            power: 1: every grey value weighs the same in all; 0.5: its root; > 0.
            bins: Grey values that are told apart, 2 or more.
            smoothing: Deviation of the Gaussian that smooths the counts, in bins; >= 0.
            least: Smallest density that counts, over the density of evenly spread values; > 0. It
                bounds the weight of what is hardly there.

        Returns:
            The weighting.

        Raises:
            ValueError: for arguments out of range, and without images.

        Example:
            >>> Density.from_labels([np.zeros((8, 8, 1)), np.ones((8, 8, 1))], smoothing=0)
        """
        power, least = positive("power", power), positive("least", least)
        smoothing = not_negative("smoothing", smoothing)
        if bins < 2:
            raise ValueError(f"bins must be 2 or more. Received: {bins=}")
        counts = _counts(images, bins)
        density = counts / counts.mean()
        weights = np.maximum(_smoothed(density, smoothing), least) ** -power
        return cls((weights / np.average(weights, weights=counts)).tolist())

    def weigh(self, grey: Tensor) -> Tensor:
        """Return the weight of the two nearest grey values, interpolated."""
        table = ops.convert_to_tensor(self.weights, "float32")
        place = ops.clip(grey, 0.0, 1.0) * (len(self.weights) - 1)
        low = ops.minimum(ops.floor(place), len(self.weights) - 2)
        index = ops.cast(low, "int32")
        first, second = ops.take(table, index), ops.take(table, index + 1)
        return first + (place - low) * (second - first)


@keras.saving.register_keras_serializable(package="asykeras")
class Steps(Weighting):
    """Weigh by ranges of grey values: a weight for each.

    Args:
        thresholds: Where one range ends and the next begins, rising; at least one.
        values: The weights, one more than thresholds, each >= 0.

    Raises:
        ValueError: if the thresholds do not rise, or a value is missing or negative.

    Example:
        Steps([0.1, 0.5], values=[4, 2, 1]): labels 0.05, 0.1, 0.9 -> weights 4, 2, 1

    Reference: thresholds of rain rates, as Shi et al., "Deep Learning for Precipitation
    Nowcasting", 2017.
    """

    black = None

    def __init__(self, thresholds: Sequence[float], *, values: Sequence[float]):
        self.thresholds = [float(threshold) for threshold in thresholds]
        self.values = [not_negative("values", value) for value in values]
        rising = self.thresholds == sorted(set(self.thresholds))
        if not (rising and np.isfinite(self.thresholds).all()):
            raise ValueError(f"thresholds must be finite and rise. Received: {thresholds=}")
        if not self.thresholds or len(self.values) != len(self.thresholds) + 1:
            raise ValueError(
                "there must be a threshold or more, and a value more than thresholds. "
                f"Received: {thresholds=}, {values=}"
            )

    def weigh(self, grey: Tensor) -> Tensor:
        """Return the weight of the range."""
        weights = ops.full_like(grey, self.values[0])
        for threshold, value in zip(self.thresholds, self.values[1:], strict=True):
            weights = ops.where(grey >= threshold, value, weights)
        return weights


def _counts(images: Iterable[np.ndarray], bins: int) -> np.ndarray:
    """Return how many grey values are nearest to each of `bins` from 0 to 1."""
    counts = np.zeros(bins)
    for image in images:
        values = np.asarray(image, np.float32)
        if values.shape[-1] == 3:
            values = values @ np.array([0.299, 0.587, 0.114], np.float32)
        elif values.ndim > 1:
            values = values.mean(axis=-1)
        nearest = np.rint(np.clip(values, 0, 1) * (bins - 1)).astype(np.int64)
        counts += np.bincount(nearest.ravel(), minlength=bins)
    if not counts.sum():
        raise ValueError(f"there must be labels to count. Received: pixels={counts.sum():g}")
    return counts


def _smoothed(values: np.ndarray, deviation: float) -> np.ndarray:
    """Return values after a Gaussian of some places, mirrored at both ends."""
    if deviation == 0:
        return values
    reach = min(int(4 * deviation + 0.5), len(values))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2)
    mirrored = np.pad(values, reach, mode="symmetric")
    return np.convolve(mirrored, kernel / kernel.sum(), mode="valid")
