"""Kill every command that writes, at random moments, and look at what is left.

    python -m tests.fuzz.kill --count 20 --seed 0
    python -m tests.fuzz.kill --only restore export

Each round starts a command, sends it SIGKILL, SIGTERM or SIGHUP at a random moment, and gives the
same command again. After the signal every result that is there must be whole and right, and after
SIGTERM and SIGHUP nothing else may be there; after the second start all results must be those of a
run that nobody disturbed, and no part, lock or process may be left. Exit code 1 if that fails.

Commands run in forks of a process that has imported everything: what is killed is work, not the
import of TensorFlow.
"""

import argparse
import json
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np

from tests.fuzz import kill_cases

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP)
PATIENCE = 300.0  # seconds after which a command hangs
MARK = "ASYKERAS_KILL_FUZZ"  # a variable by which processes of a round are known
POLL = 0.002  # seconds between two looks at the files
BEFORE = 0.15  # share of the signals that come before the command has written anything


@dataclass
class Case:
    """One command.

    Attributes:
        prepare: Makes its input below a folder.
        words: Module and command line, given that folder.
        results: What is finished below that folder, in a form to be compared; fails for what is
            half done.
        settings: Attributes of modules to set in the process.
    """

    prepare: Callable[[Path], None]
    words: Callable[[Path], list[str]]
    results: Callable[[Path], dict[str, Any]]
    settings: Callable[[Path], dict[str, Any]] = lambda folder: {}


CASES = {
    "restore": Case(kill_cases.pictures, kill_cases.restore, kill_cases.restored),
    "import": Case(kill_cases.foreign_weights, kill_cases.import_weights, kill_cases.imported),
    "train": Case(kill_cases.pictures, kill_cases.train, kill_cases.trained),
    "export": Case(
        kill_cases.nothing, kill_cases.export, kill_cases.exported, kill_cases.quick_checks
    ),
    "publish": Case(
        kill_cases.finished_run, kill_cases.publish, kill_cases.published, kill_cases.zoo_below
    ),
    "compare": Case(
        kill_cases.nothing, kill_cases.compare, kill_cases.compared, kill_cases.in_one_process
    ),
    "cells": Case(kill_cases.nothing, kill_cases.compare, kill_cases.compared),
}


