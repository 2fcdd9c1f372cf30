"""Compact: convolutions of one size in a row, whose result is added to the enlarged image."""

import keras
from keras import layers, ops

from zoo.networks.building import OUTPUT_DTYPE, one_of, whole_number, with_weights
from zoo.networks.layers import convolution

SCALES = (1, 2, 3, 4, 5, 6, 7, 8)


def Compact(
    scale: int,
    *,
    filters: int = 64,
    convolutions: int = 16,
    channels: int = 3,
    weights: str | None = None,
    name: str | None = None,
) -> keras.Model:
    """Build Compact (SRVGGNetCompact), the fast network of Real-ESRGAN and of many others.

    restored = pixel shuffle of (conv + PReLU, `convolutions` times (conv + PReLU), conv to
    channels scale^2) + nearest neighbour of the image;  3x3 kernels with bias and zero padding

    | | filters | convolutions | parameters at x2 | at x4 |
    |---|---|---|---|---|
    | realesr-animevideov3 | 64 | 16 | 600,652 | 621,424 |
    | realesr-general-x4v3 | 64 | 32 | 1,192,524 | 1,213,296 |

    Args:
        scale: Upsampling factor, 1 (a filter that keeps the size) to 8.
        filters: Kernels of each convolution.
        convolutions: Between the first and the last.
        channels: 3 for RGB, 1 for grey, 4 for RGB with alpha as the community has it.
        weights: Path of a `.weights.h5` file, the name of a published weight, or None for random
            ones (He normal; the slopes of PReLU begin at 0.25).
        name: Of the model; by default the numbers and the scale.

    Returns:
        Functional model `(None, None, None, channels)` in [0, 1] -> the same, `scale` times larger,
        unclipped float32. Any height and width from 1 pixel.

    Raises:
        ValueError: for any other argument; for weights that do not fit.

    Differs from the authors' code: each pixel is added to all that are made of it before they are
    shuffled, which is the nearest neighbour without a large image; PixelShuffle's channels are
    (row, column, channel) here, and (channel, row, column) there.

    Example:
        >>> model = zoo.Compact(scale=4, convolutions=32)
        >>> large = model(image)  # (1, 48, 48, 3) -> (1, 192, 192, 3)

    Reference: Wang et al., "Real-ESRGAN: Training Real-World Blind Super-Resolution with Pure
    Synthetic Data", ICCV Workshops 2021, arXiv:2107.10833, and the code beside it.
    """
    one_of("scale", scale, SCALES)
    one_of("channels", channels, (1, 3, 4))
    whole_number("filters", filters)
    whole_number("convolutions", convolutions, least=0)
    image = x = keras.Input((None, None, channels), name="image")
    for number in range(1, convolutions + 2):
        x = convolution(filters, 3, name=f"conv{number}")(x)
        slope = keras.initializers.Constant(0.25)
        x = layers.PReLU(slope, shared_axes=[1, 2], name=f"prelu{number}")(x)
    x = convolution(channels * scale**2, 3, name="tail", dtype=OUTPUT_DTYPE)(x)
    nearest = image
    if scale > 1:
        nearest = layers.Concatenate(name="nearest", dtype=OUTPUT_DTYPE)([image] * scale**2)
    restored = layers.Add(name="restored", dtype=OUTPUT_DTYPE)([x, nearest])
    if scale > 1:
        restored = ops.depth_to_space(restored, scale, data_format="channels_last")
    named = f"compact_{filters}_{convolutions}_x{scale}"
    return with_weights(keras.Model(image, restored, name=name or named), weights)
