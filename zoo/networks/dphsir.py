"""GRUNet of DPHSIR: a recurrent denoiser for images of any number of bands and any noise level."""

from collections.abc import Callable
from functools import cache
from itertools import pairwise
from typing import Any

import keras
from keras import layers, ops

from asykeras.resize import mirror_border
from asykeras.types import Tensor
from zoo.store.weight import load_into

Shape = tuple[int | None, ...]

# Filters at the full size and after each halving of height and width. "full" is the published
# network; "small", ours, leaves out its coarsest level and with it three quarters of the weights.
VARIANTS = {"full": (16, 32, 64, 128, 256), "small": (16, 32, 64, 128)}
# Up to so many the bands are scanned without a loop, by the same steps.
FEW_BANDS = 4


def DPHSIR(
    bands: int | None = None, variant: str = "full", weights: str | None = None
) -> keras.Model:
    """Build GRUNet, the denoiser of DPHSIR ("deep plug-and-play hyperspectral restoration").

    A U-net of 34 recurrent units (`QuasiRecurrentUnit`). Bands are read like a sequence, so the
    same 14,278,451 parameters restore a grey image (1 band), a colour image (3) and a
    hyperspectral one (31, 200, ...). The small variant has 26 units and 3,530,547.

        image, sigma -> head (both directions, 16 filters)
        4 x: down (stride 2, backward) -> encoder block (forward), filters doubled
        4 x: up (enlarge by 2, backward), concatenate the encoder's -> decoder block (forward)
        tail (both directions, 1 filter) -> + image

    A block is two units with 3x3x3 kernels plus one with 1x1x1 kernels on the block's input.

    Args:
        bands: Number of bands, or None for any number, which may then change from call to call.
            A fixed 1 is fastest: convolutions become two-dimensional and the recurrence vanishes.
        variant: `"full"`, the published network, or `"small"`, where "4 x" is 3 x.
        weights: Path of a `.weights.h5` file, the name of a published weight, or None for random
            ones (He normal, fan-out). They fit any number of bands, but weights from training on
            three failed on 31 at once (7 dB, where three at a time gave 37.7 dB).

    Returns:
        Functional model `[image, sigma]` -> restored. Image and restored are
        `(None, None, None, bands)`, in [0, 1] and unclipped float32; any height and width from
        1 pixel. `sigma`, `(None, 1)`, is the standard deviation of each image's noise, in the same
        unit as the image: 25 grey levels are 25 / 255.

    Raises:
        ValueError: if bands is not a positive int or None; for an unknown variant; for weights that
            do not fit.

    Differs from the authors' code, with the same result: transposed convolutions of stride 1 are
    written as the convolutions that they are. Added to it: where height or width is no multiple
    of 16 (small: 8) the image is mirrored at its lower and right border, and the result cropped.

    Memory: 200 bands of 145 x 145 pixels in float32 took 4 GB by `predict` and 9 GB by a direct
    call, which keeps every layer's output until the end (TensorFlow, CPU).

    A `.keras` file of it, or of a model that holds it, is loaded after `import zoo`: that makes its
    layers (`QuasiRecurrentUnit`, `EnlargeAligned`, `MirrorToMultiple`, `CropTo`) known to Keras.

    Example:
        >>> model = zoo.DPHSIR(bands=3)
        >>> restored = model([noisy, np.full((1, 1), 25 / 255)])  # noisy: (1, 321, 481, 3)

    Reference: Lai et al., "Deep plug-and-play prior for hyperspectral image restoration",
    Neurocomputing 2022, arXiv:2209.08240; unit: Wei et al., "3-D Quasi-Recurrent Neural Network
    for Hyperspectral Image Denoising", TNNLS 2021, arXiv:2003.04547.
    """
    if bands is not None and (isinstance(bands, bool) or not isinstance(bands, int) or bands < 1):
        raise ValueError(f"bands must be a positive int or None. Received: {bands!r}")
    if variant not in VARIANTS:
        raise ValueError(f"variant must be one of {sorted(VARIANTS)}. Received: {variant!r}")
    widths = VARIANTS[variant]
    image = keras.Input((None, None, bands), name="image")
    sigma = keras.Input((1,), name="sigma")
    x = _volume(MirrorToMultiple(2 ** (len(widths) - 1), name="mirror")(image), sigma)
    x = QuasiRecurrentUnit(widths[0], direction="both", name="head")(x)
    x = _decoder(_encoder(x, widths), widths)
    # The last layers compute in float32 under every policy: images in half precision show steps.
    x = QuasiRecurrentUnit(1, direction="both", use_bias=True, name="tail", dtype="float32")(x)
    noise = CropTo(name="crop", dtype="float32")([_bands_last(x), image])
    restored = layers.Add(name="restored", dtype="float32")([image, noise])
    model = keras.Model([image, sigma], restored, name="dphsir")
    if weights is not None:
        load_into(model, weights)
    return model