def start(case: Case, folder: Path) -> BaseProcess:
    """Start the command of a case in a process of its own."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(kill_cases.MODULES))
    process = context.Process(
        target=kill_cases.run, args=(case.words(folder), case.settings(folder), str(folder), MARK)
    )
    process.start()
    return process


def finish(process: BaseProcess) -> int:
    """Wait for the end of a process and return its exit code."""
    process.join(PATIENCE)
    if process.exitcode is None:
        os.kill(process.pid or 0, signal.SIGKILL)
        raise AssertionError("it did not end")
    return process.exitcode


@dataclass
class Course:
    """How a command went that nobody disturbed.

    Attributes:
        results: What it wrote.
        first: Seconds before it wrote anything.
        changes: How often names of files came or went.
        gap: Seconds between two of them in the mean.
    """

    results: dict[str, Any]
    first: float
    changes: int
    gap: float


def measured(case: Case, folder: Path) -> Course:
    """Run a command undisturbed."""
    case.prepare(folder)
    state, changes, first, begun = _state(folder), 0, 0.0, time.monotonic()
    process = start(case, folder)
    while process.exitcode is None:
        if (now := _state(folder)) != state:
            state, changes = now, changes + 1
            first = first or time.monotonic() - begun
        process.join(POLL)
    assert process.exitcode == 0, f"undisturbed it ended with {process.exitcode}"
    assert not leftovers(folder), f"undisturbed it left {leftovers(folder)}"
    gap = (time.monotonic() - begun - first) / max(changes, 1)
    return Course(_plain(case.results(folder)), first, changes, gap)


def round_of(
    case: Case, folder: Path, number: int, course: Course, rng: np.random.Generator
) -> int:
    """Disturb a command by a signal and repeat it; return the exit code of the first start."""
    expected = course.results
    case.prepare(folder)
    state, process = _state(folder), start(case, folder)
    if rng.random() < BEFORE:
        time.sleep(rng.uniform(0, course.first))
    else:  # counted and not timed: other work may slow the machine down at any time
        more = rng.integers(1, max(course.changes, 2))
        while more and process.exitcode is None:
            if (now := _state(folder)) != state:
                state, more = now, more - 1
            process.join(POLL)
        process.join(rng.uniform(0, course.gap))
    with suppress(ProcessLookupError):  # it has just ended
        os.kill(process.pid or 0, number)
    code = finish(process)
    allowed = {0, -number, 0 if number == signal.SIGKILL else 128 + number}
    said = _last_lines(folder)
    assert code in allowed, f"exit code {code} after {signal.Signals(number).name}: {said}"
    _check_subset(_plain(case.results(folder)), expected)
    left = leftovers(folder)
    running = [each for each in left if each.startswith("process")]
    assert not (running if number == signal.SIGKILL else left), f"after {code} it left {left}"
    kept = {path: path.stat().st_mtime_ns for path in kill_cases.kept(folder)}
    again = finish(start(case, folder))
    assert again == 0 or (again == 1 and code == 0), f"second start: {again}, {_last_lines(folder)}"
    found = _plain(case.results(folder))
    _check_subset(found, expected)
    assert not expected.keys() - found.keys(), f"missing: {expected.keys() - found.keys()}"
    assert not leftovers(folder), f"at last there is {leftovers(folder)}"
    redone = [path.name for path, then in kept.items() if path.stat().st_mtime_ns != then]
    assert not redone, f"finished results were made again: {redone}"
    return code


def _last_lines(folder: Path) -> str:
    """Return what a command said at last; nothing where it was killed before it could."""
    log = folder / "log.txt"
    return " / ".join(log.read_text().splitlines()[-5:]) if log.exists() else ""


def leftovers(folder: Path) -> list[str]:
    """Return parts, locks and processes of a round that are still there."""
    until = time.monotonic() + 60  # a cell whose parent is gone first writes its checkpoint
    while _processes(folder) and time.monotonic() < until:
        time.sleep(0.1)
    names = [
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.name.startswith(".part-") or path.name.endswith(("lock", ".part"))
    ]
    return names + [f"process {number}" for number in _processes(folder)]


def _processes(folder: Path) -> list[int]:
    mark = f"{MARK}={folder}\0".encode()
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:  # another user's, or it has ended
            continue
    return found


def _state(folder: Path) -> set[str]:
    """Return the names of all files, also of temporary ones."""
    found = set()
    for here, folders, files in os.walk(folder):  # which minds no folder that vanishes
        found |= {os.path.join(here, name) for name in (*folders, *files) if name != "log.txt"}
    return found


def _plain(results: dict[str, Any]) -> dict[str, Any]:
    return dict(json.loads(json.dumps(results)))


def _check_subset(found: dict[str, Any], expected: dict[str, Any]) -> None:
    wrong = [name for name in found if found[name] != expected.get(name)]
    assert not wrong, f"wrong or half results: {wrong}"


def disturb(name: str, count: int, seed: int, say: Callable[[str], None]) -> list[str]:
    """Run the rounds of one command; return what went wrong."""
    case, failures, codes = CASES[name], [], Counter[int]()
    rng = np.random.default_rng([seed, list(CASES).index(name)])
    with tempfile.TemporaryDirectory(prefix="kill-") as work:
        course = measured(case, _fresh(Path(work) / "whole"))
        for number in range(count):
            folder, kind = _fresh(Path(work) / f"round-{number}"), SIGNALS[number % len(SIGNALS)]
            try:
                codes[round_of(case, folder, kind, course, rng)] += 1
            except AssertionError as error:
                failures.append(f"{name}, round {number}, {kind.name}: {error}")
                say(failures[-1])
            shutil.rmtree(folder)
    ends = ", ".join(f"{codes[code]} with {code}" for code in sorted(codes))
    say(f"{name}: {count} rounds, {len(failures)} failed; the first start ended {ends}")
    return failures


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _fresh(folder: Path) -> Path:
    (folder / "tmp").mkdir(parents=True)
    return folder


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz.kill",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--count", type=int, default=20, help="of signals to each command")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES))
    options = parser.parse_args(arguments)
    failures = []
    for name in options.only:
        failures += disturb(name, options.count, options.seed, _say)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
