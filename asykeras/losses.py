"""Asymmetric losses: each pixel's error, weighted by the grey value of the label.

Source: Zhu et al., "Asymmetric Loss Based on Image Properties for Deep Learning-Based Image
Restoration", 2023, Eqs. 1 to 5 and Table 1.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from asykeras.errors import Charbonnier, Huber, absolute_error, squared_error
from asykeras.types import Tensor
from asykeras.weighting import Quartile, Reciprocal, normalize

ERRORS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mse": squared_error,
    "mae": absolute_error,
    "huber": Huber(),
    "charbonnier": Charbonnier(),
}
WEIGHTINGS: dict[str, Callable[[Tensor], Tensor]] = {
    "reciprocal": Reciprocal(),
    "quartile": Quartile(),
}


@keras.saving.register_keras_serializable(package="asykeras")
class AsymmetricLoss(keras.losses.Loss):
    """Any error, weighted pixel by pixel with weights made from the label.

    With the label y, the prediction f and the weights M(y) of `weighting`:

    - `apply_to="error"` (Eq. 5): `M * error(y, f)`;
    - `apply_to="images"` (Table 1): `error(M * y, M * f)`, so a squared error carries `M^2`.

    The weighted errors are averaged over the channels; `reduction` then does what it does for every
    Keras loss: the default divides by the number of pixels, not by the sum of the weights. The
    weights depend on the label alone and no gradient flows through them. They are computed in
    float32 under every dtype policy.

    Args:
        error: `"mse"`, `"mae"`, `"huber"`, `"charbonnier"`, or a callable `(y_true, y_pred)` that
            returns one value per element, or, as Keras' loss functions do, one per pixel (the last
            axis averaged; for labels of rank 3 and more).
        weighting: `"reciprocal"` (Eq. 2), `"quartile"` (Table 1), or a callable `y_true -> weights`
            whose result broadcasts against the label, such as `(batch, height, width, 1)`.
        apply_to: `"error"` or `"images"`, see above.
        normalize: Compute the weights from the label stretched to [0, 1] (Eq. 1, per image, the
            extremes taken over all channels). The error itself stays in the units of the images.
            For labels that are already in [0, 1], as images divided by 255 are, leave it off.
        balanced: Divide M by its mean over each image, so that the loss keeps the scale of the
            plain one. This separates where the loss looks from how large it is.
        reduction: As in `keras.losses.Loss`.
        name: Name of the loss.
        dtype: Type in which the error is computed; `keras.config.floatx()` by default.

    Call arguments:
        y_true: Label of shape `(batch, d)`, or `(batch, ..., channels)` with any number of axes
            (signals, images, volumes), in [0, 1].
        y_pred: Prediction, same shape.
        sample_weight: `(batch,)`, one weight per image, or any shape that broadcasts against the
            loss, `(batch, ...)` without channels. A plain Keras loss reads `(batch,)` as weights of
            the columns when batch and width are equal; this one never does.

    Raises:
        ValueError: for unknown names; at the call, for shapes that differ, for integer labels that
            are not normalised, and, when running eagerly, for labels that are not finite.

    Example:
        One pixel, label 0.5, prediction 0.7: M = 0.98201, so AsyMSE gives 0.98201 * 0.04 = 0.03928
        and AsyMAE 0.98201 * 0.2 = 0.19640.

        >>> model.compile(optimizer="adam", loss=AsymmetricLoss("huber", Quartile(0.75)))
    """

    def __init__(
        self,
        error: str | Callable[[Tensor, Tensor], Tensor] = "mse",
        weighting: str | Callable[[Tensor], Tensor] = "reciprocal",
        apply_to: str = "error",
        normalize: bool = False,
        balanced: bool = False,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "asymmetric_loss",
        dtype: Any = None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        if apply_to not in ("error", "images"):
            raise ValueError(f"apply_to must be 'error' or 'images'. Received: {apply_to!r}")
        self.error = _named(error, ERRORS, "error")
        self.weighting = _named(weighting, WEIGHTINGS, "weighting")
        self.apply_to = apply_to
        self.normalize = bool(normalize)
        self.balanced = bool(balanced)

    def __call__(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor = None) -> Tensor:
        """Return the reduced loss."""
        y_true, y_pred = _array(y_true), _array(y_pred)
        self._check(y_true, y_pred)
        if sample_weight is not None:
            sample_weight = _per_image(sample_weight, y_true)
        return super().__call__(y_true, y_pred, sample_weight=sample_weight)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Return the weighted error averaged over the last axis: `(batch, ...)`."""
        weights = ops.cast(self.weights(y_true), y_pred.dtype)
        if self.apply_to == "images":
            return _channel_mean(self.error(weights * y_true, weights * y_pred), y_true)
        errors = self.error(y_true, y_pred)
        if len(weights.shape) > 2 and weights.shape[-1] == 1:
            # One weight for all channels of a pixel: averaging first leaves less to multiply.
            return ops.squeeze(weights, axis=-1) * _channel_mean(errors, y_true)
        return _channel_mean(weights * errors, y_true)

    def weights(self, y_true: Tensor) -> Tensor:
        """Return M, the weights that this loss gives to the pixels of a label.

        Args:
            y_true: Label, `(batch, ..., channels)` or `(batch, d)`.

        Returns:
            float32 weights, `(batch, ..., 1)` or `(batch, d)`; constant for the gradient.
        """
        label = ops.cast(y_true, "float32")
        if self.normalize:
            label = normalize(label)
        weights = self.weighting(label)
        if self.balanced:
            axes = tuple(range(1, len(weights.shape)))
            weights = weights / ops.mean(weights, axis=axes, keepdims=True)
        return ops.stop_gradient(weights)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, `dtype` included."""
        return {
            **super().get_config(),
            "error": keras.saving.serialize_keras_object(self.error),
            "weighting": keras.saving.serialize_keras_object(self.weighting),
            "apply_to": self.apply_to,
            "normalize": self.normalize,
            "balanced": self.balanced,
            "dtype": self.dtype,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "AsymmetricLoss":
        """Build the loss from the arguments that `get_config` returned."""
        config = dict(config)
        for key in ("error", "weighting"):
            if isinstance(config.get(key), dict):
                config[key] = keras.saving.deserialize_keras_object(config[key])
        return cls(**config)

    def _check(self, y_true: Tensor, y_pred: Tensor) -> None:
        true_shape, pred_shape = tuple(ops.shape(y_true)), tuple(ops.shape(y_pred))
        if not _may_be_equal(true_shape, pred_shape):
            raise ValueError(
                f"{self.name}: y_true and y_pred must have the same shape. "
                f"Received: {true_shape} and {pred_shape}"
            )
        if len(true_shape) < 2:
            raise ValueError(
                f"{self.name}: images need a batch axis and at least one more. "
                f"Received: {true_shape}"
            )
        dtype = keras.backend.standardize_dtype(y_true.dtype)
        if not self.normalize and ("int" in dtype or dtype == "bool"):
            raise ValueError(
                f"{self.name}: labels must be floats in [0, 1]; divide 8-bit images by 255 or pass "
                f"normalize=True. Received dtype: {dtype}"
            )
        values = _concrete(y_true)
        if values is not None and not np.isfinite(values).all():
            count = values.size - np.isfinite(values).sum()
            raise ValueError(
                f"{self.name}: labels must be finite. Received: {count} NaN or infinite values"
            )


@keras.saving.register_keras_serializable(package="asykeras")
class AsyMSE(AsymmetricLoss):
    """Squared error weighted by the label: `M * (f - y)^2` (Eqs. 2, 3 and 5).

    `AsymmetricLoss` with `error="mse"`; its other arguments have the same meaning and defaults.

    Example:
        label 0.5, prediction 0.7 -> 0.98201 * 0.04 = 0.03928

        >>> model.compile(optimizer="adam", loss=AsyMSE())
    """

    def __init__(
        self,
        weighting: str | Callable[[Tensor], Tensor] = "reciprocal",
        apply_to: str = "error",
        normalize: bool = False,
        balanced: bool = False,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "asy_mse",
        dtype: Any = None,
    ):
        super().__init__(
            "mse", weighting, apply_to, normalize, balanced, reduction, name=name, dtype=dtype
        )

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, `dtype` included."""
        return _without_error(super().get_config())


