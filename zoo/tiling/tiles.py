"""Tiles: which parts of an image are restored one by one, so that they join without a seam."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from zoo.machine.memory import available_memory
from zoo.tiling.reach import Reach

# Of the free memory, what the tiles in work may take; never more than LARGEST_BUDGET bytes, so that
# 100 megapixels are restored in less than 1.5 GB, of which Pillow has 0.4 for the picture.
SHARE, LARGEST_BUDGET = 1 / 3, 640 * 2**20
UNKNOWN = 2**31  # bytes of memory that are taken to be free where the system does not tell
# Larger tiles gain nothing: of 1024 pixels a margin of 20 is 8 % more work.
LARGEST_SIDE = 1024
# Bytes that were seen in use per byte that the largest step of a network holds.
OVERHEAD = 1.5
# Arrays of float64 that hold the restored picture while it is put together and rounded.
COPIES = 4
Item = TypeVar("Item")


@dataclass(frozen=True)
class Span:
    """A tile along one axis, in pixels of the input.

    Attributes:
        start: First pixel of the tile.
        stop: One past its last.
        first: First pixel that is kept of its result.
        last: One past the last that is kept.
    """

    start: int
    stop: int
    first: int
    last: int


def spans(length: int, keep: int, margin: int, step: int = 1) -> list[Span]:
    """Cut an axis into equal tiles that overlap.

    A tile begins where the image does or `margin` before what is kept of it, and ends likewise, so
    that it meets the border of the image exactly where the whole image does. Tiles at the end are
    shifted inwards: all have the same size.

    Args:
        length: Pixels of the axis, a multiple of `step`.
        keep: Pixels that are kept of a tile; rounded up to a multiple of `step`.
        margin: Pixels beyond them on each side, a multiple of `step`.
        step: What the places and sizes of tiles must be multiples of.

    Returns:
        Spans in their order; what is kept of them covers the axis once. One, where the image is no
        larger than a tile.

    Example:
        >>> spans(10, keep=4, margin=1)
        [Span(0, 6, 0, 4), Span(3, 9, 4, 8), Span(4, 10, 8, 10)]
    """
    keep = -(-keep // step) * step
    size = keep + 2 * margin
    if length <= size:
        return [Span(0, length, 0, length)]
    cut = []
    for first in range(0, length, keep):
        start = min(max(first - margin, 0), length - size)
        cut.append(Span(start, start + size, first, min(first + keep, length)))
    return cut


def middle_span(length: int, keep: int, margin: int, step: int = 1) -> Span:
    """Return the one tile that shows the middle of an axis, with the arguments of `spans`.

    It may go beyond the axis, whose length needs to be no multiple of `step`.

    Example:
        >>> middle_span(100, keep=10, margin=3, step=4)
        Span(start=40, stop=60, first=45, last=55)
    """
    first = max(length - keep, 0) // 2
    last = min(first + keep, length)
    start = max((first - margin) // step * step, 0)
    stop = min(-(-(last + margin) // step), -(-length // step)) * step
    return Span(start, stop, first, last)


def bytes_per_pixel(reach: Reach, images: int, channels: int) -> float:
    """Return the memory in use for each pixel of a tile of which `images` go through at once."""
    in_network = 4 * OVERHEAD * reach.floats * images
    return in_network + 8 * COPIES * channels * reach.scale**2


def automatic_tile(reach: Reach, per_pixel: float, budget: float) -> int:
    """Return how many pixels a side to keep of a tile, so that it needs no more bytes than given.

    The budget is exceeded where the tile would otherwise be smaller than its margin.
    """
    side = min(math.isqrt(int(budget / per_pixel)), LARGEST_SIDE)
    keep = max(side - 2 * reach.margin, reach.margin, 16)
    return max(keep // reach.step, 1) * reach.step


def tiles_at_once(reach: Reach, per_pixel: float, keep: int, budget: float) -> int:
    """Return how many tiles a batch may hold: many where they are small."""
    side = keep + 2 * reach.margin
    return max(1, int(budget / (per_pixel * side * side)))


def memory_budget() -> float:
    """Return the bytes that the tiles in work may take."""
    return min(SHARE * free_memory(), LARGEST_BUDGET)


def free_memory() -> int:
    """Return the bytes of memory that are free."""
    return available_memory() or UNKNOWN


def batches(items: Sequence[Item], at_once: int) -> Iterator[list[Item]]:
    """Yield the items in batches of one size, as even as can be; the last is filled up.

    It is filled with its last item again, so that a compiled network sees one shape.

    Example:
        >>> list(batches([1, 2, 3, 4, 5], at_once=4))
        [[1, 2, 3], [4, 5, 5]]
    """
    count = -(-len(items) // at_once)
    size = -(-len(items) // count)
    for start in range(0, len(items), size):
        batch = list(items[start : start + size])
        yield batch + [batch[-1]] * (size - len(batch))
