"""MDSR: one residual network for super-resolution by 2, 3 and 4."""

import keras

from zoo.networks import edsr
from zoo.networks.building import OUTPUT_DTYPE, one_of, with_weights

FILTERS = 64
# Shared residual blocks of the published networks (Lim et al., Table 1).
VARIANTS = {"baseline": 16, "full": 80}
SCALES = (2, 3, 4)


def MDSR(
    *,
    variant: str = "baseline",
    channels: int = 3,
    weights: str | None = None,
    name: str | None = None,
) -> keras.Model:
    """Build MDSR, which shares one body among the scales 2, 3 and 4.

    image - mean -> head -> two 5x5 blocks of the scale -> shared residual blocks -> conv, + their
    input -> upsampler of the scale -> tail, + mean

    The model has an input and an output for each scale, so that one step of `fit` trains all of
    them. `at_scale(model, 3)` is the network for one scale; it shares the variables.

    Args:
        variant: `"baseline"`, 16 shared blocks, 3,227,203 parameters with 3 channels, or `"full"`,
            80 shared blocks, 7,953,987 parameters.
        channels: 3 for RGB, as published, or 1 for luma.
        weights: Path of a `.weights.h5` file, the name of a published weight, or None for random
            ones, initialised as those of `EDSR`.
        name: Of the model; by default the variant's.

    Returns:
        Functional model from `{"x2": image, "x3": image, "x4": image}`, each
        `(None, None, None, channels)` in [0, 1], to the same keys with images 2, 3 and 4 times
        larger, unclipped float32.

    Raises:
        ValueError: for any other argument; for weights that do not fit.

    Differs from the authors' code: the three scales are trained in each step instead of one scale
    drawn at random; images are in [0, 1] as for `EDSR`.

    A `.keras` file of it is loaded after `import zoo`, which tells Keras of its layer `Affine`.

    Example:
        >>> model = zoo.MDSR(weights="mdsr.weights.h5")
        >>> large = at_scale(model, 3)(image)  # (1, 48, 48, 3) -> (1, 144, 144, 3)

    Reference: Lim et al., "Enhanced Deep Residual Networks for Single Image Super-Resolution",
    CVPR Workshops 2017, arXiv:1707.02921.
    """
    one_of("variant", variant, VARIANTS)
    one_of("channels", channels, edsr.MEANS)
    features = keras.Input((None, None, FILTERS), name="features")
    body = keras.Model(features, edsr.residual_blocks(features, VARIANTS[variant]), name="body")
    subtract_mean = edsr.shift(-1, channels, "subtract_mean")
    head = edsr.uniform_convolution(channels, FILTERS, "head")
    tail = edsr.uniform_convolution(FILTERS, channels, "tail", dtype=OUTPUT_DTYPE)
    add_mean = edsr.shift(+1, channels, "add_mean")

    images, restored = {}, {}
    for scale in SCALES:
        key = f"x{scale}"
        images[key] = keras.Input((None, None, channels), name=key)
        x = head(subtract_mean(images[key]))
        x = edsr.residual_block(x, f"{key}_block1", size=5)
        x = edsr.residual_block(x, f"{key}_block2", size=5)
        x = edsr.upsampler(body(x), scale, f"{key}_upsample")
        restored[key] = add_mean(tail(x))
    return with_weights(keras.Model(images, restored, name=name or f"mdsr_{variant}"), weights)


def at_scale(model: keras.Model, scale: int) -> keras.Model:
    """Return the part of an MDSR that enlarges by 2, 3 or 4; it shares the variables.

    Returns:
        Functional model `(None, None, None, channels)` -> the same, `scale` times larger.

    Raises:
        ValueError: for another scale.
    """
    one_of("scale", scale, SCALES)
    key = f"x{scale}"
    return keras.Model(model.input[key], model.output[key], name=f"{model.name}_{key}")
