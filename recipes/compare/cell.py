"""One cell in a process of its own: train, then evaluate.

    python -m recipes.compare.cell WORKDIR/cells/NAME --minutes 9

`recipes.compare` starts this for each cell, so that its memory goes back when it ends and a crash
ends nothing else. The folder holds `cell.json`, which says what to do, and after the training
`witness.json`: hashes of the initial weights and of the first batch, to be compared with those of
the other losses. `evaluation.json` is written last and makes the cell a finished one.
"""

import argparse
import hashlib
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

import keras
import numpy as np
from keras.ops import convert_to_numpy

from recipes import dncnn, dphsir, edsr, srcnn
from recipes.compare.light import LightRecords, Scoring, read_scenes
from recipes.compare.light import measure as measure_light
from recipes.compare.measure import measure, read_tests
from recipes.compare.plan import Job
from recipes.compare.records import Records, Witness
from recipes.data.patches import Patches, load_images
from recipes.training.checkpoints import versions
from recipes.training.devices import accelerated
from recipes.training.objective import make_loss
from recipes.training.progress import Stopped
from recipes.training.restorer import unit_range
from recipes.training.run import NETWORK, Recipe, train
from recipes.training.settings import Objective, Settings, TrainingError
from zoo.app.command import Work, command
from zoo.machine.files import write_atomically
from zoo.machine.locks import locked
from zoo.networks.families import load
from zoo.scoring.tasks import parse

RECIPES: dict[str, tuple[type[Settings], Callable[[Any], Recipe]]] = {
    "srcnn": (srcnn.SrcnnSettings, srcnn.recipe),
    "edsr": (edsr.EdsrSettings, edsr.recipe),
    "dncnn": (dncnn.DncnnSettings, dncnn.recipe),
    "dphsir": (dphsir.DphsirSettings, dphsir.recipe),
}
CUT, BUSY = 3, 4  # exit codes: the time is over; another process trains this cell
LOCK = "lock"  # held while a cell is at work
BATCHES = 16  # from which the mean weight of a loss is taken
CALL = 100  # steps per call of a GPU, which else waits for the host
SAMPLED = 200  # values of the first input that are kept, about


def run(folder: Path, minutes: float) -> int:
    """Train and evaluate the cell of a folder as far as it is not done; return the exit code."""
    job = json.loads((folder / "cell.json").read_text())
    begun = time.monotonic()
    with locked(folder / LOCK) as held:
        if held is False:
            return BUSY
        try:
            if not (folder / NETWORK).exists() or not (folder / "witness.json").exists():
                train_cell(folder, job, minutes)
        except TrainingError:
            if 0 < minutes * 60 <= time.monotonic() - begun:
                return CUT
            raise
        evaluate_cell(folder, job)
    return 0


def settings_of(folder: Path, job: Job, minutes: float) -> Settings:
    """Return the settings of the recipe for a cell."""
    kind, paths = RECIPES[job["cell"]["network"]][0], job["paths"]
    settings = kind.of(
        **{**job["cell"]["settings"], "init": paths.get("init", "")},
        data=paths["train"],
        validation=paths["validation"],
        workdir=str(folder),
        minutes=minutes,
        resume=True,
    )
    fast = accelerated() and settings.descent.every % CALL == 0
    return settings.having(steps_per_execution=CALL) if fast else settings


def train_cell(folder: Path, job: Job, minutes: float) -> None:
    """Train, and note what the losses must have in common."""
    settings = settings_of(folder, job, minutes)
    make_recipe = RECIPES[job["cell"]["network"]][1]
    images = load_images(settings.samples.data, make_recipe(settings).channels)
    samples, seed = settings.samples, settings.start.seed
    patches = Patches.of(images, samples.patch, samples.batch, seed)
    factor = 1.0
    if changes := job["cell"]["configuration"]["rate"]:
        factor = mean_weight(settings.having(**changes).objective, patches)
        settings = settings.having(learning_rate=settings.descent.learning_rate * factor)
    witness: Witness = {"rate_factor": factor, **first_batch(make_recipe(settings), patches)}
    train(settings, _witnessed(make_recipe(settings), witness))
    write_atomically(folder / "witness.json", json.dumps(witness, indent=2).encode())
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)  # the network is there


