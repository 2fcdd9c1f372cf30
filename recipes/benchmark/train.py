"""The recipes in training: against their bare step fed from memory, and against PyTorch.

The recipe runs as a user runs it (`recipes.benchmark.train_keras`), but stops now and then and
calls its compiled step on one batch in memory instead; PyTorch takes the same step in a second
process (`recipes.benchmark.train_torch`). The sides take turns, so that each ratio is between
neighbours in time. Both sides use all cores and have the degradation inside the step.
"""

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from recipes.benchmark.ratios import quartiles
from recipes.benchmark.turns import ONE_THREAD, Turns, Worker, compare


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
        Case("GRUNet, 3 bands", "dphsir", 8, 64),
    )
}


@dataclass(frozen=True)
class Way:
    """How it is measured."""

    data: str  # folder of training images
    rounds: int = 6  # turns of each side
    compiled: bool = False  # PyTorch's networks by torch.compile
    one_thread: bool = False  # see `turns.ONE_THREAD`
    against: str = ""  # another checkout, whose recipe takes turns with this one


def benchmark_train(recipes: Sequence[str], precisions: Sequence[str], way: Way) -> None:
    """Print speed and memory of recipes of `CASES` in `"float32"`, `"bfloat16"` or both."""
    if keras.backend.backend() != "tensorflow":
        raise ValueError(f"train needs the TensorFlow backend. Received: {keras.backend.backend()}")
    if way.against and not Path(way.against, "recipes/benchmark/train_keras.py").is_file():
        raise ValueError(f"there is no checkout with this benchmark at {way.against}")
    if not has_torch():
        print("PyTorch is left out: pip install torch (2.13, CPU) to compare with it")
    print(HEADER + (AGAINST if way.against else ""))
    for recipe in recipes:
        for precision in precisions:
            print(row(CASES[recipe], precision, measure(CASES[recipe], precision, way)), flush=True)
    print(LEGEND)


def has_torch() -> bool:
    """Return whether PyTorch is installed."""
    return importlib.util.find_spec("torch") is not None


def measure(case: Case, precision: str, way: Way) -> Turns:
    """Let sides take turns on one network.

    They are `recipe`, `memory`, `before` where there is another checkout, and `torch` where it is
    installed.
    """
    common = ["--batch", str(case.batch), "--patch", str(case.patch), "--precision", precision]
    long = ["--steps", "1000000", "--every", "1000000", "--data", way.data]
    environment = ONE_THREAD if way.one_thread else {}

    def worker(side: str, *arguments: str, folder: str | None = None) -> Worker:
        words = [case.recipe, *common, *arguments]
        return Worker(f"recipes.benchmark.{side}", words, environment, folder)

    workers = {"ours": worker("train_keras", *case.options, *long)}
    sides = {"recipe": ("ours", "recipe"), "memory": ("ours", "memory")}
    if way.against:
        workers["before"] = worker("train_keras", *case.options, *long, folder=way.against)
        sides["before"] = ("before", "recipe")
    if has_torch():
        workers["torch"] = worker("train_torch", *["--compile"] * way.compiled)
        sides["torch"] = ("torch", "step")
    return compare(workers, sides, way.rounds)


HEADER = (
    f"{'network, batch x patch':32}{'precision':10}{'steps/s':>8}"
    f"{'recipe / memory':>24}{'ours / PyTorch':>24}{'GiB':>7}{'PyTorch':>8}{'others':>7}"
)
AGAINST = f"{'recipe / --against':>24}"
LEGEND = """\
steps/s: of the recipe. recipe / memory: its steps/s over those of the same compiled step fed from
memory. ours / PyTorch: the latter over PyTorch's. Both: median (middle half) of neighbours in time.
recipe / --against: its steps/s over those of the recipe there, in the same way.
GiB: largest memory of the recipe's process, and of PyTorch's. others: share of all cores that other
processes used meanwhile. Above a few percent PyTorch's threads wait for each other:
repeat the run, or use --one-thread, which counts the processor time of one thread per side."""


def row(case: Case, precision: str, found: Turns) -> str:
    """Return a line of the table."""
    times = found.times
    name = f"{case.name}, {case.batch} x {case.patch}"
    recipe = quartiles(times["memory"] / times["recipe"])
    against = quartiles(times["torch"] / times["memory"]) if "torch" in times else "-"
    before = f"{quartiles(times['before'] / times['recipe']):>24}" if "before" in times else ""
    peaks = {name: f"{peak:.2f}" for name, peak in found.peaks.items()}
    rate = 1 / np.median(times["recipe"])
    return (
        f"{name:32}{precision:10}{rate:8.2f}{recipe:>24}{against:>24}"
        f"{peaks['ours']:>7}{peaks.get('torch', '-'):>8}{found.others:7.0%}{before}"
    )
