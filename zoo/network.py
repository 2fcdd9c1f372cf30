"""A network that is ready to restore: its use, its reach and what runs it."""

import math
import os
from dataclasses import dataclass
from numbers import Integral

import keras

from zoo.adopt import adopted, of_any_size
from zoo.builders import load
from zoo.engines import Engine, exported_engine, keras_engine, on_device
from zoo.policy import computing_in
from zoo.tiling.graph import Sizes, TilingError, growth, sizes
from zoo.tiling.placed import placed_network
from zoo.tiling.reach import Reach, reach
from zoo.usage import Usage, usage
from zoo.weights import WeightsError, locate


@dataclass(frozen=True)
class Network:
    """A network that is ready to restore.

    Attributes:
        name: What messages call it.
        usage: How it is used.
        channels: Channels of its images, None for any.
        engine: What runs it.
        reach: What a tile needs, None where it cannot be run in tiles.
        whole: Why it cannot, or nothing.
        step: Without a reach, what sides of a picture must be multiples of.
        size: Without a reach, the height and width of the only pictures that it takes, None for
            any.
    """

    name: str
    usage: Usage
    channels: int | None
    engine: Engine
    reach: Reach | None
    whole: str = ""
    step: int = 1
    size: tuple[int | None, int | None] = (None, None)


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
        model: Published weight, path, or model, as `restore` takes it.
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
    foreign = engine != "keras"
    if foreign and device is not None:
        raise ValueError(f"the engine {engine} runs on the CPU. Received: device {device!r}")
    _check_device(device)
    if isinstance(model, str | os.PathLike):
        name = os.fspath(model)
        its_usage = usage(locate(name)[1], name)
        with on_device(device):
            network = _load(name, "float32" if foreign else dtype)
        if scale not in (None, its_usage.scale):
            raise ValueError(f"{name} has the scale {its_usage.scale}. Received: {scale}")
    elif dtype is not None and not foreign:
        raise ValueError(
            "dtype is for weights by name; build a model under keras.config.set_dtype_policy. "
            f"Received: {dtype!r}"
        )
    else:
        network = adopted(model)
        name, its_usage = model.name, _usage_of(network, scale)
    enlarge = its_usage.scale if its_usage.enlarge_first else 1
    grows = growth(network)
    if isinstance(model, str | os.PathLike):
        _check_card(name, its_usage, network, grows * enlarge)
    if grows * enlarge != its_usage.scale:
        raise ValueError(f"{name} enlarges by {grows}. Received: scale {scale}")
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
    return Network(name, its_usage, channels, run, its_reach, whole, step, size)


def _check_card(name: str, its_usage: Usage, network: keras.Model, enlarges: int) -> None:
    """Refuse weights whose card says another use than that of its network."""
    if enlarges != its_usage.scale:
        raise WeightsError(f"{name} enlarges by {enlarges}, and its card says by {its_usage.scale}")
    if its_usage.takes_sigma != (len(network.inputs) == 2):
        said = "takes" if its_usage.takes_sigma else "does not take"
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


def _load(name: str, dtype: str | None) -> keras.Model:
    """Load a network so that it computes in a dtype."""
    if dtype is None:
        return load(name)
    with computing_in(dtype):
        return load(name)


def _usage_of(model: keras.Model, scale: int | None) -> Usage:
    """Return how a model without a card is used, by what its graph and the caller say."""
    if scale is not None and (
        isinstance(scale, bool) or not isinstance(scale, Integral) or scale < 1
    ):
        raise ValueError(f"scale must be a whole number from 1. Received: {scale!r}")
    grows, takes_sigma = growth(model), len(model.inputs) == 2
    if takes_sigma and max(grows, scale or 1) > 1:
        raise ValueError(f"{model.name} must either enlarge or take sigma. Received: both")
    if grows > 1:
        return Usage(scale=grows if scale is None else scale)
    if takes_sigma:
        return Usage(takes_sigma=True)
    if scale is None:
        raise ValueError(
            f"{model.name} keeps the size of its input: scale must be 1 for a denoiser, or the "
            "factor by which it wants images enlarged first. Received: None"
        )
    return Usage(scale=scale, enlarge_first=scale > 1)


def _check_device(device: str | None) -> None:
    try:
        with on_device(device):
            keras.ops.convert_to_numpy(keras.ops.add(keras.ops.ones((1,)), 1))
    except Exception as error:  # each backend has its own kinds
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ValueError(f"device {device!r} cannot be used: {reason}") from None
