"""How fast patches come, and how long a training run waits for them."""

import time
from collections.abc import Iterable

import keras

import zoo
from asykeras.degradations import BicubicDegrade
from recipes.benchmark.ratios import seconds
from recipes.data.patches import Batch, Patches, load_images
from recipes.training.devices import jit
from recipes.training.restorer import Restorer


def benchmark_data(data: str, steps: int) -> None:
    """Print the speed of the patches alone, and how long training waits for them."""
    images = load_images(data, "luma")
    tensorflow = keras.backend.backend() == "tensorflow"
    for size, batch in ((33, 128), (96, 16)):
        patches = Patches.of(images, size, batch, seed=0)
        sources = {"NumPy": map(patches.numpy_batch, range(300))}
        if tensorflow:
            sources["tf.data"] = patches.dataset(0, 300)
        for name, source in sources.items():
            rate = batch * 299 / seconds_of_all(source)
            print(f"{size}x{size} patches, batches of {batch}, {name:8} {rate:10,.0f} samples/s")
    patches = Patches.of(images, 88, 32, seed=0)
    model = Restorer(zoo.SRCNN(3, padding="valid"), BicubicDegrade(3), context=12)
    model.compile("adam", "mse", jit_compile=jit())
    source = patches.dataset(0, steps) if tensorflow else map(patches.numpy_batch, range(steps))
    share, rate = waiting(model, source)
    print(f"training SRCNN 9-5-5 x3: {rate:.1f} steps/s, {share:.2%} of the time waiting for data")


def seconds_of_all(batches: Iterable[Batch]) -> float:
    """Return how long it takes to read all batches but the first."""
    iterator = iter(batches)
    next(iterator)
    return seconds(lambda: [None for _ in iterator])


def waiting(model: keras.Model, batches: Iterable[Batch]) -> tuple[float, float]:
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
