"""The reach of a network: which pixels of the image a pixel of the output depends on.

It is derived from the graph of the network, layer by layer, so that an image can be restored in
tiles that overlap by exactly what the network looks at. A layer that is not known here may look at
the whole image: `reach` then refuses, and the image has to be restored in one piece.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import keras
from keras import tree

from asykeras.types import Tensor
from zoo.tiling.graph import Call, Graph, TilingError, record, sizes

# Layers and operations whose output at a place depends on the inputs at that place alone.
POINTWISE = {
    *("Activation", "Add", "Affine", "Average", "Dropout", "ELU", "GaussianDropout"),
    *("GaussianNoise", "Identity", "LeakyReLU", "Maximum", "Minimum", "Multiply", "ReLU"),
    *("Rescaling", "SpatialDropout2D", "Subtract"),
    *("Abs", "Cast", "Clip", "Divide", "Elu", "Gelu", "LeakyRelu", "OnesLike", "Relu", "Sigmoid"),
    *("Silu", "Softplus", "Tanh", "ZerosLike", "CropTo"),
}


@dataclass(frozen=True)
class Field:
    """What a position along one axis of a tensor depends on.

    Position i depends on the pixels from `i / scale - before` to `i / scale + after` of the image.

    Attributes:
        axis: Axis of the tensor.
        scale: Positions per pixel of the image.
        before: Pixels, see above.
        after: Pixels, see above.
        copies: Where not 0, the axis holds so many copies of the first or last position instead.
    """

    axis: int
    scale: Fraction = Fraction(1)
    before: Fraction = Fraction(0)
    after: Fraction = Fraction(0)
    copies: int = 0


Fields = tuple[Field, Field]  # of the rows and of the columns
# The first and the last position, from the one below a place on, that interpolation looks at.
BILINEAR, BICUBIC = (0, 1), (-1, 2)


@dataclass(frozen=True)
class Reach:
    """What a tile of a network needs.

    Attributes:
        margin: Pixels of the input beyond a tile, on every side, that its output depends on.
        scale: Output pixels per input pixel.
        step: What the place and the size of a tile, and the size of the whole, must be multiples
            of.
        placed: Whether the network must be told where its tile lies: see `zoo.tiling.placed`.
        floats: Numbers per input pixel that the largest step holds, inputs and output together.
    """

    margin: int
    scale: int
    step: int
    placed: bool
    floats: float


def reach(network: keras.Model, enlarge: int = 1, bands: int = 1) -> Reach:
    """Return what a tile of a network needs.

    Args:
        network: Functional or sequential model; the first input is the image `(batch, height,
            width, channels)`, others do not depend on the place.
        enlarge: Factor by which the image is enlarged with bicubic interpolation before the
            network; margin and scale then count the pixels of the small image.
        bands: Channels of an image whose number the network leaves open, for `floats`.

    Raises:
        TilingError: if the network may look at the whole image.
        ValueError: if it neither keeps the size of an image nor enlarges it.

    Example:
        >>> reach(zoo.SRCNN(3), enlarge=3)  # 8 pixels of the large image, and 2 of bicubic
        Reach(margin=5, scale=3, step=1, placed=False, floats=864.0)
    """
    graph = record(network)
    known = follow(graph, enlarge)
    rows, columns = _output(known, graph)
    multiples = [call.layer.multiple for call in graph.calls if call.kind == "MirrorToMultiple"]
    scales = [field.scale for pair in known.values() for field in pair]
    step = math.lcm(*(scale.denominator for scale in scales), *multiples)
    found = sizes(network)
    if not rows.scale == columns.scale == found.growth * enlarge or step % found.multiple:
        raise TilingError("what its output depends on does not follow from its layers")
    return Reach(
        margin=-(-max(_margin(rows), _margin(columns)) // step) * step,
        scale=int(rows.scale),
        step=step,
        placed=any(call.kind == "EnlargeAligned" for call in graph.calls),
        floats=max((_floats(call, known, bands) for call in graph.calls), default=2.0 * bands),
    )


def follow(graph: Graph, enlarge: int) -> dict[int, Fields]:
    """Return the fields of every tensor that depends on the image, by the tensor's id.

    Args:
        graph: Of a network.
        enlarge: As in `reach`.

    Raises:
        TilingError: for a layer that may look at the whole image.
    """
    start = Field(1) if enlarge == 1 else _interpolated(Field(1), enlarge, BICUBIC)
    known = {id(graph.inputs[0]): (start, replace(start, axis=2))}
    for call in graph.calls:
        given = [known[id(each)] for each in call.inputs() if id(each) in known]
        if given:
            known[id(call.output)] = _after(call, given)
    return known


def _after(call: Call, given: list[Fields]) -> Fields:
    """Return the fields of a call's output."""
    if call.layer is None:
        return given[0]
    kind = call.kind
    if getattr(call.layer, "data_format", "channels_last") != "channels_last":
        raise TilingError(f"its layer {call.layer.name!r} has the channels first")
    if kind in POINTWISE:
        _refuse_maps(call)
        return _joined(call, given)
    if kind in RULES:
        return RULES[kind](call, given)
    raise TilingError(f"its layer {call.layer.name!r} ({kind}) may look at the whole image")


