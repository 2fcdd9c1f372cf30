"""Weights of the authors' own files: MatConvNet, MATLAB and PyTorch to the networks of the zoo.

Nothing is unpickled: `.mat` files hold arrays, for PyTorch's see `zoo.store.tensors`.
"""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import h5py
import keras
import numpy as np

from zoo.machine.failures import reason
from zoo.networks import dncnn, dphsir, edsr, ffdnet, srcnn
from zoo.networks.families import build
from zoo.networks.foreign import Foreign, Layer, find_weight, shuffled, shuffled_last
from zoo.store.card import Argument, Card, Use, WeightsError
from zoo.store.claims import ContentError
from zoo.store.hdf5 import child, open_hdf5, read_array, referred
from zoo.store.matlab import mat_variables, read_mat
from zoo.store.tensors import SUFFIXES, Arrays, read_tensors
from zoo.store.weight import check_values

MODELS = ("compact", "dncnn", "dphsir", "edsr", "ffdnet", "span", "srcnn")


def import_weights(
    path: str | os.PathLike[str], model: str | None = None, *, transposed: bool = False
) -> tuple[keras.Model, Card]:
    """Read a file of the authors' and return the network with these weights, and its card.

    Args:
        path: `.mat` (MatConvNet's DnCNN, versions 5 to 7.3; SRCNN), `.pth` or `.pt` (KAIR's DnCNN
            and FFDNet, EDSR-PyTorch, DPHSIR's GRUNet; SPAN and Compact, these as `.safetensors`,
            too).
        model: `"srcnn"`, `"dncnn"`, `"edsr"`, `"ffdnet"`, `"dphsir"`, `"span"` or `"compact"`; the
            last two need not be told.
        transposed: For SRCNN: the kernels are stored row by row, not MATLAB's column by column.

    Returns:
        The model, and the beginning of its card. Batch normalisation is merged.

    Raises:
        WeightsError: if the file cannot be read or holds another network.
    """
    file = Path(path)
    if model not in MODELS and not (model is None and file.suffix.lower() in SUFFIXES):
        raise WeightsError(f"model must be one of {', '.join(MODELS)}. Received: model={model!r}")
    if not file.is_file():
        raise WeightsError(f"{path} cannot be read: there is no such file")
    if model in (None, "compact", "span"):
        return _recognised(path, model)
    try:
        if model == "srcnn":
            return _srcnn(_mat(file), transposed)
        if model == "dncnn" and file.suffix == ".mat":
            return _dncnn(_matconvnet(file))
        arrays = read_tensors(file)
        if model in ("dncnn", "ffdnet"):
            return {"dncnn": _dncnn, "ffdnet": _ffdnet}[model](_sequence(arrays))
        return {"edsr": _edsr, "dphsir": _dphsir}[model](arrays)
    except WeightsError:
        raise
    except (ContentError, OSError) as error:
        raise WeightsError(f"{path} cannot be read: {reason(error)}") from None
    except (KeyError, IndexError, AttributeError, StopIteration) as error:
        raise WeightsError(f"{path} holds no {model}: it lacks {error}") from None
    except Exception as error:  # of what was made of a file that is something else
        raise WeightsError(f"{path} holds no {model}: {reason(error)}") from None


def _recognised(path: str | os.PathLike[str], model: str | None) -> tuple[keras.Model, Card]:
    weight = find_weight(path)
    if not isinstance(weight, Foreign) or model not in (None, weight.card.builder.lower()):
        raise WeightsError(f"{path} holds no {model}: it is of {weight.card.builder}")
    return build(weight), weight.card


def _srcnn(arrays: Arrays, transposed: bool) -> tuple[keras.Model, Card]:
    """SRCNN's own format: weights_conv1 (81, 64), weights_conv2 (64, k * k, 32), ... (32, 25)."""
    order: Literal["C", "F"] = "C" if transposed else "F"
    layers = []
    for number in (1, 2, 3):
        values = _floats(arrays[f"weights_conv{number}"])
        if number == 1:  # (pixels, out)
            values = values[None]
        elif number == 3:  # (in, pixels)
            values = values[..., None]
        size = round(values.shape[1] ** 0.5)
        pixels = np.moveaxis(values, 1, 0).reshape((size, size, *values.shape[::2]), order=order)
        layers.append((pixels, arrays[f"biases_conv{number}"].ravel()))
    variant = "-".join(str(kernel.shape[0]) for kernel, _ in layers)
    channels = layers[0][0].shape[2]
    network = srcnn.SRCNN(3, variant=variant, channels=channels)
    for name, layer in zip(("patch_extraction", "mapping", "reconstruction"), layers, strict=True):
        _set(network, name, layer)
    arguments: dict[str, Argument] = {"scale": 3, "variant": variant, "channels": channels}
    return network, Card("SRCNN", arguments, Use(scale=3, enlarge_first=True))


