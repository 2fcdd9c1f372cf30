"""The zoo's side of `plug`: `zoo.plug_and_play.plug_and_play` as a user calls it.

Run by `recipes.benchmark.plug`, with the name of a published weight or without. `run N`: N
restorations. `peak 0`: the most memory held so far.
"""

import sys

import numpy as np

import zoo
from recipes.benchmark.plug import BANDS, ITERATIONS, SIDE
from recipes.benchmark.turns import serve
from recipes.plug_and_play.degraded import gaussian_kernel
from zoo.networks.dncnn import fold_batch_norm
from zoo.plug_and_play import Blur, Schedule, Solver


def main() -> None:
    """Answer requests until they end."""
    name = sys.argv[1:]
    network = zoo.load(*name) if name else fold_batch_norm(zoo.DnCNN())
    solver = Solver(Blur(gaussian_kernel()), network, Schedule(iterations=ITERATIONS))
    blurred = np.random.default_rng(0).random((1, SIDE, SIDE, BANDS), np.float32)
    serve({"run": lambda: solver(blurred)})


if __name__ == "__main__":
    main()
