"""A process that changes and examines pictures, as it is told line by line."""

import sys
from pathlib import Path

from tests.fuzz.changes import packed
from tests.fuzz.images.examine import examine
from tests.fuzz.images.mutations import BOMBS, change
from tests.fuzz.images.seeds import seeds
from tests.fuzz.workers import Outcome, answer
from tests.zoo.examples import network
from zoo.restoring.bands import Settings
from zoo.restoring.network import open_network


def main() -> None:
    """Examine the numbers that come in: `[seed, number, name of a network or nothing]` a line.

    The first argument is a folder of its own, where what is examined lies meanwhile, as `old.*`;
    the second is the name of a network.
    """
    folder, files, networks = Path(sys.argv[1]), seeds(), {"": network()}
    networks[sys.argv[2]] = open_network(sys.argv[2])
    for length in BOMBS:
        packed(length)

    def examined(seed: int, number: int, name: str) -> tuple[Outcome, str]:
        of, content = change(files, seed, number)
        path = folder / f"old.{of.split()[0]}"
        path.write_bytes(content)
        name = "" if "large" in of else name  # which takes a network too long
        outcome = examine(path, networks[name], Settings(), compare=not name)
        if not outcome.faults:  # else it is kept
            path.unlink()
        return outcome, of

    answer(examined)


if __name__ == "__main__":
    main()
