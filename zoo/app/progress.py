"""What a person sees of a restoration: which file, how much is done, how long it will take."""

import shutil
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from zoo.machine.failures import printable, sentence


@dataclass(frozen=True)
class Job:
    """One file to restore."""

    source: Path
    target: Path


class Progress:
    """Tells a person what happens: on a terminal one line that moves on, else a line per file.

    Args:
        stream: Where to, standard error by default.
        quiet: Whether to tell of problems alone.
        debug: Whether to print the traceback of a failure too.
    """

    def __init__(
        self, stream: IO[str] | None = None, quiet: bool = False, debug: bool = False
    ) -> None:
        self.stream: IO[str] | None = sys.stderr if stream is None else stream
        self.quiet, self.debug = quiet, debug
        self.live = not quiet and self.stream.isatty()
        self.skipped = 0
        self.problems = 0
        self.total = self.finished = self.current = 0
        self.files = self.number = 0
        self.name = ""
        self.began = self.started = time.monotonic()

    def start(self, sizes: Sequence[int]) -> None:
        """Begin with files of so many pixels each; tell how many others are left as they are."""
        if count := self.skipped:
            self.remark(f"{count} results are there already and kept (--overwrite replaces them)")
        self.total, self.files = sum(sizes), len(sizes)
        self.began = time.monotonic()

    def begin(self, job: Job, pixels: int) -> None:
        """Begin with a file."""
        self.finished += self.current
        self.current, self.number, self.name = pixels, self.number + 1, str(job.source)
        self.started = time.monotonic()
        self.advance(0.0)

    def advance(self, share: float) -> None:
        """Tell how much of the file is done."""
        if self.live:
            done = self.finished + share * self.current
            name = printable(self.name)
            text = f"{self.number}/{self.files} {name} {share:.0%}{self._left(done)}"
            width = shutil.get_terminal_size().columns - 1
            self._write("\r\x1b[K" + (text if len(text) <= width else "..." + text[3 - width :]))

    def done(self, job: Job, remark: str) -> None:
        """Tell that a file is done."""
        if remark:
            self.remark(remark)
        if not self.live:
            self._line(f"{job.source} -> {job.target}: {time.monotonic() - self.started:.1f} s")
        elif self.number == self.files:
            self._line(f"{self.files} files, {_duration(time.monotonic() - self.began)}")

    def remark(self, text: str) -> None:
        """Tell something worth knowing."""
        self._line(f"asykeras: {text}")

    def problem(self, text: str) -> None:
        """Tell that something failed, also when quiet."""
        self.problems += 1
        self._write(("\r\x1b[K" if self.live else "") + f"asykeras: {printable(text)}\n")

    def failed(self, error: Exception, source: Path) -> None:
        """Tell that a file failed, and why."""
        if self.debug:
            self._write("".join(traceback.format_exception(error)))
        self.problem(sentence(error, source))

    def _left(self, done: float) -> str:
        """Return the time left, once there is something to judge by."""
        elapsed = time.monotonic() - self.began
        if done <= 0 or elapsed < 1:
            return ""
        return f", {_duration(elapsed * (self.total - done) / done)} left"

    def _line(self, text: str) -> None:
        if not self.quiet:
            self._write(("\r\x1b[K" if self.live else "") + printable(text) + "\n")

    def _write(self, text: str) -> None:
        if self.stream is None:
            return
        try:
            self.stream.write(text)
            self.stream.flush()
        except OSError:  # nobody reads it any more, or the disk is full: the work goes on
            self.stream = None


def _duration(seconds: float) -> str:
    """Return a time in the two units that matter.

    Example:
        3725 seconds  ->  "1 h 2 min"
    """
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 1:
        return f"{rest} s"
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
