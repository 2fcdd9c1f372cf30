"""The recipes in training: against their bare step fed from memory, and against PyTorch.

The recipe runs as a user runs it (`recipes.benchmark.train_keras`), but stops now and then and
calls its compiled step on one batch in memory instead; PyTorch takes the same step in a second
process (`recipes.benchmark.train_torch`). The sides take turns, so that each ratio is between
neighbours in time. Both sides use all cores and have the degradation inside the step.
"""

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np

from recipes.benchmark.turns import OthersLoad, Worker, take_turns

PIECE = 0.7  # seconds of a turn, roughly


@dataclass(frozen=True)
class Case:
    """A network as it is trained here: smaller batches than its recipe's where a step is long."""

    name: str
    recipe: str
    batch: int
    patch: int
    options: tuple[str, ...] = ()


CASES = {
    case.recipe: case
    for case in (
        Case("SRCNN 9-5-5 x3", "srcnn", 32, 88, ("--scale", "3")),
        Case("EDSR baseline x2", "edsr", 8, 96, ("--scale", "2")),
        Case("DnCNN-S", "dncnn", 32, 40, ("--variant", "S")),
        Case("GRUNet, 3 bands", "dphsir", 2, 32),
    )
}


@dataclass(frozen=True)
class Measured:
    """What was measured for one network and precision.

    Attributes:
        times: Seconds per step of `recipe`, `memory` and, where it is installed, `torch`.
        peaks: Largest memory of ours and of PyTorch's process in GiB.
        others: Share of the machine that other processes had meanwhile.
    """

    case: Case
    precision: str
    times: dict[str, np.ndarray]
    peaks: list[float]
    others: float


def benchmark_train(
    recipes: Sequence[str], precisions: Sequence[str], rounds: int, data: str, compiled: bool
) -> None:
    """Print speed and memory of the recipes."""
    if keras.backend.backend() != "tensorflow":
        raise ValueError(f"train needs the TensorFlow backend. Received: {keras.backend.backend()}")
    torch = importlib.util.find_spec("torch") is not None
    if not torch:
        print("PyTorch is left out: pip install torch (2.13, CPU) to compare with it")
    print(HEADER)
    for recipe in recipes:
        for precision in precisions:
            measured = measure(CASES[recipe], precision, rounds, data, torch, compiled)
            print(row(measured), flush=True)
    print(LEGEND)


def measure(
    case: Case, precision: str, rounds: int, data: str, torch: bool, compiled: bool
) -> Measured:
    """Let the sides take turns on one network."""
    common = ["--batch", str(case.batch), "--patch", str(case.patch), "--precision", precision]
    long = ["--steps", "1000000", "--every", "1000000", "--data", data]
    workers = [
        Worker("recipes.benchmark.train_keras", [case.recipe, *case.options, *common, *long])
    ]
    sides = {"recipe": (workers[0], "recipe"), "memory": (workers[0], "memory")}
    try:
        if torch:
            also = ["--compile"] if compiled else []
            workers.append(Worker("recipes.benchmark.train_torch", [case.recipe, *common, *also]))
            sides["torch"] = (workers[1], "step")
        for worker in workers:
            worker.ask("peak 0")  # answered when it is ready
        load = OthersLoad([worker.process.pid for worker in workers])
        times = take_turns(sides, rounds, PIECE)
        others = load.share()
        peaks = [worker.ask("peak 0") for worker in workers]
    finally:
        for worker in workers:
            worker.close()
    return Measured(case, precision, times, peaks, others)


HEADER = (
    f"{'network, batch x patch':32}{'precision':10}{'steps/s':>8}"
    f"{'recipe / memory':>24}{'ours / PyTorch':>24}{'GiB':>7}{'PyTorch':>8}{'others':>7}"
)
LEGEND = """\
steps/s: of the recipe. recipe / memory: its steps/s over those of the same compiled step fed from
memory. ours / PyTorch: the latter over PyTorch's. Both: median (middle half) of neighbours in time.
GiB: largest memory of the recipe's process, and of PyTorch's. others: share of all cores that other
processes used meanwhile; repeat the run where it is more than a few percent, since PyTorch's
threads wait for each other."""


def row(measured: Measured) -> str:
    """Return a line of the table."""
    case, times = measured.case, measured.times
    name = f"{case.name}, {case.batch} x {case.patch}"
    recipe = shown(times["memory"] / times["recipe"])
    against = shown(times["torch"] / times["memory"]) if "torch" in times else "-"
    peaks = [f"{peak:.2f}" for peak in measured.peaks] + ["-"]
    rate = 1 / np.median(times["recipe"])
    return (
        f"{name:32}{measured.precision:10}{rate:8.2f}{recipe:>24}{against:>24}"
        f"{peaks[0]:>7}{peaks[1]:>8}{measured.others:7.0%}"
    )


def shown(ratios: np.ndarray) -> str:
    """Return the median of ratios and their middle half."""
    low, middle, high = np.percentile(ratios, (25, 50, 75))
    return f"{middle:.3f} ({low:.3f} to {high:.3f})"
