"""A network that is ready to restore: its use, its reach and what runs it."""

import math
import os
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from numbers import Integral
from pathlib import Path
from typing import TypeAlias

import keras
import numpy as np

from zoo.machine.dtype import computing_in
from zoo.machine.failures import first_line
from zoo.networks.families import build
from zoo.networks.foreign import find_weight, origin
from zoo.restoring.adopt import adopted, of_any_size
from zoo.restoring.channels import BICUBIC_MARGIN
from zoo.runtimes.engines import exported_engine, keras_engine, on_device
from zoo.runtimes.signatures import Engine
from zoo.store.card import Use, WeightsError
from zoo.tiling.graph import Sizes, TilingError, growth, sizes
from zoo.tiling.placed import placed_network
from zoo.tiling.reach import Reach, in_a_row, reach


@dataclass(frozen=True)
class Network:
    """A network that is ready to restore.

    Attributes:
        name: What messages call it.
        use: How it is used.
        channels: Channels of its images, None for any.
        engine: What runs it.
        reach: What a tile needs, None where it cannot be run in tiles.
        whole: Why it cannot, or nothing.
        step: Without a reach, what sides of a picture must be multiples of.
        size: Without a reach, the height and width of the only pictures that it takes, None for
            any.
        origin: Of weights of others, what a file of theirs does not say.
        parts: Of a chain, the networks that a picture goes through one after the other; the rest
            is of the chain as a whole, but for `channels` and `engine`, which each has for itself.
    """

    name: str
    use: Use
    channels: int | None
    engine: Engine
    reach: Reach | None
    whole: str = ""
    step: int = 1
    size: tuple[int | None, int | None] = (None, None)
    origin: str = ""
    parts: tuple["Network", ...] = ()

    @property
    def stages(self) -> tuple["Network", ...]:
        """The parts of a chain, or the network itself."""
        return self.parts or (self,)


# What restores, as users give it.
Restorer: TypeAlias = (
    str | os.PathLike[str] | keras.Model | Network | Sequence[str | keras.Model | Network]
)


def network_of(
    model: Restorer,
    *,
    scale: int | None = None,
    dtype: str | None = None,
    device: str | None = None,
) -> Network:
    """Return what restores: a network that is open already, or `open_network` of anything else.

    Options beside a network that is open are refused, but for its own scale.
    """
    if isinstance(model, list | tuple):
        return chain([network_of(each, dtype=dtype, device=device) for each in model], scale)
    if not isinstance(model, Network):
        return open_network(model, scale=scale, dtype=dtype, device=device)
    if scale not in (None, model.use.scale):
        raise ValueError(f"{model.name} has the scale {model.use.scale}. Received: scale={scale}")
    if dtype is not None or device is not None:
        raise ValueError(
            f"{model.name} is open already. Received: dtype={dtype!r}, device={device!r}"
        )
    return model


def open_network(
    model: str | os.PathLike[str] | keras.Model,
    *,
    scale: int | None = None,
    dtype: str | None = None,
    device: str | None = None,
    engine: str = "keras",
) -> Network:
    """Return a network that is ready to restore; arguments as those of `restore`.

    Args:
        model: Published weight, path, or model, as `restore` takes it; several names or paths with
            commas between are a chain.
        scale: See `restore`.
        dtype: See `restore`; with another engine, what that computes in.
        device: See `restore`; for Keras alone.
        engine: What runs the network: `"keras"`, `"onnxruntime"` or `"openvino"`.

    Raises:
        WeightsError: if the name is unknown or its weights cannot be loaded.
        TypeError: if the model is neither a name or path nor a model.
        ValueError: for a device that is not there, a model that takes something else or whose use
            is not known, or an engine that cannot be used.
    """
    foreign, said = engine != "keras", ""
    if foreign and device is not None:
        raise ValueError(f"the engine {engine} runs on the CPU. Received: device={device!r}")
    _check_device(device)
    if isinstance(model, str) and "," in model and not Path(model).exists():
        names = [name.strip() for name in model.split(",")]
        opened = [open_network(name, dtype=dtype, device=device, engine=engine) for name in names]
        return chain(opened, scale)
    if isinstance(model, str | os.PathLike):
        weight = find_weight(model)
        said = origin(weight)
        name, use = weight.name, weight.card.use
        precision = "float32" if foreign else dtype
        with on_device(device), nullcontext() if precision is None else computing_in(precision):
            network = build(weight)
        if scale not in (None, use.scale):
            raise ValueError(f"{name} has the scale {use.scale}. Received: scale={scale}")
    elif dtype is not None and not foreign:
        raise ValueError(
            "dtype is for weights by name; build a model under keras.config.set_dtype_policy. "
            f"Received: dtype={dtype!r}"
        )
    else:
        network = adopted(model)
        name, use = model.name, _use_of(network, scale)
    enlarge = use.scale if use.enlarge_first else 1
    grows = growth(network)
    if isinstance(model, str | os.PathLike):
        _check_card(name, use, network, grows * enlarge)
    if grows * enlarge != use.scale:
        raise ValueError(f"{name} enlarges by {grows}. Received: scale={scale}")
    channels = network.inputs[0].shape[-1]
    its_reach, whole, step = None, "", 1
    size: tuple[int | None, int | None] = (None, None)
    try:
        its_reach = reach(network, enlarge)
        runner = placed_network(network) if its_reach.placed else of_any_size(network)
    except TilingError as error:
        its_reach, whole, runner = None, str(error), network
        its_sizes = sizes(network, traced=True)
        step = its_sizes.multiple // math.gcd(its_sizes.multiple, enlarge)
        size = _small_size(name, its_sizes, enlarge)
    run = exported_engine(runner, engine, dtype) if foreign else keras_engine(runner, device)
    return Network(name, use, channels, run, its_reach, whole, step, size, said)