def _volume(image: Tensor, sigma: Tensor) -> Tensor:
    """Return the bands as depth and the noise level as second channel: (B, bands, H, W, 2)."""
    volume = ops.expand_dims(ops.transpose(image, (0, 3, 1, 2)), -1)
    level = ops.ones_like(volume) * ops.reshape(sigma, (-1, 1, 1, 1, 1))
    return ops.concatenate([volume, level], axis=-1)


def _bands_last(volume: Tensor) -> Tensor:
    """Return (B, bands, H, W, 1) as the image (B, H, W, bands)."""
    return ops.transpose(ops.squeeze(volume, axis=-1), (0, 2, 3, 1))


def _encoder(x: Tensor, widths: tuple[int, ...]) -> list[Tensor]:
    """Return the features of every width, the widest last."""
    features = [x]
    for level, (narrow, wide) in enumerate(pairwise(widths), start=1):
        x = QuasiRecurrentUnit(narrow, stride=2, direction="backward", name=f"down{level}")(x)
        x = _block(x, wide, f"encoder{level}")
        features.append(x)
    return features


def _decoder(features: list[Tensor], widths: tuple[int, ...]) -> Tensor:
    """Return features of the full size, from those of the encoder."""
    x = features[-1]
    for level in range(len(widths) - 1, 0, -1):
        narrow = widths[level - 1]
        x = EnlargeAligned(name=f"enlarge{level}")(x)
        x = QuasiRecurrentUnit(narrow, direction="backward", name=f"up{level}")(x)
        x = layers.Concatenate(name=f"skip{level}")([features[level - 1], x])
        x = _block(x, narrow, f"decoder{level}")
    return x


def _block(x: Tensor, filters: int, name: str) -> Tensor:
    """Two units with 3x3x3 kernels, and one with 1x1x1 kernels beside them."""
    branch = QuasiRecurrentUnit(filters, name=f"{name}_unit1")(x)
    branch = QuasiRecurrentUnit(filters, name=f"{name}_unit2")(branch)
    shortcut = QuasiRecurrentUnit(filters, kernel_size=1, name=f"{name}_shortcut")(x)
    return layers.Add(name=name)([branch, shortcut])


@keras.saving.register_keras_serializable(package="asykeras")
class QuasiRecurrentUnit(keras.Layer):
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

    To import weights of the authors' PyTorch code: the gates follow one another as there (z, f or
    z, f forward, f backward). A `Conv3d` weight (out, in, D, H, W) becomes
    `weight.transpose(2, 3, 4, 1, 0)`; a `ConvTranspose3d` weight (in, out, D, H, W) becomes
    `weight[:, :, ::-1, ::-1, ::-1].transpose(2, 3, 4, 0, 1)`. Theirs are transposed in the decoder
    blocks (`Up_conv2` ... `Up_conv5` = `decoder1` ... `decoder4`) and in the tail (`Conv`).

    Reference: Wei et al., TNNLS 2021, arXiv:2003.04547.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int = 3,
        stride: int = 1,
        direction: str = "forward",
        use_bias: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if direction not in ("forward", "backward", "both"):
            raise ValueError(
                f"direction must be 'forward', 'backward' or 'both'. Received: {direction!r}"
            )
        if kernel_size % 2 != 1:
            raise ValueError(f"kernel_size must be odd. Received: {kernel_size!r}")
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

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "stride": self.stride,
            "direction": self.direction,
            "use_bias": self.use_bias,
        }

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
class EnlargeAligned(keras.Layer):
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
        batch, bands, *size, channels = input_shape
        doubled = [None if length is None else 2 * length for length in size]
        return (batch, bands, *doubled, channels)


@keras.saving.register_keras_serializable(package="asykeras")
class MirrorToMultiple(keras.Layer):
    """Mirror an image at its lower and right border until its size is a multiple of a number.

    The border pixel is repeated first, and mirroring goes on where the image is too small:
    a b c -> a b c c b a a b. `(B, H, W, C)` -> the same with H and W rounded up.

    Args:
        multiple: What height and width shall be multiples of.
    """

    def __init__(self, multiple: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.multiple = multiple

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

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return {**super().get_config(), "multiple": self.multiple}

    def _round_up(self, length: Any) -> Any:
        # Of positive numbers: ONNX rounds the quotient of negative ones towards zero.
        return (length + self.multiple - 1) // self.multiple * self.multiple


@keras.saving.register_keras_serializable(package="asykeras")
class CropTo(keras.Layer):
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


def _doubling(length: Any) -> Tensor:
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
