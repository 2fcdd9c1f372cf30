"""The recipe's side of `train`: a real run of a recipe that stops after some steps to be timed.

Run by `recipes.benchmark.train`: python -m recipes.benchmark.train_keras RECIPE OPTIONS...
"""

import importlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from unittest import mock

from asykeras.types import Tensor
from recipes.benchmark.turns import answer, clock, peak_memory, requests
from recipes.data.patches import Patches
from recipes.training import run as training
from recipes.training.batches import Batches, batches
from recipes.training.devices import Devices
from recipes.training.progress import Progress, Report
from zoo.machine.parts import temporary_folder

FIRST = 2  # steps before the first request is read: the first one traces the step
PREPARED = 5  # steps that tf.data may have prepared while the recipe stood still; not timed


class Finished(BaseException):  # which the command of a recipe does not take for an error
    """Nobody asks for steps any more."""


class Timed(Progress):
    """What a recipe shows after each step; here it also waits for requests.

    `recipe N`: N steps of the run itself, with its input pipeline, callbacks and all.
    `memory N`: N calls of the very function that the run calls, on one batch over and over.
    `peak 0`: the most memory held so far.
    """

    patches: Patches

    def __init__(self, report: Report, step: int, signals: Sequence[int]):
        super().__init__(report, step, signals)
        self.left, self.timed, self.begun_timed = FIRST, 0, 0.0
        self.memory: Iterator[Tensor] | None = None

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] = {}) -> None:
        """Count the steps of a turn."""
        super().on_train_batch_end(batch, logs)
        self.left -= 1
        if self.left == self.timed:
            self.begun_timed = clock()
        if self.left == 0:
            if self.timed:
                answer(clock() - self.begun_timed)
            self._read_requests()

    def _read_requests(self) -> None:
        for word, number in requests():
            if word == "recipe":
                self.left, self.timed = number + PREPARED, number
                return
            answer(self._from_memory(number) if word == "memory" else peak_memory())
        raise Finished

    def _from_memory(self, number: int) -> float:
        if self.memory is None:
            self.memory = iter(self.patches.dataset(0, 1).cache().repeat())
        self.model.train_function(self.memory)  # back into the caches, after the other side's turn
        begun = clock()
        for _ in range(number):
            logs = self.model.train_function(self.memory)
        float(logs["loss"])  # computed by now
        return clock() - begun


def main() -> None:
    """Run the recipe that the command line names, until the requests end."""
    name, *options = sys.argv[1:]
    recipe = importlib.import_module(f"recipes.{name}")

    def remembered(
        patches: Patches, start: int, stop: int, devices: Devices, on_device: bool = False
    ) -> Batches:
        Timed.patches = patches
        return batches(patches, start, stop, devices, on_device)

    with temporary_folder() as folder:
        options += ["--workdir", f"{folder}/run", "--quiet"]
        with (
            mock.patch.object(training, "Progress", Timed),
            mock.patch.object(training, "batches", remembered),
            suppress(Finished),
        ):
            sys.exit(recipe.main(options))


if __name__ == "__main__":
    main()
