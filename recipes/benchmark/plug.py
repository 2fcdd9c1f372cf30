"""Plug-and-play: seconds per iteration and memory of the compiled loop, against PyTorch's.

Each side (`recipes.benchmark.plug_zoo`, `..._torch`) deblurs one picture by ADMM with a DnCNN-S of
random weights: the same operator, sizes and number of iterations; they take turns. Or the zoo's
loop with several published denoisers.
"""

import importlib.util
from collections.abc import Sequence

import numpy as np

from recipes.benchmark.ratios import quartiles
from recipes.benchmark.turns import Worker, compare
from zoo.store.weight import published_card

ITERATIONS = 4  # of a run
SIDE, BANDS = 256, 3


def benchmark_plug(rounds: int, denoisers: Sequence[str] = ()) -> None:
    """Print seconds per iteration, their ratio and the largest memory.

    Denoisers are published weights that take turns instead; the others are compared with the first.
    """
    for name in denoisers:
        if denoisers.count(name) > 1:
            raise ValueError(f"--denoiser names {name} twice: it would take turns with itself")
        published_card(name)  # before anything is measured
    workers = {name: Worker("recipes.benchmark.plug_zoo", [name]) for name in denoisers}
    workers = workers or _with_pytorch()
    found = compare(workers, {name: (name, "run") for name in workers}, rounds)
    times = found.times
    network = "" if denoisers else " with DnCNN-S"
    print(f"deblurring by ADMM{network}, {SIDE} x {SIDE} x {BANDS}, float32")
    for name, seconds in times.items():
        print(
            f"{name:16}{np.median(seconds) / ITERATIONS:8.3f} s per iteration, "
            f"largest memory {found.peaks[name]:.2f} GiB"
        )
    first, *others = times
    for name in others:
        ratios = quartiles(times[name] / times[first])
        print(f"{first} over {name}, iterations per second: {ratios}")
    print(f"others used {found.others:.0%} of the cores meanwhile")


def _with_pytorch() -> dict[str, Worker]:
    workers = {"zoo": Worker("recipes.benchmark.plug_zoo", [])}
    if importlib.util.find_spec("torch"):
        workers["PyTorch"] = Worker("recipes.benchmark.plug_torch", [])
    else:
        print("PyTorch is left out: pip install torch (2.13, CPU) to compare with it")
    return workers
