"""Restoration: megapixels per second of Keras, ONNX Runtime, OpenVINO and PyTorch on one tile.

Each side is a process of its own (`recipes.benchmark.restore_zoo`, `..._torch`) that runs the same
network, with random weights, on a tile of the same size; they take turns.
"""

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np

from recipes.benchmark.ratios import quartiles
from recipes.benchmark.turns import Turns, Worker, compare


@dataclass(frozen=True)
class Case:
    """A network, and the pixels of the tile that it gets."""

    name: str  # for the table
    side: int  # of the tile, in pixels of the network's input
    scale: int = 1  # output pixels per input pixel, a side


CASES = {
    "srcnn": Case("SRCNN 9-5-5", 512),
    "edsr": Case("EDSR baseline x2", 256, 2),
    "span": Case("SPAN x2", 256, 2),
    "dncnn": Case("DnCNN-S, folded", 256),
    "dncnn-b": Case("DnCNN-B, folded", 256),
    "dncnn-c": Case("CDnCNN-B, folded", 256),
    "ffdnet-gray": Case("FFDNet, grey", 256),
    "ffdnet-color": Case("FFDNet, colour", 256),
    "dphsir": Case("GRUNet, 3 bands", 128),
}
# Sides by precision. ONNX Runtime has no bfloat16 on the CPU.
SIDES = {
    "float32": ("keras", "onnxruntime", "openvino", "torch"),
    "bfloat16": ("keras", "openvino", "torch"),
}
HEADER = (
    f"{'network, tile':28}{'precision':10}{'restore':>8}{'Keras':>7}"
    f"{'Keras / ONNX Runtime':>24}{'Keras / OpenVINO':>24}{'Keras / PyTorch':>24}"
    f"{'GiB':>26}{'others':>7}"
)
LEGEND = """\
restore, Keras: megapixels of the output per second, of `zoo.restore` (bicubic, colour and tiles
included) and of the network alone. The ratios are of the networks alone, above 1 where Keras is the
faster; median (middle half) of neighbours in time. GiB: largest memory of Keras / ONNX Runtime /
OpenVINO / PyTorch. others: share of all cores that other processes used meanwhile; repeat the run
where it is more than a few percent."""


def benchmark_restore(networks: Sequence[str], precisions: Sequence[str], rounds: int) -> None:
    """Print the speed and memory of networks of `CASES` on each engine that is installed."""
    if keras.backend.backend() != "tensorflow":
        raise ValueError(f"restore needs the TensorFlow backend: not {keras.backend.backend()}")
    print(HEADER)
    for network in networks:
        for precision in precisions:
            print(row(network, precision, rounds), flush=True)
    print(LEGEND)


def row(network: str, precision: str, rounds: int) -> str:
    """Measure one network in one precision, and return its line of the table."""
    case, workers = CASES[network], dict[str, Worker]()
    for side in SIDES[precision]:
        if importlib.util.find_spec("tensorflow" if side == "keras" else side):
            module = "restore_torch" if side == "torch" else "restore_zoo"
            words = [network, str(case.side), "--precision", precision]
            words += [] if side == "torch" else ["--engine", side]
            workers[side] = Worker(f"recipes.benchmark.{module}", words)
    sides = {name: (name, "run") for name in workers} | {"restore": ("keras", "restore")}
    return line(case, precision, compare(workers, sides, rounds))


def line(case: Case, precision: str, found: Turns) -> str:
    """Return a line of the table."""
    times, peaks = found.times, found.peaks
    pixels = (case.side * case.scale) ** 2 / 1e6
    rates = [pixels / float(np.median(times[name])) for name in ("restore", "keras")]
    ratios = [
        quartiles(times[name] / times["keras"]) if name in times else "-"
        for name in SIDES["float32"][1:]
    ]
    memory = " / ".join(f"{peaks[name]:.2f}" if name in peaks else "-" for name in SIDES["float32"])
    name = f"{case.name}, {case.side} x {case.side}"
    return (
        f"{name:28}{precision:10}{rates[0]:8.3f}{rates[1]:7.3f}"
        + "".join(f"{ratio:>24}" for ratio in ratios)
        + f"{memory:>26}{found.others:7.0%}"
    )
