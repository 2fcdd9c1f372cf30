"""Whole pictures: megapixels per second and memory of `asykeras restore`, on each engine.

Each cell is a process of its own (`recipes.benchmark.picture`) that restores one PNG file of a size
as the command does: read, cut into tiles, restored and written. What takes longer than the limit is
cut off after the row of tiles in work; its rate is that of what was finished until then.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import product
from pathlib import Path

import numpy as np
from PIL import Image

from recipes.benchmark.turns import OthersLoad, Worker
from zoo.machine.parts import temporary_folder
from zoo.pictures.images import read_image, to_channels
from zoo.store.card import Use
from zoo.store.weight import find

# What runs a network -> backend of Keras, engine of `open_network`, package that it needs.
ENGINES = {
    "tensorflow": ("tensorflow", "keras", "tensorflow"),
    "jax": ("jax", "keras", "jax"),
    "onnxruntime": ("tensorflow", "onnxruntime", "onnxruntime"),
    "openvino": ("tensorflow", "openvino", "openvino"),
}
PHOTO = Path("zoo/samples/test/perched-osprey.jpg")
HEADER = """\
| weight | output, MP | engine | precision | MP/s | GiB | finished | others |
|---|---|---|---|---|---|---|---|"""
LEGEND = """\
MP/s: megapixels of the output per second, from reading the file on, compiling included. GiB: the
largest memory while restoring, above that of the process with Keras imported and nothing opened.
finished: share of the picture within the limit, from which MP/s is taken where it is not 100 %; the
memory is the largest until then. others: share of all cores that other processes used meanwhile."""


@dataclass(frozen=True)
class Cells:
    """What is measured of each weight."""

    megapixels: Sequence[float]  # of the output
    engines: Sequence[str]  # of `ENGINES`
    precisions: Sequence[str]  # float32, bfloat16 or both; ONNX Runtime has the first alone
    seconds: int  # limit of a cell, without the start of its process

    def __post_init__(self) -> None:
        """Refuse pictures and limits that are nothing."""
        for name, values in (("megapixels", self.megapixels), ("seconds", [self.seconds])):
            if not all(0 < value < math.inf for value in values):
                raise ValueError(f"{name} must be more than 0. Received: {values}")

    def runners(self) -> list[tuple[str, str]]:
        """Return the precisions and engines that there are, and name those that are missing."""
        missing = [each for each in self.engines if not find_spec(ENGINES[each][2])]
        for each in missing:
            print(f"{each} is left out: pip install {ENGINES[each][2]}")
        pairs = product(self.precisions, [each for each in self.engines if each not in missing])
        return [pair for pair in pairs if pair != ("bfloat16", "onnxruntime")]


def benchmark_pictures(weights: Sequence[str], cells: Cells) -> None:
    """Print a table of the speed and memory of weights: published names, files or work folders."""
    uses = {weight: find(weight).card.use for weight in weights}
    runners = cells.runners()
    print(HEADER)
    with temporary_folder() as folder:
        for weight, size in product(weights, cells.megapixels):
            source = write_picture(folder / "picture.png", uses[weight], size)
            for precision, engine in runners:
                print(row(weight, source, engine, precision, cells.seconds), flush=True)
    print(LEGEND)


def write_picture(path: Path, use: Use, megapixels: float) -> Path:
    """Write a photograph, repeated and mirrored, whose restored picture has so many megapixels."""
    side = max(1, round(math.sqrt(megapixels * 1e6) / use.scale))
    photo = read_image(PHOTO)
    if use.colours is not None and "rgb" not in use.colours:
        photo = to_channels(photo, "grey")[..., 0]
    rows, columns = (_mirrored(length, side) for length in photo.shape[:2])
    Image.fromarray(photo[rows][:, columns]).save(path, compress_level=1)
    return path


def _mirrored(length: int, side: int) -> np.ndarray:
    """Return `side` positions that run to and fro over `length`."""
    there_and_back = np.concatenate([np.arange(length), np.arange(length)[::-1]])
    return np.resize(there_and_back, side)


def row(weight: str, source: Path, engine: str, precision: str, seconds: int) -> str:
    """Measure one cell in a process of its own, and return its line of the table."""
    backend, runner, _ = ENGINES[engine]
    words = [weight, str(source), "--engine", runner, "--precision", precision]
    worker = Worker("recipes.benchmark.picture", words, {"KERAS_BACKEND": backend})
    try:
        pixels = worker.ask("pixels 0")  # answered when it is ready
        load = OthersLoad([worker.process.pid])
        took = worker.ask(f"restore {seconds}")
        others = load.share()
        share, memory = worker.ask("share 0"), worker.ask("memory 0")
    finally:
        worker.close()
    name = Path(weight).name
    return (
        f"| `{name}` | {pixels / 1e6:.3g} | {engine} | {precision} "
        f"| {share * pixels / 1e6 / took:.3f} | {memory:.2f} | {share:.0%} | {others:.0%} |"
    )
