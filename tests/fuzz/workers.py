"""Processes that examine one file after the other, what came of each, and what it took.

A worker is a module that is started with a folder of its own and answers numbers (`answer`). What
it examines lies in its folder meanwhile, as `old*`. It is used again, and started anew after a
fault.
"""

import argparse
import collections
import gc
import json
import os
import re
import resource
import select
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

SECONDS = 20  # of the processor, for a file
HANG = 120  # ... with what another program takes for it
START = 120  # seconds of the processor that a worker may take to import what it needs
LARGEST = 2 * 2**30  # bytes of resident memory: a worker that took more begins anew
WAIT = 900  # seconds by the clock, where nothing moves
Result = dict[str, Any]


@dataclass
class Outcome:
    """What came of a file.

    Attributes:
        done: What was done with it, or `"refused"`, or `"failed"`.
        sentence: The refusal, or the remark.
        compared: Whether another program had an opinion on what it holds.
        faults: What is wrong.
        took: Most bytes of resident memory while ours read it, and no other program yet.
        seconds: Of the processor, meanwhile.
    """

    done: str
    sentence: str = ""
    compared: bool = False
    faults: list[str] = field(default_factory=list)
    took: int = 0
    seconds: float = 0.0


class Worker:
    """A process of a module.

    Args:
        module: What is run, with a folder of its own as first argument.
        arguments: The others.
        keep: Folder for what was examined and has a fault.
    """

    def __init__(self, module: str, arguments: Sequence[str], keep: Path) -> None:
        self.module, self.arguments, self.keep = module, arguments, keep
        self.process: subprocess.Popen[str] | None = None

    def __enter__(self) -> "Worker":
        self.folder = tempfile.TemporaryDirectory()
        return self

    def __exit__(self, *error: object) -> None:
        self._end()
        self.folder.cleanup()

    def ask(self, seed: int, number: int, *words: object) -> Result:
        """Return what came of a file; one with a fault is kept under its seed and number."""
        process = self.process or self._started()
        start = self._seconds()
        process.stdin.write(json.dumps([seed, number, *words]) + "\n")
        process.stdin.flush()
        line = self._line(HANG)
        result = json.loads(line) if line else {**asdict(Outcome("failed")), "peak": 0}
        if not line:
            # Of one that died nothing is known.
            result["seconds"] = max(self._seconds() - start, 0.0)
            died, fault = process.poll(), f"takes {result['seconds']:.0f} seconds"
            result["faults"].append(fault if died is None else f"ends with {died}")
        if result["faults"]:
            result["kept"] = self._kept(f"{seed}-{number}")
        if result["done"] == "failed" or result["peak"] > LARGEST:
            self._end()
        return result

    def _started(self) -> "subprocess.Popen[str]":
        self.process = subprocess.Popen(
            [sys.executable, "-m", self.module, self.folder.name, *self.arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "KERAS_BACKEND": "jax"},  # starts faster, and takes less
        )
        if self._line(START) != "ready\n":
            raise RuntimeError("the worker does not start")
        return self.process

    def _line(self, seconds: float) -> str:
        """Return a line of the worker, nothing if it ends or takes too long."""
        start, last = self._seconds(), time.monotonic() + WAIT
        while self._seconds() - start <= seconds and time.monotonic() < last:
            if select.select([self.process.stdout], [], [], 1)[0]:
                return self.process.stdout.readline()
        return ""

    def _seconds(self) -> float:
        """Return the time of the processor that the worker has taken: others want it too."""
        if self.process.poll() is not None:
            return 0.0
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _kept(self, name: str) -> str:
        """Put what is examined aside: a worker that ends or hangs has it still in its folder."""
        for path in Path(self.folder.name).glob("old*"):
            kept = self.keep / f"{name}{path.suffix}"
            if kept.is_dir():
                shutil.rmtree(kept)
            shutil.move(path, kept)
            return str(kept)
        return "nothing"

    def _end(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            # what it was killed over is no fault of the next one
            shutil.rmtree(self.folder.name)
            Path(self.folder.name).mkdir()
        self.process = None


def run_all(
    module: str,
    options: argparse.Namespace,
    words: Callable[[int], Sequence[object]] = lambda number: (),
    arguments: Sequence[str] = (),
) -> tuple[list[Result], float]:
    """Return what came of all files, and the seconds that it took.

    Args:
        module: Of the workers.
        options: Of `parser_of`.
        words: What a worker is told beside the seed and a number.
        arguments: Of the workers.
    """
    keep = options.keep or Path(tempfile.mkdtemp(prefix="fuzz-"))
    keep.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    end = start + 60 * options.minutes if options.minutes else float("inf")
    count = options.count or (10**6 if options.minutes else 1000)
    numbers = iter(range(options.start, options.start + count))
    results: list[Result] = []

    def run() -> None:
        with Worker(module, arguments, keep) as worker:
            for number in numbers:  # shared by all
                if time.monotonic() > end:
                    break
                result = worker.ask(options.seed, number, *words(number))
                results.append(result)
                if result["faults"]:
                    print(f"{result['kept']}: {result['faults'][0].strip()}", flush=True)
                if len(results) % 100 == 0:
                    print(f"{len(results)} files, {time.monotonic() - start:.0f} s", flush=True)

    threads = [threading.Thread(target=run) for _ in range(options.workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results, time.monotonic() - start


def summarize(results: list[Result], seconds: float) -> int:
    """Print what came of all files; return the exit code, 1 if something was found."""
    done = collections.Counter(result["done"] for result in results)
    faults = [result for result in results if result["faults"]]
    compared = sum(result["compared"] for result in results)
    print(f"{len(results)} files in {seconds:.0f} s")
    print(", ".join(f"{count} {name}" for name, count in done.most_common()))
    print(f"{compared} compared with another program")
    slowest = max((result["seconds"] for result in results), default=0)
    largest = max((result["took"] for result in results), default=0)
    print(f"slowest {slowest:.1f} s, largest {largest / 2**30:.2f} GB of memory")
    print(f"{len(faults)} with faults")
    reasons = collections.Counter(
        result["sentence"][-60:] for result in results if result["done"] == "refused"
    )
    for reason, count in reasons.most_common(12):
        print(f"{count:6} {reason}")
    return 1 if faults else 0


def parser_of(description: str | None) -> argparse.ArgumentParser:
    """Return a parser of the options of `run_all`."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=0, help="how long; default: --count files")
    parser.add_argument("--count", type=int, default=0, help="of files; default: 1000")
    parser.add_argument("--seed", type=int, default=0, help="of all changes")
    parser.add_argument("--start", type=int, default=0, help="number of the first file")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    parser.add_argument("--keep", type=Path, help="folder for files that were found")
    return parser


# ---- within a worker


def answer(examine: Callable[..., tuple[Outcome, str]]) -> None:
    """Answer `[seed, number, ...]`, one a line, until there are no more.

    Args:
        examine: From these to what came of the file, and the name of what was changed.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    out, sys.stdout = sys.stdout, sys.stderr  # what others print is no answer
    gc.collect()
    gc.freeze()  # what was imported is not looked through again and again
    print("ready", file=out, flush=True)
    for line in sys.stdin:
        try:
            outcome, changed = examine(*json.loads(line))
        except Exception:  # nobody sees what a worker prints
            outcome, changed = Outcome("failed", faults=[traceback.format_exc()]), "?"
        result = {**asdict(outcome), "peak": peak(), "changed": changed}
        print(json.dumps(result), file=out, flush=True)


def peak() -> int:
    """Return the most resident memory since the last `Meter`, in bytes."""
    status = Path("/proc/self/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return 1024 * int(found[1]) if found else 0


def open_files() -> int:
    """Return how many files are open."""
    return len(os.listdir("/proc/self/fd"))


class Meter:
    """Measures what this process takes from here on."""

    def __init__(self) -> None:
        Path("/proc/self/clear_refs").write_text("5")  # `peak` counts anew
        self.open, self.start = open_files(), time.process_time()

    def read(self, outcome: Outcome) -> None:
        """Note what was taken, and as a fault what was too much."""
        outcome.took, outcome.seconds = peak(), time.process_time() - self.start
        if outcome.seconds > SECONDS:
            outcome.faults.append(f"takes {outcome.seconds:.0f} seconds")
        if outcome.took > LARGEST:
            outcome.faults.append(f"takes {outcome.took / 2**30:.2f} GB of memory")
        if open_files() > self.open:
            gc.collect()  # slow: only where it may be to blame
        if open_files() > self.open:
            outcome.faults.append(f"leaves {open_files() - self.open} files open")
