"""Weights as others save them, recognised by the names in them: SPAN and Compact.

Nothing of such a file is believed: the sizes of the network are read from the shapes, and then
each tensor must be there in the shape that follows from them, and no other.
"""

import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

import keras
import numpy as np

from zoo.machine.failures import reason
from zoo.machine.files import sha256
from zoo.store.card import Card, Use, WeightsError
from zoo.store.claims import ContentError
from zoo.store.hub import is_address
from zoo.store.tensors import SUFFIXES, read_tensors
from zoo.store.weight import Weight, check_values, find

SHUFFLED = "upsampler.0"  # the convolution before SPAN's pixel shuffle
_PLACE = re.compile(r"body\.(\d{1,6})\.(?:weight|bias)")
LONGEST = 200  # convolutions of a Compact; the community's have up to 34
FACTOR = 255  # SPAN multiplies by it what is left of the image behind the mean

Layer = tuple[np.ndarray, ...]  # kernel (height, width, in, out) and bias, or the slopes of a PReLU


@dataclass(frozen=True)
class Foreign(Weight):
    """A file as others save it: its card follows from it, arrays stand by names of layers."""

    layers: Mapping[str, Layer] = field(default_factory=dict)

    def load_into(self, model: keras.Model) -> None:
        """Load the weights into the network of the card; what there is was checked already."""
        for name, arrays in self.layers.items():
            model.get_layer(name).set_weights(list(arrays))


class Tensors:
    """Tensors of a file by their names, each of which is taken once and checked."""

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.left = dict(arrays)

    def shape(self, name: str, rank: int) -> tuple[int, ...]:
        """Return the shape of a tensor, which must be there, not empty, and of that rank."""
        if name not in self.left:
            raise ContentError(f"it lacks {name}")
        shape = self.left[name].shape
        if len(shape) != rank or 0 in shape:
            raise ContentError(f"{name} has the shape {shape}, not {rank} axes")
        return shape

    def take(self, name: str, *shape: int) -> np.ndarray:
        """Return a tensor, which must be there, of that shape, and what a network can mean."""
        if name not in self.left:
            raise ContentError(f"it lacks {name}")
        array = self.left.pop(name)
        if array.shape != shape:
            raise ContentError(f"{name} has the shape {array.shape}, and {shape} is expected")
        check_values(array)
        return array

    def convolution(self, name: str, inputs: int, outputs: int, size: int = 3) -> Layer:
        """Return kernel and bias of a `Conv2d`."""
        kernel = self.take(f"{name}.weight", outputs, inputs, size, size)
        return kernel.transpose(2, 3, 1, 0), self.take(f"{name}.bias", outputs)

    def finish(self, network: str) -> None:
        """Refuse a file that holds more than its network."""
        if self.left:
            raise ContentError(f"{min(self.left)} belongs to no {network}")


def find_weight(name: str | os.PathLike[str]) -> Weight:
    """Return a weight as `zoo.store.weight.find`, also of a file of SPAN or Compact by others.

    Raises:
        WeightsError: see `find`; if such a file cannot be read or holds no such network.
    """
    if is_address(os.fspath(name)) or Path(name).suffix.lower() not in SUFFIXES:
        return find(name)
    path = Path(name)
    try:
        arrays = read_tensors(path)
        for names, read in NETWORKS:
            if names <= arrays.keys():
                card, layers = read(Tensors(arrays))
                for array in chain.from_iterable(layers.values()):
                    check_values(array)  # products of those of the file may be too large
                length = path.stat().st_size
                card = replace(card, file=path.name, sha256=sha256(path), bytes=length)
                return Foreign(str(path), path, card.with_more(licence="unknown"), layers)
    except WeightsError:
        raise
    except (ContentError, OSError) as error:
        raise WeightsError(f"{path} cannot be read: {reason(error)}") from None
    some = ", ".join(sorted(arrays)[:3]) or "no tensors"
    raise WeightsError(
        f"{path} is of no network that is recognised by its names (SPAN, Compact; "
        f"`asykeras import-weights --model` reads others). Received: {some[:120]}"
    )


def origin(weight: Weight) -> str:
    """Return what a user should know of where a weight comes from, or nothing."""
    if not isinstance(weight, Foreign):
        return ""
    card = weight.card
    told = ", ".join(f"{name} {value}" for name, value in card.arguments.items())
    return f"{weight.title} is {card.builder} ({told}); its licence is not known"


