"""Draw the networks of the zoo, one figure each, as SVG.

    python -m recipes.publish.diagrams --out docs/images

Boxes stand on a grid of columns and rows; an arrow between boxes of one row is straight, one that
skips boxes goes over or under them, and one between rows turns once.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from pathlib import Path

from zoo.app.command import Work, command
from zoo.machine.files import make_folder, write_atomically

WIDTH, HEIGHT = 110, 48  # of a box
STEP_X, STEP_Y = 136, 84  # from box to box
BORDER = 24
LANE = 18  # from a box to the line of a skip
FILLS = {
    "image": "#e8eef4",
    "conv": "#b8d4ea",
    "fixed": "#eeeeee",
    "block": "#fdd9b0",
    "sum": "#ffffff",
}


@dataclass(frozen=True)
class Box:
    """A box."""

    name: str  # for arrows
    text: str  # lines, with `|` between
    kind: str  # of `FILLS`; a "sum" is a small circle
    column: float  # from 0; may be a fraction
    row: float = 0

    @property
    def x(self) -> float:
        """Of the middle."""
        return BORDER + WIDTH / 2 + self.column * STEP_X

    @property
    def y(self) -> float:
        """Of the middle."""
        return BORDER + LANE + HEIGHT / 2 + self.row * STEP_Y

    @property
    def half(self) -> tuple[float, float]:
        """Half of its width and height."""
        return (15, 15) if self.kind == "sum" else (WIDTH / 2, HEIGHT / 2)


@dataclass(frozen=True)
class Arrow:
    """An arrow between two boxes, which are given by their names.

    It goes `"straight"`; `"over"` or `"under"` the boxes between them; `"drop"`, up or down where
    both overlap; `"down"` and then sideways; `"side"`, sideways and then up or down; or `"turn"`,
    out, back and down again, as a text goes on in the next line.
    """

    start: str
    end: str
    way: str = "straight"


Parts = list[Box | Arrow]


def row(*boxes: tuple[str, str, str], at: float = 0, first: float = 0) -> Parts:
    """Return boxes in a row, each a name, text and kind, and arrows from each to the next."""
    listed = [Box(*box, first + number, at) for number, box in enumerate(boxes)]
    return [*listed, *chain(*(box.name for box in listed))]


def chain(*names: str) -> Parts:
    """Return straight arrows from each to the next."""
    return [Arrow(a, b) for a, b in pairwise(names)]


def level(number: int, width: int) -> Parts:
    """Return a level of DPHSIR: on the left half the size, on the right double."""
    down, up = f"e{number}", f"d{number}"
    return [
        Box(down, f"half the size|block, {width}", "block", 1 + 0.35 * number, number),
        Box(up, f"double, join|block, {width}", "block", 4.9 - 0.35 * number, number),
        Arrow(f"e{number - 1}", down, "drop"),
        Arrow(down, up),
        Arrow(up, f"d{number - 1}", "drop"),
    ]


NETWORKS: dict[str, Parts] = {
    "srcnn": row(
        ("in", "image, enlarged|by bicubic", "image"),
        ("pad", "repeat border", "fixed"),
        ("c1", "conv 9x9, 64|ReLU", "conv"),
        ("c2", "conv 5x5, 32|ReLU", "conv"),
        ("c3", "conv 5x5, 1", "conv"),
        ("out", "restored", "image"),
    ),
    "edsr": [
        *row(
            ("in", "image", "image"),
            ("minus", "- mean", "fixed"),
            ("head", "conv 3x3, 64", "conv"),
            ("body", "residual block|16 times", "block"),
            ("conv", "conv 3x3, 64", "conv"),
            ("sum", "+", "sum"),
        ),
        Arrow("head", "sum", "over"),
        Arrow("sum", "up", "turn"),
        *row(
            ("up", "conv, pixel|shuffle (x4: twice)", "block"),
            ("tail", "conv 3x3, 3", "conv"),
            ("plus", "+ mean", "fixed"),
            ("out", "restored, larger", "image"),
            at=1.25,
            first=2,
        ),
        *row(
            ("x", "residual block:", "image"),
            ("b1", "conv 3x3, 64|ReLU", "conv"),
            ("b2", "conv 3x3, 64", "conv"),
            ("b3", "x residual scale", "fixed"),
            ("bs", "+", "sum"),
            at=2.5,
        ),
        Arrow("x", "bs", "over"),
    ],
    "dncnn": [
        *row(
            ("in", "noisy image", "image"),
            ("first", "conv 3x3, 64|ReLU", "conv"),
            ("middle", "conv, BN, ReLU|15 or 18 times", "block"),
            ("last", "conv 3x3", "conv"),
            ("minus", "-", "sum"),
            ("out", "restored", "image"),
        ),
        Arrow("in", "minus", "over"),
    ],
    "ffdnet": [
        *row(
            ("in", "noisy image", "image"),
            ("down", "2x2 pixels|to channels", "fixed"),
            ("join", "join", "fixed"),
            ("convs", "conv + ReLU|14 or 11 times", "block"),
            ("last", "conv 3x3", "conv"),
            ("up", "channels to|2x2 pixels", "fixed"),
            ("out", "restored", "image"),
        ),
        *row(
            ("sigma", "level of the noise", "image"),
            ("plane", "plane of|half the size", "fixed"),
            at=1,
        ),
        Arrow("plane", "join", "side"),
    ],
    "dphsir": [
        *row(("in", "bands|and level", "image"), ("e0", "unit, both ways|16 filters", "block")),
        Box("d0", "double, join|block, 16", "block", 4.9),
        Box("tail", "unit, both ways|1 filter", "block", 5.95),
        Box("sum", "+", "sum", 6.75),
        Box("out", "restored bands", "image", 7.5),
        *chain("e0", "d0", "tail", "sum", "out"),
        Arrow("in", "sum", "over"),
        Box("e4", "half the size|block, 256", "block", 2.95, 4),
        Arrow("e3", "e4", "down"),
        Arrow("e4", "d3", "side"),
        *level(1, 32),
        *level(2, 64),
        *level(3, 128),
    ],
    "span": [
        *row(
            ("in", "image - mean", "image"),
            ("head", "conv 3x3", "conv"),
            ("b1", "block 1", "block"),
            ("b5", "blocks 2 to 5", "block"),
            ("b6", "block 6", "block"),
            ("last", "conv 3x3", "conv"),
            ("join", "join", "fixed"),
        ),
        Arrow("head", "join", "over"),
        Arrow("b1", "join", "under"),
        Arrow("b6", "join", "under"),
        Arrow("join", "fuse", "turn"),
        *row(
            ("fuse", "conv 1x1", "conv"),
            ("tail", "conv 3x3,|3 scale^2", "conv"),
            ("shuffle", "pixel shuffle", "fixed"),
            ("out", "restored, larger", "image"),
            at=1.45,
            first=3,
        ),
        *row(
            ("x", "block: x", "image"),
            ("c1", "conv, SiLU: a", "conv"),
            ("c2", "conv, SiLU", "conv"),
            ("c3", "conv: o", "conv"),
            ("s", "+", "sum"),
            ("times", "x", "sum"),
            ("o", "result", "image"),
            at=2.6,
        ),
        Arrow("x", "s", "over"),
        Box("odd", "sigmoid(o) - 0.5", "fixed", 4, 3.5),
        Arrow("c3", "odd", "down"),
        Arrow("odd", "times", "side"),
    ],
    "compact": [
        *row(
            ("in", "image", "image"),
            ("first", "conv 3x3, 64|PReLU", "conv"),
            ("middle", "conv + PReLU|16 or 32 times", "block"),
            ("tail", "conv 3x3,|3 scale^2", "conv"),
            ("sum", "+", "sum"),
            ("shuffle", "pixel shuffle", "fixed"),
            ("out", "restored, larger", "image"),
        ),
        Arrow("in", "sum", "over"),
    ],
}
Point = tuple[float, float]


def points(arrow: Arrow, boxes: dict[str, Box]) -> list[Point]:
    """Return the corners of an arrow."""
    a, b = boxes[arrow.start], boxes[arrow.end]
    (aw, ah), (bw, bh) = a.half, b.half
    ahead = 1 if b.x > a.x else -1
    below = 1 if b.y > a.y else -1
    if arrow.way in ("over", "under"):
        side = -1 if arrow.way == "over" else 1
        line = a.y + side * (HEIGHT / 2 + LANE)
        return [(a.x, a.y + side * ah), (a.x, line), (b.x, line), (b.x, b.y + side * bh)]
    if arrow.way == "drop":
        x = (max(a.x - aw, b.x - bw) + min(a.x + aw, b.x + bw)) / 2
        return [(x, a.y + below * ah), (x, b.y - below * bh)]
    if arrow.way == "down":
        return [(a.x, a.y + below * ah), (a.x, b.y), (b.x - ahead * bw, b.y)]
    if arrow.way == "side":
        return [(a.x + ahead * aw, a.y), (b.x, a.y), (b.x, b.y - below * bh)]
    if arrow.way == "turn":
        line = b.y - bh - LANE
        x = a.x + aw + 12
        return [(a.x + aw, a.y), (x, a.y), (x, line), (b.x, line), (b.x, b.y - bh)]
    return [(a.x + ahead * aw, a.y), (b.x - ahead * bw, b.y)]


def svg(name: str) -> str:
    """Return the figure of a network."""
    boxes = {part.name: part for part in NETWORKS[name] if isinstance(part, Box)}
    lines = [points(part, boxes) for part in NETWORKS[name] if isinstance(part, Arrow)]
    right = max(box.x + box.half[0] for box in boxes.values()) + BORDER
    lowest = [y for line in lines for _, y in line]
    bottom = max(lowest + [box.y + box.half[1] for box in boxes.values()])
    size = f"{right:.0f} {bottom + BORDER:.0f}"
    width, height = size.split()
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" width="{width}" '
            f'height="{height}" font-family="sans-serif" font-size="12.5" text-anchor="middle">',
            f"<title>{name}</title>",
            '<defs><marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" '
            'markerHeight="8" orient="auto"><path d="M0 0L8 4L0 8z" fill="#333"/></marker></defs>',
            f'<rect width="{width}" height="{height}" rx="8" fill="#fff"/>',
            *map(_line, lines),
            *map(_box, boxes.values()),
            "</svg>\n",
        ]
    )


def _line(corners: Sequence[Point]) -> str:
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in corners)
    return (
        f'<path d="M{path}" fill="none" stroke="#333" stroke-width="1.3" marker-end="url(#head)"/>'
    )


def _box(box: Box) -> str:
    (half_width, half_height), fill = box.half, FILLS[box.kind]
    frame = f'fill="{fill}" stroke="#333"'
    if box.kind == "sum":
        shape = f'<circle cx="{box.x:.1f}" cy="{box.y:.1f}" r="{half_width}" {frame}/>'
    else:
        corner = f'x="{box.x - half_width:.1f}" y="{box.y - half_height:.1f}"'
        size = f'width="{2 * half_width}" height="{2 * half_height}"'
        shape = f'<rect {corner} {size} rx="5" {frame}/>'
    words = box.text.split("|")
    first = box.y + 4.5 - 8 * (len(words) - 1)
    texts = [
        f'<text x="{box.x:.1f}" y="{first + 16 * number:.1f}" fill="#111">{escape(line)}</text>'
        for number, line in enumerate(words)
    ]
    return shape + "".join(texts)


@command
def main(parser: argparse.ArgumentParser) -> Work:
    """Add the options; return what is done with them."""
    parser.add_argument("--out", required=True, type=Path, metavar="DIR")
    return write


def write(options: argparse.Namespace) -> None:
    """Draw every network."""
    make_folder(options.out)
    for name in NETWORKS:
        write_atomically(options.out / f"{name}.svg", svg(name).encode())
        print(f"wrote {options.out / f'{name}.svg'}")


if __name__ == "__main__":
    raise SystemExit(main())
