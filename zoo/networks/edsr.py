"""EDSR: residual blocks without batch normalisation, and pixel shuffle at the end."""

import math

import keras
from keras import layers, ops

from asykeras.types import Tensor
from zoo.networks.building import OUTPUT_DTYPE, one_of, whole_number, with_weights
from zoo.networks.layers import Affine, convolution

# Blocks, filters and residual scale of the published networks (Lim et al., Table 1).
VARIANTS = {"baseline": (16, 64, 1.0), "full": (32, 256, 0.1)}
# Mean of the DIV2K training images, in [0, 1]; for one channel its luma (BT.601, studio range).
MEANS = {1: (0.4379,), 3: (0.4488, 0.4371, 0.4040)}


def EDSR(
    scale: int,
    *,
    variant: str = "baseline",
    channels: int = 3,
    blocks: int | None = None,
    filters: int | None = None,
    residual_scale: float | None = None,
    weights: str | None = None,
    name: str | None = None,
) -> keras.Model:
    """Build EDSR, a residual network for super-resolution without batch normalisation.

    image - mean -> head -> `blocks` residual blocks -> conv, + head -> upsampler -> tail, + mean

    All kernels are 3x3 with bias and zero padding. The upsampler is one convolution and pixel
    shuffle by `scale`, or two by 2 for scale 4. Parameters with 3 channels:

    | variant | blocks | filters | residual scale | x2 | x3 | x4 |
    |---|---|---|---|---|---|---|
    | `"baseline"` | 16 | 64 | 1 | 1,369,859 | 1,554,499 | 1,517,571 |
    | `"full"` | 32 | 256 | 0.1 | 40,729,603 | 43,680,003 | 43,089,923 |

    Args:
        scale: Upsampling factor, 2, 3 or 4.
        variant: `"baseline"` or `"full"`; sets the three numbers that follow.
        channels: 3 for RGB, as published, or 1 for luma.
        blocks: Number of residual blocks, where it is not the variant's.
        filters: Kernels of each convolution, where it is not the variant's.
        residual_scale: Factor of each block's branch, where it is not the variant's.
        weights: Path of a `.weights.h5` file, the name of a published weight, or None for random
            ones: kernels and biases in U(-1/sqrt(fan_in), 1/sqrt(fan_in)), as in the authors' code.
        name: Of the model; by default the variant's and the scale.

    Returns:
        Functional model `(None, None, None, channels)` in [0, 1] -> the same, `scale` times larger,
        unclipped float32. Any height and width from 1 pixel.

    Raises:
        ValueError: for any other argument; for weights that do not fit.

    Differs from the authors' code: images are in [0, 1], not in [0, 255], so that biases and the
    step of the optimiser are relative to 1; the mean of one channel is the luma of the published
    mean, 0.4379. Weights of the authors' PixelShuffle need their channels reordered: theirs are
    (channel, row, column), those here (row, column, channel).

    A `.keras` file of it is loaded after `import zoo`, which tells Keras of its layer `Affine`.

    Example:
        >>> model = zoo.EDSR(scale=2)
        >>> large = model(image)  # (1, 48, 48, 3) -> (1, 96, 96, 3)

    Reference: Lim et al., "Enhanced Deep Residual Networks for Single Image Super-Resolution",
    CVPR Workshops 2017, arXiv:1707.02921.
    """
    one_of("scale", scale, (2, 3, 4))
    one_of("variant", variant, VARIANTS)
    one_of("channels", channels, MEANS)
    published = VARIANTS[variant]
    blocks = whole_number("blocks", published[0] if blocks is None else blocks)
    filters = whole_number("filters", published[1] if filters is None else filters)
    residual_scale = published[2] if residual_scale is None else residual_scale
    if isinstance(residual_scale, bool) or not 0 < residual_scale < math.inf:
        raise ValueError(
            "residual_scale must be positive and finite. Received: "
            f"residual_scale={residual_scale!r}"
        )

    image = keras.Input((None, None, channels), name="image")
    centred = shift(-1, channels, "subtract_mean")(image)
    head = uniform_convolution(channels, filters, "head")(centred)
    x = residual_blocks(head, blocks, residual_scale)
    x = upsampler(x, scale, "upsample")
    x = uniform_convolution(filters, channels, "tail", dtype=OUTPUT_DTYPE)(x)
    restored = shift(+1, channels, "add_mean")(x)
    model = keras.Model(image, restored, name=name or f"edsr_{variant}_x{scale}")
    return with_weights(model, weights)


def shift(sign: int, channels: int, name: str) -> keras.layers.Layer:
    """Return a layer that adds `sign` times the mean of the training images, in float32."""
    offset = [sign * mean for mean in MEANS[channels]]
    return Affine(1.0, offset, name=name, dtype="float32")


def uniform_convolution(
    inputs: int, filters: int, name: str, size: int = 3, **options: str
) -> keras.layers.Layer:
    """Return a zero-padded convolution, initialised with U(-1/sqrt(fan_in), 1/sqrt(fan_in))."""
    # The bias needs the kernel's fan-in, which no initializer of Keras can know from its shape.
    bound = 1 / math.sqrt(size * size * inputs)
    kernel, bias = (keras.initializers.RandomUniform(-bound, bound) for _ in range(2))
    begin = {"kernel_initializer": kernel, "bias_initializer": bias}
    return convolution(filters, size, name=name, **begin, **options)


def residual_block(x: Tensor, name: str, size: int = 3, scale: float = 1.0) -> Tensor:
    """Add `scale` times convolution, ReLU, convolution to x."""
    filters = x.shape[-1]
    branch = uniform_convolution(filters, filters, f"{name}_conv1", size, activation="relu")(x)
    branch = uniform_convolution(filters, filters, f"{name}_conv2", size)(branch)
    if scale != 1:
        branch = Affine(scale, name=f"{name}_scale")(branch)
    return layers.Add(name=name)([x, branch])


def residual_blocks(x: Tensor, blocks: int, scale: float = 1.0) -> Tensor:
    """Add residual blocks and a convolution to x."""
    body = x
    for number in range(1, blocks + 1):
        body = residual_block(body, f"block{number}", scale=scale)
    body = uniform_convolution(x.shape[-1], x.shape[-1], "body_conv")(body)
    return layers.Add(name="body")([x, body])


def upsampler(x: Tensor, scale: int, name: str) -> Tensor:
    """Enlarge by convolution and pixel shuffle: in one step, or in two for scale 4."""
    filters = x.shape[-1]
    factors = (2, 2) if scale == 4 else (scale,)
    for step, factor in enumerate(factors, start=1):
        x = uniform_convolution(filters, factor * factor * filters, f"{name}{step}_conv")(x)
        x = ops.depth_to_space(x, factor, data_format="channels_last")
    return x
