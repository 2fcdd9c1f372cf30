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

from asykeras.types import Tensor
from zoo.tiling.graph import Call, Graph, TilingError, growth, record

# Layers and operations whose output at a place depends on the inputs at that place alone.
POINTWISE = {
    *("Activation", "Add", "Affine", "Average", "BatchNormalization", "Dropout", "ELU", "Identity"),
    *("LeakyReLU", "Maximum", "Minimum", "Multiply", "PReLU", "ReLU", "Rescaling", "Subtract"),
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


@dataclass(frozen=True)
class Reach:
    """What a tile of a network needs.

    Attributes:
        margin: Pixels of the input beyond a tile, on every side, that its output depends on.
        scale: Output pixels per input pixel.
        step: What the place and the size of a tile must be multiples of.
        mirrored: Whether the network itself mirrors the image to a multiple of `step`.
        placed: Whether the network must be told where its tile lies: see `zoo.tiling.placed`.
        floats: Numbers per input pixel that the largest step holds, inputs and output together.
    """

    margin: int
    scale: int
    step: int
    mirrored: bool
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
        Reach(margin=5, scale=3, step=1, mirrored=False, placed=False, floats=864.0)
    """
    graph = record(network)
    known = follow(graph, enlarge)
    rows, columns = _output(known, graph)
    step = math.lcm(*(field.scale.denominator for pair in known.values() for field in pair))
    multiples = [call.layer.multiple for call in graph.calls if call.kind == "MirrorToMultiple"]
    if step > 1 and not (multiples and multiples[0] % step == 0):
        raise TilingError(f"the network halves the image, which must be a multiple of {step}")
    if not rows.scale == columns.scale == growth(network) * enlarge:
        raise TilingError("what its output depends on does not follow from its layers")
    step = multiples[0] if multiples else step
    return Reach(
        margin=-(-max(_margin(rows), _margin(columns)) // step) * step,
        scale=int(rows.scale),
        step=step,
        mirrored=bool(multiples),
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
    start = Field(1)
    if enlarge != 1:
        # Pixel i of the large image lies at c = (i + 0.5) / enlarge - 0.5 of the small one, and is
        # made of its pixels from floor(c) - 1 to floor(c) + 2.
        places = [Fraction(i, enlarge) for i in range(enlarge)]
        floors = [math.floor(place + Fraction(1, 2 * enlarge) - Fraction(1, 2)) for place in places]
        before = max(place - (low - 1) for place, low in zip(places, floors, strict=True))
        after = max(low + 2 - place for place, low in zip(places, floors, strict=True))
        start = Field(1, Fraction(enlarge), before, after)
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
        return _joined(call, given)
    if kind in RULES:
        return RULES[kind](call, given)
    raise TilingError(f"its layer {call.layer.name!r} ({kind}) may look at the whole image")


def _joined(call: Call, given: list[Fields]) -> Fields:
    """Return the fields of a place that depends on the same place of all inputs."""
    rows, columns = (_union(call, [pair[side] for pair in given]) for side in (0, 1))
    return rows, columns


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
        if layer.padding == "same" and layer.strides[side] != 1:
            raise TilingError(
                f"where its strided layer {layer.name!r} begins depends on the size of the image"
            )
        padding = (kernel - 1) // 2 if layer.padding == "same" else 0
        windows.append(_window(field, kernel, layer.strides[side], padding))
    return windows[0], windows[1]


def _recurrent_unit(call: Call, given: list[Fields]) -> Fields:
    """`zoo.dphsir.QuasiRecurrentUnit`: it recurs over the bands, and pads both sides alike."""
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
    if call.layer.interpolation != "nearest":
        raise TilingError(f"its layer {call.layer.name!r} interpolates over the whole image")
    rows, columns = (_repeated(field, call.layer.size[side]) for side, field in enumerate(given[0]))
    return rows, columns


def _enlarge_aligned(call: Call, given: list[Fields]) -> Fields:
    """`zoo.dphsir.EnlargeAligned`: 2k lies between k - 1 and k, 2k + 1 between k and k + 1."""
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
    "Concatenate": _concatenate,
    "Conv2D": _convolution,
    "DepthToSpace": _depth_to_space,
    "DepthwiseConv2D": _convolution,
    "EnlargeAligned": _enlarge_aligned,
    "ExpandDims": _moved,
    "GetItem": _get_item,
    "MirrorToMultiple": lambda call, given: given[0],
    "QuasiRecurrentUnit": _recurrent_unit,
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