def _joined(call: Call, given: list[Fields]) -> Fields:
    """Return the fields of a place that depends on the same place of all inputs."""
    rows, columns = (_union(call, [pair[side] for pair in given]) for side in (0, 1))
    return rows, columns


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
    return _joined(call, given)


def _union(call: Call, fields: Sequence[Field]) -> Field:
    if len({(field.axis, field.scale, field.copies) for field in fields}) != 1:
        raise TilingError(f"its layer {call.layer.name!r} joins images of different size")
    before, after = (max(getattr(each, end) for each in fields) for end in ("before", "after"))
    return replace(fields[0], before=before, after=after)


def _window(field: Field, kernel: int, stride: int, padding: int) -> Field:
    """Return the field of a window of `kernel` positions, the first `padding` before its place."""
    return replace(
        field,
        scale=field.scale / stride,
        before=field.before + padding / field.scale,
        after=field.after + (kernel - 1 - padding) / field.scale,
    )


def _convolution(call: Call, given: list[Fields]) -> Fields:
    layer = call.layer
    windows = []
    for side, field in enumerate(given[0]):
        kernel = (layer.kernel_size[side] - 1) * layer.dilation_rate[side] + 1
        windows.append(_strided(field, kernel, layer.strides[side], layer.padding))
    return windows[0], windows[1]


def _pooling(call: Call, given: list[Fields]) -> Fields:
    layer = call.layer
    rows, columns = (
        _strided(field, layer.pool_size[side], layer.strides[side], layer.padding)
        for side, field in enumerate(given[0])
    )
    return rows, columns


