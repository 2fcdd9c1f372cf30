"""What a SavedModel offers: the network on float32 and on uint8, and restoration as a whole."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

import keras
import numpy as np
from keras import ops

from asykeras.color import rgb_to_ycbcr, ycbcr_to_rgb
from asykeras.resize import bicubic_resize
from asykeras.types import Tensor
from zoo.runtimes.errors import ExportError
from zoo.tiling.graph import growth

if TYPE_CHECKING:
    from tensorflow.types.experimental import ConcreteFunction

# Inputs of a network, each with the same number of images, to restored images.
Engine = Callable[[list[np.ndarray]], np.ndarray]
# Names of a network's inputs, in their order. The last is of tiles alone: see `zoo.tiling.placed`.
INPUTS = ("image", "sigma", "place")
# Inputs by which a file in integers is calibrated; None: it is in floating point.
Calibration = Iterable[list[np.ndarray]] | None
Signature = tuple[Callable[..., Tensor], list[keras.InputSpec]]


def signatures(network: keras.Model, scale: int) -> dict[str, Signature]:
    """Return the functions of a SavedModel by name, each with its inputs; the default is first.

    The network is in float32, and enlarges pictures by the scale; 1 is a denoiser's.
    """
    found: dict[str, Signature] = {
        "serve": (partial(_serve, network), input_specs(network, "float32")),
        "serve_uint8": (partial(_serve_uint8, network), input_specs(network, "uint8")),
    }
    if scale > 1:
        for name, channels in (("restore", 3), ("restore_grey", 1)):
            spec = _spec("image", (None, None, None, channels), "uint8")
            found[name] = (partial(_super_resolve, network, scale), [spec])
    return found


def input_specs(network: keras.Model, dtype: str) -> list[keras.InputSpec]:
    """Return the network's inputs, named as in `INPUTS`, all sizes free."""
    specs = [_spec("image", (None, None, None, network.inputs[0].shape[-1]), dtype)]
    for name, each in zip(INPUTS[1:], network.inputs[1:], strict=False):
        specs.append(_spec(name, (None, each.shape[-1]), "float32"))
    return specs


def named(inputs: list[np.ndarray]) -> dict[str, np.ndarray]:
    """Return arrays by the names of the inputs that they are."""
    return dict(zip(INPUTS, inputs, strict=False))


def keras_signature(network: keras.Model) -> list[keras.InputSpec] | list[list[keras.InputSpec]]:
    """Return the inputs as `keras.Model.export` wants them: as one argument."""
    specs = input_specs(network, "float32")
    return [specs] if len(specs) > 1 else specs


def concrete_function(network: keras.Model) -> "ConcreteFunction":
    """Return the network as a function of TensorFlow, traced for any size."""
    import tensorflow as tf

    specs = [
        tf.TensorSpec(each.shape, each.dtype, each.name) for each in input_specs(network, "float32")
    ]
    return tf.function(partial(_serve, network)).get_concrete_function(*specs)


def refuse_loops(name: str, network: keras.Model) -> None:
    """Refuse a network with a loop for a format whose converter fails on it, late and at length.

    Raises:
        ExportError: if GRUNet goes over its bands in a loop, which only TensorFlow runs.
    """
    graph = concrete_function(network).graph
    if {"While", "StatelessWhile"} & {operation.type for operation in graph.get_operations()}:
        raise ExportError(
            f"{network.name} has a loop over its bands, which cannot be written as {name}: use "
            f"savedmodel, or fewer bands. Received: channels={network.inputs[0].shape[-1]}"
        )


def _serve(network: keras.Model, *inputs: Tensor) -> Tensor:
    return network(list(inputs) if len(inputs) > 1 else inputs[0], training=False)


def _serve_uint8(network: keras.Model, image: Tensor, *sigma: Tensor) -> Tensor:
    return _to_uint8(_serve(network, _to_float32(_from_uint8(image)), *sigma))


def _super_resolve(network: keras.Model, scale: int, image: Tensor) -> Tensor:
    """Return what `zoo.restore` does, for a batch of tensors, in float64 as there."""
    channels = network.inputs[0].shape[-1]
    values = _from_uint8(image)
    if image.shape[-1] == channels:
        return _to_uint8(_enlarge(network, scale, values))
    if channels == 3:
        grey = _enlarge(network, scale, ops.repeat(values, 3, axis=-1))
        return _to_uint8(ops.mean(grey, axis=-1, keepdims=True))
    ycbcr = rgb_to_ycbcr(values)
    luma = _enlarge(network, scale, ycbcr[..., :1])
    colour = bicubic_resize(ycbcr[..., 1:], scale)
    return _to_uint8(ycbcr_to_rgb(ops.concatenate([luma, colour], axis=-1)))


def _enlarge(network: keras.Model, scale: int, values: Tensor) -> Tensor:
    if growth(network) == 1:
        values = bicubic_resize(values, scale)
    return ops.cast(_serve(network, _to_float32(values)), "float64")


def _from_uint8(image: Tensor) -> Tensor:
    return ops.cast(image, "float64") / 255


def _to_float32(values: Tensor) -> Tensor:
    return ops.cast(values, "float32")


def _to_uint8(image: Tensor) -> Tensor:
    """Clip, and round half up: `zoo.pictures.images.to_uint8` for tensors."""
    levels = ops.clip(ops.cast(image, "float64"), 0.0, 1.0) * 255
    return ops.cast(ops.floor(levels + 0.5), "uint8")


def _spec(name: str, shape: tuple[int | None, ...], dtype: str) -> keras.InputSpec:
    return keras.InputSpec(shape=shape, dtype=dtype, name=name)
