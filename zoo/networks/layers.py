"""Layers of the networks that Keras does not have, and what each says of itself for tiles."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Unpack

import keras
from keras import ops

from asykeras.configured import ConfiguredLayer
from asykeras.resize import mirror_border
from asykeras.types import LayerOptions, Shape, Tensor
from zoo.networks.building import one_of
from zoo.tiling.field import Fields, Placed, Tiled

# Up to so many the bands are scanned without a loop, by the same steps.
FEW_BANDS = 4


# A zero-padded convolution whose channels are last, whatever keras.json says.
convolution = partial(
    keras.layers.Conv2D, padding="same", data_format="channels_last", kernel_initializer="he_normal"
)


@keras.saving.register_keras_serializable(package="asykeras")
class Affine(ConfiguredLayer, Tiled):
    """Multiply by a number and add a constant to every channel. `(B, H, W, C)` -> the same.

    In place of `keras.layers.Rescaling`, which needs TensorFlow on every backend.

    Args:
        scale: Factor.
        offset: One number per channel, or one for all.
    """

    def __init__(
        self,
        scale: float,
        offset: float | Sequence[float] = 0.0,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**options)
        self.scale = scale
        self.offset = offset

    def call(self, image: Tensor) -> Tensor:
        """Return `scale * image + offset`."""
        scaled = image if self.scale == 1 else image * self.scale
        return scaled if self.offset == 0.0 else scaled + ops.cast(self.offset, self.compute_dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the shape unchanged."""
        return tuple(input_shape)


