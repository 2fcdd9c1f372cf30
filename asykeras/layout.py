"""Shapes of images: what of them is known, and where their channels are."""

from collections.abc import Iterator, Sequence

import keras

from asykeras.types import Shape, Tensor


def known_shape(tensor: Tensor) -> Shape:
    """Return the shape of a tensor; refuse one whose number of axes is not known."""
    try:
        return tuple(tensor.shape)
    except ValueError:
        raise ValueError(
            "images need a known number of axes: after tf.numpy_function or tf.py_function call "
            "tf.ensure_shape. Received: shape=None"
        ) from None


def may_be_equal(first: Sequence[int | None], second: Sequence[int | None]) -> bool:
    """Whether two shapes have as many axes and agree in all whose sizes are known."""
    return len(first) == len(second) and all(
        a == b
        for a, b in zip(first, second, strict=True)
        if isinstance(a, int) and isinstance(b, int)
    )


def shifted(images: Tensor, axis: int, count: int) -> Iterator[Tensor]:
    """Yield `count` views along the axis, each starting one pixel later.

    One at a time: run eagerly, each is a copy, and all at once would take eleven times the memory.
    """
    length = keras.ops.shape(images)[axis] - count + 1
    before = (slice(None),) * axis
    for start in range(count):
        yield images[(*before, slice(start, start + length))]


def standardize_data_format(data_format: str | None) -> str:
    """Return `channels_last` or `channels_first`, by default as Keras' layers do."""
    if data_format is None:
        return keras.config.image_data_format()
    if data_format not in ("channels_last", "channels_first"):
        raise ValueError(
            f"data_format must be 'channels_last' or 'channels_first'. Received: {data_format=}"
        )
    return data_format


def check_channels_last(shape: Shape) -> None:
    """Refuse images that can only be channels first, where that is the setting of Keras.

    Layers of images take channels last under any setting; they would filter across the channels.
    """
    first = keras.config.image_data_format() == "channels_first"
    if first and len(shape) == 4 and shape[1] in (1, 3) and shape[3] not in (1, 3):
        raise ValueError(
            "images must be channels last, also where keras.config says channels_first: transpose "
            f"them. Received: {shape=}"
        )
