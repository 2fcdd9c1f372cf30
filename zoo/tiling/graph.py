"""The graph of a network: its calls in their order, and how much it enlarges."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import keras
from keras import tree

from asykeras.types import Tensor
from zoo.machine.failures import ZooError, first_line

# What sides may have to be multiples of, usual ones first, and two primes to multiply them by.
MULTIPLES = (1, 2, 4, 8, 16, 32, 64, 128, 3, 6, 12, 24, 48, 9, 18, 27, 5, 10, 20, 25)
PRIMES = (67, 131)
# What a layer is called with: tensors, alone or in lists, numbers, texts, slices.
Arguments: TypeAlias = tuple[Tensor, ...]
Options: TypeAlias = dict[str, Tensor]


class TilingError(ZooError):
    """A network that cannot be run in tiles, with the reason in one sentence."""


@dataclass(frozen=True)
class Call:
    """One call of a layer in a network's graph; where it is None, output and input are the same."""

    layer: keras.Operation
    args: Arguments
    kwargs: Options
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


@dataclass(frozen=True)
class Sizes:
    """Which sizes of images a network takes, and what it makes of them.

    Attributes:
        height: The only one that it takes, None for any.
        width: The same of the columns.
        multiple: What a height or width that is not given must be a multiple of.
        growth: How many times larger than its input the output is.
    """

    height: int | None
    width: int | None
    multiple: int
    growth: int


def growth(network: keras.Model) -> int:
    """Return how many times larger than its input the output of a network is; see `sizes`."""
    return sizes(network).growth


def sizes(network: keras.Model, traced: bool = False) -> Sizes:
    """Return which sizes of images a network takes, found by trying; nothing is computed.

    Args:
        network: Model of images; its first input is the image.
        traced: Whether to trace its calls, which takes longer: some layers of Keras, `Concatenate`
            among them, tell the shape of outputs that they cannot compute.

    Raises:
        ValueError: if its output is not the same whole number of times as large for all sizes.
    """
    if len(network.outputs) != 1:
        raise ValueError(
            f"{network.name} must have one output (`at_scale` picks one of an MDSR's). "
            f"Received: {len(network.outputs)}"
        )
    fixed = tuple(network.inputs[0].shape[1:3])
    for multiple in MULTIPLES if None in fixed else (1,):
        tried = [side or multiple * prime for side, prime in zip(fixed, PRIMES, strict=True)]
        try:
            found = _output_size(network, tried[0], tried[1], traced)
        except Exception:  # each layer has its own kinds
            continue
        factor = found[0] // tried[0]
        if factor and found == tuple(factor * side for side in tried):
            return Sizes(fixed[0], fixed[1], multiple, factor)
    usual = [side or 64 for side in fixed]
    try:
        height, width = _output_size(network, usual[0], usual[1], traced)
        received = f"{height} x {width} pixels for {usual[0]} x {usual[1]}"
    except Exception as error:
        received = first_line(error)
    raise ValueError(
        f"{network.name} must keep the size of an image or enlarge it by a whole number "
        f'(padding="same"). Received: {received}'
    )


def _output_size(network: keras.Model, height: int, width: int, traced: bool) -> tuple[int, int]:
    """Return the height and width of what a network makes of an image."""
    image, *others = (tuple(each.shape) for each in network.inputs)
    shapes = [(1, height, width, image[-1]), *((1, *each[1:]) for each in others)]
    if traced:
        inputs = [keras.Input(batch_shape=shape) for shape in shapes]
        _, *size, _ = _Traced(network)(inputs if others else inputs[0]).shape
    else:
        _, *size, _ = network.compute_output_shape(shapes if others else shapes[0])
    return size[0], size[1]


class _Traced(keras.Layer):
    """A network as a layer that does not tell the shape of its output: Keras traces its calls."""

    def __init__(self, network: keras.Model) -> None:
        super().__init__()
        self.network = network

    def call(self, inputs: Tensor) -> Tensor:
        return self.network(inputs)


def record(network: keras.Model) -> Graph:
    """Return the calls of a network's graph, in their order.

    Raises:
        TilingError: if the network is no graph of layers, or has more than one output.
    """
    if not getattr(network, "inputs", None) or len(network.outputs) != 1:
        raise TilingError(f"{network.name} is no graph of layers from an image to an image")
    calls: list[Call] = []

    def call(layer: keras.Operation, *args: Tensor, **kwargs: Tensor) -> Tensor:
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
    clone = keras.models.clone_model(plain, clone_function=lambda layer: layer, call_function=call)
    return Graph(list(clone.inputs), calls, clone.outputs[0])


def rebuilt(
    graph: Graph,
    inputs: Sequence[Tensor],
    apply: Callable[[Call, Arguments, Options], Tensor] | None = None,
) -> Tensor:
    """Return the output of a graph on other inputs; its layers are shared.

    The output of a call with its new arguments is what `apply` returns, or else its layer.
    """
    new = {id(old): tensor for old, tensor in zip(graph.inputs, inputs, strict=True)}

    def renewed(value: Tensor) -> Tensor:
        return new[id(value)] if isinstance(value, keras.KerasTensor) else value

    for call in graph.calls:
        args, kwargs = tree.map_structure(renewed, (call.args, call.kwargs))
        if call.layer is None:
            output = args[0]
        else:
            output = apply(call, args, kwargs) if apply else call.layer(*args, **kwargs)
        new[id(call.output)] = output
    return new[id(graph.output)]
