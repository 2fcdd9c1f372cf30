"""Asymmetric losses: each pixel's error, weighted by the grey value of the label or the prediction.

Source of the weights by the label: Zhu et al., "Asymmetric Loss Based on Image Properties for Deep
Learning-Based Image Restoration", 2023, Eqs. 1 to 5 and Table 1. Of those by the prediction:
Lehtinen et al., "Noise2Noise", 2018, and Mildenhall et al., "NeRF in the Dark", 2022.
"""

from collections.abc import Mapping
from functools import partialmethod
from typing import Self, TypeAlias, TypeVar

import keras
import numpy as np
from keras import ops

from asykeras.eager import alarm, eager_values
from asykeras.errors import Charbonnier, Huber, absolute_error, squared_error
from asykeras.layout import known_shape, may_be_equal, standardize_data_format
from asykeras.types import Config, DType, LabelWeights, PixelError, Tensor, ToneCurve, Value
from asykeras.weighting import Quartile, Reciprocal, check_labels, stretched

ERRORS: dict[str, PixelError] = {
    "mse": squared_error,
    "mae": absolute_error,
    "huber": Huber(),
    "charbonnier": Charbonnier(),
}
WEIGHTINGS: dict[str, LabelWeights] = {"reciprocal": Reciprocal(), "quartile": Quartile()}

Part = TypeVar("Part", PixelError, LabelWeights)
Revived: TypeAlias = Value | PixelError | LabelWeights | ToneCurve


