"""`asykeras restore --preview`: the middle of a picture by every suitable weight and strength.

What is shown is what `restore` would write, pixel for pixel: each network sees the picture around
the middle as far as it looks.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from zoo.app.command import UsageError
from zoo.app.progress import Progress
from zoo.app.screen import on_screen
from zoo.machine.files import make_folder, replacing
from zoo.pictures.formats import FORMAT_OF
from zoo.pictures.photos import MEGAPIXELS, Photo, read_header
from zoo.pictures.picture import Picture
from zoo.pictures.rows import open_rows
from zoo.restoring.bands import Plan, Settings, middle, plan, restore_bands
from zoo.restoring.network import Network
from zoo.restoring.remarks import remark_on_level
from zoo.store.card import WHITE, Use

SIDE = 256  # pixels of the picture, one to one
LEVELS = (10 / WHITE, 25 / WHITE, 50 / WHITE)  # of noise that nobody has told
WORKERS = 2  # networks at work at once: what one does on a single core is hidden behind the other
HALF = 0.5  # strength that denoisers are shown at beside the full one
WIDTH = 3200  # pixels of a line of panels at most, but for one that is larger
MARGIN, TEXT = 8, 13  # pixels around the panels, and of the letters
PAPER, INK = "white", "black"


class Panel(NamedTuple):
    """One of the pictures side by side.

    Attributes:
        label: What is written above it.
        scale: How many times larger it is than the middle of the picture.
        image: RGB.
    """

    label: str
    scale: int
    image: Image.Image


def preview_file(inputs: Sequence[str], out: str | None, overwrite: bool) -> Path:
    """Return the file that a preview of one picture is written to.

    `out` is a PNG file, or a folder for `NAME-preview.png`: by default the one that the command is
    typed in.
    """
    source = Path(inputs[0])
    if len(inputs) > 1 or source.is_dir():
        raise UsageError("a preview is of one picture: give one file")
    target = Path(out or ".")
    format = None if target.is_dir() else FORMAT_OF.get(target.suffix.lower())
    if format is None:
        target = target / f"{source.stem}-preview.png"
    elif format != "PNG":
        raise UsageError(f"a preview is a PNG file: name it {target.with_suffix('.png')}")
    if os.path.realpath(target) == os.path.realpath(source):
        raise UsageError(f"{source} would be overwritten by its own preview")
    if target.exists() and not overwrite:
        raise UsageError(f"{target} is there already (--overwrite replaces it)")
    return target


def write_preview(
    source: Path,
    target: Path,
    names_for: Callable[[Picture], Sequence[str]],
    opened: Callable[[str], Network],
    settings: Settings,
    *,
    megapixels: float = MEGAPIXELS,
    progress: Progress,
) -> None:
    """Write the middle of a picture, and what each weight makes of it, as one labelled picture.

    It is 8-bit RGB without alpha, metadata and colour profile, whatever the picture is. The weights
    are those of `names_for`, in their order, opened one after the other. Where the settings have no
    level, denoisers are shown at several, and with the strength 1 at half of it, too.
    """
    photo = read_header(source, megapixels)
    picture, around = photo.picture, _Around(photo)

    def plans() -> Iterator[Plan]:
        for name in names_for(picture):
            network = opened(name)
            for level in levels(network.use, settings.sigma):
                if remark := remark_on_level(network, level):
                    progress.remark(remark)
                yield middle(plan(network, picture, replace(settings, sigma=level)), SIDE)

    first, panels = _in_turn(plans(), lambda each: _panels(each, around, progress))
    make_folder(target.parent)
    with replacing(target) as part:
        before = _before(around, first, {panel.scale for panel in panels})
        side_by_side([*before, *panels]).save(part, "PNG", compress_level=1)
    progress.remark(f"{source} -> {target}")


def _in_turn(
    plans: Iterator[Plan], shown: Callable[[Plan], list[Panel]]
) -> tuple[Plan, list[Panel]]:
    """Return the first plan and the panels of all, which `WORKERS` restore while others are opened.

    What fails ends it at once, but for the networks that are at work.
    """
    with ThreadPoolExecutor(WORKERS) as pool:
        try:
            started: list[tuple[Plan, Future[list[Panel]]]] = []
            for each in plans:
                started.append((each, pool.submit(shown, each)))
                for _, done in started:
                    if done.done():
                        done.result()  # raises what it failed with
            return started[0][0], [panel for _, done in started for panel in done.result()]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


class _Around:
    """The rows around the middle of a picture, read again where a network looks further."""

    def __init__(self, photo: Photo) -> None:
        self.photo = photo
        self.start, self.band = 0, np.empty((0,))
        self.lock = threading.Lock()

    def __call__(self, start: int, stop: int) -> np.ndarray:
        with self.lock:
            if not self.start <= start < stop <= self.start + len(self.band):
                with open_rows(self.photo) as rows:
                    self.start, self.band = start, rows(start, stop)
            return self.band[start - self.start : stop - self.start]


def levels(use: Use, sigma: float | None) -> list[float | None]:
    """Return the levels of the noise to show a network at, by the one that was asked for."""
    if sigma is not None or not use.denoises:
        return [sigma]
    low, high = use.levels or (0, max(LEVELS))
    return [level for level in LEVELS if low <= level <= high] or [high]


def _before(around: _Around, plan: Plan, scales: set[int]) -> Iterator[Panel]:
    """Yield the middle as it is, and enlarged as far as any network does."""
    kept, across = plan.rows[0], plan.columns[0]
    now = around(kept.first, kept.last)[:, across.first : across.last]
    before = on_screen(now, around.photo.picture)
    for scale in sorted({1, *scales}):
        size = before.width * scale, before.height * scale
        label = "as it is" if scale == 1 else f"bicubic x{scale}"
        yield Panel(label, scale, before.resize(size, Image.Resampling.BICUBIC))


def _panels(plan: Plan, around: _Around, progress: Progress) -> list[Panel]:
    """Return what a network makes of the middle, with each strength."""
    began, network = time.monotonic(), _remembering(plan.network)
    panels = []
    for strength in strengths(network.use, plan.settings.strength):
        settings = replace(plan.settings, strength=strength)
        blended = replace(plan, network=network, settings=settings)
        (values,) = restore_bands(blended, around)
        picture = on_screen(values, around.photo.picture)
        panels.append(Panel(_label(blended), network.use.scale, picture))
    progress.remark(f"{_label(plan)}: {time.monotonic() - began:.1f} s")
    return panels


def strengths(use: Use, strength: float) -> list[float]:
    """Return the strengths to show a network at, by the one that was asked for."""
    return [strength] if strength < 1 or use.scale > 1 else [strength, HALF]


def _remembering(network: Network) -> Network:
    """Return a network that computes once what it is asked for again with another strength."""
    parts = tuple(map(_remembering, network.parts))
    asked: list[np.ndarray] = []
    answer = np.empty(0)

    def run(inputs: list[np.ndarray]) -> np.ndarray:
        nonlocal asked, answer
        if len(asked) != len(inputs) or not all(map(np.array_equal, asked, inputs)):
            asked, answer = inputs, network.engine(inputs)
        return answer

    return replace(network, parts=parts, engine=run)


def _label(plan: Plan) -> str:
    sigma, strength = plan.settings.sigma, plan.settings.strength
    level = "" if sigma is None else f", sigma {sigma * WHITE:.3g}"
    share = "" if strength == 1 else f", strength {strength:.3g}"
    return plan.network.name + level + share


def side_by_side(panels: Sequence[Panel]) -> Image.Image:
    """Return panels as one picture, those of a scale beside each other with a label above each."""
    lines = []
    for scale in sorted({panel.scale for panel in panels}):
        alike = [panel for panel in panels if panel.scale == scale]
        count = max((WIDTH - MARGIN) // _cell(alike[0]), 1)
        lines += [alike[n : n + count] for n in range(0, len(alike), count)]
    font = ImageFont.load_default(TEXT)
    text = 2 * TEXT  # height that a label takes
    width = max(sum(_cell(panel) for panel in line) for line in lines) + MARGIN
    height = sum(text + line[0].image.height for line in lines) + MARGIN
    sheet = Image.new("RGB", (width, height), PAPER)
    draw, top = ImageDraw.Draw(sheet), 0
    for line in lines:
        left = MARGIN
        for panel in line:
            label = _shortened(panel.label, font, _cell(panel) - MARGIN)
            draw.text((left, top + text // 2), label, INK, font, anchor="lm")
            sheet.paste(panel.image, (left, top + text))
            left += _cell(panel)
        top += text + line[0].image.height
    return sheet


def _cell(panel: Panel) -> int:
    """Return the width that a panel takes with its margin; labels have room above small ones."""
    return max(panel.image.width, SIDE) + MARGIN


def _shortened(label: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """Return the end of a label that has no room."""
    if font.getlength(label) <= width:
        return label
    rest = label
    while font.getlength(f"...{rest}") > width:
        rest = rest[1:]
    return f"...{rest}"
