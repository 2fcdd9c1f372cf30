"""`restore`: pictures of any depth and size through a network, in tiles."""

import warnings
from functools import partial

import numpy as np
from keras.ops import convert_to_numpy

from asykeras.types import Tensor
from zoo.pictures.picture import picture_of
from zoo.restoring.bands import Settings, plan, restore_whole
from zoo.restoring.network import Network, Restorer, network_of
from zoo.restoring.remarks import colour_remark, sigma_remark


def restore(
    model: Restorer,
    images: Tensor,
    *,
    sigma: float | None = None,
    scale: int | None = None,
    alpha: bool = False,
    tile: int | None = None,
    self_ensemble: bool = False,
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
        images: An image `(height, width)` or `(height, width, channels)`, a batch of them with four
            axes, or a list of images of any sizes. uint8, uint16, or floating point with white
            at 1.
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
        >>> large = zoo.restore("srcnn-955-x3", photo)  # uint8 (100, 80, 3) -> (300, 240, 3)
        >>> clean = zoo.restore(model, [noisy], scale=1)
    """
    network = network_of(model, scale=scale, dtype=dtype, device=device)
    settings = Settings(sigma, tile, self_ensemble)
    if remark := sigma_remark(network.name, network.use, sigma):
        warnings.warn(remark, stacklevel=2)
    restored = partial(_restore_array, network, settings, alpha)
    if isinstance(images, list | tuple):
        return list(map(restored, images))
    array = np.asarray(convert_to_numpy(images))
    if array.ndim != 4:
        return restored(array)
    if 0 in array.shape:
        raise ValueError(f"images must hold at least one pixel. Received: shape={array.shape}")
    return np.stack(list(map(restored, array)))


def _restore_array(network: Network, settings: Settings, alpha: bool, given: Tensor) -> np.ndarray:
    array = np.asarray(convert_to_numpy(given))
    image = array[..., None] if array.ndim == 2 else array
    picture = picture_of(image, alpha)
    if remark := colour_remark(network.name, network.use, picture.colour):
        warnings.warn(remark, stacklevel=3)
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