def chain(networks: Sequence[Network], scale: int | None = None) -> Network:
    """Return networks as one, through which a picture goes one after the other.

    What lies in between is floating point, neither clipped nor rounded, and tiles go through all of
    them at once. A scale is what all of them together must enlarge by.
    """
    name = ",".join(each.name for each in networks)
    if not networks:
        raise ValueError("a chain must have at least one network. Received: []")
    reaches = []
    for each in networks:
        if each.reach is None:
            raise ValueError(f"{each.name} takes whole pictures, so it cannot be in a chain")
        margin = max(each.reach.margin, BICUBIC_MARGIN if each.use.scale > 1 else 0)
        reaches.append(replace(each.reach, margin=margin))
    its_reach = in_a_row(reaches)
    if scale not in (None, its_reach.scale):
        raise ValueError(f"{name} has the scale {its_reach.scale}. Received: scale={scale}")
    use = Use(its_reach.scale, takes_sigma=any(each.use.takes_sigma for each in networks))
    said = "; ".join(each.origin for each in networks if each.origin)
    parts = tuple(part for each in networks for part in each.stages)
    return Network(name, use, None, _of_each, its_reach, origin=said, parts=parts)


def _of_each(inputs: list[np.ndarray]) -> np.ndarray:
    raise TypeError("a chain has no engine of its own, but each of its parts has one")


def _check_card(name: str, use: Use, network: keras.Model, enlarges: int) -> None:
    """Refuse weights whose card says another use than that of its network."""
    if enlarges != use.scale:
        raise WeightsError(f"{name} enlarges by {enlarges}, and its card says by {use.scale}")
    if use.takes_sigma != (len(network.inputs) == 2):
        said = "takes" if use.takes_sigma else "does not take"
        raise WeightsError(f"{name}: its card says that it {said} sigma, which is not so")


def _small_size(name: str, its_sizes: Sizes, enlarge: int) -> tuple[int | None, int | None]:
    """Return the only size of pictures, before they are enlarged for the network."""
    sides = its_sizes.height, its_sizes.width
    if any(side and side % enlarge for side in sides):
        raise ValueError(
            f"{name} takes images of {sides[0]} x {sides[1]} pixels alone, no multiple of scale "
            f"{enlarge}"
        )
    height, width = (side and side // enlarge for side in sides)
    return height, width


def _use_of(model: keras.Model, scale: int | None) -> Use:
    """Return how a model without a card is used, by what its graph and the caller say."""
    if scale is not None and (
        isinstance(scale, bool) or not isinstance(scale, Integral) or scale < 1
    ):
        raise ValueError(f"scale must be a whole number from 1. Received: scale={scale!r}")
    grows, takes_sigma = growth(model), len(model.inputs) == 2
    if takes_sigma and max(grows, scale or 1) > 1:
        raise ValueError(f"{model.name} must either enlarge or take sigma. Received: scale={scale}")
    if grows > 1:
        return Use(scale=grows if scale is None else scale)
    if takes_sigma:
        return Use(takes_sigma=True)
    if scale is None:
        raise ValueError(
            f"{model.name} keeps the size of its input: scale must be 1 for a denoiser, or the "
            "factor by which it wants images enlarged first. Received: scale=None"
        )
    return Use(scale=scale, enlarge_first=scale > 1)


def _check_device(device: str | None) -> None:
    try:
        with on_device(device):
            keras.ops.convert_to_numpy(keras.ops.add(keras.ops.ones((1,)), 1))
    except Exception as error:  # each backend has its own kinds
        raise ValueError(f"device {device!r} cannot be used: {first_line(error)}") from None
