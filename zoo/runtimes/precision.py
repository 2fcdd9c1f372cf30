"""A network of any dtype policy as the same network in float32."""

from collections.abc import Iterator

import keras

from zoo.machine.dtype import computing_in


def in_float32(network: keras.Model) -> keras.Model:
    """Return a network whose layers all compute in float32, with the same weights.

    Args:
        network: Functional model; returned as it is where it computes in float32 already.
    """
    if {layer.compute_dtype for layer in _layers(network)} <= {"float32"}:
        return network
    with computing_in("float32"):  # what inputs and models take theirs from
        clone = keras.models.clone_model(network, clone_function=_clone, recursive=True)
    clone.set_weights(network.get_weights())
    return clone


def _clone(operation: keras.Operation) -> keras.Operation:
    # A plain operation, such as a slice, has no variables and computes in the dtype that it gets.
    dtype = {"dtype": "float32"} if isinstance(operation, keras.Layer) else {}
    return type(operation).from_config({**operation.get_config(), **dtype})


def _layers(network: keras.Model) -> Iterator[keras.Layer]:
    """Return the layers, and those of the models among them."""
    for layer in network.layers:
        yield layer
        if isinstance(layer, keras.Model):
            yield from _layers(layer)
