"""Denoisers as the solver takes them: functions of pictures and one noise level."""

from collections.abc import Callable
from functools import partial

import keras
from keras import ops

from asykeras.types import Tensor
from zoo.restoring.contrast import at_contrast

# Pictures (batch, height, width, bands) and the level of their noise, a scalar in image units, to
# clean pictures.
Denoiser = Callable[[Tensor, Tensor], Tensor]


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
            overlaps the one before. None: all.
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
        raise ValueError(f"group must be 1 or more. Received: group={group}")
    if not isinstance(model, keras.Model):
        return in_groups(model, group)
    if len(model.inputs) not in (1, 2):
        raise ValueError(
            f"model must take image and sigma. Received: len(model.inputs)={len(model.inputs)}"
        )

    def whole(pictures: Tensor, sigma: Tensor) -> Tensor:
        if len(model.inputs) == 2:
            levels = ops.ones((ops.shape(pictures)[0], 1)) * sigma
            return model([pictures, levels], training=False)
        if level is None:
            return model(pictures, training=False)
        return at_contrast(partial(model, training=False), pictures, level / sigma)

    channels = model.inputs[0].shape[-1]
    return in_groups(whole if channels is None else in_batches(whole, channels), group)


def in_batches(denoiser: Denoiser, channels: int) -> Denoiser:
    """Return a denoiser of some bands as one of any number: they become pictures of the batch.

    The last group overlaps the one before; of fewer bands the last is repeated.
    """

    def run(pictures: Tensor, sigma: Tensor) -> Tensor:
        bands = pictures.shape[-1]
        missing = max(0, channels - bands)
        filled = ops.concatenate([pictures] + [pictures[..., -1:]] * missing, axis=-1)
        firsts, starts = _groups(max(bands, channels), channels)
        groups = [filled[..., start : start + channels] for start in starts]
        clean = ops.split(denoiser(ops.concatenate(groups), sigma), len(groups))
        return _joined(clean, firsts, starts)[..., :bands]

    return run


def in_groups(denoiser: Denoiser, group: int | None) -> Denoiser:
    """Return a denoiser that gets at most so many bands at a time."""
    if group is None:
        return denoiser

    def run(pictures: Tensor, sigma: Tensor) -> Tensor:
        bands = pictures.shape[-1]
        if bands <= group:
            return denoiser(pictures, sigma)
        firsts, starts = _groups(bands, group)
        parts = [denoiser(pictures[..., start : start + group], sigma) for start in starts]
        return _joined(parts, firsts, starts)

    return run


def _groups(bands: int, size: int) -> tuple[list[int], list[int]]:
    """Return the first band that each group is to give, and the one that it begins with."""
    firsts = list(range(0, bands, size))
    return firsts, [min(first, bands - size) for first in firsts]


def _joined(parts: list[Tensor], firsts: list[int], starts: list[int]) -> Tensor:
    whole = zip(parts, firsts, starts, strict=True)
    return ops.concatenate([part[..., first - start :] for part, first, start in whole], axis=-1)


def turned(denoiser: Denoiser, turn: Tensor) -> Tensor:
    """Return a denoiser that sees its pictures turned and mirrored, one of eight ways (0 to 7)."""

    # Not by `ops.rot90`, whose half turn is wrong on TensorFlow in Keras 3.15.1.
    def mirrored(pictures: Tensor) -> Tensor:
        flips = [partial(ops.flip, axis=axis) for axis in (1, 2, (1, 2))]
        return ops.switch(turn % 4, [lambda each: each, *flips], pictures)

    transposed = partial(ops.swapaxes, axis1=1, axis2=2)

    def run(pictures: Tensor, sigma: Tensor) -> Tensor:
        seen = mirrored(pictures)
        if seen.shape[1] == seen.shape[2]:  # the network stands in the compiled loop once
            ways = [lambda each: each, transposed]
            clean = denoiser(ops.switch(turn // 4, ways, seen), sigma)
            return mirrored(ops.switch(turn // 4, ways, clean))
        whole = [
            lambda each: denoiser(each, sigma),
            lambda each: transposed(denoiser(transposed(each), sigma)),
        ]
        return mirrored(ops.switch(turn // 4, whole, seen))

    return run
