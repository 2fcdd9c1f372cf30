"""Networks with loops, which only TensorFlow runs."""

import keras

from zoo.runtimes.errors import ExportError
from zoo.runtimes.signatures import concrete_function


def refuse_loops(name: str, network: keras.Model) -> None:
    """Refuse a network with a loop for a format whose converter fails on it, late and at length.

    Raises:
        ExportError: if GRUNet goes over its bands in a loop.
    """
    graph = concrete_function(network).graph
    if {"While", "StatelessWhile"} & {operation.type for operation in graph.get_operations()}:
        raise ExportError(
            f"{network.name} has a loop over its bands, which cannot be written as {name}: use "
            f"savedmodel, or fewer bands. Received: channels={network.inputs[0].shape[-1]}"
        )
