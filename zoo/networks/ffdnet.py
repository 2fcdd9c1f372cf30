"""FFDNet: a fast denoiser for every noise level, which computes on the image in half its size."""

import keras
from keras import layers, ops

from zoo.networks.building import OUTPUT_DTYPE, one_of, with_weights
from zoo.networks.layers import CropTo, MirrorToMultiple, convolution

# Convolutions and filters of the published networks, by the channels of their images.
SIZES = {1: (15, 64), 3: (12, 96)}


def FFDNet(
    *,
    channels: int = 3,
    sigma_map: bool = False,
    weights: str | None = None,
    name: str | None = None,
) -> keras.Model:
    """Build FFDNet, a denoiser that is told the level of the noise.

    image -> 2x2 pixels become channels, and the level one more -> conv + ReLU x (depth - 1)
    -> conv -> channels become 2x2 pixels

    Kernels are 3x3 with bias and zero padding. A pixel of a colour image takes 213,000
    multiplications, a third of CDnCNN-B's; a grey one 121,000, a quarter of DnCNN-S's.

    | channels | depth | filters | parameters |
    |---|---|---|---|
    | 1 | 15 | 64 | 485,316 |
    | 3 | 12 | 96 | 852,108 |

    Args:
        channels: 3 for RGB or 1 for grey images; sets depth and filters.
        sigma_map: False: one level for each image. True: one for each pixel, for noise that is
            stronger in one place than in another; of 2x2 pixels the mean counts. The weights are
            the same, so `zoo.load(name, sigma_map=True)` gives the network for a map.
        weights: Path of a `.weights.h5` file, the name of a published weight, or None for random
            ones (He normal).
        name: Of the model; by default `"ffdnet_grey"` or `"ffdnet_color"`.

    Returns:
        Functional model `[image, sigma]` -> restored. Image and restored are
        `(None, None, None, channels)`, in [0, 1] and unclipped float32; any height and width from
        1 pixel. `sigma`, `(None, 1)` or as a map `(None, None, None, 1)`, is the standard deviation
        of the noise in the unit of the image: 25 grey levels are 25 / 255. There is no shortcut
        from the image to the result.

    Raises:
        ValueError: for any other argument; for weights that do not fit.

    Differs from the authors' code: the kernels begin with normal numbers, theirs orthogonal; the
    2x2 pixels become channels in the order (row, column, channel), theirs in (channel, row,
    column), so that colour weights need those of the first and the last convolution reordered.

    A `.keras` file of it is loaded after `import zoo`, which tells Keras of `MirrorToMultiple` and
    `CropTo`. They repeat the last row and column of odd sizes, and cut them off again.

    Example:
        >>> model = zoo.FFDNet(channels=3)
        >>> restored = model([noisy, np.full((1, 1), 25 / 255)])  # noisy: (1, 321, 481, 3)

    Reference: Zhang et al., "FFDNet: Toward a Fast and Flexible Solution for CNN based Image
    Denoising", TIP 2018, arXiv:1710.04026.
    """
    one_of("channels", channels, SIZES)
    depth, filters = SIZES[channels]
    image = keras.Input((None, None, channels), name="image")
    sigma = keras.Input((None, None, 1) if sigma_map else (1,), name="sigma")
    even = MirrorToMultiple(2, name="mirror")(image)
    x = ops.space_to_depth(even, 2, data_format="channels_last")
    if sigma_map:
        pool = layers.AveragePooling2D(2, data_format="channels_last", name="mean_level")
        level = pool(MirrorToMultiple(2, name="mirror_level")(sigma))
    else:
        ones = ops.max(ops.ones_like(x), axis=-1, keepdims=True)
        level = ones * ops.reshape(sigma, (-1, 1, 1, 1))
    x = layers.Concatenate(name="with_level")([x, level])
    for number in range(1, depth):
        x = convolution(filters, 3, name=f"conv{number}", activation="relu")(x)
    x = convolution(4 * channels, 3, name=f"conv{depth}", dtype=OUTPUT_DTYPE)(x)
    x = ops.depth_to_space(x, 2, data_format="channels_last")
    restored = CropTo(name="restored", dtype=OUTPUT_DTYPE)([x, image])
    kind = {1: "grey", 3: "color"}[channels]
    model = keras.Model([image, sigma], restored, name=name or f"ffdnet_{kind}")
    return with_weights(model, weights)
