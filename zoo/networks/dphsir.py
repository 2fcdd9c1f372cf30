"""GRUNet of DPHSIR: a recurrent denoiser for images of any number of bands and any noise level."""

from itertools import pairwise

import keras
from keras import layers, ops

from asykeras.types import Tensor
from zoo.networks.building import OUTPUT_DTYPE, one_of, whole_number, with_weights
from zoo.networks.layers import CropTo, EnlargeAligned, MirrorToMultiple, QuasiRecurrentUnit

# Filters at the full size and after each halving of height and width. "full" is the published
# network; "small", ours, leaves out its coarsest level and with it three quarters of the weights.
VARIANTS = {"full": (16, 32, 64, 128, 256), "small": (16, 32, 64, 128)}


def DPHSIR(
    *,
    variant: str = "full",
    channels: int | None = None,
    weights: str | None = None,
    name: str | None = None,
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
        variant: `"full"`, the published network, or `"small"`, where "4 x" is 3 x.
        channels: Number of bands, or None for any number, which may then change from call to call.
            A fixed 1 is fastest: convolutions become two-dimensional and the recurrence vanishes.
        weights: Path of a `.weights.h5` file, the name of a published weight, or None for random
            ones (He normal, fan-out). They fit any number of bands, but weights from training on
            three failed on 31 at once (7 dB, where three at a time gave 37.7 dB).
        name: Of the model; by default `"dphsir"`.

    Returns:
        Functional model `[image, sigma]` -> restored. Image and restored are
        `(None, None, None, channels)`, in [0, 1] and unclipped float32; any height and width from
        1 pixel. `sigma`, `(None, 1)`, is the standard deviation of each image's noise, in the same
        unit as the image: 25 grey levels are 25 / 255.

    Raises:
        ValueError: for any other argument; for weights that do not fit.

    Differs from the authors' code, with the same result: transposed convolutions of stride 1 are
    written as the convolutions that they are. Added to it: where height or width is no multiple
    of 16 (small: 8) the image is mirrored at its lower and right border, and the result cropped.

    Memory: 200 bands of 145 x 145 pixels in float32 took 4 GB by `predict` and 9 GB by a direct
    call, which keeps every layer's output until the end (TensorFlow, CPU).

    A `.keras` file of it, or of a model that holds it, is loaded after `import zoo`: that makes its
    layers (`QuasiRecurrentUnit`, `EnlargeAligned`, `MirrorToMultiple`, `CropTo`) known to Keras.

    Example:
        >>> model = zoo.DPHSIR(channels=3)
        >>> restored = model([noisy, np.full((1, 1), 25 / 255)])  # noisy: (1, 321, 481, 3)

    Reference: Lai et al., "Deep plug-and-play prior for hyperspectral image restoration",
    Neurocomputing 2022, arXiv:2209.08240; unit: Wei et al., "3-D Quasi-Recurrent Neural Network
    for Hyperspectral Image Denoising", TNNLS 2021, arXiv:2003.04547.
    """
    if channels is not None:
        whole_number("channels", channels)
    one_of("variant", variant, VARIANTS)
    widths = VARIANTS[variant]
    image = keras.Input((None, None, channels), name="image")
    sigma = keras.Input((1,), name="sigma")
    x = _volume(MirrorToMultiple(2 ** (len(widths) - 1), name="mirror")(image), sigma)
    x = QuasiRecurrentUnit(widths[0], direction="both", name="head")(x)
    features = [x]
    for level, (narrow, wide) in enumerate(pairwise(widths), start=1):
        x = QuasiRecurrentUnit(narrow, stride=2, direction="backward", name=f"down{level}")(x)
        x = _block(x, wide, f"encoder{level}")
        features.append(x)
    for level in range(len(widths) - 1, 0, -1):
        narrow = widths[level - 1]
        x = EnlargeAligned(name=f"enlarge{level}")(x)
        x = QuasiRecurrentUnit(narrow, direction="backward", name=f"up{level}")(x)
        x = layers.Concatenate(name=f"skip{level}")([features[level - 1], x])
        x = _block(x, narrow, f"decoder{level}")
    x = QuasiRecurrentUnit(1, direction="both", use_bias=True, name="tail", dtype=OUTPUT_DTYPE)(x)
    noise = CropTo(name="crop", dtype=OUTPUT_DTYPE)([_bands_last(x), image])
    restored = layers.Add(name="restored", dtype=OUTPUT_DTYPE)([image, noise])
    return with_weights(keras.Model([image, sigma], restored, name=name or "dphsir"), weights)


def _volume(image: Tensor, sigma: Tensor) -> Tensor:
    """Return the bands as depth and the noise level as second channel: (B, bands, H, W, 2)."""
    volume = ops.expand_dims(ops.transpose(image, (0, 3, 1, 2)), -1)
    level = ops.ones_like(volume) * ops.reshape(sigma, (-1, 1, 1, 1, 1))
    return ops.concatenate([volume, level], axis=-1)


def _bands_last(volume: Tensor) -> Tensor:
    """Return (B, bands, H, W, 1) as the image (B, H, W, bands)."""
    return ops.transpose(ops.squeeze(volume, axis=-1), (0, 2, 3, 1))


def _block(x: Tensor, filters: int, name: str) -> Tensor:
    """Two units with 3x3x3 kernels, and one with 1x1x1 kernels beside them."""
    branch = QuasiRecurrentUnit(filters, name=f"{name}_unit1")(x)
    branch = QuasiRecurrentUnit(filters, name=f"{name}_unit2")(branch)
    shortcut = QuasiRecurrentUnit(filters, kernel_size=1, name=f"{name}_shortcut")(x)
    return layers.Add(name=name)([branch, shortcut])
