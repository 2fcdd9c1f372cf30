"""PyTorch's side of `restore`: the networks as a PyTorch user would run them.

Run by `recipes.benchmark.restore`; a script for developers. Channels-last, inference mode, batch
normalisation folded; under bfloat16 autocast the last layer stays in float32, as in the zoo.
"""

import argparse
from collections.abc import Callable

import torch
from torch import nn

from recipes.benchmark.train_torch import Float32, GRUNet, Residual, convolution, edsr
from recipes.benchmark.turns import serve


def srcnn() -> nn.Module:
    """Return SRCNN 9-5-5."""
    return nn.Sequential(
        nn.Conv2d(1, 64, 9, padding=4),
        nn.ReLU(inplace=True),
        nn.Conv2d(64, 32, 5, padding=2),
        nn.ReLU(inplace=True),
        Float32(nn.Conv2d(32, 1, 5, padding=2)),
    )


def dncnn() -> nn.Module:
    """Return DnCNN-S without batch normalisation."""
    middle: list[nn.Module] = []
    for _ in range(15):
        middle += [convolution(64, 64), nn.ReLU(inplace=True)]
    first = [convolution(1, 64), nn.ReLU(inplace=True)]
    return Residual(*first, *middle, Float32(convolution(64, 1)), sign=-1)


# Builder, and the shape of the input for a side.
NETWORKS: dict[str, tuple[Callable[[], nn.Module], Callable[[int], tuple[int, ...]]]] = {
    "srcnn": (srcnn, lambda side: (1, 1, side, side)),
    "edsr": (edsr, lambda side: (1, 3, side, side)),
    "dncnn": (dncnn, lambda side: (1, 1, side, side)),
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