@keras.saving.register_keras_serializable(package="asykeras")
class QuasiRecurrentUnit(ConfiguredLayer, Tiled):
    """A convolution whose output says, band after band, what to keep and what to replace.

    z = tanh(conv_z(x)),  f = sigmoid(conv_f(x)),  h_t = f_t h_(t-1) + (1 - f_t) z_t,  h_0 = 0

    where t counts the bands, from the first (`"forward"`) or from the last (`"backward"`). With
    `"both"`, z is the same in both directions, f has its own kernels in each, and the two h are
    added. Kernels are zero-padded cubes without bias. A fixed number of one band needs no
    recurrence, h = (1 - f) z, and only the middle slice of the kernels.

    `(B, bands, H, W, C)` -> `(B, bands, H / stride, W / stride, filters)`, sizes rounded up.

    Args:
        filters: Channels of h.
        kernel_size: Edge of the kernels, odd.
        stride: Of height and width; bands are never strided.
        direction: `"forward"`, `"backward"` or `"both"`.
        use_bias: Whether the convolution has a bias.

    Raises:
        ValueError: for an unknown direction or an even kernel size.

    The gates follow one another as in the authors' PyTorch code (z, f or z, f forward, f backward),
    whose weights `zoo.networks.importers` reads.

    Reference: Wei et al., TNNLS 2021, arXiv:2003.04547.
    """

    tiling_held = 12  # its gates and the states of its recurrence

    def __init__(
        self,
        filters: int,
        *,
        kernel_size: int = 3,
        stride: int = 1,
        direction: str = "forward",
        use_bias: bool = False,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**options)
        one_of("direction", direction, ("forward", "backward", "both"))
        if kernel_size % 2 != 1:
            raise ValueError(f"kernel_size must be odd. Received: kernel_size={kernel_size!r}")
        self.filters = filters
        self.kernel_size = kernel_size
        self.stride = stride
        self.direction = direction
        self.use_bias = use_bias

    def build(self, input_shape: Shape) -> None:
        """Make the kernels of all gates as one variable."""
        gates = (3 if self.direction == "both" else 2) * self.filters
        self.kernel = self.add_weight(
            shape=(self.kernel_size,) * 3 + (input_shape[-1], gates),
            initializer=keras.initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal"),
            name="kernel",
        )
        if self.use_bias:
            self.bias = self.add_weight(shape=(gates,), initializer="zeros", name="bias")
        # XLA cannot differentiate TensorFlow's loops over the bands; this keeps `fit` from trying.
        self.supports_jit = _are_few(input_shape[1]) or keras.backend.backend() != "tensorflow"

    def call(self, x: Tensor, training: bool | None = None) -> Tensor:
        """Return h of every band."""
        gates = self._convolve(x)
        if self.use_bias:
            gates = gates + self.bias
        recur = _fused() if training and _are_few(gates.shape[1]) else _recur
        return recur(gates, self.direction)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the shape with the size divided by the stride, rounded up."""
        batch, bands, *size, _ = input_shape
        strided = [None if length is None else -(-length // self.stride) for length in size]
        return (batch, bands, *strided, self.filters)

    def tiling_fields(self, inputs: Sequence[Fields]) -> Fields:
        """Return the fields of the output: both sides are padded alike."""
        (rows, columns), size = inputs[0], (self.kernel_size, self.stride, self.kernel_size // 2)
        return rows.window(*size), columns.window(*size)

    def _convolve(self, x: Tensor) -> Tensor:
        """Return the gates before their activations, (B, bands, H, W, gates)."""
        radius = self.kernel_size // 2
        kernel, strides = self.kernel, [1, self.stride, self.stride]
        one_band = x.shape[1] == 1
        if one_band:
            # The outer slices of the kernels see nothing but padding.
            x, kernel, strides = x[:, 0], kernel[radius], strides[1:]
        padding = "same"
        if self.stride != 1:
            # Explicitly: "same" would pad a strided convolution on two sides only.
            x = ops.pad(x, [(0, 0)] + [(radius, radius)] * len(strides) + [(0, 0)])
            padding = "valid"
        if self.kernel_size == self.stride == 1:
            # Products of matrices, whose gradient is faster on TensorFlow.
            gates = ops.matmul(x, ops.reshape(kernel, kernel.shape[-2:]))
        else:
            gates = ops.conv(x, kernel, strides, padding, data_format="channels_last")
        return ops.expand_dims(gates, 1) if one_band else gates


@keras.saving.register_keras_serializable(package="asykeras")
class EnlargeAligned(keras.Layer, Placed):
    """Double height and width by linear interpolation that keeps the corner pixels in place.

    Pixel i of 2n lies at i (n - 1) / (2n - 1) of n: PyTorch's `align_corners=True`.

    `(B, bands, H, W, C)` -> `(B, bands, 2 H, 2 W, C)`.
    """

    def call(self, x: Tensor) -> Tensor:
        """Interpolate along the rows, then along the columns."""
        batch, bands, height, width, channels = ops.shape(x)
        x = _double(ops.reshape(x, (-1, height, width * channels)))
        x = _double(ops.reshape(x, (-1, width, channels)))
        return ops.reshape(x, (batch, bands, 2 * height, 2 * width, channels))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the shape with height and width doubled."""
        return _doubled(input_shape)

    def tiling_fields(self, inputs: Sequence[Fields]) -> Fields:
        """Return the fields: 2k lies between k - 1 and k, 2k + 1 between k and k + 1."""
        rows, columns = (
            replace(
                field,
                scale=2 * field.scale,
                before=field.before + 1 / field.scale,
                after=field.after + 1 / (2 * field.scale),
            )
            for field in inputs[0]
        )
        return rows, columns

    def tiling_part(self, shrunk: int) -> keras.Layer:
        """Return the layer for a part of the image."""
        return EnlargePart(shrunk, name=self.name)


class EnlargePart(ConfiguredLayer):
    """`EnlargeAligned` on a part of the image: it interpolates as on the whole.

    Where a pixel of the doubled image lies between the old ones depends on its place in the whole.

    `[(B, bands, H, W, C), (B, 4)]` -> `(B, bands, 2 H, 2 W, C)`; the second is the place as
    `zoo.tiling.placed.placed_network` takes it. The input is `shrunk` times smaller than the image.
    """

    def __init__(self, shrunk: int, **options: Unpack[LayerOptions]) -> None:
        super().__init__(**options, autocast=False)
        self.shrunk = shrunk

    def call(self, inputs: list[Tensor]) -> Tensor:
        """Interpolate along the rows, then along the columns."""
        x, place = inputs
        x = ops.cast(x, self.compute_dtype)
        place = ops.cast(place, "float32") / self.shrunk
        x = _double_part(x, 2, place[:, 0], place[:, 1])
        return _double_part(x, 3, place[:, 2], place[:, 3])

    def compute_output_shape(self, input_shape: list[Shape]) -> Shape:
        """Return the shape with height and width doubled."""
        return _doubled(input_shape[0])


