"""Measure speed: ratios from one run, because absolute times depend on the machine and its load.

    python -m recipes.benchmark loss    time of a training step with AsyMSE over one with MSE
    python -m recipes.benchmark data    samples per second, and the share of training that waits
    python -m recipes.benchmark gru     share of the recurrence in GRUNet, and its memory
    python -m recipes.benchmark import  what the packages add to the time of `import keras`

The two sides of a ratio take turns, many times; printed is the median of the ratios of neighbours,
with the range of the middle half.
"""

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any
from unittest import mock

import keras
import numpy as np

import zoo
from asykeras import AsyMAE, AsyMSE, Quartile
from asykeras.degradations import BicubicDegrade
from recipes.data import Patches, load_images
from recipes.training import Restorer, jit
from zoo import dphsir
from zoo.images import ImageError

rng = np.random.default_rng(0)


class Gain(keras.layers.Layer):
    """The identity, times a trainable 1: the smallest network that can be trained."""

    def build(self, shape: Any) -> None:
        """Create the factor."""
        self.gain = self.add_weight(shape=(), initializer="ones", name="gain")

    def call(self, image: Any) -> Any:
        """Return the image times the factor."""
        return image * self.gain


def ratio(first: Callable[[], object], second: Callable[[], object], rounds: int) -> np.ndarray:
    """Return the ratios of the times of two functions that take turns, one per round."""
    ratios = []
    for number in range(rounds):
        # every other round in the other order, so that a drift of the machine cancels
        order = (first, second) if number % 2 else (second, first)
        times = {function: seconds(function) for function in order}
        ratios.append(times[first] / times[second])
    return np.array(ratios)


def seconds(function: Callable[[], object]) -> float:
    """Return how long one call takes."""
    begun = time.perf_counter()
    function()
    return time.perf_counter() - begun


def quartiles(values: np.ndarray) -> str:
    """Return the median and the middle half as text."""
    low, middle, high = np.percentile(values, (25, 50, 75))
    return f"{middle:.3f} (middle half {low:.3f} to {high:.3f})"


def trainer(network: keras.Model, loss: keras.losses.Loss, batch: Any, steps: int) -> Any:
    """Return a function that trains a network for some steps on one batch in memory."""
    network.compile(keras.optimizers.Adam(1e-5), loss, jit_compile=jit())

    def train() -> None:
        for _ in range(steps):
            network.train_on_batch(*batch)

    train()  # traced and warm
    return train


def benchmark_loss(rounds: int) -> None:
    """Print the cost of the asymmetric losses."""
    print("time of a training step over that with the plain loss, taking turns")
    cases: dict[str, tuple[Callable[[], keras.Model], tuple[int, ...], int]] = {
        "SRCNN 9-5-5, (16,96,96,1)": (
            lambda: zoo.SRCNN(3, padding="edge"),
            (16, 96, 96, 1),
            2,
        ),
        "identity, (16,96,96,3)": (
            lambda: keras.Sequential([keras.Input((96, 96, 3)), Gain()]),
            (16, 96, 96, 3),
            20,
        ),
    }
    mse, mae = keras.losses.MeanSquaredError(), keras.losses.MeanAbsoluteError()
    pairs: dict[str, tuple[keras.losses.Loss, keras.losses.Loss]] = {
        "AsyMSE / MSE": (AsyMSE(), mse),
        "AsyMAE / MAE": (AsyMAE(), mae),
        "AsyMSE(Quartile, images) / MSE": (AsyMSE(Quartile(), apply_to="images"), mse),
        "MSE / MSE (the noise of the machine)": (keras.losses.MeanSquaredError(), mse),
    }
    for case, (build, shape, steps) in cases.items():
        batch = rng.random((2, *shape), dtype=np.float32)
        for pair, losses in pairs.items():
            first, second = (trainer(build(), loss, batch, steps) for loss in losses)
            print(f"{case:27} {pair:37} {quartiles(ratio(first, second, rounds))}", flush=True)


