"""The reach of a network: which pixels of the image a pixel of the output depends on.

It is derived from the graph of the network, layer by layer, so that an image can be restored in
tiles that overlap by exactly what the network looks at. Layers of Keras are known here, all others
say it themselves (`zoo.tiling.field.Tiled`). A layer of which nothing is known may look at the
whole image: `reach` then refuses, and the image has to be restored in one piece.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import keras
from keras import tree

from asykeras.types import Tensor
from zoo.tiling.field import BICUBIC, BILINEAR, Field, Fields, Placed, Tiled, joined, union
from zoo.tiling.graph import Call, Graph, TilingError, record, sizes

# Layers and operations of Keras whose output at a place depends on the inputs at that place alone.
POINTWISE = {
    *("Activation", "Add", "Average", "Dropout", "ELU", "GaussianDropout"),
    *("GaussianNoise", "Identity", "LeakyReLU", "Maximum", "Minimum", "Multiply", "ReLU"),
    *("Rescaling", "SpatialDropout2D", "Subtract"),
    *("Abs", "Cast", "Clip", "Divide", "Elu", "Gelu", "LeakyRelu", "OnesLike", "Relu", "Sigmoid"),
    *("Silu", "Softplus", "Tanh", "ZerosLike"),
}


@dataclass(frozen=True)
class Reach:
    """What a tile of a network needs.

    Attributes:
        margin: Pixels of the input beyond a tile, on every side, that its output depends on.
        scale: Output pixels per input pixel.
        step: What the place and the size of a tile, and the size of the whole, must be multiples
            of.
        placed: Whether the network must be told where its tile lies: see `zoo.tiling.placed`.
        floats: Numbers per input pixel that the largest step holds, inputs and output together; of
            one channel where the network leaves their number open.
    """

    margin: int
    scale: int
    step: int
    placed: bool
    floats: float


def reach(network: keras.Model, enlarge: int = 1) -> Reach:
    """Return what a tile of a network needs.

    Args:
        network: Functional or sequential model; the first input is the image `(batch, height,
            width, channels)`, others do not depend on the place.
        enlarge: Factor by which the image is enlarged with bicubic interpolation before the
            network; margin and scale then count the pixels of the small image.

    Raises:
        TilingError: if the network may look at the whole image.
        ValueError: if it neither keeps the size of an image nor enlarges it.

    Example:
        >>> reach(zoo.SRCNN(3), enlarge=3)  # 8 pixels of the large image, and 2 of bicubic
        Reach(margin=5, scale=3, step=1, placed=False, floats=864.0)
    """
    graph = record(network)
    known = follow(graph, enlarge)
    found = known.get(id(graph.output), ())
    if [field.axis for field in found] != [1, 2]:
        raise TilingError("its output does not depend on the image place by place")
    rows, columns = found
    saying = [call.layer for call in graph.calls if isinstance(call.layer, Tiled)]
    scales = [field.scale for pair in known.values() for field in pair]
    multiples = (layer.tiling_multiple for layer in saying)
    step = math.lcm(*(scale.denominator for scale in scales), *multiples)
    taken = sizes(network)
    if not rows.scale == columns.scale == taken.growth * enlarge or step % taken.multiple:
        raise TilingError("what its output depends on does not follow from its layers")
    return Reach(
        margin=-(-max(_margin(rows), _margin(columns)) // step) * step,
        scale=int(rows.scale),
        step=step,
        placed=any(isinstance(layer, Placed) for layer in saying),
        floats=max((_floats(call, known) for call in graph.calls), default=2.0),
    )


def in_a_row(reaches: Sequence[Reach]) -> Reach:
    """Return what a tile needs that goes through several networks, one after the other.

    Margin, step and floats count pixels of the first image; a later network sees larger ones.

    Example:
        >>> in_a_row([reach(denoiser), reach(zoo.EDSR(2))])  # 20 pixels and half of 37
        Reach(margin=39, scale=2, step=1, placed=False, floats=512.0)
    """
    scale, step, margin, floats = 1, 1, Fraction(0), 0.0
    for each in reaches:
        margin += Fraction(each.margin, scale)
        step = math.lcm(step, each.step // math.gcd(each.step, scale))
        floats = max(floats, each.floats * scale**2)
        scale *= each.scale
    placed = any(each.placed for each in reaches)
    return Reach(math.ceil(margin / step) * step, scale, step, placed, floats)


def follow(graph: Graph, enlarge: int) -> dict[int, Fields]:
    """Return the fields of every tensor that depends on the image, by the tensor's id; see `reach`.

    Raises:
        TilingError: for a layer that may look at the whole image.
    """
    start = Field(1) if enlarge == 1 else Field(1).interpolated(enlarge, BICUBIC)
    known: dict[int, Fields] = {id(graph.inputs[0]): (start, replace(start, axis=2))}
    for call in graph.calls:
        given = [known[id(each)] for each in call.inputs() if id(each) in known]
        if given:
            known[id(call.output)] = _after(call, given)
    return known


def _after(call: Call, given: list[Fields]) -> Fields:
    """Return the fields of a call's output."""
    if call.layer is None:
        return given[0]
    if getattr(call.layer, "data_format", "channels_last") != "channels_last":
        raise TilingError(f"its layer {call.layer.name!r} has the channels first")
    if isinstance(call.layer, Tiled):
        return call.layer.tiling_fields(given)
    known = _is_of_keras(call.layer)
    if known and call.kind in POINTWISE:
        _refuse_maps(call)
        return joined(call.layer.name, given)
    if known and call.kind in RULES:
        return RULES[call.kind](call, given)
    raise TilingError(f"its layer {call.layer.name!r} ({call.kind}) may look at the whole image")


