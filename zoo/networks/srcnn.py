"""SRCNN: three convolutions that sharpen a bicubically enlarged image."""

import keras
from keras import layers, ops

from zoo.store.weight import load_into

# Kernel sizes of the three layers; all have the widths 64 and 32 (Dong et al., Sec. 4.3).
VARIANTS = {"9-1-5": (9, 1, 5), "9-3-5": (9, 3, 5), "9-5-5": (9, 5, 5)}


def SRCNN(
    scale: int,
    variant: str = "9-5-5",
    channels: int = 1,
    padding: str = "edge",
    weights: str | None = None,
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
    if scale not in (2, 3, 4):
        raise ValueError(f"scale must be 2, 3 or 4. Received: {scale!r}")
    if channels not in (1, 3):
        raise ValueError(f"channels must be 1 or 3. Received: {channels!r}")
    if padding not in ("edge", "valid"):
        raise ValueError(f"padding must be 'edge' or 'valid'. Received: {padding!r}")
    border = margin(variant)
    first, second, third = VARIANTS[variant]

    image = keras.Input((None, None, channels), name="image")
    x = _border_repeater(channels, border)(image) if padding == "edge" else image
    x = _convolution(64, first, "relu", "patch_extraction")(x)
    x = _convolution(32, second, "relu", "mapping")(x)
    # The last layer computes in float32 under every policy: an image in half precision shows steps.
    restored = _convolution(channels, third, None, "reconstruction", dtype="float32")(x)
    model = keras.Model(image, restored, name=f"srcnn_{variant.replace('-', '')}_x{scale}")
    if weights is not None:
        load_into(model, weights)
    return model


def margin(variant: str) -> int:
    """Return the pixels that a valid pass loses on every side: the sum of the kernels' radii."""
    if variant not in VARIANTS:
        raise ValueError(f"variant must be one of {sorted(VARIANTS)}. Received: {variant!r}")
    return sum(size // 2 for size in VARIANTS[variant])


def _convolution(
    filters: int, size: int, activation: str | None, name: str, dtype: str | None = None
) -> keras.layers.Layer:
    return layers.Conv2D(
        filters,
        size,
        padding="valid",
        data_format="channels_last",  # whatever keras.json says
        activation=activation,
        kernel_initializer="he_normal",
        name=name,
        dtype=dtype,
    )


def _border_repeater(channels: int, size: int) -> keras.Model:
    """Return a model that repeats the outermost rows and columns, for images from 1 x 1.

    A model of its own shows as one line in the summary of the network.
    """
    image = keras.Input((None, None, channels), name="image")
    rows = [ops.repeat(image[:, :1], size, axis=1), image, ops.repeat(image[:, -1:], size, axis=1)]
    x = ops.concatenate(rows, axis=1)
    columns = [ops.repeat(x[:, :, :1], size, axis=2), x, ops.repeat(x[:, :, -1:], size, axis=2)]
    return keras.Model(image, ops.concatenate(columns, axis=2), name="repeat_border")
