"""What the recurrence over the bands costs in GRUNet, and the memory of the whole network."""

from functools import partial
from unittest import mock

import keras
import numpy as np

import zoo
from asykeras.types import Tensor
from recipes.benchmark.ratios import quartiles, ratio, seconds
from recipes.benchmark.turns import peak_memory
from zoo.networks import layers

rng = np.random.default_rng(0)


def benchmark_gru(rounds: int) -> None:
    """Print how much of GRUNet's time goes into the recurrence over the bands, and its memory."""
    for bands, size in ((3, 64), (31, 64), (200, 145)):
        network = zoo.DPHSIR(channels=bands)
        plain = zoo.DPHSIR(channels=bands)
        image = rng.random((1, size, size, bands), dtype=np.float32)
        inputs = [image, np.full((1, 1), 25 / 255, np.float32)]
        whole, without = (partial(each.predict_on_batch, inputs) for each in (network, plain))
        whole()
        with mock.patch.multiple(layers, _scan=_no_scan, _unrolled=_no_scan):
            without()  # traced here, with the gates and activations but no loop over the bands
        turns = max(3, rounds // (10 if size > 64 else 1))
        share = 1 - 1 / ratio(whole, without, turns)
        print(
            f"GRUNet, (1,{size},{size},{bands}): recurrence {quartiles(share)} of the time, "
            f"{seconds(whole):.2f} s, peak of the process so far {peak_memory():.1f} GiB",
            flush=True,
        )


def _no_scan(gates: Tensor, reverse: bool) -> Tensor:
    del reverse
    z, f = keras.ops.split(gates, 2, axis=-1)
    return (1 - keras.ops.sigmoid(f)) * keras.ops.tanh(z)
