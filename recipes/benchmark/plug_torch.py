"""PyTorch's side of `plug`: the same ADMM loop as a PyTorch user would write it.

Run by `recipes.benchmark.plug`; a script for developers.
"""

import numpy as np
import torch

from recipes.benchmark.plug import BANDS, ITERATIONS, SIDE
from recipes.benchmark.train_torch import dncnn
from recipes.benchmark.turns import serve
from recipes.plug_and_play.degraded import gaussian_kernel
from zoo.plug_and_play import Schedule


def main() -> None:
    """Answer requests until they end."""
    network = dncnn(normalized=False).eval().to(memory_format=torch.channels_last)
    kernel = gaussian_kernel()
    large = np.zeros((SIDE, SIDE))
    large[: kernel.shape[0], : kernel.shape[1]] = kernel
    large = np.roll(large, [-(side // 2) for side in kernel.shape], (0, 1))
    transfer = torch.fft.rfft2(torch.from_numpy(large).float())
    power = transfer.abs() ** 2
    schedule = Schedule(iterations=ITERATIONS)
    # Bands are pictures of the batch, as the network has one channel.
    blurred = torch.rand(BANDS, 1, SIDE, SIDE)

    def run() -> None:
        spectrum = transfer.conj() * torch.fft.rfft2(blurred)
        v, u = blurred, torch.zeros_like(blurred)
        for rho in schedule.weights().tolist():
            x = torch.fft.irfft2((spectrum + rho * torch.fft.rfft2(v - u)) / (power + rho))
            v = network((x + u).to(memory_format=torch.channels_last))
            u = u + x - v

    with torch.inference_mode():
        serve({"run": run})


if __name__ == "__main__":
    main()
