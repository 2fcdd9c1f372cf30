"""Restoration of 8-bit images by a network: what stands around the network, in one place.

Evaluation, the command line and the demo all call these functions, so that a published number is
the number of what a user gets.
"""

from typing import Any

import keras
import numpy as np

from asykeras.color import rgb_to_ycbcr, ycbcr_to_rgb
from asykeras.resize import bicubic_resize


def enlarge_bicubic(image: np.ndarray, scale: int) -> np.ndarray:
    """Enlarge an 8-bit image with bicubic interpolation alone, the baseline of every table.

    Args:
        image: uint8, `(height, width, channels)`.
        scale: Upsampling factor.

    Returns:
        uint8, `scale` times larger, by the uint8 rule of `asykeras.bicubic_resize`.
    """
    return to_numpy(bicubic_resize(image, scale))


def super_resolve(network: keras.Model, image: np.ndarray, scale: int) -> np.ndarray:
    """Enlarge an 8-bit image with a super-resolution network.

    A network with one channel restores the luma (Y of BT.601, studio range), while the colour (Cb,
    Cr) is enlarged with bicubic interpolation. A greyscale image goes through such a network as it
    is. A network that keeps the size of its input, as SRCNN does, gets the image enlarged first.

    Args:
        network: Model `(1, height, width, 1 or 3)` in [0, 1] -> the same or `scale` times the size.
        image: uint8, `(height, width, 1 or 3)`.
        scale: Upsampling factor of the network.

    Returns:
        uint8, `(scale * height, scale * width, 1 or 3)`, clipped and rounded half up.

    Raises:
        ValueError: if the network enlarges by another factor.
    """
    values = image.astype(np.float64) / 255
    if image.shape[-1] == network.input_shape[-1]:
        restored = _enlarge(network, values, scale)
    elif network.input_shape[-1] == 3:
        restored = _enlarge(network, np.repeat(values, 3, -1), scale).mean(-1, keepdims=True)
    else:
        ycbcr = to_numpy(rgb_to_ycbcr(values))
        luma = _enlarge(network, ycbcr[..., :1], scale)
        colour = to_numpy(bicubic_resize(ycbcr[..., 1:], scale))
        restored = to_numpy(ycbcr_to_rgb(np.concatenate([luma, colour], axis=-1)))
    return to_uint8(restored)


def denoise(network: keras.Model, noisy: np.ndarray, sigma: float) -> np.ndarray:
    """Remove Gaussian noise from an image with a denoiser.

    Args:
        network: Model `(1, height, width, channels)` in [0, 1] -> the same shape; or one that takes
            `[image, sigma]`, with sigma `(1, 1)`.
        noisy: `(height, width, channels)`, floating point, [0, 1] plus noise, not clipped.
        sigma: Standard deviation of the noise in image units: 25 grey levels are 25 / 255. Networks
            for one level or any level do not look at it.

    Returns:
        float32 image, same shape, clipped to [0, 1].

    Raises:
        ValueError: if the network takes another number of channels.
    """
    takes_sigma = len(network.inputs) == 2
    channels = network.inputs[0].shape[-1]
    if channels not in (None, noisy.shape[-1]):
        raise ValueError(
            f"the network takes images with {channels} channels. Received: {noisy.shape[-1]}"
        )
    image = noisy[None].astype(np.float32)
    level = np.full((1, 1), sigma, np.float32)
    restored = network([image, level] if takes_sigma else image, training=False)
    return np.clip(to_numpy(restored)[0], 0, 1)


def to_uint8(image: Any) -> np.ndarray:
    """Clip an image in [0, 1], round it half up to 8 bit and return it as NumPy uint8."""
    return np.floor(np.clip(to_numpy(image), 0, 1) * 255 + 0.5).astype(np.uint8)


def to_numpy(values: Any) -> np.ndarray:
    """Return a tensor of any backend as a NumPy array."""
    return np.asarray(keras.ops.convert_to_numpy(values))


def _enlarge(network: keras.Model, values: np.ndarray, scale: int) -> np.ndarray:
    """Return the `scale` times larger image, float64, unclipped."""
    if _growth(network) == 1:
        values = to_numpy(bicubic_resize(values, scale))
    elif _growth(network) != scale:
        raise ValueError(
            f"the network enlarges by {_growth(network):g}, so it cannot restore at scale {scale}"
        )
    restored = network(values[None].astype(np.float32), training=False)
    return to_numpy(restored)[0].astype(np.float64)


def _growth(network: keras.Model) -> float:
    """Return how much larger the network's output is than its input."""
    side = 16
    shape = network.compute_output_shape((1, side, side, network.input_shape[-1]))
    return shape[1] / side
