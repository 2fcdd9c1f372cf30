"""Plug-and-play: seconds per iteration and memory of the compiled loop, against PyTorch's.

Each side (`recipes.benchmark.plug_zoo`, `..._torch`) deblurs one picture by ADMM with a DnCNN-S of
random weights: the same operator, sizes and number of iterations; they take turns.
"""

import importlib.util

import numpy as np

from recipes.benchmark.ratios import quartiles
from recipes.benchmark.turns import Worker, compare

ITERATIONS = 4  # of a run
SIDE, BANDS = 256, 3
PIECE = 0.7  # seconds of a turn, roughly


def benchmark_plug(rounds: int) -> None:
    """Print seconds per iteration, their ratio and the largest memory.

    Args:
        rounds: Turns of each side.

    Raises:
        WorkerError: if a side fails.
    """
    workers = {"zoo": Worker("recipes.benchmark.plug_zoo", [])}
    if importlib.util.find_spec("torch"):
        workers["torch"] = Worker("recipes.benchmark.plug_torch", [])
    else:
        print("PyTorch is left out: pip install torch (2.13, CPU) to compare with it")
    found = compare(workers, {name: (name, "run") for name in workers}, rounds, PIECE)
    times = found.times
    print(f"deblurring by ADMM with DnCNN-S, {SIDE} x {SIDE} x {BANDS}, float32")
    for name, seconds in times.items():
        print(
            f"{name:8}{np.median(seconds) / ITERATIONS:8.3f} s per iteration, "
            f"largest memory {found.peaks[name]:.2f} GiB"
        )
    if "torch" in times:
        ratios = quartiles(times["torch"] / times["zoo"])
        print(f"ours over PyTorch, iterations per second: {ratios}")
    print(f"others used {found.others:.0%} of the cores meanwhile")