def _span(tensors: Tensors) -> tuple[Card, dict[str, Layer]]:
    """SPAN: conv_1, block_N.c1_r to c3_r, conv_2 (each a `_branched`), conv_cat, upsampler.0."""
    channels = tensors.shape("conv_cat.weight", 4)[0]
    names = ("conv_1.sk", "conv_1.eval_conv", "conv_1")
    first = next((name for name in names if f"{name}.weight" in tensors.left), names[1])
    image = tensors.shape(f"{first}.weight", 4)[1]
    scale = _scale(tensors.shape(f"{SHUFFLED}.weight", 4)[0], image)
    centred = tensors.left.pop("no_norm", None) is None
    if centred and image != 3:
        raise ContentError(f"it takes the mean of RGB from images with {image} channels")
    head, bias = _branched(tensors, "conv_1", image, channels)
    layers: dict[str, Layer] = {"head": (head * np.float32(FACTOR) if centred else head, bias)}
    for block in range(1, 7):
        for number in (1, 2, 3):
            name = f"block_{block}.c{number}_r"
            layers[f"block{block}_conv{number}"] = _branched(tensors, name, channels, channels)
    layers["body_conv"] = _branched(tensors, "conv_2", channels, channels)
    layers["fusion"] = tensors.convolution("conv_cat", 4 * channels, channels, size=1)
    tail = tensors.convolution(SHUFFLED, channels, image * scale**2)
    layers["tail"] = shuffled(tail, image)
    tensors.finish("SPAN")
    sizes = {"scale": scale, "channels": channels, "image_channels": image, "centred": centred}
    return Card("SPAN", sizes, Use(scale=scale)), layers


def _branched(tensors: Tensors, name: str, inputs: int, outputs: int) -> Layer:
    """Return the one convolution of a 3x3 of SPAN, merged already or not.

    While it is trained it is `conv`, 1x1 to a multiple of its channels, 3x3 and 1x1 in a row, added
    to `sk`, 1x1. What `eval_conv` holds beside them may be old.
    """
    merged = f"{name}.eval_conv"
    if f"{name}.conv.0.weight" not in tensors.left:
        plain = f"{name}.weight" in tensors.left
        return tensors.convolution(name if plain else merged, inputs, outputs)
    wide, narrow = (tensors.shape(f"{name}.conv.{n}.weight", 4)[0] for n in (0, 1))
    first, first_bias = tensors.convolution(f"{name}.conv.0", inputs, wide, size=1)
    middle, middle_bias = tensors.convolution(f"{name}.conv.1", wide, narrow)
    last, last_bias = tensors.convolution(f"{name}.conv.2", narrow, outputs, size=1)
    short, short_bias = tensors.convolution(f"{name}.sk", inputs, outputs, size=1)
    if f"{merged}.weight" in tensors.left:
        tensors.convolution(merged, inputs, outputs)
    # The border is padded before the first of them, so its bias reaches beyond it: exact.
    behind = middle.astype(np.float64) @ last[0, 0]
    kernel = first[0, 0] @ behind
    kernel[1, 1] += short[0, 0]
    bias = first_bias @ behind.sum((0, 1)) + middle_bias @ last[0, 0] + last_bias + short_bias
    return kernel.astype(np.float32), bias.astype(np.float32)


def _compact(tensors: Tensors) -> tuple[Card, dict[str, Layer]]:
    """Compact: body.0, body.2, ... convolutions, body.1, body.3, ... the slopes between them."""
    filters, channels, *_ = tensors.shape("body.0.weight", 4)
    places = [_PLACE.fullmatch(name) for name in tensors.left]
    count = max(int(place[1]) for place in places if place) // 2 + 1
    if not 2 <= count <= LONGEST:
        raise ContentError(f"it has {count} convolutions, not 2 to {LONGEST}")
    last = f"body.{2 * count - 2}"
    scale = _scale(tensors.shape(f"{last}.weight", 4)[0], channels)
    layers: dict[str, Layer] = {}
    for number in range(1, count):
        inputs = channels if number == 1 else filters
        place = 2 * number - 2
        layers[f"conv{number}"] = tensors.convolution(f"body.{place}", inputs, filters)
        slopes = tensors.take(f"body.{place + 1}.weight", filters)
        layers[f"prelu{number}"] = (slopes[None, None],)
    tail = tensors.convolution(last, filters, channels * scale**2)
    layers["tail"] = shuffled(tail, channels)
    tensors.finish("Compact")
    sizes = {"scale": scale, "filters": filters, "convolutions": count - 2, "channels": channels}
    return Card("Compact", sizes, Use(scale=scale)), layers


def _scale(rows: int, channels: int) -> int:
    """Return the factor of a pixel shuffle whose images have as many channels as its input."""
    scale = math.isqrt(rows // channels)
    if channels not in (1, 3, 4) or channels * scale**2 != rows:
        raise ContentError(
            f"it makes {rows} values of each pixel with {channels} channels, which is no picture "
            "with the same channels"
        )
    return scale


def shuffled(layer: Layer, channels: int) -> Layer:
    """Reorder the outputs of a convolution before PyTorch's PixelShuffle as Keras wants them."""
    return tuple(shuffled_last(array, channels) for array in layer)


def shuffled_last(array: np.ndarray, channels: int) -> np.ndarray:
    """Reorder the last axis from (channel, row, column) to (row, column, channel)."""
    return array.reshape((*array.shape[:-1], channels, -1)).swapaxes(-1, -2).reshape(array.shape)


# By the names of tensors that no other network has.
NETWORKS: tuple[tuple[set[str], Callable[[Tensors], tuple[Card, dict[str, Layer]]]], ...] = (
    ({"conv_cat.weight", f"{SHUFFLED}.weight"}, _span),
    ({"body.0.weight", "body.1.weight"}, _compact),
)
