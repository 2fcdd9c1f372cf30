"""Running cells one after the other, each in a process of its own, and going on later.

A work folder holds `cells/NAME` for each cell. A cell with an `evaluation.json` is finished and is
never touched again; one that was cut or killed goes on at its last checkpoint.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

import recipes
from recipes.compare.cell import BUSY, CUT
from recipes.compare.plan import Job
from recipes.compare.presets import Setting
from recipes.compare.records import CellResult
from zoo.machine.files import write_atomically
from zoo.pictures.images import ImageError, find_images

ROOT = Path(recipes.__file__).parent.parent
VALIDATION_IMAGES = 10
MOST_FAILURES = 3  # in a row: then the reason is one of all cells
Launch = Callable[[Path, float], int]  # folder of a cell, minutes -> exit code
Say = Callable[[str], None]
# What the runs of one seed must have in common.
Common = Literal["initial_weights", "first_batch", "first_input"]
COMMON: tuple[Common, ...] = get_args(Common)


class CompareError(RuntimeError):
    """A comparison that cannot start or go on, with the reason in one sentence."""


@dataclass
class Outcome:
    """What became of the cells."""

    finished: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)  # name -> reason
    left: list[str] = field(default_factory=list)


def launch(folder: Path, minutes: float) -> int:
    """Run a cell in a process of its own, with its output in `log.txt`; return its exit code."""
    command = [sys.executable, "-m", "recipes.compare.cell", str(folder.resolve())]
    with (folder / "log.txt").open("a") as log:
        # A session of its own: Ctrl-C reaches this process, which then ends the cell in order.
        with subprocess.Popen(
            [*command, "--minutes", f"{minutes:.4f}", "--child"],
            cwd=ROOT,
            stdin=subprocess.PIPE,  # it is closed when this process ends, however that ends
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process:
            try:
                return process.wait()
            except BaseException:
                process.terminate()  # it writes a checkpoint
                process.wait()
                raise


def run_cells(
    jobs: dict[str, Job], workdir: Path, minutes: float, say: Say, start: Launch = launch
) -> Outcome:
    """Run all cells that are not finished, of which `jobs` has the content of `cell.json`, by name.

    Stops after the given minutes, in the middle of a cell if need be; 0: never.

    Raises:
        CompareError: if a folder holds a cell with other settings, or cannot be written.
    """
    outcome, begun, trained, in_a_row = Outcome(), time.monotonic(), 0, 0
    folder = workdir / "cells"
    todo = [name for name, job in jobs.items() if not finished(folder / name, job)]
    outcome.finished = [name for name in jobs if name not in todo]
    if outcome.finished:
        say(f"{len(outcome.finished)} of {len(jobs)} cells are finished already")
    for number, name in enumerate(todo):
        left = minutes - (time.monotonic() - begun) / 60 if minutes else 0.0
        over = minutes and left <= 0
        code, seconds = (CUT, 0.0) if over else _run_cell(folder / name, jobs[name], left, start)
        if code == CUT:
            outcome.left += todo[number:]
            break
        if code == BUSY:
            outcome.left.append(name)
            say(f"{name}: another process trains it; passed over")
            continue
        trained += 1
        if code:
            outcome.failed[name] = _last_line(folder / name / "log.txt", code)
            say(f"{name} FAILED: {outcome.failed[name]}")
            in_a_row += 1
            if in_a_row == MOST_FAILURES:
                outcome.left += todo[number + 1 :]
                say(f"{in_a_row} cells failed one after the other; the others are not tried")
                break
            continue
        in_a_row = 0
        outcome.finished.append(name)
        more = (time.monotonic() - begun) / trained * (len(todo) - number - 1) / 60
        say(f"[{number + 1}/{len(todo)}] {name}  {seconds:.0f} s, about {more:.0f} min left")
    return outcome


def _run_cell(folder: Path, job: Job, left: float, start: Launch) -> tuple[int, float]:
    begun = time.monotonic()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / "cell.json", json.dumps(job, indent=1).encode())
        return start(folder, left), time.monotonic() - begun
    except OSError as error:
        raise CompareError(f"{folder} cannot be used: {error.strerror}") from None


def finished(folder: Path, job: Job) -> bool:
    """Whether a cell is trained and evaluated.

    Raises:
        CompareError: if the folder holds a cell that differs in what decides its numbers.
    """
    if (folder / "cell.json").exists():
        there = read_json(folder / "cell.json").get("cell", {})
        wanted: dict[str, Setting] = json.loads(json.dumps(job["cell"]))
        differing = [key for key in wanted if there.get(key) != wanted[key]]
        if differing:
            key, old, new = _first_difference(there, wanted, differing[0])
            raise CompareError(
                f"{folder} holds another run: its {key} is {old!r}, not {new!r}; choose another "
                "--workdir"
            )
    return (folder / "evaluation.json").exists()


def _first_difference(
    there: dict[str, Setting], wanted: dict[str, Setting], key: str
) -> tuple[str, Setting, Setting]:
    old, new = there.get(key), wanted[key]
    if isinstance(old, dict) and isinstance(new, dict):
        inner = next(name for name in sorted({*old, *new}) if old.get(name) != new.get(name))
        return inner, old.get(inner), new.get(inner)
    return key, old, new


def read_json(path: Path) -> Any:
    """Read a JSON object.

    Raises:
        CompareError: if it cannot be read.
    """
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise CompareError(f"{path} cannot be read: {error}") from None


def check_same_start(evaluations: Iterable[CellResult]) -> int:
    """Check that the runs of one seed began alike; return the number of groups (task, seed).

    Raises:
        CompareError: naming two cells that differ.
    """
    groups: dict[tuple[str, Setting], CellResult] = {}
    for evaluation in evaluations:
        cell = evaluation["cell"]
        first = groups.setdefault((cell["task"], cell["settings"]["seed"]), evaluation)
        for kind in COMMON:
            if not _equal(evaluation["witness"][kind], first["witness"][kind]):
                raise CompareError(
                    f"{cell['cell']} and {first['cell']['cell']} share a seed but differ in their "
                    f"{kind.replace('_', ' ')}"
                )
    return len(groups)


def _equal(one: str | list[float], other: str | list[float]) -> bool:
    """Whether hashes are equal, or values up to the rounding of float32."""
    if isinstance(one, str):
        return one == other
    return len(one) == len(other) and np.allclose(one, other, rtol=0, atol=1e-5)


def validation_folder(source: Path | None, workdir: Path) -> str:
    """Copy the first images of a folder beside the cells; return the folder, "" without a source.

    All images of a validation set would take more time than the training of a small network.
    """
    if source is None:
        return ""
    folder = workdir / "validation"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in find_images(source)[:VALIDATION_IMAGES]:
            if not (folder / path.name).exists():
                write_atomically(folder / path.name, path.read_bytes())
    except OSError as error:
        raise CompareError(f"{folder} cannot be used: {error.strerror}") from None
    except ImageError as error:
        raise CompareError(f"--validation: {error}") from None
    return str(folder.resolve())


def _last_line(log: Path, code: int) -> str:
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return f"{lines[-1] if lines else 'no output'} (exit code {code}; see {log})"
