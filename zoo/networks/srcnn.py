"""SRCNN: three convolutions that sharpen a bicubically enlarged image."""

import keras
from keras import ops

from zoo.networks.building import OUTPUT_DTYPE, one_of, with_weights
from zoo.networks.layers import convolution

# Kernel sizes of the three layers; all have the widths 64 and 32 (Dong et al., Sec. 4.3).
VARIANTS = {"9-1-5": (9, 1, 5), "9-3-5": (9, 3, 5), "9-5-5": (9, 5, 5)}


def SRCNN(
    scale: int,
    *,
    variant: str = "9-5-5",
    channels: int = 1,
    padding: str = "edge",
    weights: str | None = None,
    name: str | None = None,
) -> keras.Model:
    """Build SRCNN, the first convolutional network for super-resolution.

    image -> 64 kernels, ReLU -> 32 kernels, ReLU -> 1 kernel, no activation

    The network does not enlarge: its input is the low-resolution luma, already enlarged by `scale`
    with bicubic interpolation (`asykeras.bicubic_resize`), in [0, 1].

    Args:
        scale: Upsampling factor that the weights are for, 2, 3 or 4; the network is the same.
        variant: Kernel sizes, `"9-1-5"` (8,129 parameters with one channel), `"9-3-5"` (24,513) or
            `"9-5-5"` (57,281).
        channels: 1 for luma, as published, or 3 for RGB.
        padding: `"edge"` repeats the border pixels so that the output has the input's size;
            `"valid"` shrinks the image by `margin(variant)` on every side, as in training.
        weights: Path of a `.weights.h5` file, the name of a published weight, or None for random
            ones (He normal).
        name: Of the model; by default the variant's and the scale.

    Returns:
        Functional model `(None, None, None, channels)` -> the same shape (`"edge"`), unclipped
        float32. Any height and width from 1 pixel.

    Raises:
        ValueError: for any other argument; for weights that do not fit.

    Differs from the paper: the border is repeated once in front of the first layer, by the sum of
    the three radii, where the authors' test code repeats it in front of each layer; only pixels
    nearer to the border than that can differ. The initialisation is He normal instead of a Gaussian
    of standard deviation 0.001, which Adam escapes only slowly.

    Example:
        >>> model = zoo.SRCNN(scale=3, weights="srcnn-955-x3")
        >>> restored = model(bicubic_resize(luma, 3))

    Reference: Dong et al., "Image Super-Resolution Using Deep Convolutional Networks", TPAMI 2016,
    arXiv:1501.00092.
    """
    one_of("scale", scale, (2, 3, 4))
    one_of("channels", channels, (1, 3))
    one_of("padding", padding, ("edge", "valid"))
    border = margin(variant)
    first, second, third = VARIANTS[variant]

    image = keras.Input((None, None, channels), name="image")
    x = _border_repeater(channels, border)(image) if padding == "edge" else image
    x = convolution(64, first, name="patch_extraction", padding="valid", activation="relu")(x)
    x = convolution(32, second, name="mapping", padding="valid", activation="relu")(x)
    last = convolution(channels, third, name="reconstruction", padding="valid", dtype=OUTPUT_DTYPE)
    name = name or f"srcnn_{variant.replace('-', '')}_x{scale}"
    return with_weights(keras.Model(image, last(x), name=name), weights)


def margin(variant: str) -> int:
    """Return the pixels that a valid pass loses on every side: the sum of the kernels' radii."""
    one_of("variant", variant, VARIANTS)
    return sum(size // 2 for size in VARIANTS[variant])


def _border_repeater(channels: int, size: int) -> keras.Model:
    """Return a model that repeats the outermost rows and columns, for images from 1 x 1.

    A model of its own shows as one line in the summary of the network.
    """
    image = keras.Input((None, None, channels), name="image")
    rows = [ops.repeat(image[:, :1], size, axis=1), image, ops.repeat(image[:, -1:], size, axis=1)]
    x = ops.concatenate(rows, axis=1)
    columns = [ops.repeat(x[:, :, :1], size, axis=2), x, ops.repeat(x[:, :, -1:], size, axis=2)]
    return keras.Model(image, ops.concatenate(columns, axis=2), name="repeat_border")