@keras.saving.register_keras_serializable(package="asykeras")
class AsymmetricLoss(keras.losses.Loss):
    """An error, weighted pixel by pixel with weights made from the label or the prediction.

    With the label y, the prediction f, the weights M of `weighting` and the curve g of `domain`:

    - `apply_to="error"` (Eq. 5): `M * error(g(y), g(f))`;
    - `apply_to="images"` (Table 1): `error(M * g(y), M * g(f))`, so a squared error carries `M^2`.

    Where the weights are read decides what they do. Read from the label, `M(y)`, they move the
    answer itself: towards the dark where they fall with y, by about `M' / M` times the variance
    that the input leaves. Read from the prediction, `M(f)`, they move none that the network can
    reach, but let it spend itself where they are large; answers that it misses they move the other
    way, by about `-M' / M` times its own squared error, so a steep weight of a network that has
    hardly learned is unstable. An error after a curve moves the answer to the one that is best
    after that curve. Which of them for which data: docs/which-loss.md.

    The weighted errors are averaged over the channels; `reduction` then does what it does for every
    Keras loss: the default divides by the number of pixels, not by the sum of the weights. No
    gradient flows through the weights, wherever they are read. They are computed in float32 under
    every dtype policy.

    Args:
        error: `"mse"`, `"mae"`, `"huber"`, `"charbonnier"`, or a callable `(y_true, y_pred)` that
            returns one value per element, or, as Keras' loss functions do, one per pixel (the last
            axis averaged; for labels of rank 3 and more).
        weighting: `"reciprocal"` (Eq. 2), `"quartile"` (Table 1), a callable `image -> weights`
            whose result broadcasts against the label, such as `(batch, height, width, 1)`, or None:
            every weight is 1.
        reference: Where the weights are read: `"label"`, as in the paper, or `"prediction"`, which
            is clipped to the range of the labels first: that of the weighting where it declares
            one, else [0, 1], or as far as the labels of the batch go.
        domain: Curve after which the error is taken, such as `SRGB()`; any callable that gives each
            value one, at best an `asykeras.Curve`. None: the error of the images themselves. The
            weights are always read before it.
        apply_to: `"error"` or `"images"`, see above.
        normalize: Compute the weights from the label stretched to [0, 1] (Eq. 1, per image, the
            extremes taken over all channels; a prediction by the extremes of its label). The error
            itself stays in the units of the images.
            For labels that are already in [0, 1], as images divided by 255 are, leave it off.
        balanced: Divide M by its mean over each image, so that the loss keeps the scale of the
            plain one. This separates where the loss looks from how large it is.
        data_format: Where the channels are, `"channels_last"` or `"channels_first"`, for labels of
            rank 3 and more; `keras.config.image_data_format()` by default. Weightings and errors
            always get channels last.
        reduction: As in `keras.losses.Loss`.
        name: Name of the loss.
        dtype: Type in which the error is computed; `keras.config.floatx()` by default.

    Call arguments:
        y_true: Label of shape `(batch, d)`, or `(batch, ..., channels)` with any number of axes
            (signals, images, volumes), in the range that the weighting expects: [0, 1].
        y_pred: Prediction, same shape.
        sample_weight: A number; `(batch,)`, one weight per image; or one per pixel, `(batch, ...)`
            without channels, where an axis may have the size 1. A plain Keras loss reads `(batch,)`
            as weights of the columns when batch and width are equal; this one never does.

    Raises:
        ValueError: for unknown names, and for options of weights where there are none; at the call,
            for shapes that differ and for integer labels where the weighting expects a range; when
            running eagerly, also for labels that are not finite or far outside that range. Compiled
            code, as that of `fit`, cannot raise: there the loss of labels outside the range, looked
            for in every eighth row and column, is NaN (the gradient is not), and
            `loss(label, label)` on one batch says why.

    Example:
        One pixel, label 0.5, prediction 0.7: M = 0.98201, so AsyMSE gives 0.98201 * 0.04 = 0.03928
        and AsyMAE 0.98201 * 0.2 = 0.19640.

        >>> model.compile(optimizer="adam", loss=AsymmetricLoss("huber", Quartile(0.75)))

        Linear light, where the dark counts as the eye sees it, in two ways:

        >>> loss = AsymmetricLoss("mse", None, domain=SRGB())
        >>> loss = AsymmetricLoss("mse", Power(2, epsilon=0.01), reference="prediction")

        Strings do not work in `compile`: Keras looks them up among its own losses alone. Where a
        configuration file names the loss, the registry of Keras gives the class:

        >>> loss = keras.saving.get_registered_object("asykeras>AsyMSE")(balanced=True)
    """

    def __init__(
        self,
        error: str | PixelError = "mse",
        weighting: str | LabelWeights | None = "reciprocal",
        *,
        reference: str = "label",
        domain: ToneCurve | None = None,
        apply_to: str = "error",
        normalize: bool = False,
        balanced: bool = False,
        data_format: str | None = None,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "asymmetric_loss",
        dtype: DType = None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        if apply_to not in ("error", "images"):
            raise ValueError(f"apply_to must be 'error' or 'images'. Received: {apply_to=}")
        if reference not in ("label", "prediction"):
            raise ValueError(f"reference must be 'label' or 'prediction'. Received: {reference=}")
        if domain is not None and not callable(domain):
            raise ValueError(f"domain must be None or a curve such as SRGB(). Received: {domain=}")
        self.error = _named("error", error, ERRORS)
        self.weighting = None if weighting is None else _named("weighting", weighting, WEIGHTINGS)
        self.reference = reference
        self.domain = domain
        self.apply_to = apply_to
        self.normalize = bool(normalize)
        self.balanced = bool(balanced)
        self.data_format = standardize_data_format(data_format)
        plain = {"reference": "label", "apply_to": "error", "normalize": False, "balanced": False}
        changed = [name for name, value in plain.items() if getattr(self, name) != value]
        if weighting is None and changed:
            name = changed[0]
            raise ValueError(
                f"{name} says what is done with weights, and weighting=None has none. "
                f"Received: {name}={getattr(self, name)!r}"
            )

    def __call__(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor = None) -> Tensor:
        """Return the reduced loss."""
        y_true, y_pred = _array(y_true), _array(y_pred)
        self._check(y_true, y_pred)
        if sample_weight is not None:
            pixels = y_true[:, 0] if self._channels_first(y_true) else y_true[..., 0]
            weights = ops.convert_to_tensor(sample_weight, self.dtype)
            sample_weight = _per_pixel(weights, pixels)
        return super().__call__(y_true, y_pred, sample_weight=sample_weight)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Return the weighted error averaged over the channels: `(batch, ...)`."""
        if self._channels_first(y_true):
            y_true, y_pred = ops.moveaxis(y_true, 1, -1), ops.moveaxis(y_pred, 1, -1)
        return self._errors(y_true, y_pred) + self._alarm(y_true, y_pred.dtype)

    def _errors(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Return the weighted error of images whose channels are last, averaged over them."""
        weighting = self.weighting
        weights = None if weighting is None else self._weights(weighting, y_true, y_pred)
        dtype = y_pred.dtype
        if self.domain is not None:
            y_true, y_pred = (ops.cast(self.domain(image), dtype) for image in (y_true, y_pred))
        if weights is None:
            return _channel_mean(self.error(y_true, y_pred), y_true)
        weights = ops.cast(weights, dtype)
        if self.apply_to == "images":
            return _channel_mean(self.error(weights * y_true, weights * y_pred), y_true)
        errors = self.error(y_true, y_pred)
        if len(weights.shape) > 2 and weights.shape[-1] == 1:
            # One weight for all channels of a pixel: averaging first leaves less to multiply.
            return ops.squeeze(weights, axis=-1) * _channel_mean(errors, y_true)
        return _channel_mean(weights * errors, y_true)

    def _alarm(self, y_true: Tensor, dtype: DType) -> Tensor | float:
        """Return NaN for images whose labels the weighting is not made for, else 0."""
        limits = self._declared()
        if limits is None or eager_values(y_true) is not None:  # these have been refused
            return 0.0
        rank = len(y_true.shape)
        # Every eighth row and column: to look at all of them costs half as much as a plain loss.
        few = ops.cast(y_true[(slice(None), *[slice(None, None, 8)] * (rank - 2))], dtype)
        found = ops.sum(alarm(few, *limits), axis=tuple(range(1, rank)))
        return ops.reshape(found, (-1, *[1] * (rank - 2)))

    def weights(self, y_true: Tensor, y_pred: Tensor = None) -> Tensor:
        """Return M, the weights that this loss gives to the pixels of a label.

        Args:
            y_true: Label, `(batch, ..., channels)`, `(batch, channels, ...)` by `data_format`, or
                `(batch, d)`.
            y_pred: Prediction, same shape, where the weights are read from it.

        Returns:
            float32 weights, `(batch, ..., 1)`, `(batch, 1, ...)` or `(batch, d)`; constant for the
            gradient.

        Raises:
            ValueError: without a weighting; where the weights are read from a prediction and there
                is none; when running eagerly, for a label far outside the range of the weighting.
        """
        weighting = self.weighting
        if weighting is None or (self.reference == "prediction" and y_pred is None):
            missing = "weighting" if weighting is None else "y_pred"
            raise ValueError(f"{self.name}: there are no weights. Received: {missing}=None")
        images = [_array(image) for image in (y_true, y_pred) if image is not None]
        if not self._channels_first(images[0]):
            return self._weights(weighting, *images)
        images = [ops.moveaxis(image, 1, -1) for image in images]
        return ops.moveaxis(self._weights(weighting, *images), -1, 1)

    def _weights(self, weighting: LabelWeights, y_true: Tensor, y_pred: Tensor = None) -> Tensor:
        """Return the weights of images whose channels are last, as every weighting takes them."""
        image = label = ops.cast(y_true, "float32")
        if not self.normalize:
            check_labels(weighting, label)
        if self.reference == "prediction":
            image = ops.stop_gradient(ops.cast(y_pred, "float32"))
        if self.normalize:
            image = stretched(image, label)
        if self.reference == "prediction":
            image = ops.clip(image, *self._label_range(label))
        weights = weighting(image)
        if self.balanced:
            axes = tuple(range(1, len(weights.shape)))
            weights = weights / ops.mean(weights, axis=axes, keepdims=True)
        return ops.stop_gradient(weights)

    def _label_range(self, label: Tensor) -> tuple[Tensor, Tensor]:
        """Return what a prediction is clipped to before its weights are taken."""
        declared = (0.0, 1.0) if self.normalize else self._declared()
        return declared or (ops.minimum(ops.min(label), 0.0), ops.maximum(ops.max(label), 1.0))

    def _declared(self) -> tuple[float, float] | None:
        """Return the range that the weighting expects of the labels as they are given."""
        return None if self.normalize else getattr(self.weighting, "label_range", None)

    def _channels_first(self, y_true: Tensor) -> bool:
        return self.data_format == "channels_first" and len(y_true.shape) > 2

    def get_config(self) -> Config:
        """Return the constructor's arguments, `dtype` included."""
        names = "error weighting reference domain apply_to normalize balanced data_format dtype"
        own = {name: getattr(self, name) for name in names.split()}
        serialized = {name: keras.saving.serialize_keras_object(own[name]) for name in own}
        return {**super().get_config(), **serialized}

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """Build the loss from the arguments that `get_config` returned."""
        arguments: dict[str, Revived] = {**config}
        for key in {"error", "weighting", "domain"} & config.keys():
            arguments[key] = _revived(config[key])
        return super().from_config(arguments)

    def _check(self, y_true: Tensor, y_pred: Tensor) -> None:
        shape, pred_shape = known_shape(y_true), known_shape(y_pred)
        if not may_be_equal(shape, pred_shape):
            raise ValueError(
                f"{self.name}: y_true and y_pred must have the same shape. "
                f"Received: y_true.shape={shape}, y_pred.shape={pred_shape}"
            )
        if len(shape) < 2:
            raise ValueError(
                f"{self.name}: images need a batch axis and at least one more. Received: {shape=}"
            )
        dtype = keras.backend.standardize_dtype(y_true.dtype)
        limits = self._declared()
        if limits and limits[1] <= 1 and ("int" in dtype or dtype == "bool"):
            raise ValueError(
                f"{self.name}: labels must be floats in [0, 1]; divide 8-bit images by 255 or pass "
                f"normalize=True. Received: {dtype=}"
            )
        values = eager_values(y_true)
        if values is not None and not np.isfinite(values).all():
            nan_or_infinite = values.size - np.isfinite(values).sum()
            raise ValueError(f"{self.name}: labels must be finite. Received: {nan_or_infinite=:d}")


class _NamedLoss(AsymmetricLoss):
    """A loss whose name says the error."""

    def get_config(self) -> Config:
        """Return the constructor's arguments, `dtype` included."""
        return {key: value for key, value in super().get_config().items() if key != "error"}


@keras.saving.register_keras_serializable(package="asykeras")
class AsyMSE(_NamedLoss):
    """Squared error with weights, by default the label's: `M * (f - y)^2` (Eqs. 2, 3 and 5).

    `AsymmetricLoss` with `error="mse"`; its other arguments have the same meaning and defaults.

    Example:
        label 0.5, prediction 0.7 -> 0.98201 * 0.04 = 0.03928

        >>> model.compile(optimizer="adam", loss=AsyMSE())
    """

    __init__ = partialmethod(AsymmetricLoss.__init__, "mse", name="asy_mse")


@keras.saving.register_keras_serializable(package="asykeras")
class AsyMAE(_NamedLoss):
    """Absolute error with weights, by default the label's: `M * |f - y|` (Eqs. 2, 4 and 5).

    `AsymmetricLoss` with `error="mae"`; its other arguments have the same meaning and defaults.

    Example:
        label 0.5, prediction 0.7 -> 0.98201 * 0.2 = 0.19640

        >>> model.compile(optimizer="adam", loss=AsyMAE())
    """

    __init__ = partialmethod(AsymmetricLoss.__init__, "mae", name="asy_mae")


def _named(argument: str, value: str | Part, table: Mapping[str, Part]) -> Part:
    """Return the error or the weighting of a name, or the one that was given itself."""
    found = table.get(value) if isinstance(value, str) else value
    if not callable(found):
        raise ValueError(
            f"{argument} must be one of {sorted(table)} or a callable. "
            f"Received: {argument}={value!r}"
        )
    return found


def _revived(config: Value) -> Revived:
    """Return what was serialized; a class without `from_config`, too."""
    if not isinstance(config, dict):
        return config
    kind = keras.saving.get_registered_object(config["registered_name"])
    if isinstance(kind, type) and not hasattr(kind, "from_config"):
        return kind(**config["config"])
    return keras.saving.deserialize_keras_object(config)


def _channel_mean(errors: Tensor, y_true: Tensor) -> Tensor:
    """Average over the last axis, unless the error has done so already."""
    rank, wanted = len(errors.shape), len(y_true.shape)
    if rank != wanted and (rank != wanted - 1 or wanted == 2):
        raise ValueError(
            "error must return one value per element or per pixel. "
            f"Received: y_true.shape={tuple(y_true.shape)}, error.shape={tuple(errors.shape)}"
        )
    return errors if rank < wanted else ops.mean(errors, axis=-1)


def _per_pixel(weights: Tensor, pixels: Tensor) -> Tensor:
    """Give sample weights the shape of the pixels, `(batch, ...)`.

    Without it, broadcasting aligns one weight per image, `(batch,)` or `(batch, 1)`, with the last
    axis of the loss, the width; and "mean_with_sample_weight" would divide by less than it summed.
    """
    shape, wanted = known_shape(weights), tuple(pixels.shape)
    if len(shape) == len(wanted) + 1 and shape[-1] == 1:
        weights = ops.squeeze(weights, axis=-1)
    elif len(shape) < len(wanted) and shape[1:] in ((), (1,), (None,)):
        weights = ops.reshape(weights, (-1, *(1,) * (len(wanted) - 1)))
    if not may_be_equal(tuple(None if size == 1 else size for size in weights.shape), wanted):
        raise ValueError(
            "sample_weight must be a number, one weight per image or one per pixel: of shape (), "
            f"{wanted[:1]} or {wanted}. Received: sample_weight.shape={shape}"
        )
    return weights * ops.ones_like(pixels, dtype=weights.dtype)


def _array(values: Tensor) -> Tensor:
    return values if hasattr(values, "shape") else np.asarray(values)
