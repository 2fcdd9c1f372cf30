"""A network that is ready to restore: its use, its reach and what runs it."""

from dataclasses import dataclass

import keras

from zoo.builders import load
from zoo.engines import Engine, exported_engine, keras_engine, on_device
from zoo.policy import computing_in
from zoo.tiling.graph import TilingError, growth
from zoo.tiling.placed import placed_network
from zoo.tiling.reach import Reach, reach
from zoo.usage import Usage, usage
from zoo.weights import locate


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
    """

    name: str
    usage: Usage
    channels: int | None
    engine: Engine
    reach: Reach | None
    whole: str = ""


def open_network(
    model: str | keras.Model,
    *,
    scale: int | None = None,
    dtype: str | None = None,
    device: str | None = None,
    engine: str = "keras",
) -> Network:
    """Return a network that is ready to restore; arguments as those of `restore`.

    Args:
        model: Published weight, path, or model.
        scale: See `restore`.
        dtype: See `restore`; with another engine, what that computes in.
        device: See `restore`; for Keras alone.
        engine: What runs the network: `"keras"`, `"onnxruntime"` or `"openvino"`.

    Raises:
        WeightsError: if the name is unknown or its weights cannot be loaded.
        ValueError: for a device that is not there, a model whose use is not known, or an engine
            that cannot be used.
    """
    foreign = engine != "keras"
    if foreign and device is not None:
        raise ValueError(f"the engine {engine} runs on the CPU. Received: device {device!r}")
    _check_device(device)
    if isinstance(model, str):
        name, its_usage = model, usage(locate(model)[1])
        with on_device(device):
            network = _load(model, "float32" if foreign else dtype)
        if scale not in (None, its_usage.scale):
            raise ValueError(f"{name} has the scale {its_usage.scale}. Received: {scale}")
    elif dtype is not None and not foreign:
        raise ValueError(
            "dtype is for weights by name; build a model under keras.config.set_dtype_policy. "
            f"Received: {dtype!r}"
        )
    else:
        name, network, its_usage = model.name, model, _usage_of(model, scale)
    enlarge = its_usage.scale if its_usage.enlarge_first else 1
    if growth(network) * enlarge != its_usage.scale:
        raise ValueError(f"{name} enlarges by {growth(network)}. Received: scale {scale}")
    channels = network.inputs[0].shape[-1]
    its_reach, whole, runner = None, "", network
    try:
        its_reach = reach(network, enlarge)
        runner = placed_network(network) if its_reach.placed else network
    except TilingError as error:
        whole = str(error)
    run = exported_engine(runner, engine, dtype) if foreign else keras_engine(runner, device)
    return Network(name, its_usage, channels, run, its_reach, whole)


def _load(name: str, dtype: str | None) -> keras.Model:
    """Load a network so that it computes in a dtype."""
    if dtype is None:
        return load(name)
    with computing_in(dtype):
        return load(name)


def _usage_of(model: keras.Model, scale: int | None) -> Usage:
    """Return how a model without a card is used, by what its graph and the caller say."""
    grows = growth(model)
    if grows > 1:
        return Usage(scale=grows if scale is None else scale)
    if len(model.inputs) == 2:
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