@keras.saving.register_keras_serializable(package="asykeras")
class MirrorToMultiple(ConfiguredLayer, Tiled):
    """Mirror an image at its lower and right border until its size is a multiple of a number.

    The border pixel is repeated first, and mirroring goes on where the image is too small:
    a b c -> a b c c b a a b. `(B, H, W, C)` -> the same with H and W rounded up.

    Args:
        multiple: What height and width shall be multiples of.
    """

    def __init__(self, multiple: int, **options: Unpack[LayerOptions]) -> None:
        super().__init__(**options)
        self.multiple = self.tiling_multiple = multiple

    def call(self, image: Tensor) -> Tensor:
        """Append rows and columns."""
        for axis in (1, 2):
            length = ops.shape(image)[axis]
            positions = ops.arange(self._round_up(length), dtype="int32")
            image = ops.take(image, mirror_border(positions, length), axis=axis)
        return image

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the shape with height and width rounded up."""
        batch, *size, channels = input_shape
        rounded = [None if length is None else self._round_up(length) for length in size]
        return (batch, *rounded, channels)

    def _round_up(self, length: Tensor) -> Tensor:
        # Of positive numbers: ONNX rounds the quotient of negative ones towards zero.
        return (length + self.multiple - 1) // self.multiple * self.multiple


@keras.saving.register_keras_serializable(package="asykeras")
class CropTo(keras.Layer, Tiled):
    """Cut an image to the height and width of another, from its upper left corner.

    `[(B, H, W, C), (B, h, w, ...)]` -> `(B, h, w, C)`.
    """

    def call(self, images: list[Tensor]) -> Tensor:
        """Drop the rows below and the columns to the right."""
        image, other = images
        _, height, width, _ = ops.shape(other)
        return image[:, :height, :width]

    def compute_output_shape(self, input_shape: list[Shape]) -> Shape:
        """Return the first shape with the height and width of the second."""
        (batch, _, _, channels), (_, height, width, _) = input_shape
        return (batch, height, width, channels)


def _are_few(bands: int | None) -> bool:
    return bands is not None and bands <= FEW_BANDS


def _recur(gates: Tensor, direction: str) -> Tensor:
    """Return h of every band from the gates before activation, (B, bands, H, W, gates)."""
    scan = _unrolled if _are_few(gates.shape[1]) else _scan
    if direction != "both":
        return scan(gates, direction == "backward")
    z, forward, backward = ops.split(gates, 3, axis=-1)
    ahead = scan(ops.concatenate([z, forward], axis=-1), False)
    return ahead + scan(ops.concatenate([z, backward], axis=-1), True)


@cache
def _fused() -> Callable[[Tensor, str], Tensor]:
    """Return `_recur` as one compiled step, for few bands in training, where shapes stay the same.

    TensorFlow computes its elementwise operations one by one, each through the memory. JAX compiles
    them with all others.
    """
    if keras.backend.backend() != "tensorflow":
        return _recur
    import tensorflow as tf  # only on the TensorFlow backend

    return tf.function(_recur, jit_compile=True)


def _scan(gates: Tensor, reverse: bool) -> Tensor:
    """Return h of every band from z and f before activation, (B, bands, H, W, 2 filters)."""
    bands = ops.swapaxes(gates, 0, 1)
    start = ops.zeros_like(ops.split(bands[0], 2, axis=-1)[0])
    # One array to scan: Keras' loop on TensorFlow refuses several of unknown length.
    _, h = ops.scan(_step, start, bands, reverse=reverse)
    return ops.swapaxes(h, 0, 1)


def _unrolled(gates: Tensor, reverse: bool) -> Tensor:
    """Return the same without a loop: other runtimes take none of TensorFlow's."""
    # In float32: more exact, and TensorFlow's elementwise steps are slower in bfloat16.
    z, f = ops.split(ops.cast(gates, "float32"), 2, axis=-1)
    # Not `z[:, number]`: TensorFlow's gradient of such a slice is as large as all bands, and the
    # training step took 1.3 to 1.5 times as long.
    gates_of = (ops.unstack(each, axis=1) for each in (ops.tanh(z), ops.sigmoid(f)))
    bands = list(zip(*gates_of, strict=True))
    found: list[Tensor] = []
    for new, keep in reversed(bands) if reverse else bands:
        found.append(new + keep * (found[-1] - new) if found else new - keep * new)
    h = ops.stack(found[::-1] if reverse else found, axis=1)
    return ops.cast(h, gates.dtype)


