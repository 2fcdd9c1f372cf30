"""One cell of `recipes.benchmark.pictures`: restores a file, as the command does, up to a time.

python -m recipes.benchmark.picture WEIGHT FILE OPTIONS... answers, line by line: `pixels 0`, of the
output; `restore N`, the seconds until the file was done, or until the first row of tiles that was
finished after N seconds; then `share 0`, what was finished, and `memory 0`, in GiB.
"""

import argparse
import time
from contextlib import suppress
from pathlib import Path

import keras

from recipes.benchmark.turns import answer, peak_memory, requests
from zoo.app.folder import restore_file
from zoo.app.progress import Job
from zoo.pictures.photos import read_header
from zoo.restoring.bands import Settings
from zoo.restoring.network import Network, open_network

SIGMA = 25 / 255


class Enough(Exception):
    """The time is up."""


class Cell:
    """A picture file that is restored, beside which the result is written, and what was measured.

    Idle is the memory of the process before the network was opened, in GiB.
    """

    def __init__(self, network: Network, source: Path, idle: float) -> None:
        self.network, self.source, self.idle = network, source, idle
        picture = read_header(source, float("inf")).picture
        self.pixels = picture.height * picture.width * network.use.scale**2
        self.share = self.memory = 0.0

    def restore(self, seconds: float) -> float:
        """Restore the file, or what can be done of it; return the time that it took."""
        sigma = SIGMA if self.network.use.takes_sigma else None
        target = self.source.with_name(f"restored-{self.source.name}")
        _forget_peak()
        begun = time.perf_counter()

        def advance(share: float) -> None:
            self.share = share
            if share < 1 and time.perf_counter() - begun > seconds:
                raise Enough

        with suppress(Enough):
            restore_file(
                Job(self.source, target),
                lambda colour: self.network,
                Settings(sigma),
                megapixels=float("inf"),
                advance=advance,
            )
        took = time.perf_counter() - begun
        self.memory = _status("VmHWM") - self.idle
        target.unlink(missing_ok=True)
        return took


def _forget_peak() -> None:
    """Let the kernel count the largest memory from now on; where it does not, all counts."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _status(field: str) -> float:
    """Return a field of the process in GiB; where there is no such file, the largest memory."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return peak_memory()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 2**20


def main() -> None:
    """Answer requests until they end."""
    parser = argparse.ArgumentParser()
    parser.add_argument("weight")
    parser.add_argument("source", type=Path)
    parser.add_argument("--engine", default="keras")
    parser.add_argument("--precision", default="float32")
    options = parser.parse_args()
    keras.ops.convert_to_numpy(keras.ops.ones((1,)) + 1)  # the backend has started
    idle = _status("VmRSS")
    network = open_network(options.weight, dtype=options.precision, engine=options.engine)
    cell = Cell(network, options.source, idle)
    for word, number in requests():
        if word == "restore":
            answer(cell.restore(number))
        else:
            answer(getattr(cell, word))


if __name__ == "__main__":
    main()
