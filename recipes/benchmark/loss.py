"""What the asymmetric losses cost: a training step with one over a step with the plain loss.

    python -m recipes.benchmark loss --csv recipes/results/tables/loss-step.csv

Of SRCNN, and of the identity times a number, where nearly all the time is the loss.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import keras
import numpy as np

import zoo
from asykeras import AsyMAE, AsymmetricLoss, AsyMSE, Power, Quartile, Reciprocal, Slope
from asykeras.types import Tensor
from recipes.benchmark.ratios import quartiles, ratio
from recipes.compare.tables import csv_text
from recipes.training.devices import jit
from recipes.training.weightings import curve_of
from zoo.machine.files import make_folder, write_atomically

CURVES = "srgb mulaw gamma log reinhard pq:100 pu21:100 anscombe:5.1,2.55 window:0.5,0.5".split()
PREDICTION = {  # weights that are read from it
    "Eq. 2": Reciprocal(),
    "`Power(1)`": Power(),
    "`Power(2)`": Power(2),
    "`Slope(SRGB())`": Slope(curve_of("srgb")),
}

Losses: TypeAlias = tuple[keras.losses.Loss, keras.losses.Loss]  # one, and the plain one


class Gain(keras.layers.Layer):
    """The identity, times a trainable 1: the smallest network that can be trained."""

    def build(self, shape: tuple[int, ...]) -> None:
        """Create the factor."""
        self.gain = self.add_weight(shape=(), initializer="ones", name="gain")

    def call(self, image: Tensor) -> Tensor:
        """Return the image times the factor."""
        return image * self.gain


@dataclass(frozen=True)
class Case:
    """A network, the shape of its batch, and the steps of a turn."""

    build: Callable[[], keras.Model]
    shape: tuple[int, int, int, int]
    steps: int


CASES = {
    "SRCNN 9-5-5": Case(lambda: zoo.SRCNN(3, padding="edge"), (16, 96, 96, 1), 2),
    "network of one number": Case(
        lambda: keras.Sequential([keras.Input((96, 96, 3)), Gain()]), (16, 96, 96, 3), 20
    ),
}


def pairs() -> dict[str, Losses]:
    """Return what is measured, by the name that it has in the table."""
    mse, mae = keras.losses.MeanSquaredError(), keras.losses.MeanAbsoluteError()
    return {
        "AsyMSE": (AsyMSE(), mse),
        "AsyMAE, over MAE": (AsyMAE(), mae),
        "AsyMSE of Table 1 (a sort per image)": (AsyMSE(Quartile(), apply_to="images"), mse),
        "`Power(1)` of the label": (AsyMSE(Power()), mse),
        **{
            f"{name} of the prediction": (AsyMSE(weighting, reference="prediction"), mse)
            for name, weighting in PREDICTION.items()
        },
        **{
            f"after `{type(curve).__name__}`": (AsymmetricLoss("mse", None, domain=curve), mse)
            for curve in map(curve_of, CURVES)
        },
        "MSE (noise of the machine)": (keras.losses.MeanSquaredError(), mse),
    }


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


def benchmark_loss(rounds: int, table: str = "") -> None:
    """Print the cost of the asymmetric losses; write it into the CSV file `table`, if named."""
    print("time of a training step over that with the plain loss, taking turns")
    if table:
        make_folder(Path(table).parent)  # fails now and not after the measurement
    rows = []
    for name, losses in pairs().items():
        cells = [cost(case, losses, rounds) for case in CASES.values()]
        for network, cell in zip(CASES, cells, strict=True):
            print(f"{network:22} {name:37} {cell}", flush=True)
        rows.append([name, *cells])
    if table:
        write_atomically(Path(table), csv_text(["loss, over MSE", *CASES], rows).encode())
        print(f"wrote {table}")


def cost(case: Case, losses: Losses, rounds: int) -> str:
    """Return the time of a step with the first loss over one with the second, with quartiles."""
    batch = np.random.default_rng(0).random((2, *case.shape), dtype=np.float32)
    first, second = (trainer(case.build(), loss, batch, case.steps) for loss in losses)
    return quartiles(ratio(first, second, rounds))
