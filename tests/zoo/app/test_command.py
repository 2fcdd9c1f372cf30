"""How commands end: exit codes, one sentence, signals, and readers that go away."""

import argparse
import errno
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from zoo.app.command import Ended, UsageError, ended_by_signals, run

ROOT = Path(__file__).parents[3]


def started(work, *words):
    return run(argparse.ArgumentParser(prog="python -m recipes.tidy"), work, words)


def failing(error):
    def work(options):
        raise error

    return work


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (UsageError("give a folder"), 2, "tidy: give a folder"),
        (ValueError("no good"), 1, "tidy: no good"),
        (OSError(errno.ENOSPC, "No space left on device"), 1, "tidy: No space left on device"),
        (OSError(errno.EACCES, "Permission denied", "f"), 1, "tidy: f: Permission denied"),
        (MemoryError(), 1, "tidy: there is not enough memory"),
        (KeyError("b"), 1, "tidy: KeyError: 'b'"),
        (KeyboardInterrupt(), 130, "tidy: stopped"),
    ],
)
def test_a_failure_is_one_sentence(error, code, line, capsys):
    assert started(failing(error)) == code
    assert capsys.readouterr().err == f"{line}\n"


def test_success_is_0_or_what_the_work_returns():
    assert started(lambda options: None) == 0
    assert started(lambda options: 3) == 3


def test_debug_prints_the_traceback_too(capsys):
    assert started(failing(ValueError("no good")), "--debug") == 1
    said = capsys.readouterr().err
    assert said.startswith("Traceback (most recent call last):")
    assert said.endswith("ValueError: no good\ntidy: no good\n")


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGHUP", 129)])
def test_signals_end_as_ctrl_c_does(name, code, capsys):
    left = []
    before = signal.getsignal(getattr(signal, name))

    def work(options):
        try:
            os.kill(os.getpid(), getattr(signal, name))
        finally:
            os.kill(os.getpid(), getattr(signal, name))  # a second one does not disturb the end
            left.append("in order")

    assert started(work) == code
    assert left == ["in order"]
    assert capsys.readouterr().err == "tidy: stopped\n"
    assert signal.getsignal(getattr(signal, name)) == before


def test_a_signal_that_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as `nohup` does
    try:
        with ended_by_signals():
            os.kill(os.getpid(), signal.SIGHUP)
        with pytest.raises(Ended), ended_by_signals():
            os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_what_fails_because_a_library_lost_the_signal_is_the_signals_doing(capsys):
    def work(options):
        with suppress(Ended):  # as a callback of HDF5 does, which then finds its data damaged
            os.kill(os.getpid(), signal.SIGTERM)
        raise TypeError("not defined for data type class")

    assert started(work) == 128 + signal.SIGTERM
    assert capsys.readouterr().err == "tidy: stopped\n"


TALKER = """
import argparse, importlib.util, sys, types
for name in ("zoo", "zoo.app", "zoo.machine"):  # without Keras, which takes seconds to import
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [name.replace(".", "/")]
from zoo.app.command import run
def work(options):
    for number in range(int(sys.argv[1])):
        print(number)
sys.exit(run(argparse.ArgumentParser(prog="talk"), work, []))
"""


@pytest.mark.parametrize("lines", [1, 100_000])
def test_a_reader_that_goes_away_is_no_failure(lines):
    words = [sys.executable, "-c", TALKER, str(lines)]
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(words, cwd=ROOT, stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_under_the_output_is_said():
    with open("/dev/full", "w") as full:
        words = [sys.executable, "-c", TALKER, "1"]
        done = subprocess.run(words, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert done.stderr == "talk: No space left on device\n"
