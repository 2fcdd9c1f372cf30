"""The model that is trained: a network behind the degradation that it is to undo.

The degradation runs inside the compiled step, so a batch that crosses to the device is integer
patches alone; or, where the images lie on the device, the places at which it cuts them.
"""

from collections.abc import Callable, Sequence

import keras
from keras import ops

from asykeras import SRGB
from asykeras.types import Tensor
from recipes.training.calls import Call, many_steps
from recipes.training.devices import own_part
from recipes.training.resident import Resident


class PooledPSNR(keras.metrics.Mean):
    """PSNR in dB of the mean of squared errors of images in [0, 1]; what lies beyond is clipped.

    Not the mean of ratios: a single flat patch, restored without an error, has an infinite one.
    """

    def result(self) -> Tensor:
        """Return `-10 log10(mse)`."""
        return -10.0 * ops.log10(super().result())


class Restorer(keras.Model):
    """A network behind its degradation: clean integer patches in, restored patches out.

    The label is the clean patch itself, cut in the centre to the size of the output where the
    network uses up a border. A pair (clean, degraded) skips the degradation.

    Of a degraded patch `context` pixels are cut from every side, so that what the degradation does
    at the border of a patch is not learned.
    """

    def __init__(
        self,
        network: keras.Model,
        degradation: keras.layers.Layer | None,  # from clean images in [0, 1] to its input
        context: int = 0,
        prepare: Callable[[Tensor], Tensor] | None = None,  # the same from degraded ones of pairs
        replicas: int = 1,
        images: Sequence[Resident] = (),  # what cuts the patches on the device
        linear: bool = False,  # decode them from sRGB to linear light first
        label_noise: keras.layers.Layer | None = None,  # makes the labels noisy while training
        counter: keras.layers.Layer | None = None,  # of a weighting that fades: `asykeras.Annealed`
    ):
        super().__init__(name="restorer", autocast=False)  # images in floating point keep theirs
        self.network = network
        self.degradation = degradation
        self.context = context
        self.prepare = prepare
        self.replicas = replicas
        self.images = list(images)
        self.linear = linear
        self.label_noise = label_noise
        self.counter = counter
        self.train_function: Call | None = None
        self.psnr = PooledPSNR(name="psnr")

    def call(self, batch: Tensor, training: bool = False) -> Tensor:
        """Return the restored patches of clean patches or of pairs (clean, degraded)."""
        restored = self._restored(batch, training)
        return restored if self.counter is None else self.counter(restored, training=training)

    def _restored(self, batch: Tensor, training: bool) -> Tensor:
        batch = self._cut(batch)
        if self.degradation is None:
            degraded = self._light(batch[1])
            degraded = self.prepare(degraded) if self.prepare else degraded
        else:
            degraded = self.degradation(self._light(batch))
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
        """Return the loss against the clean patches in `x`; there is no separate label.

        The metric is fed here, too: where Keras would have it fed, on JAX, nobody has the images.
        """
        label = self._label(x, y_pred)
        errors = ops.square(ops.clip(label, 0, 1) - ops.clip(y_pred, 0, 1))
        self.psnr.update_state(ops.mean(ops.cast(errors, "float32")))
        if self.label_noise is not None:
            label = self.label_noise(label)
        return super().compute_loss(x, label, y_pred, sample_weight, **options)

    def compute_metrics(
        self, x: Tensor, y: Tensor, y_pred: Tensor, sample_weight: Tensor = None
    ) -> dict[str, Tensor]:
        """Return the mean loss and the PSNR of the mean squared error since the piece began."""
        return self.get_metrics_result()

    def make_train_function(self, force: bool = False) -> None:
        """Make the function that `fit` calls; see `recipes.training.calls`."""
        if force or self.train_function is None:
            self.train_function = many_steps(self) if self.images else None
        super().make_train_function()  # makes Keras' own where there is none

    def _cut(self, batch: Tensor) -> Tensor:
        """Return the patches of a batch that came as places."""
        if not self.images:
            return batch
        places = batch if isinstance(batch, tuple | list) else (batch,)
        cut = tuple(images(part) for images, part in zip(self.images, places, strict=True))
        return cut if len(cut) > 1 else cut[0]

    def _label(self, batch: Tensor, restored: Tensor) -> Tensor:
        batch = self._cut(batch)  # once more, which XLA does not compute twice
        clean = batch[0] if isinstance(batch, tuple | list) else batch
        clean = self._light(own_part(clean, self.replicas))
        outer, inner = (ops.shape(images)[1:3] for images in (clean, restored))
        top, left = ((whole - part) // 2 for whole, part in zip(outer, inner, strict=True))
        return clean[:, top : top + inner[0], left : left + inner[1]]

    def _light(self, patches: Tensor) -> Tensor:
        return linear_light(patches) if self.linear else unit_range(patches)


def linear_light(image: Tensor) -> Tensor:
    """Return sRGB images of 8 or 16 bit as linear light, float32 in [0, 1]; floats as they are."""
    if "float" in keras.backend.standardize_dtype(image.dtype):
        return unit_range(image)
    return SRGB().inverse(unit_range(image))


def unit_range(image: Tensor) -> Tensor:
    """Return 8-bit or 16-bit images as float32 in [0, 1], and floating-point ones as float32."""
    if "float" in keras.backend.standardize_dtype(image.dtype):
        return ops.cast(image, "float32")
    deep = keras.backend.standardize_dtype(image.dtype) == "uint16"
    return ops.cast(image, "float32") / (65535.0 if deep else 255.0)
