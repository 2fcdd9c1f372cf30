"""Processes that take turns: each is told how many steps to take and answers how long it took.

Two processes, because TensorFlow and PyTorch in one would share threads and a peak of memory. While
one computes the other waits for its next line.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from asykeras.types import Tensor

PIECE = 0.7  # seconds of a turn, roughly
# One thread, and its processor time: what a step costs also while others use the machine.
ONE_THREAD = {
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "BENCHMARK_CLOCK": "processor",
}


class WorkerError(RuntimeError):
    """A process that ended before its time, with the last line it wrote."""


class Worker:
    """A module that is run in a process of its own and answers requests, line by line.

    The environment is what it gets besides the variables of this process; the folder is where it
    runs, by default here.
    """

    def __init__(
        self,
        module: str,
        arguments: Sequence[str],
        environment: Mapping[str, str] = {},
        folder: str | None = None,
    ):
        self.module = module
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            env={**os.environ, **environment},
            cwd=folder,
        )

    def ask(self, request: str) -> float:
        """Return the number that the process answers; WorkerError if the process has ended."""
        try:
            print(request, file=self.process.stdin, flush=True)
            return float(self.process.stdout.readline())  # type: ignore[union-attr]
        except (BrokenPipeError, ValueError):  # the line is empty at the end of a process
            self.log.seek(0)
            lines = [line for line in self.log.read().split("\n") if line]
            said = lines[-1] if lines else "it ended without a word"
            raise WorkerError(f"{self.module}: {said}") from None

    def close(self) -> None:
        """Let the process end, and wait for it."""
        try:
            self.process.communicate()
        except BrokenPipeError:
            self.process.wait()
        self.log.close()


def requests() -> Iterator[tuple[str, int]]:
    """Yield what this process is asked for, until nobody asks any more: a word and a number."""
    for line in iter(sys.stdin.readline, ""):
        word, number = line.split()
        yield word, int(number)


def clock() -> float:
    """Return seconds: of the clock on the wall, or of this process under `ONE_THREAD`."""
    own = os.environ.get("BENCHMARK_CLOCK") == "processor"
    return time.process_time() if own else time.perf_counter()


def answer(number: float) -> None:
    """Answer a request."""
    print(repr(float(number)), flush=True)


def peak_memory() -> float:
    """Return the most memory that this process has held so far, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def serve(work: Mapping[str, Callable[[], Tensor]]) -> None:
    """Answer requests until they end: seconds of so many calls by a word, or `peak` of memory."""
    for word, number in requests():
        if word == "peak":
            answer(peak_memory())
            continue
        work[word]()  # back into the caches, after the other sides' turns
        begun = clock()
        for _ in range(number):
            work[word]()
        answer(clock() - begun)


def take_turns(
    sides: dict[str, tuple[Worker, str]], rounds: int, piece: float
) -> dict[str, np.ndarray]:
    """Return the seconds per step of each side, one number per round.

    A side is a process and the word that asks it for steps. A turn lasts about `piece` seconds, and
    has at least one step.
    """

    def per_step(name: str, count: int) -> float:
        worker, word = sides[name]
        return worker.ask(f"{word} {count}") / count

    counts = {}
    for name in sides:
        per_step(name, 1)  # the first step of a side may still compile
        counts[name] = max(1, round(piece / per_step(name, 1)))
    times: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds):
        # every other round in the other order, so that a drift of the machine cancels
        for name in list(sides)[:: 1 if number % 2 else -1]:
            times[name].append(per_step(name, counts[name]))
    return {name: np.array(values) for name, values in times.items()}


@dataclass(frozen=True)
class Turns:
    """What was measured of sides that took turns."""

    times: dict[str, np.ndarray]  # seconds per step of each side, one number per round
    peaks: dict[str, float]  # largest memory of each process in GiB
    others: float  # share of the machine that other processes had meanwhile


def compare(workers: dict[str, Worker], sides: dict[str, tuple[str, str]], rounds: int) -> Turns:
    """Let sides take turns, each by the name of its process and the word that asks for steps.

    The processes end afterwards.

    Raises:
        WorkerError: if a process fails.
    """
    try:
        for each in workers.values():
            each.ask("peak 0")  # answered when it is ready
        load = OthersLoad([each.process.pid for each in workers.values()])
        asked = {side: (workers[name], word) for side, (name, word) in sides.items()}
        times = take_turns(asked, rounds, PIECE)
        others = load.share()
        return Turns(times, {name: each.ask("peak 0") for name, each in workers.items()}, others)
    finally:
        for each in workers.values():
            each.close()


class OthersLoad:
    """Share of the machine that other processes use between two moments; NaN where unknown."""

    def __init__(self, own: Sequence[int]):
        self.own = own  # numbers of processes
        self.begun = self._state()

    def share(self) -> float:
        """Return the share since this object was made, 0 to 1."""
        now = self._state()
        if now is None or self.begun is None:
            return float("nan")
        seconds, busy, own = (b - a for a, b in zip(self.begun, now, strict=True))
        return max(0.0, (busy - own) / (seconds * (os.cpu_count() or 1)))

    def _state(self) -> tuple[float, float, float] | None:
        """Return the time, and the seconds of all processes and of the own ones so far."""
        try:
            machine = Path("/proc/stat").read_text().split()
            stats = [Path(f"/proc/{number}/stat").read_text() for number in self.own]
        except OSError:  # not Linux
            return None
        user, nice, system, _, _, irq, softirq, steal = map(int, machine[1:9])
        busy = user + nice + system + irq + softirq + steal
        # After the name in brackets, which may hold spaces: utime and stime are fields 14 and 15.
        own = sum(sum(map(int, text.rpartition(")")[2].split()[11:13])) for text in stats)
        ticks = os.sysconf("SC_CLK_TCK")
        return time.monotonic(), busy / ticks, own / ticks