def _strided(field: Field, kernel: int, stride: int, padding: str) -> Field:
    """Return the field of a window; where it begins is the same for all multiples of a stride."""
    return _window(field, kernel, stride, max(kernel - stride, 0) // 2 if padding == "same" else 0)


def _transposed(call: Call, given: list[Fields]) -> Fields:
    """A place p adds to the outputs from `stride * p - padding` on, `kernel` of them."""
    layer, sides = call.layer, []
    if layer.output_padding is not None or set(layer.dilation_rate) != {1}:
        raise TilingError(f"its layer {layer.name!r} is padded or dilated")
    for side, field in enumerate(given[0]):
        kernel, stride = layer.kernel_size[side], layer.strides[side]
        padding = max(kernel - stride, 0) // 2 if layer.padding == "same" else 0
        scale = field.scale * stride
        before = field.before + (kernel - 1 - padding) / scale
        sides.append(
            replace(field, scale=scale, before=before, after=field.after + padding / scale)
        )
    return sides[0], sides[1]


def _recurrent_unit(call: Call, given: list[Fields]) -> Fields:
    """`QuasiRecurrentUnit` of GRUNet: it recurs over the bands, and pads both sides alike."""
    size, stride = call.layer.kernel_size, call.layer.stride
    rows, columns = (_window(field, size, stride, size // 2) for field in given[0])
    return rows, columns


def _repeated(field: Field, factor: int) -> Field:
    """Return the field where every position is written `factor` times."""
    if field.copies:
        return replace(field, copies=field.copies * factor)
    scale = field.scale * factor
    return replace(field, scale=scale, before=field.before + (factor - 1) / scale)


def _depth_to_space(call: Call, given: list[Fields]) -> Fields:
    rows, columns = (_repeated(field, call.layer.block_size) for field in given[0])
    return rows, columns


def _upsampling(call: Call, given: list[Fields]) -> Fields:
    layer = call.layer
    taps = {"bilinear": BILINEAR, "bicubic": BICUBIC}.get(layer.interpolation)
    if taps is None and layer.interpolation != "nearest":
        raise TilingError(f"its layer {layer.name!r} interpolates over the whole image")
    rows, columns = (
        _interpolated(field, layer.size[side], taps) if taps else _repeated(field, layer.size[side])
        for side, field in enumerate(given[0])
    )
    return rows, columns


def _interpolated(field: Field, factor: int, taps: tuple[int, int]) -> Field:
    """Return the field where positions are enlarged, the centres of the outer ones kept in place.

    Position i lies at c = (i + 0.5) / factor - 0.5 of the old ones, and is made of those from
    `floor(c) + taps[0]` to `floor(c) + taps[1]`.
    """
    places = [Fraction(i, factor) for i in range(factor)]
    floors = [math.floor(place + Fraction(1, 2 * factor) - Fraction(1, 2)) for place in places]
    pairs = list(zip(places, floors, strict=True))
    return replace(
        field,
        scale=field.scale * factor,
        before=field.before + max(place - (low + taps[0]) for place, low in pairs) / field.scale,
        after=field.after + max(low + taps[1] - place for place, low in pairs) / field.scale,
    )


def _enlarge_aligned(call: Call, given: list[Fields]) -> Fields:
    """`EnlargeAligned` of GRUNet: 2k lies between k - 1 and k, 2k + 1 between k and k + 1."""
    rows, columns = (
        replace(
            field,
            scale=2 * field.scale,
            before=field.before + 1 / field.scale,
            after=field.after + 1 / (2 * field.scale),
        )
        for field in given[0]
    )
    return rows, columns


def _repeat(call: Call, given: list[Fields]) -> Fields:
    config = call.layer.get_config()
    factor, axis = config["repeats"], config["axis"]
    if not isinstance(factor, int):
        raise TilingError(f"its layer {call.layer.name!r} repeats some places more than others")
    rows, columns = (
        _repeated(field, factor) if field.axis == axis else field for field in given[0]
    )
    return rows, columns


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
    return fields[0], fields[1]


def _concatenate(call: Call, given: list[Fields]) -> Fields:
    """Along the channels; or copies of the border, the image, copies of the border."""
    axis = call.layer.axis
    sides = []
    for side, field in enumerate(given[0]):
        along = [pair[side] for pair in given]
        sides.append(_bordered(call, along) if field.axis == axis else _union(call, along))
    return sides[0], sides[1]


def _bordered(call: Call, fields: list[Field]) -> Field:
    if len(fields) != 3 or fields[1].copies or not (fields[0].copies and fields[2].copies):
        raise TilingError(f"its layer {call.layer.name!r} puts images side by side")
    return _window(fields[1], 1, 1, fields[0].copies)


def _padding(call: Call, given: list[Fields]) -> Fields:
    rows, columns = (
        _window(field, 1, 1, call.layer.padding[side][0]) for side, field in enumerate(given[0])
    )
    return rows, columns


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
    rows, columns = (replace(field, axis=new[field.axis]) for field in given[0])
    return rows, columns


RULES: dict[str, Callable[[Call, list[Fields]], Fields]] = {
    "AveragePooling2D": _pooling,
    "BatchNormalization": _by_channel,
    "Concatenate": _concatenate,
    "Conv2D": _convolution,
    "Conv2DTranspose": _transposed,
    "Dense": _by_channel,
    "DepthToSpace": _depth_to_space,
    "DepthwiseConv2D": _convolution,
    "EnlargeAligned": _enlarge_aligned,
    "ExpandDims": _moved,
    "GetItem": _get_item,
    "LayerNormalization": _by_channel,
    "MaxPooling2D": _pooling,
    "MirrorToMultiple": lambda call, given: given[0],
    "QuasiRecurrentUnit": _recurrent_unit,
    "PReLU": _by_channel,
    "Repeat": _repeat,
    "SeparableConv2D": _convolution,
    "Squeeze": _moved,
    "Transpose": _moved,
    "UpSampling2D": _upsampling,
    "ZeroPadding2D": _padding,
}


def _output(known: dict[int, Fields], graph: Graph) -> Fields:
    fields = known.get(id(graph.output))
    if fields is None or [field.axis for field in fields] != [1, 2]:
        raise TilingError("its output does not depend on the image place by place")
    return fields


def _margin(field: Field) -> int:
    """Return the pixels that positions belonging to some pixels depend on beyond those, a side."""
    # The first position of pixel p is p * scale, the last (p + 1) * scale - 1.
    return max(math.floor(field.before), math.floor(field.after - 1 / field.scale) + 1, 0)


def _floats(call: Call, known: dict[int, Fields], bands: int) -> float:
    """Return the numbers per pixel of the image in the inputs and the output of a call."""
    if call.layer is None:
        return 0.0
    tensors = [each for each in [*call.inputs(), call.output] if id(each) in known]
    sizes = [_values(tensor, known[id(tensor)], bands) for tensor in tensors]
    # A recurrent unit holds its gates and the states of its recurrence besides.
    gates = 12 * sizes[-1] if call.kind == "QuasiRecurrentUnit" else 0.0
    return sum(sizes) + gates


def _values(tensor: Tensor, fields: Fields, bands: int) -> float:
    rows, columns = fields
    others = [
        bands if size is None else size
        for axis, size in enumerate(tensor.shape)
        if axis not in (0, rows.axis, columns.axis)
    ]
    return float(math.prod(others) * rows.scale * columns.scale)
