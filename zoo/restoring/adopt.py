"""A user's own model as `restore` needs it: a graph from an image to an image, of any size."""

from collections.abc import Iterator

import keras

from asykeras.types import Tensor
from zoo.machine.failures import first_line
from zoo.tiling.graph import TilingError, rebuilt, record, sizes


def adopted(model: keras.Model) -> keras.Model:
    """Return a built model as a graph `image`, or `[image, sigma]`, to an image; layers are shared.

    It is functional, sequential or subclassed; one without weights, and one that takes or returns
    something else, is refused.
    """
    if not isinstance(model, keras.Model):
        raise TypeError(
            "model must be the name or path of a weight, or a keras.Model. Received: "
            f"model={str(model)[:80]!r}, a {type(model).__name__}"
        )
    if not model.built:
        raise ValueError(f"{model.name} has no weights yet: fit it or load them, then restore")
    if any(getattr(each, "data_format", "") == "channels_first" for each in _layers(model)):
        raise ValueError(f"{model.name} has the channels first; restore knows channels_last alone")
    graph = model if getattr(model, "inputs", None) else _as_graph(model)
    images = [each for each in graph.inputs if len(each.shape) == 4]
    levels = [each for each in graph.inputs if each.shape[1:] == (1,)]
    inputs = [*images, *levels]
    if len(images) != 1 or len(levels) > 1 or len(inputs) != len(graph.inputs):
        raise ValueError(
            f"{model.name} must take an image (batch, height, width, channels), and perhaps sigma "
            f"(batch, 1). Received: inputs={_shapes(graph.inputs)}"
        )
    result = graph.outputs[0]
    if len(graph.outputs) == 1 and not _alike(images[0], result):
        raise ValueError(
            f"{model.name} must return an image of as many channels as it takes. Received: "
            f"output={_shapes([result])} for image={_shapes(images)}"
        )
    if not all(keras.backend.is_float_dtype(each.dtype) for each in (*inputs, result)):
        raise ValueError(
            f"{model.name} must take and return floating point, white at 1. Received: "
            f"image={images[0].dtype}, output={result.dtype}"
        )
    outputs = result if len(graph.outputs) == 1 else graph.outputs
    return keras.Model(inputs if levels else images[0], outputs, name=model.name)


def of_any_size(network: keras.Model) -> keras.Model:
    """Return a network, made for images of one size, for those of any size; layers are shared.

    Its `reach` is known, so that its layers do not mind; where one does, it raises `TilingError`.
    """
    if not any(network.inputs[0].shape[:3]):
        return network
    inputs = [keras.Input(each.shape[1:], dtype=each.dtype) for each in network.inputs]
    inputs[0] = keras.Input((None, None, network.inputs[0].shape[-1]), dtype=inputs[0].dtype)
    try:
        output = rebuilt(record(network), inputs)
        freed = keras.Model(inputs if inputs[1:] else inputs[0], output, name=network.name)
        same = sizes(freed).growth == sizes(network).growth
    except Exception as error:  # each layer has its own kinds
        raise TilingError(f"it is made for one size of images: {first_line(error)}") from None
    if not same:
        raise TilingError("what it returns depends on the size of the image")
    return freed


def _as_graph(model: keras.Model) -> keras.Model:
    """Return a subclassed model as a graph of one layer, by calling it on any size of image."""
    shape = model.get_build_config().get("input_shape")
    if not isinstance(shape, tuple | list) or len(shape) != 4:
        raise ValueError(
            f"{model.name} does not say what it takes: give "
            "keras.Model([image, sigma], model([image, sigma])), where these are keras.Input"
        )
    graph = None
    for size in ((None, None), shape[1:3]):
        image = keras.Input((*size, shape[-1]))
        try:
            graph = keras.Model(image, model(image), name=model.name)
            sizes(graph)
            break
        except Exception as error:  # whatever its code raises
            reason = error
    if graph is None:
        raise ValueError(f"{model.name} is no network for images: {first_line(reason)}")
    return graph


def _alike(image: Tensor, result: Tensor) -> bool:
    """Whether a result is an image, of the channels of another where both are known."""
    channels = image.shape[-1]
    return len(result.shape) == 4 and (
        None in (channels, result.shape[-1]) or result.shape[-1] == channels
    )


def _shapes(tensors: list[Tensor]) -> str:
    return ", ".join(str(tuple(each.shape)) for each in tensors)


def _layers(model: keras.Model) -> Iterator[keras.Layer]:
    """Yield the layers of a model, those of models in it included."""
    for layer in getattr(model, "layers", []):
        yield layer
        yield from _layers(layer)
