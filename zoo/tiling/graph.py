"""The graph of a network: its calls in their order, and how much it enlarges."""

from dataclasses import dataclass
from typing import Any

import keras
from keras import tree

from asykeras.types import Tensor


class TilingError(ValueError):
    """A network that cannot be run in tiles, with the reason in one sentence."""


@dataclass(frozen=True)
class Call:
    """One call of a layer in a network's graph; without a layer, output and input are the same."""

    layer: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    output: Tensor

    @property
    def kind(self) -> str:
        """The name of the layer's class."""
        return type(self.layer).__name__

    def inputs(self) -> list[Tensor]:
        """Return the tensors among the arguments."""
        flat = tree.flatten((self.args, self.kwargs))
        return [each for each in flat if isinstance(each, keras.KerasTensor)]


@dataclass(frozen=True)
class Graph:
    """The calls of a network in their order, those of models inside it included."""

    inputs: list[Tensor]
    calls: list[Call]
    output: Tensor


def growth(network: keras.Model) -> int:
    """Return how many times larger than its input the output of a network is.

    Args:
        network: Model of images; its first input is the image.

    Raises:
        ValueError: if that is no whole number, or not the same for all sizes.
    """
    if len(network.outputs) != 1:
        raise ValueError(
            f"{network.name} must have one output (`zoo.at_scale` picks one of an MDSR's). "
            f"Received: {len(network.outputs)}"
        )
    image, *others = (tuple(each.shape) for each in network.inputs)
    sizes = []
    for side in (64, 128):
        shapes = [(1, side, side, image[-1]), *((1, *each[1:]) for each in others)]
        shape = network.compute_output_shape(shapes if others else shapes[0])
        sizes.append((side, *shape[1:3]))
    factor = sizes[0][1] // sizes[0][0]
    if factor < 1 or any({height, width} != {factor * side} for side, height, width in sizes):
        side, height, width = sizes[0]
        raise ValueError(
            f"{network.name} must keep the size of an image or enlarge it. Received: "
            f"{height} x {width} pixels for {side} x {side}"
        )
    return factor


def record(network: keras.Model) -> Graph:
    """Return the calls of a network's graph, in their order.

    Raises:
        TilingError: if the network is no graph of layers, or has more than one output.
    """
    if not getattr(network, "inputs", None) or len(network.outputs) != 1:
        raise TilingError(f"{network.name} is no graph of layers from an image to an image")
    calls: list[Call] = []

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        output = layer(*args, **kwargs)
        now = Call(layer, args, kwargs, output)
        if isinstance(layer, keras.Model):
            inner = record(layer)
            pairs = zip(inner.inputs, now.inputs(), strict=True)
            calls.extend(Call(None, (outer,), {}, its) for its, outer in pairs)
            calls.extend(inner.calls)
            now = Call(None, (inner.output,), {}, output)
        calls.append(now)
        return output

    # Cloned without copying a layer: that walks the graph, by Keras' public means.
    plain = keras.Model(network.inputs, network.outputs)
    clone = keras.models.clone_model(plain, clone_function=_itself, call_function=call)
    return Graph(list(clone.inputs), calls, clone.outputs[0])


def _itself(layer: Any) -> Any:
    return layer
