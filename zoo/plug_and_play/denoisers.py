"""Denoisers as the solver takes them: functions of pictures and one noise level."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from asykeras.types import Tensor

# Pictures (batch, height, width, bands) and the level of their noise, a scalar in image units, to
# clean pictures.
Denoiser = Callable[[Tensor, Tensor], Tensor]
GREY = 0.5


def denoiser_of(
    model: keras.Model | Denoiser, *, group: int | None = None, level: float | None = None
) -> Denoiser:
    """Return a network as a denoiser for pictures of any number of bands.

    Args:
        model: `[image, sigma]` -> image, as `zoo.DPHSIR`; image -> image, as `zoo.DnCNN`, for any
            level (blind) or the one in `level`; or a function, which is returned as it is. A
            network of one channel restores each band on its own, one of three or more that many
            bands at a time.
        group: Bands that go through the network together, to bound its memory: the last group
            overlaps the one before. None: all, or as many as the network has channels.
        level: For a network that was trained for one level of noise, in image units (25 / 255):
            the contrast of the pictures is changed, around the middle grey, so that their noise has
            that level. It makes up for a network that was trained for all levels in part only.
            None: as they are.

    Returns:
        A function of pictures and a level.

    Raises:
        ValueError: if the network has neither one input nor two, or `group` is less than 1.
    """
    if group is not None and group < 1:
        raise ValueError(f"group must be 1 or more. Received: {group}")
    if not isinstance(model, keras.Model):
        return in_groups(model, group)
    if len(model.inputs) not in (1, 2):
        raise ValueError(f"a denoiser takes image and sigma. Received: {len(model.inputs)} inputs")

    def whole(pictures: Tensor, sigma: Tensor) -> Tensor:
        if len(model.inputs) == 2:
            levels = ops.ones((ops.shape(pictures)[0], 1)) * sigma
            return model([pictures, levels], training=False)
        if level is None:
            return model(pictures, training=False)
        factor = level / sigma
        contrasted = GREY + factor * (pictures - GREY)
        return GREY + (model(contrasted, training=False) - GREY) / factor

    channels = model.inputs[0].shape[-1]
    if channels == 1:
        return in_groups(band_by_band(whole), group)
    return in_groups(whole, group) if channels is None else in_groups(whole, channels, channels)


def band_by_band(denoiser: Denoiser) -> Denoiser:
    """Return a denoiser of one band as one of any number: bands become pictures of the batch."""

    def run(pictures: Tensor, sigma: Tensor) -> Tensor:
        _, height, width, bands = pictures.shape
        apart = ops.reshape(ops.transpose(pictures, (0, 3, 1, 2)), (-1, height, width, 1))
        clean = ops.reshape(denoiser(apart, sigma), (-1, bands, height, width))
        return ops.transpose(clean, (0, 2, 3, 1))

    return run


def in_groups(denoiser: Denoiser, group: int | None, least: int = 1) -> Denoiser:
    """Return a denoiser that gets at most so many bands at a time, and at least `least`."""
    if group is None:
        return denoiser

    def run(pictures: Tensor, sigma: Tensor) -> Tensor:
        bands = pictures.shape[-1]
        if bands < least:  # the last band stands for those that are missing
            copies = [pictures[..., -1:]] * (least - bands)
            return denoiser(ops.concatenate([pictures, *copies], axis=-1), sigma)[..., :bands]
        if bands <= group:
            return denoiser(pictures, sigma)
        parts: list[Any] = []
        for first in range(0, bands, group):
            start = min(first, bands - group)
            part = denoiser(pictures[..., start : start + group], sigma)
            parts.append(part[..., first - start :])
        return ops.concatenate(parts, axis=-1)

    return run


def turned(denoiser: Denoiser, turn: Tensor) -> Tensor:
    """Return a denoiser that sees its pictures turned and mirrored, one of eight ways.

    Args:
        denoiser: Of pictures of any size.
        turn: 0 to 7, a scalar.
    """

    def branch(number: int) -> Callable[[Tensor, Tensor], Tensor]:
        # Not by `ops.rot90`, whose half turn is wrong on TensorFlow in Keras 3.15.1.
        sides = [side for side, bit in ((1, 1), (2, 2)) if number & bit]

        def mirrored(pictures: Tensor) -> Tensor:
            return ops.flip(pictures, sides) if sides else pictures

        def transposed(pictures: Tensor) -> Tensor:
            return ops.swapaxes(pictures, 1, 2) if number & 4 else pictures

        def run(pictures: Tensor, sigma: Tensor) -> Tensor:
            return mirrored(transposed(denoiser(transposed(mirrored(pictures)), sigma)))

        return run

    branches = [branch(number) for number in range(8)]
    return lambda pictures, sigma: ops.switch(turn, branches, pictures, sigma)
