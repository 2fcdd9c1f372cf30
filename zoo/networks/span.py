"""SPAN: blocks that weigh what they compute by an odd function of it; no attention is learned."""

import keras
import numpy as np
from keras import layers, ops

from asykeras.types import Tensor
from zoo.networks.building import OUTPUT_DTYPE, one_of, whole_number, with_weights
from zoo.networks.edsr import MEANS
from zoo.networks.layers import convolution

SCALES = (1, 2, 3, 4, 5, 6, 7, 8)
BLOCKS = 6
GREY = 0.43  # about the mean of all images, where the output begins
# Features begin with a deviation of 2 to 5, where the sigmoid is nearly 0 or 1 and a block almost
# linear. It makes small features, of 1 and less, ever smaller from block to block.
LARGE = 12.0


def SPAN(
    scale: int,
    *,
    channels: int = 48,
    image_channels: int = 3,
    centred: bool = True,
    weights: str | None = None,
    name: str | None = None,
) -> keras.Model:
    """Build SPAN, a network for super-resolution that is fast for what it restores.

    image - mean -> conv -> 6 blocks -> conv;  [first conv, last conv, block 1, a of block 6] ->
    1x1 conv -> conv to 3 scale^2 -> pixel shuffle

    block: a = silu(conv1 x),  b = silu(conv2 a),  o = conv3 b,  (o + x) (sigmoid(o) - 0.5)

    All other kernels are 3x3 with bias and zero padding. Parameters:

    | channels | x2 | x3 | x4 |
    |---|---|---|---|
    | 28 | 141,580 | 145,375 | 150,688 |
    | 48 | 410,700 | 417,195 | 426,288 |
    | 52 | 481,324 | 488,359 | 498,208 |

    Args:
        scale: Upsampling factor, 1 (a filter that keeps the size) to 8; published are 2 and 4.
        channels: Filters of each convolution; published are 28, 48 and 52.
        image_channels: 3 for RGB, as published, 1 for grey or 4; for those without `centred`.
        centred: Whether the mean is subtracted, as published; others left that out.
        weights: Path of a `.weights.h5` file, the name of a published weight, or None for random
            ones, which keep the size of the features from block to block.
        name: Of the model; by default the channels and the scale.

    Returns:
        Functional model `(None, None, None, image_channels)` in [0, 1] -> the same, `scale` times
        larger, unclipped float32. Any height and width from 1 pixel.

    Raises:
        ValueError: for any other argument; for weights that do not fit.

    Differs from the authors' code: every 3x3 is one convolution, where theirs is trained as several
    that are merged afterwards (also by `recipes.span --composed`). Theirs multiplies what is left
    of the image by 255, since a block makes small features much smaller; here the first random
    weights are as large as that needs.
    Weights of the authors' PixelShuffle need their channels reordered: theirs are (channel,
    row, column), those here (row, column, channel).

    Example:
        >>> model = zoo.SPAN(scale=2)
        >>> large = model(image)  # (1, 48, 48, 3) -> (1, 96, 96, 3)

    Reference: Wan et al., "Swift Parameter-free Attention Network for Efficient Super-Resolution",
    CVPR Workshops 2024, arXiv:2311.12770.
    """
    one_of("scale", scale, SCALES)
    whole_number("channels", channels)
    one_of("image_channels", image_channels, (1, 3, 4))
    if centred and image_channels != 3:
        raise ValueError(
            "image_channels must be 3 where the mean of RGB is subtracted. Received: "
            f"image_channels={image_channels!r}"
        )
    image = keras.Input((None, None, image_channels), name="image")
    # Layers and operations of Keras alone, so that a `.keras` file needs nothing else.
    x = ops.subtract(image, np.array(MEANS[3], "float32")) if centred else image
    head = _convolution(channels, "head", gain=LARGE)(x)
    x, blocks, inner = head, [], []
    for number in range(1, BLOCKS + 1):
        first, x = _block(x, f"block{number}")
        inner.append(first)
        blocks.append(x)
    last = _convolution(channels, "body_conv")(x)
    x = layers.Concatenate(name="gathered")([head, last, blocks[0], inner[-1]])
    x = _convolution(channels, "fusion", size=1)(x)
    x = _convolution(image_channels * scale**2, "tail", gain=0.03, bias=GREY, dtype=OUTPUT_DTYPE)(x)
    restored = ops.depth_to_space(x, scale, data_format="channels_last") if scale > 1 else x
    model = keras.Model(image, restored, name=name or f"span_{channels}_x{scale}")
    return with_weights(model, weights)


def _block(x: Tensor, name: str) -> tuple[Tensor, Tensor]:
    """Return a of a block, and what it makes of x."""
    channels = x.shape[-1]
    first = _convolution(channels, f"{name}_conv1", gain=2**0.5, activation="silu")(x)
    second = _convolution(channels, f"{name}_conv2", gain=2**0.5, activation="silu")(first)
    third = _convolution(channels, f"{name}_conv3", gain=2.0)(second)
    attention = ops.sigmoid(third) - 0.5
    total = layers.Add(name=f"{name}_sum")([third, x])
    return first, layers.Multiply(name=name)([total, attention])


def _convolution(
    filters: int, name: str, size: int = 3, gain: float = 1.0, bias: float = 0.0, **options: str
) -> keras.layers.Layer:
    """Return a zero-padded convolution whose kernel begins with N(0, gain^2 / fan_in)."""
    kernel = keras.initializers.VarianceScaling(gain**2, "fan_in", "untruncated_normal")
    begin = {"kernel_initializer": kernel, "bias_initializer": keras.initializers.Constant(bias)}
    return convolution(filters, size, name=name, **begin, **options)