def _is_of_keras(layer: keras.Operation) -> bool:
    """Whether a layer is one of Keras, or is derived from one and has its name."""
    kinds = type(layer).__mro__
    return any(
        kind.__name__ == kinds[0].__name__ and kind.__module__.startswith("keras.")
        for kind in kinds
    )


def _refuse_maps(call: Call) -> None:
    """Refuse constants with a value for every place, an array that is added to the image."""
    for each in tree.flatten((call.args, call.kwargs)):
        shape = () if isinstance(each, keras.KerasTensor) else tuple(getattr(each, "shape", ()))
        if any(length != 1 for length in shape[:-1]):
            raise TilingError(f"its layer {call.layer.name!r} has a value for every place")


def _by_channel(call: Call, given: list[Fields]) -> Fields:
    """Layers with weights or statistics along some axes, which must be the channels alone."""
    layer, rank = call.layer, len(call.output.shape)
    if call.kind == "PReLU":
        axes = {axis + 1 for axis, length in enumerate(layer.alpha.shape) if length != 1}
    else:
        axis = getattr(layer, "axis", -1)  # `Dense` has none
        axes = {each % rank for each in (axis if isinstance(axis, list | tuple) else [axis])}
    if axes & {field.axis for field in given[0]}:
        raise TilingError(f"its layer {layer.name!r} ({call.kind}) may look at the whole image")
    return joined(layer.name, given)


def _windows(call: Call, given: list[Fields]) -> Fields:
    """Convolutions and pooling; where windows begin is the same for all multiples of a stride."""
    layer = call.layer
    sizes = layer.pool_size if call.kind.endswith("Pooling2D") else layer.kernel_size
    rates = getattr(layer, "dilation_rate", (1, 1))
    kernels = [(size - 1) * rate + 1 for size, rate in zip(sizes, rates, strict=True)]
    return tuple(
        field.window(kernel, stride, _padded(layer, kernel, stride))
        for field, kernel, stride in zip(given[0], kernels, layer.strides, strict=True)
    )


def _padded(layer: keras.Layer, kernel: int, stride: int) -> int:
    return max(kernel - stride, 0) // 2 if layer.padding == "same" else 0


def _transposed(call: Call, given: list[Fields]) -> Fields:
    """A place p adds to the outputs from `stride * p - padding` on, `kernel` of them."""
    layer, sides = call.layer, []
    if layer.output_padding is not None or set(layer.dilation_rate) != {1}:
        raise TilingError(f"its layer {layer.name!r} is padded or dilated")
    for field, kernel, stride in zip(given[0], layer.kernel_size, layer.strides, strict=True):
        finer = replace(field, scale=field.scale * stride)
        sides.append(finer.window(kernel, padding=kernel - 1 - _padded(layer, kernel, stride)))
    return tuple(sides)


def _depth_to_space(call: Call, given: list[Fields]) -> Fields:
    return tuple(field.repeated(call.layer.block_size) for field in given[0])


def _space_to_depth(call: Call, given: list[Fields]) -> Fields:
    block = call.layer.block_size
    return tuple(field.window(block, block) for field in given[0])


def _reduced(call: Call, given: list[Fields]) -> Fields:
    """Reductions over the channels, which are kept as an axis of length 1."""
    layer = call.layer
    if layer.axis not in ([-1], -1) or not layer.keepdims:
        raise TilingError(f"its layer {layer.name!r} ({call.kind}) may look at the whole image")
    return _by_channel(call, given)


