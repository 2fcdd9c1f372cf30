"""What the asymmetric losses cost: a training step with one over a step with the plain loss."""

from collections.abc import Callable

import keras
import numpy as np

import zoo
from asykeras import AsyMAE, AsymmetricLoss, AsyMSE, Power, Quartile, Reciprocal, Slope
from asykeras.types import Tensor
from recipes.benchmark.ratios import quartiles, ratio
from recipes.training.devices import jit
from recipes.training.weightings import curve_of

CURVES = "srgb mulaw gamma log reinhard pq:100 pu21:100 anscombe:5.1,2.55 window:0.5,0.5".split()

rng = np.random.default_rng(0)


class Gain(keras.layers.Layer):
    """The identity, times a trainable 1: the smallest network that can be trained."""

    def build(self, shape: tuple[int, ...]) -> None:
        """Create the factor."""
        self.gain = self.add_weight(shape=(), initializer="ones", name="gain")

    def call(self, image: Tensor) -> Tensor:
        """Return the image times the factor."""
        return image * self.gain


def trainer(
    network: keras.Model, loss: keras.losses.Loss, batch: np.ndarray, steps: int
) -> Callable[[], None]:
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
        "identity, (16,96,96,3)": (
            lambda: keras.Sequential([keras.Input((96, 96, 3)), Gain()]),
            (16, 96, 96, 3),
            20,
        ),
        "SRCNN 9-5-5, (16,96,96,1)": (lambda: zoo.SRCNN(3, padding="edge"), (16, 96, 96, 1), 2),
    }
    mse, mae = keras.losses.MeanSquaredError(), keras.losses.MeanAbsoluteError()
    pairs: dict[str, tuple[keras.losses.Loss, keras.losses.Loss]] = {
        "AsyMSE / MSE": (AsyMSE(), mse),
        "AsyMAE / MAE": (AsyMAE(), mae),
        "AsyMSE(Quartile, images) / MSE": (AsyMSE(Quartile(), apply_to="images"), mse),
        "Power(1) of the label / MSE": (AsyMSE(Power()), mse),
        **{
            f"{each!r} of the prediction / MSE": (AsyMSE(each, reference="prediction"), mse)
            for each in (Reciprocal(), Power(), Power(2), Slope(curve_of("srgb")))
        },
        **{
            f"after {type(curve).__name__} / MSE": (AsymmetricLoss("mse", None, domain=curve), mse)
            for curve in map(curve_of, CURVES)
        },
        "MSE / MSE (the noise of the machine)": (keras.losses.MeanSquaredError(), mse),
    }
    for case, (build, shape, steps) in cases.items():
        batch = rng.random((2, *shape), dtype=np.float32)
        for pair, losses in pairs.items():
            first, second = (trainer(build(), loss, batch, steps) for loss in losses)
            print(f"{case:27} {pair:60} {quartiles(ratio(first, second, rounds))}", flush=True)
