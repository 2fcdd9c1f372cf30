"""How the channels of a picture go through a network that takes another number of channels."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from keras.ops import convert_to_numpy

from asykeras.color import rgb_to_ycbcr, ycbcr_to_rgb
from asykeras.resize import bicubic_resize

RADII = (1, 2, 4, 8)  # of the windows from which hidden colours are taken
SPREAD = sum(RADII)
BICUBIC_MARGIN = 2  # pixels to each side from which bicubic enlargement makes a pixel

NOTHING = np.empty(0)  # that is kept aside


@dataclass(frozen=True)
class Channels:
    """A way through a network.

    Attributes:
        apart: From pictures `(n, h, w, c)` to images for the network, and what is kept aside.
        together: From restored images and what was kept aside to pictures.
        owners: From a number of pictures to the number of the picture that each image is of.
    """

    apart: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
    together: Callable[[np.ndarray, np.ndarray], np.ndarray]
    owners: Callable[[int], np.ndarray] = np.arange

    @property
    def images(self) -> int:
        """Images for the network per picture."""
        return len(self.owners(1))


def channels_for(colour: str, count: int, network: int | None, scale: int) -> Channels:
    """Return the way of a picture through a network.

    - Where the network takes as many channels, or any number, the picture goes as it is.
    - A grey picture goes through a colour network three times repeated; the mean comes back.
    - A colour picture through a network of one channel: to enlarge, its luma (Y of BT.601) goes
      through the network and Cb, Cr through bicubic interpolation; to denoise, each of its channels
      goes through the network, for each holds noise of the level that the network is made for.
    - Inks: cyan, magenta and yellow, inverted, go as a colour picture, and black, inverted, as a
      grey one, so that the separation stays what it was.

    The picture has `count` channels beside alpha, the network takes `network`, None for any.
    """
    if network in (None, count):
        return Channels(lambda pictures: (pictures, NOTHING), lambda images, _: images)
    if colour == "grey" and network == 3:
        return Channels(
            lambda pictures: (np.repeat(pictures, 3, axis=-1), NOTHING),
            lambda images, _: images.mean(axis=-1, keepdims=True),
        )
    if colour == "cmyk" and network in (1, 3):
        return _inks(network, scale)
    if network == 1 and scale == 1:
        return Channels(
            _to_batch,
            lambda images, _: _from_batch(images, count),
            lambda pictures: np.repeat(np.arange(pictures), count),
        )
    if colour == "rgb" and network == 1:
        return Channels(lambda pictures: _luma(pictures, scale), _with_colour)
    raise ValueError(
        f"the network takes images with {network} channels. Received: channels={count}"
    )


def without_hidden(colour: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Return pictures whose colours go on under what is transparent.

    What nobody sees is often black, and would be restored as an edge of the picture, with a dark
    ring around what is seen. So each hidden pixel takes the mean of the known ones around it, in
    windows that double: up to `SPREAD` pixels from what is seen. Hidden is what has the alpha 0.
    """
    known = (alpha > 0).astype(np.float64)
    if known.all() or not known.any():
        return colour
    filled = colour * known
    for radius in RADII:
        count = _box(known, radius)
        found = (known == 0) & (count > 0.5)
        means = _box(filled, radius) / np.maximum(count, 1)
        filled = np.where(found, means, filled)
        known = np.where(found, 1.0, known)
    return np.where(known > 0, filled, colour)


def _box(values: np.ndarray, radius: int) -> np.ndarray:
    """Return the sums over windows of `2 * radius + 1` pixels a side."""
    for axis in (1, 2):
        length = values.shape[axis]
        ends = np.minimum(np.arange(length) + radius + 1, length)
        starts = np.maximum(np.arange(length) - radius, 0)
        sums = np.insert(np.cumsum(values, axis=axis), 0, 0, axis=axis)
        values = np.take(sums, ends, axis=axis) - np.take(sums, starts, axis=axis)
    return values


def _luma(pictures: np.ndarray, scale: int) -> tuple[np.ndarray, np.ndarray]:
    ycbcr = convert_to_numpy(rgb_to_ycbcr(pictures))
    return ycbcr[..., :1], convert_to_numpy(bicubic_resize(ycbcr[..., 1:], scale))


def _with_colour(luma: np.ndarray, colour: np.ndarray) -> np.ndarray:
    return convert_to_numpy(ycbcr_to_rgb(np.concatenate([luma, colour], axis=-1)))


def _to_batch(pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return every channel as an image of its own: `(n * c, h, w, 1)`."""
    batch, height, width, count = pictures.shape
    return np.moveaxis(pictures, -1, 1).reshape(batch * count, height, width, 1), NOTHING


def _from_batch(images: np.ndarray, count: int) -> np.ndarray:
    height, width = images.shape[1:3]
    return np.moveaxis(images.reshape(-1, count, height, width), 1, -1)


def _inks(network: int, scale: int) -> Channels:
    colours = channels_for("rgb", 3, network, scale)
    black = channels_for("grey", 1, network, scale)

    def apart(pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        light = 1 - pictures
        first, aside = colours.apart(light[..., :3])
        second, _ = black.apart(light[..., 3:])
        return np.concatenate([first, second]), aside

    def together(images: np.ndarray, aside: np.ndarray) -> np.ndarray:
        pictures = len(images) // (colours.images + 1)
        first = colours.together(images[:-pictures], aside)
        second = black.together(images[-pictures:], NOTHING)
        return 1 - np.concatenate([first, second], axis=-1)

    def owners(pictures: int) -> np.ndarray:
        return np.concatenate([colours.owners(pictures), black.owners(pictures)])

    return Channels(apart, together, owners)
