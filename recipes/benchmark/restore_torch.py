"""PyTorch's side of `restore`: the networks as a PyTorch user would run them.

Run by `recipes.benchmark.restore`; a script for developers. Channels-last, inference mode, batch
normalisation folded; under bfloat16 autocast the last layer stays in float32, as in the zoo.
"""

import argparse
from collections.abc import Callable
from functools import partial

import torch
from torch import nn

from recipes.benchmark.train_torch import SPAN, FFDNet, GRUNet, dncnn, edsr, srcnn
from recipes.benchmark.turns import serve

# Builder, and the shape of the input for a side.
NETWORKS: dict[str, tuple[Callable[[], nn.Module], Callable[[int], tuple[int, ...]]]] = {
    "srcnn": (partial(srcnn, padded=True), lambda side: (1, 1, side, side)),
    "edsr": (edsr, lambda side: (1, 3, side, side)),
    "span": (SPAN, lambda side: (1, 3, side, side)),
    "dncnn": (partial(dncnn, normalized=False), lambda side: (1, 1, side, side)),
    "dncnn-b": (partial(dncnn, False, 20), lambda side: (1, 1, side, side)),
    "dncnn-c": (partial(dncnn, False, 20, 3), lambda side: (1, 3, side, side)),
    "ffdnet-gray": (partial(FFDNet, 1, 15, 64), lambda side: (1, 1, side, side)),
    "ffdnet-color": (partial(FFDNet, 3, 12, 96), lambda side: (1, 3, side, side)),
    "dphsir": (GRUNet, lambda side: (1, 2, 3, side, side)),
}


def main() -> None:
    """Answer requests until they end."""
    parser = argparse.ArgumentParser()
    parser.add_argument("network", choices=NETWORKS)
    parser.add_argument("side", type=int)
    parser.add_argument("--precision", default="float32")
    options = parser.parse_args()
    build, shape = NETWORKS[options.network]
    volume = options.network == "dphsir"
    layout = torch.channels_last_3d if volume else torch.channels_last
    network = build().eval().to(memory_format=layout)
    values = torch.rand(shape(options.side)).to(memory_format=layout)
    half = options.precision == "bfloat16"
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=half):
        serve({"run": lambda: network(values)})


if __name__ == "__main__":
    main()
