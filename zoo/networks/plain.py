"""A network of ours written with nothing but layers and operations of Keras itself."""

import keras
import numpy as np
from keras import ops

from asykeras.types import Tensor
from zoo.networks.layers import Affine, CropTo, MirrorToMultiple


def plain(network: keras.Model) -> keras.Model:
    """Return a network that Keras can load where asykeras is not installed.

    `Affine`, `MirrorToMultiple` of 2 and `CropTo` become operations of Keras that compute the same
    to the bit; all other layers are shared with the network. GRUNet's recurrent units have no such
    form and stay as they are (see `has_own_layers`). Inputs, outputs and variables are the same.

    Example:
        >>> plain(zoo.load("edsr-baseline-x2")).save("edsr.keras")  # opened by Keras alone
    """
    return keras.models.clone_model(
        network, clone_function=lambda layer: layer, call_function=_call
    )


def has_own_layers(network: keras.Model) -> bool:
    """Return whether a network has layers that Keras knows only after `import zoo`."""
    kinds = {type(layer) for layer in network.layers}
    return any(kind.__module__.split(".")[0] == __name__.split(".")[0] for kind in kinds)


def _call(layer: keras.Operation, *args: Tensor, **kwargs: Tensor) -> Tensor:
    if isinstance(layer, Affine):
        return _affine(layer, args[0])
    if isinstance(layer, MirrorToMultiple) and layer.multiple == 2:
        return _even(args[0])
    if isinstance(layer, CropTo):
        image, other = args[0]
        for axis in (1, 2):
            image = ops.take(image, _positions(other, axis), axis=axis)
        return image
    return layer(*args, **kwargs)


def _affine(layer: Affine, image: Tensor) -> Tensor:
    scaled = image if layer.scale == 1 else ops.multiply(image, layer.scale)
    if layer.offset == 0.0:
        return scaled
    return ops.add(scaled, np.array(layer.offset, "float32"))


def _even(image: Tensor) -> Tensor:
    """Repeat the last row and column where their numbers are odd."""
    for axis in (1, 2):
        pairs = image[:, ::2] if axis == 1 else image[:, :, ::2]
        first = 2 * _positions(pairs, axis)
        both = ops.reshape(ops.stack([first, first + 1], axis=-1), (-1,))
        last = ops.max(_positions(image, axis))
        image = ops.take(image, ops.minimum(both, last), axis=axis)
    return image


def _positions(image: Tensor, axis: int) -> Tensor:
    """Return 0, 1, 2, ... for the rows or columns of an image whose size is not known yet."""
    line = image[0, :, 0, 0] if axis == 1 else image[0, 0, :, 0]
    return ops.cumsum(ops.ones_like(line, dtype="int32")) - 1
