"""A process that changes and examines files of strangers, as it is told line by line."""

import os
import shutil
import sys
from pathlib import Path

from tests.fuzz.weights.canary import Canary
from tests.fuzz.weights.examine import examine, networks
from tests.fuzz.weights.mutations import change, prepare
from tests.fuzz.weights.seeds import Files, seeds
from tests.fuzz.workers import Outcome, answer

EVERY = 5  # of the files, one is examined more deeply


def write(folder: Path, files: Files) -> None:
    """Write files into a folder of their own."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def main() -> None:
    """Examine the numbers that come in: `[seed, number]` a line.

    The first argument is a folder of its own, where what is examined lies meanwhile, in `old`.
    """
    folder, cases, models = Path(sys.argv[1]), seeds(), networks()
    canary = Canary(folder / "beside")
    os.chdir(canary.folder)  # HDF5 looks here for other files, too
    prepare()

    def examined(seed: int, number: int) -> tuple[Outcome, str]:
        name, files = change(cases, seed, number)
        write(folder / "old", files)
        outcome = examine(name, folder / "old", models, canary, deep=number % EVERY == 0)
        if not outcome.faults:  # else it is kept
            shutil.rmtree(folder / "old")
        return outcome, name

    answer(examined)


if __name__ == "__main__":
    main()
