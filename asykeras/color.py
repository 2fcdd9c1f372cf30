"""RGB, Y'CbCr and grey.

Two different lumas are in use, both with the primaries of ITU-R BT.601:

- the *studio range* Y of `rgb_to_luma`, in [16/255, 235/255], on which super-resolution is scored;
- the *full range* grey of `grey`, in [0, 1], from which the weights of the losses are computed.

Every function keeps a channel axis, accepts a tensor, a NumPy array or a symbolic Keras tensor, and
computes in at least float32 (float64 where the image has it and the backend keeps it). Channels are
mixed by plain multiplication and addition: recent GPUs run matrix products in TF32, with 10 bits of
mantissa.
"""

from collections.abc import Iterable, Sequence

import keras
import numpy as np
from keras import ops

from asykeras.types import Tensor

# ITU-R BT.601 as MATLAB's rgb2ycbcr writes it, for R, G, B in [0, 1] and 8-bit Y, Cb, Cr.
_RGB_TO_YCBCR = np.array(
    [[65.481, 128.553, 24.966], [-37.797, -74.203, 112.0], [112.0, -93.786, -18.214]]
)
_YCBCR_OFFSET = np.array([16.0, 128.0, 128.0])
_FULL_RANGE = (0.299, 0.587, 0.114)  # BT.601 luma, sums to 1


def rgb_to_luma(image: Tensor) -> Tensor:
    """Return the studio-range luma Y (BT.601) of RGB images.

    `Y = (16 + 65.481 R + 128.553 G + 24.966 B) / 255`, not rounded: black is 16/255, white 235/255.

    Args:
        image: RGB in [0, 1], floating point, `(..., 3)`.

    Returns:
        Y in [16/255, 235/255], `(..., 1)`.

    Raises:
        TypeError: the image is not floating point.
        ValueError: the last axis does not have 3 channels.

    Example:
        red `[1, 0, 0]`  ->  (16 + 65.481) / 255 = 0.3195

    Reference: ITU-R BT.601; the first channel of MATLAB's `rgb2ycbcr`, which rounds it for uint8.
    """
    channels = _split_three_channels(image, "RGB")
    return _mix(channels, _RGB_TO_YCBCR[0] / 255) + float(_YCBCR_OFFSET[0] / 255)


def rgb_to_ycbcr(image: Tensor) -> Tensor:
    """Convert RGB images to studio-range Y'CbCr (BT.601).

    Args:
        image: RGB in [0, 1], floating point, `(..., 3)`.

    Returns:
        `(..., 3)`: Y in [16/255, 235/255]; Cb and Cr in [16/255, 240/255], 128/255 for greys.

    Raises errors as `rgb_to_luma`.

    Example:
        white `[1, 1, 1]`  ->  `[235, 128, 128] / 255`

    Reference: ITU-R BT.601; equals MATLAB's `rgb2ycbcr` of a floating-point image.
    """
    channels = _split_three_channels(image, "RGB")
    return _mix_three(channels, _RGB_TO_YCBCR / 255, _YCBCR_OFFSET / 255)


def ycbcr_to_rgb(image: Tensor) -> Tensor:
    """Convert studio-range Y'CbCr images to RGB: the inverse of `rgb_to_ycbcr`.

    The matrix is the numerical inverse in float64, not the rounded one of the standard. Nothing is
    clipped: Y'CbCr values that no colour has give RGB outside [0, 1].

    Args:
        image: Y'CbCr as `rgb_to_ycbcr` returns it, floating point, `(..., 3)`.

    Returns:
        RGB, `(..., 3)`, in [0, 1] for what came from RGB in [0, 1].

    Raises errors as `rgb_to_luma`.

    Example:
        `[235, 128, 128] / 255`  ->  white `[1, 1, 1]`

    Reference: ITU-R BT.601.
    """
    channels = _split_three_channels(image, "Y'CbCr")
    inverse = np.linalg.inv(_RGB_TO_YCBCR / 255)
    return _mix_three(channels, inverse, -inverse @ (_YCBCR_OFFSET / 255))


def grey(image: Tensor) -> Tensor:
    """Return the grey value of each pixel, in the range of the image.

    3 channels: the full-range luma `0.299 R + 0.587 G + 0.114 B`. 1 channel: the value itself.
    Another number, as in hyperspectral images: the mean of the channels.

    Args:
        image: `(..., channels)`, of any range. Integers give float32 in the same range.

    Returns:
        `(..., 1)`, floating point.

    Raises:
        ValueError: there is no channel axis, or the number of channels is 0 or unknown.

    Example:
        `[1, 0, 0]` -> 0.299;   `[0.2, 0.4]` -> 0.3;   `[0.7]` -> 0.7

    Reference: ITU-R BT.601.
    """
    image = ops.convert_to_tensor(image)
    shape = tuple(image.shape)
    if not shape or not shape[-1]:
        raise ValueError(f"The last axis must be a known number of channels. Received: {shape=}")
    image = _at_least_float32(image)
    if shape[-1] == 1:
        return image
    if shape[-1] == 3:
        return _mix(ops.split(image, 3, axis=-1), _FULL_RANGE)
    return ops.mean(image, axis=-1, keepdims=True)


def _split_three_channels(image: Tensor, space: str) -> list[Tensor]:
    """Return the three channels, each `(..., 1)`, of a floating-point image."""
    image = ops.convert_to_tensor(image)
    shape = tuple(image.shape)
    if not shape or shape[-1] != 3:
        raise ValueError(f"A {space} image has 3 channels on its last axis. Received: {shape=}")
    dtype = keras.backend.standardize_dtype(image.dtype)
    if not keras.backend.is_float_dtype(dtype):
        raise TypeError(
            f"A {space} image is floating point in [0, 1]; divide 8-bit values by 255 first. "
            f"Received: {dtype=}"
        )
    return list(ops.split(_at_least_float32(image), 3, axis=-1))


def _at_least_float32(image: Tensor) -> Tensor:
    return ops.cast(image, keras.backend.result_type(image.dtype, "float32"))


def _mix(channels: Sequence[Tensor], weights: Iterable[float]) -> Tensor:
    """Return the sum of `weights[c] channels[c]`."""
    # Python floats leave the dtype of the tensor alone; NumPy scalars do not.
    products = [float(weight) * channel for weight, channel in zip(weights, channels, strict=True)]
    return sum(products[1:], products[0])


def _mix_three(channels: Sequence[Tensor], matrix: np.ndarray, offsets: np.ndarray) -> Tensor:
    mixed = [
        _mix(channels, row) + float(offset) for row, offset in zip(matrix, offsets, strict=True)
    ]
    return ops.concatenate(mixed, axis=-1)
