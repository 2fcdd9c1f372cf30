"""Restoration of images by a network: what stands around the network, in one place.

Evaluation, the command line and the demo all call these functions, so that a published number is
the number of what a user gets. `restore` is the one for users: pictures of any depth and size, in
tiles. `super_resolve` and `denoise` are the protocols of evaluation: one image in one piece.
"""

import os
import warnings
from typing import Any

import keras
import numpy as np

from asykeras.resize import bicubic_resize
from zoo.pictures.picture import picture_of
from zoo.restoring.bands import Settings, plan, restore_bands
from zoo.restoring.channels import channels_for
from zoo.restoring.network import Network, open_network
from zoo.store.usage import check_colour, check_sigma
from zoo.tiling.graph import growth


def restore(
    images: Any,
    model: str | os.PathLike[str] | keras.Model | Network,
    *,
    sigma: float | None = None,
    scale: int | None = None,
    alpha: bool = False,
    tile: int | None = None,
    self_ensemble: bool = False,
    dtype: str | None = None,
    device: str | None = None,
) -> Any:
    """Restore one image or several: enlarge them or remove their noise, as the network does.

    Large images are restored in tiles. They overlap by what the network looks at, so that the
    result is the one of the whole image (to 1e-5 in float32, before rounding).

    Args:
        images: An image `(height, width)` or `(height, width, channels)`, a batch of them with four
            axes, or a list of images of any sizes. uint8, uint16, or floating point with white
            at 1.
        model: A published weight or a path, as `zoo.load` takes it; what `open_network` returned,
            for many calls; or a model of your own. That takes an image, or an image and sigma
            `(batch, 1)`, white at 1, and returns an image of as many channels that is as large or
            a whole number of times larger. Where it takes one size alone, or multiples of a number,
            pictures are restored in tiles of that size, or mirrored to a multiple and cropped.
        sigma: Standard deviation of the noise in image units, 25 / 255 for 25 grey levels; for
            networks that take it.
        scale: For a model that keeps the size of its input: 1 if it is a denoiser, or the factor by
            which it wants images enlarged first. Names know it from their card.
        alpha: Whether the last channel is alpha, which is enlarged with bicubic interpolation and
            not restored.
        tile: Pixels of the input that are kept of each tile, a side; by default as many as the free
            memory allows.
        self_ensemble: Restore all eight turns and mirror images and take the mean: eight times the
            work for about 0.1 dB.
        dtype: `"float32"` or `"bfloat16"` to compute in, for names; the result of the network is
            float32 in any case.
        device: As in `keras.device`, `"cpu:0"` or `"gpu:1"`.

    Returns:
        What was given, restored, NumPy arrays of the same dtype: one image, a batch or a list.
        Integers are clipped and rounded half up; floating point is neither clipped nor rounded.

    Raises:
        WeightsError: if the name is unknown or its weights cannot be loaded.
        TypeError: for images of another dtype, or what is no model.
        ValueError: for another shape, or what the network does not take.

    Example:
        >>> large = zoo.restore(photo, "srcnn-955-x3")  # uint8 (100, 80, 3) -> (300, 240, 3)
        >>> clean = zoo.restore([noisy], model, scale=1)
    """
    if isinstance(model, Network):
        network, given = model, {"scale": scale, "dtype": dtype, "device": device}
        if set(given.values()) != {None}:
            raise ValueError(f"scale, dtype and device are for `open_network`. Received: {given}")
    else:
        network = open_network(model, scale=scale, dtype=dtype, device=device)
    settings = Settings(sigma, tile, self_ensemble)
    remark = check_sigma(network.name, network.usage, None if sigma is None else 255 * sigma)
    if remark:
        warnings.warn(remark, stacklevel=2)
    if isinstance(images, list | tuple):
        return [_restore_array(network, to_numpy(image), alpha, settings) for image in images]
    array = to_numpy(images)
    if array.ndim != 4:
        return _restore_array(network, array, alpha, settings)
    if 0 in array.shape:
        raise ValueError(f"images must hold at least one pixel. Received: {array.shape}")
    return np.stack([_restore_array(network, image, alpha, settings) for image in array])


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
        ValueError: if the network enlarges by another factor, or takes other channels.
    """
    if growth(network) not in (1, scale):
        raise ValueError(
            f"the network enlarges by {growth(network)}, so it cannot restore at scale {scale}"
        )
    picture = picture_of(image)
    way = channels_for(picture.colour, picture.channels, network.input_shape[-1], scale)
    small, aside = way.apart(image[None].astype(np.float64) / 255)
    if growth(network) == 1:
        small = to_numpy(bicubic_resize(small, scale))
    large = to_numpy(network(small.astype(np.float32), training=False)).astype(np.float64)
    return to_uint8(way.together(large, aside)[0])


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


def _restore_array(
    network: Network, array: np.ndarray, alpha: bool, settings: Settings
) -> np.ndarray:
    image = array[..., None] if array.ndim == 2 else array
    picture = picture_of(image, alpha)
    if remark := check_colour(network.name, network.usage, picture.colour):
        warnings.warn(remark, stacklevel=3)
    its_plan = plan(network, picture, settings)
    if network.reach is None and len(its_plan.rows) * len(its_plan.columns) > 1:
        height, width = (side or "any" for side in network.size)
        warnings.warn(
            f"{network.name} takes images of {height} x {width} pixels alone, and {network.whole}: "
            "where tiles of that size meet, seams may show",
            stacklevel=3,
        )
    restored = np.concatenate(list(restore_bands(its_plan, lambda top, end: image[top:end])))
    return restored[..., 0] if array.ndim == 2 else restored
