"""Changes pictures at random and restores them, until something is wrong or the time is over.

    python -m tests.fuzz.images --minutes 10
    python -m tests.fuzz.images --count 1000 --seed 7 --keep /tmp/findings

Every file goes through `restore` with a network that does nothing (every twentieth through one that
is published) and through `read_image`, in workers that are used again and restarted after a fault.
Faults are: a traceback, a message that is no sentence on the file, more than 20 seconds of the
processor, more than 2 GB of memory, a file left open, part of a result left behind, and pixels that
another program reads otherwise.
"""

import argparse
import collections
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

SECONDS = 20  # of the processor, for a file
START = 120  # seconds of the processor that a worker may take to import what it needs
LARGEST = 2 * 2**30  # bytes of memory: a worker that took more begins anew
WAIT = 900  # seconds by the clock, where nothing moves
EVERY = 20  # of the files, one goes through a published network
NETWORK = "srcnn-955-x2"


def main() -> int:
    """Run; return 1 if something was found."""
    options = _options()
    keep = options.keep or Path(tempfile.mkdtemp(prefix="fuzz-images-"))
    keep.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    end = start + 60 * options.minutes if options.minutes else float("inf")
    count = options.count or (10**6 if options.minutes else 1000)
    numbers = iter(range(options.start, options.start + count))
    results: list[dict[str, Any]] = []

    def run() -> None:
        with _Worker() as worker:
            for number in numbers:  # shared by all
                if time.monotonic() > end:
                    break
                result = worker.examine(options.seed, number, keep)
                results.append(result)
                if result["faults"]:
                    print(f"{result['kept']}: {result['faults'][0].strip()}", flush=True)
                if len(results) % 100 == 0:
                    print(f"{len(results)} images, {time.monotonic() - start:.0f} s", flush=True)

    threads = [threading.Thread(target=run) for _ in range(options.workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    _summary(results, time.monotonic() - start)
    return 1 if any(result["faults"] for result in results) else 0


class _Worker:
    """A process that examines files, one after the other."""

    def __enter__(self) -> "_Worker":
        self.process: subprocess.Popen[str] | None = None
        self.folder = tempfile.TemporaryDirectory()
        return self

    def __exit__(self, *error: object) -> None:
        self._end()
        self.folder.cleanup()

    def examine(self, seed: int, number: int, keep: Path) -> dict[str, Any]:
        """Return what came of a file; one with a fault is kept in a folder."""
        process = self.process or self._started()
        network = NETWORK if number % EVERY == 0 else ""
        start = self._seconds()
        process.stdin.write(json.dumps([seed, number, network]) + "\n")
        process.stdin.flush()
        line = self._line(SECONDS)
        seconds = self._seconds() - start
        result = {"done": "failed", "sentence": "", "compared": False, "peak": 0, "faults": []}
        if line:
            result = json.loads(line)
        if not line or seconds > SECONDS:
            died = process.poll()
            fault = f"takes {seconds:.0f} seconds" if died is None else f"ends with {died}"
            result["faults"].append(fault)
        if result["faults"]:
            result["kept"] = self._kept(seed, number, keep)
        if result["done"] == "failed" or result["peak"] > LARGEST:
            self._end()
        return {**result, "seconds": seconds, "network": network}

    def _started(self) -> "subprocess.Popen[str]":
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.images.worker", self.folder.name, NETWORK],
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

    def _kept(self, seed: int, number: int, keep: Path) -> str:
        """Put what is examined aside: a worker that ends or hangs has it still in its folder."""
        for path in Path(self.folder.name).glob("old.*"):
            kept = keep / f"{seed}-{number}{path.suffix}"
            shutil.move(path, kept)
            return str(kept)
        return "nothing"

    def _end(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
        self.process = None


def _summary(results: list[dict[str, Any]], seconds: float) -> None:
    done = collections.Counter(result["done"] for result in results)
    faults = [result for result in results if result["faults"]]
    compared = sum(result["compared"] for result in results)
    real = sum(bool(result["network"]) for result in results)
    print(f"{len(results)} images in {seconds:.0f} s, {real} of them through {NETWORK}")
    print(", ".join(f"{count} {name}" for name, count in done.most_common()))
    print(f"{compared} compared with another program")
    slowest = max((result["seconds"] for result in results), default=0)
    largest = max((result["peak"] for result in results), default=0)
    print(f"slowest {slowest:.1f} s, largest {largest / 2**30:.2f} GB of memory")
    print(f"{len(faults)} with faults")
    reasons = collections.Counter(
        result["sentence"][-60:] for result in results if result["done"] == "refused"
    )
    for reason, count in reasons.most_common(12):
        print(f"{count:6} {reason}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=0, help="how long; default: --count files")
    parser.add_argument("--count", type=int, default=0, help="of files; default: 1000")
    parser.add_argument("--seed", type=int, default=0, help="of all changes")
    parser.add_argument("--start", type=int, default=0, help="number of the first file")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    parser.add_argument("--keep", type=Path, help="folder for files that were found")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
