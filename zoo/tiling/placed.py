"""Tiles of a network that computes another thing in a part than in the whole image: GRUNet's."""

import keras

from asykeras.types import Tensor
from zoo.tiling.field import Placed
from zoo.tiling.graph import Arguments, Call, Options, rebuilt, record
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

    def apply(call: Call, args: Arguments, kwargs: Options) -> Tensor:
        if not isinstance(call.layer, Placed):
            return call.layer(*args, **kwargs)
        shrunk = known[id(call.inputs()[0])][0].scale.denominator
        return call.layer.tiling_part(shrunk)([*args, place])

    output = rebuilt(graph, inputs, apply)
    return keras.Model([*inputs, place], output, name=network.name)