def _dncnn(layers: Sequence[Layer]) -> tuple[keras.Model, Card]:
    depth, channels = len(layers), layers[0][0].shape[2]
    _check_enough([kernel for kernel, _ in layers], (depth - 2) * 9 * dncnn.FILTERS**2)
    network = dncnn.DnCNN(variant="S", depth=depth, channels=channels, batch_norm=False)
    for number, layer in enumerate(layers, start=1):
        _set(network, f"conv{number}", layer)
    shape: dict[str, Argument] = {"depth": depth, "channels": channels, "batch_norm": False}
    return network, Card("DnCNN", {"variant": "S", **shape}, Use())


def _ffdnet(layers: Sequence[Layer]) -> tuple[keras.Model, Card]:
    """KAIR's FFDNet: convolutions model.0, model.2, ..., trained for 0 to 75 grey levels."""
    channels = len(layers[-1][1]) // 4 if layers else 0
    depth, _ = ffdnet.SIZES.get(channels, (0, 0))
    if not layers or len(layers) != depth:
        raise ValueError(f"it has {len(layers)} convolutions, the last for {channels} channels")
    network = ffdnet.FFDNet(channels=channels)
    (kernel, bias), last = layers[0], layers[-1]
    pixels, level = np.split(kernel, [4 * channels], axis=2)
    pixels = shuffled_last(pixels.swapaxes(2, 3), channels).swapaxes(2, 3)
    first = np.concatenate([pixels, level], axis=2), bias
    for number, layer in enumerate([first, *layers[1:-1], shuffled(last, channels)], start=1):
        _set(network, f"conv{number}", layer)
    colours = ("rgb",) if channels == 3 else ("grey", "cmyk", "bands")
    use = Use(takes_sigma=True, levels=(0.0, 75 / 255), colours=colours)
    return network, Card("FFDNet", {"channels": channels}, use)


def _edsr(arrays: Arrays) -> tuple[keras.Model, Card]:
    """EDSR-PyTorch: head.0, body.N.body.0 and .2, body.B, tail.0.0 (and tail.0.2), tail.1.

    Theirs takes images in [0, 255]. Convolutions and ReLU are homogeneous, so dividing every bias
    by 255 makes it the network for [0, 1]; the kernels stay.
    """
    blocks = len([name for name in arrays if name.endswith("body.0.weight")])
    filters, channels = arrays["head.0.weight"].shape[:2]
    steps = [name for name in ("tail.0.0", "tail.0.2") if f"{name}.weight" in arrays]
    grown = len(arrays[f"{steps[0]}.weight"]) // filters
    scale = 4 if len(steps) == 2 else round(grown**0.5)
    variant = "full" if filters == 256 else "baseline"
    _check_enough(arrays.values(), (2 * blocks + 1) * 9 * filters**2)
    network = edsr.EDSR(scale, variant=variant, channels=channels, blocks=blocks, filters=filters)
    names = {"head": "head.0", "body_conv": f"body.{blocks}", "tail": "tail.1"}
    for block in range(blocks):
        names[f"block{block + 1}_conv1"] = f"body.{block}.body.0"
        names[f"block{block + 1}_conv2"] = f"body.{block}.body.2"
    for number, step in enumerate(steps, start=1):
        names[f"upsample{number}_conv"] = step
    for name, theirs in names.items():
        kernel, bias = _torch_layer(arrays, theirs)
        layer = (kernel, bias / 255)
        _set(network, name, shuffled(layer, filters) if name.startswith("upsample") else layer)
    shape: dict[str, Argument] = {"channels": channels, "blocks": blocks, "filters": filters}
    return network, Card("EDSR", {"scale": scale, "variant": variant, **shape}, Use(scale=scale))


def _dphsir(arrays: Arrays) -> tuple[keras.Model, Card]:
    """GRUNet without batch normalisation and with a noise map, DPHSIR's `grunet.pth`."""
    network = dphsir.DPHSIR()
    for name, theirs in _grunet_names().items():
        weight = arrays[f"{theirs}.weight"]
        if theirs.endswith("deconv"):  # transposed, stride 1: a convolution with flipped kernels
            kernel = weight[:, :, ::-1, ::-1, ::-1].transpose(2, 3, 4, 0, 1)
        else:
            kernel = weight.transpose(2, 3, 4, 1, 0)
        bias = [arrays[f"{theirs}.bias"]] if name == "tail" else []
        _set(network, name, (kernel, *bias))
    return network, Card("DPHSIR", {}, Use(takes_sigma=True))