@keras.saving.register_keras_serializable(package="asykeras")
class AsyMAE(AsymmetricLoss):
    """Absolute error weighted by the label: `M * |f - y|` (Eqs. 2, 4 and 5).

    `AsymmetricLoss` with `error="mae"`; its other arguments have the same meaning and defaults.

    Example:
        label 0.5, prediction 0.7 -> 0.98201 * 0.2 = 0.19640

        >>> model.compile(optimizer="adam", loss=AsyMAE())
    """

    def __init__(
        self,
        weighting: str | Callable[[Tensor], Tensor] = "reciprocal",
        apply_to: str = "error",
        normalize: bool = False,
        balanced: bool = False,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "asy_mae",
        dtype: Any = None,
    ):
        super().__init__(
            "mae", weighting, apply_to, normalize, balanced, reduction, name=name, dtype=dtype
        )

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, `dtype` included."""
        return _without_error(super().get_config())


def _without_error(config: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key != "error"}


def _named(value: Any, table: dict[str, Any], argument: str) -> Any:
    if isinstance(value, str) and value in table:
        return table[value]
    if not callable(value):
        raise ValueError(
            f"{argument} must be one of {sorted(table)} or a callable. Received: {value!r}"
        )
    return value


def _may_be_equal(first: tuple[Any, ...], second: tuple[Any, ...]) -> bool:
    """Whether two shapes agree in every axis whose size is known."""
    return len(first) == len(second) and all(
        a == b
        for a, b in zip(first, second, strict=True)
        if isinstance(a, int) and isinstance(b, int)
    )


def _channel_mean(errors: Tensor, y_true: Tensor) -> Tensor:
    """Average over the last axis, unless the error has done so already."""
    return errors if _channels_are_averaged(errors, y_true) else ops.mean(errors, axis=-1)


def _channels_are_averaged(errors: Tensor, y_true: Tensor) -> bool:
    """Whether an error gave one value per pixel (True) or per element (False)."""
    rank, wanted = len(errors.shape), len(y_true.shape)
    if rank != wanted and (rank != wanted - 1 or wanted == 2):
        raise ValueError(
            "error must return one value per element or per pixel, so for labels of shape "
            f"{tuple(y_true.shape)} not the shape {tuple(errors.shape)}"
        )
    return rank < wanted


def _per_image(sample_weight: Tensor, y_true: Tensor) -> Tensor:
    """Give one weight per image, `(batch,)` or `(batch, 1)`, the axes of the loss.

    Without them, broadcasting aligns the batch with the last axis of the loss, the width.
    """
    shape = tuple(ops.shape(sample_weight))
    if not (len(shape) == 1 or (len(shape) == 2 and shape[1] == 1)):
        return sample_weight
    batch = ops.shape(y_true)[0]
    if shape[0] != 1 and not _may_be_equal(shape[:1], (batch,)):
        raise ValueError(
            f"sample_weight must hold one weight for each of the {batch} images. "
            f"Received shape: {shape}"
        )
    pixels = ops.ones_like(y_true[..., 0], dtype="float32")  # "mean_with_sample_weight" counts them
    axes = (1,) * (len(y_true.shape) - 2)
    return pixels * ops.reshape(ops.cast(sample_weight, "float32"), (-1, *axes))


def _array(values: Any) -> Tensor:
    return values if hasattr(values, "shape") else np.asarray(values)


def _concrete(tensor: Tensor) -> np.ndarray | None:
    """Return the values of an eager tensor, None for one that is being traced."""
    if isinstance(tensor, keras.KerasTensor):
        return None
    try:
        return np.asarray(ops.convert_to_numpy(tensor), dtype="float32")
    except Exception:  # each backend refuses a traced tensor with an exception of its own
        return None
