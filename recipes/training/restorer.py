"""The model that is trained: a network behind the degradation that it is to undo.

The degradation runs inside the compiled step, so a batch that crosses to the device is integer
patches alone.
"""

from collections.abc import Callable

import keras
from keras import ops

from asykeras.types import Tensor
from recipes.training.devices import own_part


class PooledPSNR(keras.metrics.Mean):
    """PSNR in dB of the mean of squared errors of images in [0, 1].

    Not the mean of ratios: a single flat patch, restored without an error, has an infinite one.
    """

    def result(self) -> Tensor:
        """Return `-10 log10(mse)`."""
        return -10.0 * ops.log10(super().result())


class Restorer(keras.Model):
    """A network behind its degradation: clean integer patches in, restored patches out.

    The label is the clean patch itself, cut in the centre to the size of the output where the
    network uses up a border. A pair (clean, degraded) skips the degradation.

    Args:
        network: What is trained and published.
        degradation: Layer from the clean image in [0, 1] to the network's input; none for pairs.
        context: Pixels cut from every side of the degraded patch, so that what the degradation
            does at the border of a patch is not learned.
        prepare: From a degraded patch in [0, 1] of a pair to the network's input.
        replicas: See `recipes.training.devices.own_part`.
    """

    def __init__(
        self,
        network: keras.Model,
        degradation: keras.layers.Layer | None,
        context: int = 0,
        prepare: Callable[[Tensor], Tensor] | None = None,
        replicas: int = 1,
    ):
        super().__init__(name="restorer")
        self.network = network
        self.degradation = degradation
        self.context = context
        self.prepare = prepare
        self.replicas = replicas
        self.psnr = PooledPSNR(name="psnr")

    def call(self, batch: Tensor, training: bool = False) -> Tensor:
        """Return the restored patches of clean patches or of pairs (clean, degraded)."""
        if self.degradation is None:
            degraded = unit_range(batch[1])
            degraded = self.prepare(degraded) if self.prepare else degraded
        else:
            degraded = self.degradation(unit_range(batch))
        if isinstance(degraded, tuple):  # the noisy image and its level, for networks that take it
            noisy, sigma = (own_part(values, self.replicas) for values in degraded)
            return self.network([noisy, ops.reshape(sigma, (-1, 1))], training=training)
        degraded = own_part(degraded, self.replicas)
        if self.context:
            degraded = degraded[:, self.context : -self.context, self.context : -self.context]
        return self.network(degraded, training=training)

    def compute_loss(
        self, x: Tensor, y: Tensor, y_pred: Tensor, sample_weight: Tensor = None, **options: bool
    ) -> Tensor:
        """Return the loss against the clean patches in `x`; there is no separate label."""
        return super().compute_loss(x, self._label(x, y_pred), y_pred, sample_weight, **options)

    def compute_metrics(
        self, x: Tensor, y: Tensor, y_pred: Tensor, sample_weight: Tensor = None
    ) -> dict[str, Tensor]:
        """Return the mean loss and the PSNR of the mean squared error since the piece began."""
        errors = ops.square(self._label(x, y_pred) - ops.clip(y_pred, 0, 1))
        self.psnr.update_state(ops.mean(ops.cast(errors, "float32")))
        return self.get_metrics_result()

    def _label(self, batch: Tensor, restored: Tensor) -> Tensor:
        clean = batch[0] if isinstance(batch, tuple | list) else batch
        clean = unit_range(own_part(clean, self.replicas))
        outer, inner = (ops.shape(images)[1:3] for images in (clean, restored))
        top, left = ((whole - part) // 2 for whole, part in zip(outer, inner, strict=True))
        return clean[:, top : top + inner[0], left : left + inner[1]]


def unit_range(image: Tensor) -> Tensor:
    """Return 8-bit or 16-bit images as float32 in [0, 1]."""
    deep = keras.backend.standardize_dtype(image.dtype) == "uint16"
    return ops.cast(image, "float32") / (65535.0 if deep else 255.0)