def _grunet_names() -> dict[str, str]:
    """Return the names of our units and of the authors' convolutions."""
    names = {"head": "Conv1.conv.conv", "tail": "Conv.conv.deconv"}
    for level in (1, 2, 3, 4):
        names[f"down{level}"] = f"Down{level}.conv.conv"
        names[f"up{level}"] = f"Up{level + 1}.conv.upsample_conv.conv3d"
        for ours, theirs in (("unit1", "conv1"), ("unit2", "conv2"), ("shortcut", "conv_residual")):
            names[f"encoder{level}_{ours}"] = f"Conv{level + 1}.{theirs}.conv.conv"
            names[f"decoder{level}_{ours}"] = f"Up_conv{level + 1}.{theirs}.conv.deconv"
    return names


def _sequence(arrays: Arrays) -> list[Layer]:
    """Return the convolutions of a PyTorch file that are numbered in their order."""
    names = [name.removesuffix(".weight") for name in arrays if name.endswith(".weight")]
    if any(arrays[f"{name}.weight"].ndim != 4 for name in names):
        raise ValueError("batch normalisation has to be merged first, as in the released files")
    names.sort(key=lambda name: int(name.split(".")[-1]))
    return [_torch_layer(arrays, name) for name in names]


def _torch_layer(arrays: Arrays, name: str) -> Layer:
    """Return kernel and bias of a Conv2d, whose weight is (out, in, height, width)."""
    return arrays[f"{name}.weight"].transpose(2, 3, 1, 0), arrays[f"{name}.bias"]


def _mat(path: Path) -> dict[str, Any]:
    """Return the variables of a `.mat` file up to version 7."""
    return {each.name: read_mat(path, each) for each in mat_variables(path) if each.name}


def _matconvnet(path: Path) -> list[Layer]:
    """Return the convolutions of a MatConvNet network."""
    if h5py.is_hdf5(path):  # version 7.3
        with open_hdf5(path) as file:
            places = read_array(child(child(file, "net"), "layers"), "O")
            layers = [_hdf5_layer(file, referred(file, at)) for at in places.ravel()]
    else:
        layers = [
            (layer["type"], [_floats(each) for each in layer.get("weights", ())])
            for layer in _mat(path)["net"]["layers"]
        ]
    return _merged(layers)


def _hdf5_layer(file: h5py.File, layer: h5py.Group) -> tuple[str, list[np.ndarray]]:
    """Return type and weights of a layer; HDF5 holds MATLAB's axes in reverse order."""
    kind = "".join(map(chr, read_array(child(layer, "type")).ravel()))
    places: Any = read_array(child(layer, "weights"), "Ou").ravel() if "weights" in layer else ()
    # An empty cell is stored as two zeros.
    found = [referred(file, at) for at in places if isinstance(at, h5py.Reference)]
    return kind, [_floats(read_array(array).T) for array in found]


def _floats(values: np.ndarray) -> np.ndarray:
    """Return weights of a file as float32."""
    check_values(values)
    return values.astype(np.float32)


def _merged(layers: Sequence[tuple[str, list[np.ndarray]]]) -> list[Layer]:
    """Return the convolutions, each with the batch normalisation that follows it."""
    convolutions: list[Layer] = []
    for kind, arrays in layers:
        if kind == "conv":
            kernel, bias = arrays
            kernel = kernel.reshape((*kernel.shape, 1, 1)[:4])  # MATLAB drops trailing ones
            convolutions.append((kernel, bias.ravel()))
        elif kind == "bnorm":
            gain, shift, moments = arrays  # moments: mean and standard deviation per channel
            if not (moments[:, 1] > 0).all():
                raise ContentError("it holds a standard deviation that is not positive")
            factor = gain.ravel() / moments[:, 1]
            kernel, bias = convolutions[-1]
            merged = (bias - moments[:, 0]) * factor + shift.ravel()
            convolutions[-1] = (kernel * factor, merged)
    return convolutions


def _check_enough(arrays: Iterable[np.ndarray], needed: int) -> None:
    """Refuse a network whose kernels a file does not hold, before it is built."""
    held = sum(array.size for array in arrays)
    if held < needed:
        raise ValueError(f"its network has {needed} weights at least, and the file {held}")


def _set(network: keras.Model, name: str, arrays: Sequence[np.ndarray]) -> None:
    """Set the weights of a layer, if their shapes are right."""
    layer = network.get_layer(name)
    found = [tuple(array.shape) for array in arrays]
    wanted = [tuple(variable.shape) for variable in layer.weights]
    if found != wanted:
        raise ValueError(f"layer {name} has the shapes {wanted}, the file {found}")
    for array in arrays:
        check_values(array)
    layer.set_weights(list(arrays))
