"""`restore`: pictures of any depth and size through a network, in tiles."""

import warnings
from dataclasses import replace
from functools import partial

import numpy as np
from keras.ops import convert_to_numpy

from asykeras.types import Tensor
from zoo.pictures.picture import picture_of
from zoo.restoring.bands import Settings, plan, restore_whole
from zoo.restoring.levels import Level, check_level, found, level_of
from zoo.restoring.network import Network, Restorer, network_of
from zoo.restoring.remarks import remark_on_level, remark_on_picture


def restore(
    model: Restorer,
    images: Tensor,
    *,
    sigma: Level = None,
    scale: int | None = None,
    alpha: bool = False,
    tile: int | None = None,
    self_ensemble: bool = False,
    strength: float = 1.0,
    dtype: str | None = None,
    device: str | None = None,
) -> Tensor:
    """Restore one image or several: enlarge them or remove their noise, as the network does.

    Large images are restored in tiles. They overlap by what the network looks at, so that the
    result is the one of the whole image (to 1e-5 in float32, before rounding).

    Args:
        model: A published weight or a path, as `zoo.load` takes it; what `open_network` returned,
            for many calls; or a model of your own. That takes an image, or an image and sigma
            `(batch, 1)`, white at 1, and returns an image of as many channels that is as large or
            a whole number of times larger. Where it takes one size alone, or multiples of a number,
            pictures are restored in tiles of that size, or mirrored to a multiple and cropped.
            Several names with commas between, or a list of all these, are a chain: the picture goes
            through one after the other, in floating point.
        images: An image `(height, width)` or `(height, width, channels)`, a batch of them with four
            axes, or a list of images of any sizes. uint8, uint16, or floating point with white
            at 1.
        sigma: Standard deviation of the noise in image units, 25 / 255 for 25 grey levels; for
            networks that take it. Or `"auto"`: found in each image by `asykeras.estimate_noise`,
            and said in a warning; where it is less than 2 grey levels, the image stays as it is.
        scale: For a model that keeps the size of its input: 1 if it is a denoiser, or the factor by
            which it wants images enlarged first. Names know it from their card.
        alpha: Whether the last channel is alpha, which is enlarged with bicubic interpolation and
            not restored.
        tile: Pixels of the input that are kept of each tile, a side; by default as many as the free
            memory allows.
        self_ensemble: Restore all eight turns and mirror images and take the mean: eight times the
            work for about 0.1 dB.
        strength: Share of the restored image in the result, 0 to 1. The rest is the image itself,
            enlarged with bicubic interpolation where the network enlarges.
        dtype: `"float32"` or `"bfloat16"` to compute in, for names; the result of the network is
            float32 in any case.
        device: As in `keras.device`, `"cpu:0"` or `"gpu:1"`.

    Returns:
        What was given, restored, NumPy arrays of the same dtype: one image, a batch or a list.
        Integers are clipped and rounded half up; floating point is neither clipped nor rounded.

    Raises:
        WeightsError: if the name is unknown or its weights cannot be loaded.
        TypeError: for images of another dtype, or what is no model.
        ValueError: for another shape, what the network does not take, or an image of less than
            32 pixels a side in which the level is to be found.

    Example:
        >>> large = zoo.restore("srcnn-955-x3", photo)  # uint8 (100, 80, 3) -> (300, 240, 3)
        >>> clean = zoo.restore(model, [noisy], scale=1)
        >>> clean = zoo.restore("dphsir-small", noisy, sigma="auto", strength=0.8)
        >>> both = zoo.restore("dncnn-gray-25,edsr-baseline-x2", noisy, sigma=20 / 255)
    """
    network = network_of(model, scale=scale, dtype=dtype, device=device)
    check_level(network, sigma)
    level = None if isinstance(sigma, str) else sigma
    settings = Settings(level, tile, self_ensemble, strength)
    auto = sigma is not level
    if not auto and (remark := remark_on_level(network, level)):
        warnings.warn(remark, stacklevel=2)
    restored = partial(_restore_array, network, settings, alpha, auto)
    if isinstance(images, list | tuple):
        return list(map(restored, images))
    array = np.asarray(convert_to_numpy(images))
    if array.ndim != 4:
        return restored(array)
    if 0 in array.shape:
        raise ValueError(f"images must hold at least one pixel. Received: shape={array.shape}")
    return np.stack(list(map(restored, array)))


def _restore_array(
    network: Network, settings: Settings, alpha: bool, auto: bool, given: Tensor
) -> np.ndarray:
    array = np.asarray(convert_to_numpy(given))
    image = array[..., None] if array.ndim == 2 else array
    picture = picture_of(image, alpha)
    if remark := remark_on_picture(network, picture):
        warnings.warn(remark, stacklevel=3)
    if auto:
        todo = found("the image", level_of(lambda top, end: image[top:end], picture), network)
        if todo.remark:
            warnings.warn(todo.remark, stacklevel=3)
        if todo.network is None:
            return array.copy()
        network, settings = todo.network, replace(settings, sigma=todo.level)
    its_plan = plan(network, picture, settings)
    if network.reach is None and len(its_plan.rows) * len(its_plan.columns) > 1:
        height, width = (side or "any" for side in network.size)
        warnings.warn(
            f"{network.name} takes images of {height} x {width} pixels alone, and {network.whole}: "
            "where tiles of that size meet, seams may show",
            stacklevel=3,
        )
    restored = restore_whole(its_plan, image)
    return restored[..., 0] if array.ndim == 2 else restored
