"""Seeing a run, and ending it well: progress, log, checkpoints after pieces, signals.

A run is cut into pieces of `--every` steps. After each there is a checkpoint, a validation and a
line in `training.csv`. SIGTERM, SIGHUP and Ctrl-C end the run after the step at hand, with a
checkpoint.
"""

import csv
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import keras
import numpy as np

from asykeras.types import Tensor
from recipes.training.checkpoints import save_checkpoint
from recipes.training.settings import Settings, TrainingError

if TYPE_CHECKING:
    from tensorboardX import SummaryWriter

# The columns of training.csv and their formats.
COLUMNS = {"step": "d", "loss": ".8f", "psnr": ".4f", "validation_psnr": ".4f"}
COLUMNS |= {"images_per_second": ".1f", "seconds": ".1f"}


class Stopped(RuntimeError):
    """A run that a signal ended, after a checkpoint."""

    def __init__(self, step: int, number: int):
        super().__init__(
            f"stopped by {signal.Signals(number).name} at step {step}; its checkpoint is written, "
            "go on with --resume"
        )
        self.code = 128 + number  # as a shell reports a process that a signal ended


@contextmanager
def caught_signals() -> Iterator[list[int]]:
    """Note SIGTERM, SIGHUP and SIGINT in the block instead of dying of them.

    A second one kills as ever.
    """
    received: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        received.append(number)
        signal.signal(number, signal.SIG_DFL)

    names = ("SIGTERM", "SIGINT", "SIGHUP")
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    numbers = [each for each in numbers if signal.getsignal(each) is not signal.SIG_IGN]
    try:
        before = {number: signal.signal(number, note) for number in numbers}
    except ValueError:  # not the main thread: who runs the thread handles signals
        before = {}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@dataclass
class Report:
    """Where a run writes what it reaches; `writes` is false on all hosts but the first."""

    settings: Settings
    workdir: Path
    writes: bool
    validate: Callable[[], tuple[float, list[np.ndarray]]] | None = None
    board: "SummaryWriter | None" = None


class Progress(keras.callbacks.Callback):
    """One line that counts the steps, and the end of a run: by a signal, or not finite."""

    def __init__(self, report: Report, step: int, signals: Sequence[int]):
        super().__init__()
        self.report, self.signals = report, signals
        self.settings = report.settings
        self.steps = self.settings.descent.steps
        self.step = self.first = step
        self.begun = self.shown = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] = {}) -> None:
        """Count, look for signals, and show at most twice a second.

        The loss is read only then: who reads it waits for the device. `Pieces` reads every piece's.
        """
        self.step += self.model.steps_per_execution
        if self.signals:
            check_loss(logs, self.step)
            if hasattr(self.model, "jax_state_sync"):
                self.model.jax_state_sync()  # on JAX the model has its weights of the epoch's start
            if self.report.writes:
                save_checkpoint(self.model, self.report.workdir, self.step, self.settings)
            raise Stopped(self.step, self.signals[-1])
        now = time.monotonic()
        shows = self.report.writes and not self.settings.run.quiet and sys.stdout.isatty()
        if shows and now - self.shown > 0.5:
            self.shown = now
            self._show(check_loss(logs, self.step), float(logs.get("psnr", float("nan"))), now)

    def _show(self, loss: float, psnr: float, now: float) -> None:
        rate = (self.step - self.first) / (now - self.begun)
        left = int((self.steps - self.step) / rate)
        line = (
            f"step {self.step}/{self.steps}  loss {loss:.6f}  {psnr:.2f} dB  "
            f"{rate * self.settings.samples.batch:.0f} images/s  {left // 60}:{left % 60:02d} left"
        )
        print(f"\r{line:<78}", end="", flush=True)


class Unread(keras.callbacks.CallbackList):
    """Callbacks that get the logs of a call as the device returns them.

    Keras' own list reads every number before it calls the first one, and so waits for the device at
    each call. Those that say they are `async_safe` it calls in a thread instead, where a signal
    could not end the run after the step at hand.
    """

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Tensor] | None = None) -> None:
        """Hand the logs on."""
        for callback in self.callbacks:
            callback.on_train_batch_end(batch, logs)


class Pieces(keras.callbacks.Callback):
    """After every piece: a checkpoint, a validation, a line in the log."""

    def __init__(self, report: Report, step: int):
        super().__init__()
        self.report, self.settings, self.step = report, report.settings, step
        self.begun = self.piece = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] = {}) -> None:
        """Save first, so that a kill during the validation costs nothing."""
        every = self.settings.descent.every
        first, self.step = self.step, (self.step // every + 1) * every
        check_loss(logs, self.step)  # `Progress` looks at few, which may be of the call before
        images = (self.step - first) * self.settings.samples.batch
        speed = images / (time.monotonic() - self.piece)
        if self.report.writes:
            save_checkpoint(self.model, self.report.workdir, self.step, self.settings)
        psnr, restored = self.report.validate() if self.report.validate else (float("nan"), [])
        row = {
            "step": self.step,
            "loss": float(logs["loss"]),
            "psnr": float(logs.get("psnr", float("nan"))),
            "validation_psnr": psnr,
            "images_per_second": speed,
            "seconds": time.monotonic() - self.begun,
        }
        if self.report.writes:
            log(self.report, row, restored)
        if 0 < 60 * self.settings.run.minutes < time.monotonic() - self.begun:
            self.model.stop_training = True
        self.piece = time.monotonic()


def check_loss(logs: Mapping[str, float], step: int) -> float:
    """Return the loss of some steps; TrainingError if it is not finite."""
    loss = float(logs.get("loss", 0.0))
    if not np.isfinite(loss):
        raise TrainingError(
            f"the loss became {loss} at step {step}; the last checkpoint is kept. A lower "
            "--learning-rate usually helps"
        )
    return loss


def log(report: Report, row: dict[str, float], restored: list[np.ndarray]) -> None:
    """Append a line to training.csv, tell TensorBoard, and show the line.

    Raises:
        TrainingError: if the line cannot be written.
    """
    text = [format(row[column], shape) for column, shape in COLUMNS.items()]
    path = report.workdir / "training.csv"
    try:
        new = not path.exists()
        with path.open("a", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([COLUMNS, text] if new else [text])
    except OSError as error:
        raise TrainingError(f"{path} cannot be written: {error.strerror}") from None
    if report.board:
        for name, value in row.items():
            if name != "step" and np.isfinite(value):
                report.board.add_scalar(name, value, row["step"])
        for number, image in enumerate(restored):
            report.board.add_image(f"validation/{number}", image, row["step"], dataformats="HWC")
        report.board.flush()
    if not report.settings.run.quiet:
        psnr = row["validation_psnr"]
        shown = "" if np.isnan(psnr) else f"  validation {psnr:.3f} dB"
        line = (
            f"step {row['step']}/{report.settings.descent.steps}  loss {row['loss']:.6f}  "
            f"{row['psnr']:.2f} dB{shown}  {row['images_per_second']:.0f} images/s  "
            f"{row['seconds']:.0f} s"
        )
        print(f"\r{line:<78}", flush=True)


def open_board(workdir: Path) -> "SummaryWriter":
    """Return a writer of TensorBoard's event files in the work folder.

    Raises:
        TrainingError: if tensorboardX, which needs no TensorFlow, is not installed.
    """
    try:
        from tensorboardX import SummaryWriter
    except ImportError:
        raise TrainingError(
            "--tensorboard needs tensorboardX: pip install 'asykeras[tensorboard]'"
        ) from None
    return SummaryWriter(str(workdir / "tensorboard"))