def evaluate_cell(folder: Path, job: Job) -> None:
    """Score the network that a user would load, and write what makes the cell a finished one."""
    cell, test = job["cell"], Path(job["paths"]["test"])
    records: Records | LightRecords
    if "scoring" in cell:
        scoring = Scoring(**cell["scoring"])
        records = measure_light(load(folder), read_scenes(test, cell["names"], scoring), scoring)
    else:
        records = measure(str(folder), read_tests(test, tuple(cell["names"])), parse(cell["task"]))
    evaluation = {
        "cell": cell,
        "witness": json.loads((folder / "witness.json").read_text()),
        "versions": versions(),
        "images": records,
    }
    write_atomically(folder / "evaluation.json", json.dumps(evaluation, indent=1).encode())


def mean_weight(objective: Objective, patches: Patches) -> float:
    """Return the mean factor that a loss puts on the error, over the first batches of training.

    The mean of M; of M squared where a squared error is taken of the weighted images. Four digits,
    so that a resumed run finds the very same learning rate.
    """
    loss = make_loss(objective)
    squared = objective.apply_to == "images" and objective.loss == "asy_mse"
    means = []
    for step in range(BATCHES):
        weights = convert_to_numpy(loss.weights(unit_range(patches.numpy_batch(step))))
        means.append(np.mean(weights.astype(np.float64) ** (2 if squared else 1)))
    return float(round(np.mean(means), 4))


def first_batch(recipe: Recipe, patches: Patches) -> Witness:
    """Return a hash of the first clean batch, and values that a fresh degradation makes of it.

    Values and no hash, because floating-point sums of two processes may differ in the last bit.
    """
    clean = patches.numpy_batch(0)
    degraded = keras.tree.flatten(recipe.degradation()(unit_range(clean)))
    values = np.concatenate([convert_to_numpy(part).ravel() for part in degraded])
    return {
        "first_batch": digest(keras.tree.flatten(clean)),
        "first_input": values[:: max(1, values.size // SAMPLED)].astype(float).tolist(),
    }


def digest(arrays: Iterable[np.ndarray]) -> str:
    """Return the SHA-256 of shapes and values of arrays."""
    total = hashlib.sha256()
    for array in arrays:
        total.update(f"{array.shape}{array.dtype}".encode())
        total.update(np.ascontiguousarray(array).tobytes())
    return total.hexdigest()


def _witnessed(recipe: Recipe, witness: Witness) -> Recipe:
    """Return a recipe that notes a hash of the weights with which its network is trained.

    That is the last network built before the degradation is made that is put in front of it; later
    ones are copies for validation.
    """
    latest: list[keras.Model] = []

    def build() -> keras.Model:
        latest[:] = [recipe.build()]
        return latest[0]

    def degradation() -> keras.layers.Layer:
        witness["initial_weights"] = digest(latest[0].get_weights())
        return recipe.degradation()

    return replace(recipe, build=build, degradation=degradation)


@command
def main(parser: argparse.ArgumentParser) -> Work:
    """Add the options; return what is done with them."""
    add = parser.add_argument
    add("folder", type=Path, help="holds cell.json")
    add("--minutes", type=float, default=0.0, help="of training; 0: any")
    add("--child", action="store_true", help="end with the process that holds the standard input")
    return _run


def _run(options: argparse.Namespace) -> int:
    if options.child:
        Thread(target=_end_with_parent, daemon=True).start()
    try:
        return run(options.folder, options.minutes)
    except Stopped as stop:
        print(stop, file=sys.stderr)
        return stop.code


def _end_with_parent() -> None:
    """Wait for the end of the process that started this one, and then end as on its SIGTERM."""
    os.read(sys.stdin.fileno(), 1)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    raise SystemExit(main())
