"""MDSR: one residual network for super-resolution by 2, 3 and 4."""

import keras

from zoo.networks.edsr import MEANS, convolution, residual_block, residual_blocks, shift, upsampler
from zoo.store.weight import load_into

FILTERS = 64
# Shared residual blocks of the published networks (Lim et al., Table 1).
VARIANTS = {"baseline": 16, "full": 80}
SCALES = (2, 3, 4)


def MDSR(
    variant: str = "baseline",
    channels: int = 3,
    weights: str | None = None,
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
    if variant not in VARIANTS:
        raise ValueError(f"variant must be one of {sorted(VARIANTS)}. Received: {variant!r}")
    if channels not in MEANS:
        raise ValueError(f"channels must be 1 or 3. Received: {channels!r}")
    features = keras.Input((None, None, FILTERS), name="features")
    body = keras.Model(features, residual_blocks(features, VARIANTS[variant]), name="body")
    subtract_mean = shift(-1, channels, "subtract_mean")
    head = convolution(channels, FILTERS, "head")
    # The last layers compute in float32 under every policy: images in half precision show steps.
    tail = convolution(FILTERS, channels, "tail", dtype="float32")
    add_mean = shift(+1, channels, "add_mean")

    images, restored = {}, {}
    for scale in SCALES:
        key = f"x{scale}"
        images[key] = keras.Input((None, None, channels), name=key)
        x = head(subtract_mean(images[key]))
        x = residual_block(x, f"{key}_block1", size=5)
        x = residual_block(x, f"{key}_block2", size=5)
        x = upsampler(body(x), scale, f"{key}_upsample")
        restored[key] = add_mean(tail(x))
    model = keras.Model(images, restored, name=f"mdsr_{variant}")
    if weights is not None:
        load_into(model, weights)
    return model


def at_scale(model: keras.Model, scale: int) -> keras.Model:
    """Return the part of an MDSR that enlarges by one scale; it shares the variables.

    Args:
        model: What `MDSR` returned.
        scale: 2, 3 or 4.

    Returns:
        Functional model `(None, None, None, channels)` -> the same, `scale` times larger.

    Raises:
        ValueError: for another scale.
    """
    if scale not in SCALES:
        raise ValueError(f"scale must be 2, 3 or 4. Received: {scale!r}")
    key = f"x{scale}"
    return keras.Model(model.input[key], model.output[key], name=f"{model.name}_{key}")
