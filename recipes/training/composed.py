"""Convolutions whose kernel is composed of several while they are trained, and merged afterwards.

A 3x3 kernel K is trained as D + C o B o A: a 1x1 kernel A to twice the channels, a 3x3 kernel B, a
1x1 kernel C back, and what they lack of K. The sum computes what a plain convolution does, only the
steps of the optimizer differ. The kernels are composed before the image is convolved, so that a
step costs hardly more than a plain one.

Source: the blocks of ECBSR (Zhang et al., ACM MM 2021) and the Conv3XC of SPAN (arXiv:2311.12770),
which convolves with each kernel in turn and has a 1x1 kernel where D is a full one here.
"""

import keras
from keras import layers, ops

from asykeras.types import Tensor

GAIN = 2  # the channels in between, as multiples of those of the image


class ComposedConv2D(layers.Layer):
    """A zero-padded convolution whose kernel is a plain and a composed one.

    It begins as a plain convolution, to the bit of the kernel's rounding.
    """

    def __init__(self, plain: layers.Conv2D):
        super().__init__(name=plain.name, dtype=plain.dtype_policy)
        self.activation = plain.activation
        rows, columns, channels, filters = plain.kernel.shape
        inner = GAIN * channels
        self.before = self._kernel("before", (channels, inner))
        self.middle = self._kernel("middle", (rows, columns, inner, inner))
        self.after = self._kernel("after", (inner, filters))
        self.rest = self._kernel("rest", (rows, columns, channels, filters))
        self.bias = self.add_weight(name="bias", shape=(filters,))
        self.take(plain)

    def _kernel(self, name: str, shape: tuple[int, ...]) -> keras.Variable:
        # In float32 under every policy: a small kernel may be the difference of larger ones.
        return self.add_weight(name=name, shape=shape, initializer="lecun_normal", autocast=False)

    def take(self, plain: layers.Conv2D) -> None:
        """Become another convolution of the same shape; the composed part stays."""
        self.rest.assign(plain.kernel - self._composed())
        self.bias.assign(plain.bias)

    def _composed(self) -> Tensor:
        return ops.matmul(ops.matmul(self.before, self.middle), self.after)

    def kernel(self) -> Tensor:
        """Return the kernel that a plain convolution would have, in float32."""
        return self.rest + self._composed()

    def call(self, image: Tensor) -> Tensor:
        """Return `activation(image * kernel + bias)`. `(B, H, W, C)` -> `(B, H, W, filters)`."""
        kernel = ops.cast(self.kernel(), self.compute_dtype)
        features = ops.conv(image, kernel, padding="same", data_format="channels_last")
        return self.activation(features + self.bias)


def composed(network: keras.Model) -> keras.Model:
    """Return a functional model with each 3x3 convolution composed; it computes the same."""

    def clone(layer: layers.Layer) -> layers.Layer:
        if isinstance(layer, layers.Conv2D) and max(layer.kernel_size) > 1:
            return ComposedConv2D(layer)
        same: layers.Layer = layer.__class__.from_config(layer.get_config())
        return same

    copy: keras.Model = keras.models.clone_model(network, clone_function=clone)
    for layer, original in zip(copy.layers, network.layers, strict=True):
        if not isinstance(layer, ComposedConv2D):
            layer.set_weights(original.get_weights())
    return copy


def merge(network: keras.Model, plain: keras.Model) -> None:
    """Give a plain network of the same layers what one that `composed` made has learned."""
    for layer, target in zip(network.layers, plain.layers, strict=True):
        if isinstance(layer, ComposedConv2D):
            target.set_weights([layer.kernel(), layer.bias])
        else:
            target.set_weights(layer.get_weights())
