"""Tiles of a network whose interpolation depends on the size of the whole image: GRUNet's."""

from typing import Any

import keras
from keras import ops

from asykeras.types import Tensor
from zoo.tiling.graph import Call, rebuilt, record
from zoo.tiling.reach import follow


def placed_network(network: keras.Model) -> keras.Model:
    """Return a network with an input more, the place of its tile in the whole image.

    Args:
        network: One whose `reach` is `placed`; its layers are shared.

    Returns:
        Model `[*inputs, place]`; place `(batch, 4)`: the first row of the tile and the rows of the
        whole (mirrored) image, and the same of the columns, in pixels.
    """
    graph = record(network)
    known = follow(graph, 1)
    inputs = [keras.Input(batch_shape=each.shape, name=each.name) for each in graph.inputs]
    place = keras.Input((4,), name="place")

    def apply(call: Call, args: Any, kwargs: Any) -> Tensor:
        if call.kind != "EnlargeAligned":
            return call.layer(*args, **kwargs)
        halvings = known[id(call.inputs()[0])][0].scale.denominator
        return EnlargePart(halvings, name=call.layer.name)([*args, place])

    output = rebuilt(graph, inputs, apply)
    return keras.Model([*inputs, place], output, name=network.name)


class EnlargePart(keras.Layer):
    """`zoo.networks.dphsir.EnlargeAligned` on a part of the image: it interpolates as on the whole.

    Where a pixel of the doubled image lies between the old ones depends on its place in the whole.

    `[(B, bands, H, W, C), (B, 4)]` -> `(B, bands, 2 H, 2 W, C)`; the second is the place as
    `placed_network` takes it.

    Args:
        shrunk: How many times smaller than the image the input is.
    """

    def __init__(self, shrunk: int, **kwargs: Any) -> None:
        super().__init__(**kwargs, autocast=False)
        self.shrunk = shrunk

    def call(self, inputs: list[Tensor]) -> Tensor:
        """Interpolate along the rows, then along the columns."""
        x, place = inputs
        x = ops.cast(x, self.compute_dtype)
        place = ops.cast(place, "float32") / self.shrunk
        x = _double(x, 2, place[:, 0], place[:, 1])
        return _double(x, 3, place[:, 2], place[:, 3])

    def compute_output_shape(
        self, input_shape: list[tuple[int | None, ...]]
    ) -> tuple[int | None, ...]:
        """Return the shape with height and width doubled."""
        batch, bands, *size, channels = input_shape[0]
        doubled = [None if length is None else 2 * length for length in size]
        return (batch, bands, *doubled, channels)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return {**super().get_config(), "shrunk": self.shrunk}


def _double(x: Tensor, axis: int, start: Tensor, whole: Tensor) -> Tensor:
    """Double an axis of (B, bands, H, W, C), whose first position is `start` of `whole`."""
    length = ops.shape(x)[axis]
    column = [-1 if each in (0, axis) else 1 for each in range(5)]
    first, last = (ops.take(x, [end], axis=axis) for end in (0, length - 1))
    inner = ops.arange(length - 1, dtype="int32")
    before = ops.concatenate([first, ops.take(x, inner, axis=axis)], axis=axis)
    after = ops.concatenate([ops.take(x, inner + 1, axis=axis), last], axis=axis)
    # Pixel 2k lies k / (2n - 1) before the old pixel k, pixel 2k + 1 as much after it, counted
    # from the other end.
    k = ops.expand_dims(start, 1) + ops.arange(length, dtype="float32")
    n = ops.expand_dims(whole, 1)
    shape = [ops.shape(x)[0] if each == 0 else size for each, size in enumerate(column)]
    even, odd = (
        ops.cast(ops.reshape(shift / (2 * n - 1), shape), x.dtype) for shift in (k, n - 1 - k)
    )
    pair = ops.stack([x + even * (before - x), x + odd * (after - x)], axis=axis + 1)
    sizes = list(ops.shape(x))
    sizes[axis] = 2 * length
    return ops.reshape(pair, sizes)
