"""Fields: what a place depends on; and how a layer that is not of Keras says it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import keras

from zoo.tiling.graph import TilingError

# The first and the last position, from the one below a place on, that interpolation looks at.
BILINEAR, BICUBIC = (0, 1), (-1, 2)


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

    def window(self, kernel: int, stride: int = 1, padding: int = 0) -> "Field":
        """Return the field of windows of `kernel` positions, the first `padding` before a place."""
        return replace(
            self,
            scale=self.scale / stride,
            before=self.before + padding / self.scale,
            after=self.after + (kernel - 1 - padding) / self.scale,
        )

    def repeated(self, factor: int) -> "Field":
        """Return the field where every position is written `factor` times."""
        if self.copies:
            return replace(self, copies=self.copies * factor)
        scale = self.scale * factor
        return replace(self, scale=scale, before=self.before + (factor - 1) / scale)

    def interpolated(self, factor: int, taps: tuple[int, int]) -> "Field":
        """Return the field where positions are enlarged, the centres of the outer ones kept.

        Position i lies at c = (i + 0.5) / factor - 0.5 of the old ones, and is made of those from
        `floor(c) + taps[0]` to `floor(c) + taps[1]`.
        """
        places = [Fraction(i, factor) for i in range(factor)]
        floors = [math.floor(place + Fraction(1, 2 * factor) - Fraction(1, 2)) for place in places]
        pairs = list(zip(places, floors, strict=True))
        return replace(
            self,
            scale=self.scale * factor,
            before=self.before + max(place - low - taps[0] for place, low in pairs) / self.scale,
            after=self.after + max(low + taps[1] - place for place, low in pairs) / self.scale,
        )


Fields = tuple[Field, ...]  # of the rows and of the columns


class Tiled:
    """What a layer says of itself, so that a network with it is run in tiles.

    A layer of one's own derives from `keras.Layer` and from this. As it stands here, a place of the
    output depends on the same place of all inputs; of a layer that looks further, `tiling_fields`
    says how far. What it says has to be true: nothing checks it, and tiles that are too small show
    as seams.

    Attributes:
        tiling_multiple: What the place and the size of a tile, and the size of the whole image,
            must be multiples of.
        tiling_held: Numbers that it holds meanwhile, beside its inputs and output, for each number
            of its output.

    Example:
        >>> class Blur(keras.Layer, Tiled):  # by 5 x 5 pixels, zeros beyond the border
        ...     def tiling_fields(self, inputs):
        ...         rows, columns = inputs[0]
        ...         return rows.window(5, padding=2), columns.window(5, padding=2)
    """

    name: str
    tiling_multiple = 1
    tiling_held = 0

    def tiling_fields(self, inputs: Sequence[Fields]) -> Fields:
        """Return the fields of the output.

        Args:
            inputs: Of each input that depends on the image.
        """
        return joined(self.name, inputs)


class Placed(Tiled):
    """A layer that computes another thing in a tile than in the whole image."""

    def tiling_part(self, shrunk: int) -> keras.Layer:
        """Return the layer that makes of a tile what this one makes of that part of the whole.

        Args:
            shrunk: How many times smaller than the image the input is.

        Returns:
            A layer that is called with `[*inputs, place]`, the place as `placed_network` takes it.
        """
        raise NotImplementedError


def joined(name: str, inputs: Sequence[Fields]) -> Fields:
    """Return the fields of a place that depends on the same place of all inputs of a layer.

    Raises:
        TilingError: if they have different sizes.
    """
    return tuple(union(name, along) for along in zip(*inputs, strict=True))


def union(name: str, fields: Sequence[Field]) -> Field:
    """Return the same along one axis."""
    if len({(field.axis, field.scale, field.copies) for field in fields}) != 1:
        raise TilingError(f"its layer {name!r} joins images of different size")
    before, after = (max(getattr(each, end) for each in fields) for end in ("before", "after"))
    return replace(fields[0], before=before, after=after)