def _step(h: Tensor, gates: Tensor) -> tuple[Tensor, Tensor]:
    """Return h of the next band, to go on with and to keep."""
    # Not inside `_scan`: JAX would compile the loop again for each new function. Activated here,
    # band by band, so that less has to be held.
    z, f = ops.split(gates, 2, axis=-1)
    z = ops.tanh(z)
    h = z + ops.sigmoid(f) * (h - z)  # f h + (1 - f) z
    return h, h


def _double(lines: Tensor) -> Tensor:
    """Double the middle axis of (lines, length, values), the first and last values kept.

    By a matrix: slices, products and sums took 10 times as long in training on TensorFlow.
    """
    return ops.matmul(ops.cast(_doubling(ops.shape(lines)[1]), lines.dtype), lines)


def _doubling(length: Tensor) -> Tensor:
    """Return the matrix (2 length, length) that interpolates."""
    # Pixel 2k lies k / (2n - 1) before the old pixel k, pixel 2k + 1 as much after it, counted
    # from the other end.
    k = ops.arange(length, dtype="int32")
    before = ops.cast(k, "float32") / ops.cast(2 * length - 1, "float32")
    rows = []
    for share, neighbour in ((before, k - 1), (ops.flip(before), k + 1)):
        share = ops.expand_dims(share, 1)
        own = ops.where(ops.expand_dims(k, 1) == k, 1 - share, 0.0)
        rows.append(own + ops.where(ops.expand_dims(neighbour, 1) == k, share, 0.0))
    return ops.reshape(ops.stack(rows, axis=1), (2 * length, length))


def _doubled(shape: Shape) -> Shape:
    batch, bands, *size, channels = shape
    return (batch, bands, *(None if length is None else 2 * length for length in size), channels)


def _double_part(x: Tensor, axis: int, start: Tensor, whole: Tensor) -> Tensor:
    """Double an axis of (B, bands, H, W, C), whose first position is `start` of `whole`."""
    length = ops.shape(x)[axis]
    place = ops.arange(length, dtype="int32")
    before = ops.take(x, ops.maximum(place - 1, 0), axis=axis)
    after = ops.take(x, ops.minimum(place + 1, length - 1), axis=axis)
    # Pixel 2k lies k / (2n - 1) before the old pixel k, pixel 2k + 1 as much after it, counted
    # from the other end.
    k = ops.expand_dims(start, 1) + ops.arange(length, dtype="float32")
    n = ops.expand_dims(whole, 1)
    shape = [ops.shape(x)[0], *(-1 if each == axis else 1 for each in range(1, 5))]
    even, odd = (
        ops.cast(ops.reshape(shift / (2 * n - 1), shape), x.dtype) for shift in (k, n - 1 - k)
    )
    pair = ops.stack([x + even * (before - x), x + odd * (after - x)], axis=axis + 1)
    sizes = list(ops.shape(x))
    sizes[axis] = 2 * length
    return ops.reshape(pair, sizes)