def _upsampling(call: Call, given: list[Fields]) -> Fields:
    layer = call.layer
    taps = {"bilinear": BILINEAR, "bicubic": BICUBIC}.get(layer.interpolation)
    if taps is None and layer.interpolation != "nearest":
        raise TilingError(f"its layer {layer.name!r} interpolates over the whole image")
    return tuple(
        field.interpolated(factor, taps) if taps else field.repeated(factor)
        for field, factor in zip(given[0], layer.size, strict=True)
    )


def _repeat(call: Call, given: list[Fields]) -> Fields:
    config = call.layer.get_config()
    factor, axis = config["repeats"], config["axis"]
    if not isinstance(factor, int):
        raise TilingError(f"its layer {call.layer.name!r} repeats some places more than others")
    return tuple(field.repeated(factor) if field.axis == axis else field for field in given[0])


def _get_item(call: Call, given: list[Fields]) -> Fields:
    """Slices that keep an axis, or take its first or last position."""
    key = call.args[1]
    keys = key if isinstance(key, tuple) else (key,)
    fields = list(given[0])
    for axis, each in enumerate(keys):
        for side, field in enumerate(given[0]):
            if field.axis == axis and each in (slice(None, 1), slice(-1, None)):
                fields[side] = replace(field, copies=1)
            elif each != slice(None) and (field.axis == axis or not isinstance(each, slice)):
                raise TilingError(f"its layer {call.layer.name!r} cuts the image by {each}")
    return tuple(fields)


def _concatenate(call: Call, given: list[Fields]) -> Fields:
    """Along the channels; or copies of the border, the image, copies of the border."""
    layer = call.layer
    return tuple(
        _bordered(call, along) if along[0].axis == layer.axis else union(layer.name, along)
        for along in zip(*given, strict=True)
    )


def _bordered(call: Call, fields: Sequence[Field]) -> Field:
    if len(fields) != 3 or fields[1].copies or not (fields[0].copies and fields[2].copies):
        raise TilingError(f"its layer {call.layer.name!r} puts images side by side")
    return fields[1].window(1, padding=fields[0].copies)


def _padding(call: Call, given: list[Fields]) -> Fields:
    sides = zip(given[0], call.layer.padding, strict=True)
    return tuple(field.window(1, padding=first) for field, (first, _) in sides)


def _moved(call: Call, given: list[Fields]) -> Fields:
    """Transpose, ExpandDims and Squeeze: the axes of the image get other numbers."""
    config, kind = call.layer.get_config(), call.kind
    rank = len(call.output.shape)
    if kind == "Transpose":
        new = {axis: config["axes"].index(axis) for axis in range(rank)}
    else:
        wider = kind == "ExpandDims"
        at = config["axis"] % (rank if wider else rank + 1)
        new = {axis: axis + (axis >= at if wider else -(axis > at)) for axis in range(rank + 1)}
    return tuple(replace(field, axis=new[field.axis]) for field in given[0])


RULES: dict[str, Callable[[Call, list[Fields]], Fields]] = {
    **dict.fromkeys(("AveragePooling2D", "MaxPooling2D"), _windows),
    **dict.fromkeys(("Conv2D", "DepthwiseConv2D", "SeparableConv2D"), _windows),
    **dict.fromkeys(("BatchNormalization", "Dense", "LayerNormalization", "PReLU"), _by_channel),
    **dict.fromkeys(("ExpandDims", "Squeeze", "Transpose"), _moved),
    **dict.fromkeys(("Max", "Mean", "Sum"), _reduced),
    "Concatenate": _concatenate,
    "Conv2DTranspose": _transposed,
    "DepthToSpace": _depth_to_space,
    "GetItem": _get_item,
    "Repeat": _repeat,
    "SpaceToDepth": _space_to_depth,
    "UpSampling2D": _upsampling,
    "ZeroPadding2D": _padding,
}


def _margin(field: Field) -> int:
    """Return the pixels that positions belonging to some pixels depend on beyond those, a side."""
    # The first position of pixel p is p * scale, the last (p + 1) * scale - 1.
    return max(math.floor(field.before), math.floor(field.after - 1 / field.scale) + 1, 0)


def _floats(call: Call, known: dict[int, Fields]) -> float:
    """Return the numbers per pixel of the image in the inputs and the output of a call."""
    if call.layer is None:
        return 0.0
    tensors = [each for each in [*call.inputs(), call.output] if id(each) in known]
    sizes = [_values(tensor, known[id(tensor)]) for tensor in tensors]
    held = call.layer.tiling_held if isinstance(call.layer, Tiled) else 0
    return sum(sizes) + held * sum(sizes[-1:])


def _values(tensor: Tensor, fields: Fields) -> float:
    rows, columns = fields
    others = [
        size or 1
        for axis, size in enumerate(tensor.shape)
        if axis not in (0, rows.axis, columns.axis)
    ]
    return float(math.prod(others) * rows.scale * columns.scale)