def benchmark_data(data: str, steps: int) -> None:
    """Print the speed of the patches alone, and how long training waits for them."""
    images = load_images(data, "luma")
    tensorflow = keras.backend.backend() == "tensorflow"
    for size, batch in ((33, 128), (96, 16)):
        patches = Patches.of(images, size, batch, seed=0)
        sources = {"NumPy": patches.numpy_batches(0, 300)}
        if tensorflow:
            sources["tf.data"] = patches.dataset(0, 300)
        for name, source in sources.items():
            rate = batch * 299 / seconds_of_all(source)
            print(f"{size}x{size} patches, batches of {batch}, {name:8} {rate:10,.0f} samples/s")
    patches = Patches.of(images, 88, 32, seed=0)
    model = Restorer(zoo.SRCNN(3, padding="valid"), BicubicDegrade(3), context=12)
    model.compile("adam", "mse", jit_compile=jit())
    source = patches.dataset(0, steps) if tensorflow else patches.numpy_batches(0, steps)
    share, rate = waiting(model, source)
    print(f"training SRCNN 9-5-5 x3: {rate:.1f} steps/s, {share:.2%} of the time waiting for data")


def seconds_of_all(batches: Iterable[Any]) -> float:
    """Return how long it takes to read all batches but the first."""
    iterator = iter(batches)
    next(iterator)
    return seconds(lambda: [None for _ in iterator])


def waiting(model: keras.Model, batches: Iterable[Any]) -> tuple[float, float]:
    """Train on all batches; return the share of time spent waiting, and the steps per second."""
    iterator = iter(batches)
    model.train_on_batch(next(iterator))
    begun, waited, steps = time.perf_counter(), 0.0, 0
    while True:
        asked = time.perf_counter()
        batch = next(iterator, None)
        waited += time.perf_counter() - asked
        if batch is None:
            break
        model.train_on_batch(batch)
        steps += 1
    total = time.perf_counter() - begun
    return waited / total, steps / total


def benchmark_gru(rounds: int) -> None:
    """Print how much of GRUNet's time goes into the recurrence over the bands, and its memory."""
    for bands, size in ((3, 64), (31, 64), (200, 145)):
        network = zoo.DPHSIR(bands=bands)
        plain = zoo.DPHSIR(bands=bands)
        image = rng.random((1, size, size, bands), dtype=np.float32)
        inputs = [image, np.full((1, 1), 25 / 255, np.float32)]
        whole, without = (partial(each.predict_on_batch, inputs) for each in (network, plain))
        whole()
        with mock.patch.object(dphsir, "_scan", _no_scan):
            without()  # traced here, with the gates and activations but no loop over the bands
        turns = max(3, rounds // (10 if size > 64 else 1))
        share = 1 - 1 / ratio(whole, without, turns)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(
            f"GRUNet, (1,{size},{size},{bands}): recurrence {quartiles(share)} of the time, "
            f"{seconds(whole):.2f} s, peak of the process so far {peak:.1f} GiB",
            flush=True,
        )


def _no_scan(gates: Any, reverse: bool = False) -> Any:
    del reverse
    z, f = keras.ops.split(gates, 2, axis=-1)
    return (1 - keras.ops.sigmoid(f)) * keras.ops.tanh(z)


def benchmark_import(rounds: int) -> None:
    """Print how much longer than `import keras` the import of the packages takes."""

    def imported(names: str) -> Callable[[], object]:
        command = [sys.executable, "-c", f"import {names}"]
        return lambda: subprocess.run(command, check=True, capture_output=True)

    keras_alone, packages = imported("keras"), imported("keras, asykeras, zoo")
    added = [seconds(packages) - seconds(keras_alone) for _ in range(rounds)]
    print(f"import asykeras, zoo adds {quartiles(np.array(added))} s to import keras")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m recipes.benchmark",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("what", choices=("loss", "data", "gru", "import"))
    parser.add_argument("--rounds", type=int, default=30, help="turns per ratio (default: 30)")
    parser.add_argument("--steps", type=int, default=200, help="steps of training (default: 200)")
    parser.add_argument("--data", default="zoo/samples/train", help="folder of images for `data`")
    options = parser.parse_args(arguments)
    print(f"keras {keras.__version__} on {keras.backend.backend()}")
    try:
        if options.what == "data":
            benchmark_data(options.data, options.steps)
        else:
            without_data = {
                "loss": benchmark_loss,
                "gru": benchmark_gru,
                "import": benchmark_import,
            }
            without_data[options.what](options.rounds)
    except ImageError as error:
        print(f"benchmark: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
