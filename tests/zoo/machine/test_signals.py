"""Signals that come while a folder is made, used or removed."""

import os
import signal
import threading

import pytest

from zoo.app.command import Ended, ended_by_signals
from zoo.machine import parts
from zoo.machine.locks import locked
from zoo.machine.parts import part_folder
from zoo.machine.signals import delivered, held


def end():
    os.kill(os.getpid(), signal.SIGTERM)


def test_a_signal_waits_for_the_end_of_what_holds_it():
    done = []

    def work():
        with held():
            with held():
                end()
                done.append("inner")
            done.append("outer")

    with pytest.raises(Ended), ended_by_signals():
        work()
    assert done == ["inner", "outer"]


def test_a_signal_that_waits_is_delivered_where_it_may_be():
    done = []

    def work():
        with held():
            end()
            done.append("made")
            with delivered():
                done.append("used")

    with pytest.raises(Ended), ended_by_signals():
        work()
    assert done == ["made"]


@pytest.mark.parametrize("moment", ["_claim", "_remove"])
def test_a_part_is_gone_whenever_the_signal_comes(moment, tmp_path, monkeypatch):
    real, used = getattr(parts, moment), []

    def disturbed(*arguments):
        end()  # before and behind, and nothing of it is skipped
        result = real(*arguments)
        end()
        return result

    monkeypatch.setattr(parts, moment, disturbed)
    with pytest.raises(Ended), ended_by_signals(), part_folder(tmp_path):
        used.append(True)
    assert used == ([True] if moment == "_remove" else [])
    assert list(tmp_path.iterdir()) == []


def test_a_lock_is_gone_when_the_signal_comes_in_its_block(tmp_path):
    with pytest.raises(Ended), ended_by_signals(), locked(tmp_path / "lock"):
        end()
    assert list(tmp_path.iterdir()) == []


def test_other_threads_hold_nothing_back(tmp_path):
    inside, go_on = threading.Event(), threading.Event()

    def work():
        with part_folder(tmp_path):
            inside.set()
            go_on.wait()

    thread = threading.Thread(target=work)
    thread.start()
    inside.wait()
    with pytest.raises(Ended), ended_by_signals():
        end()
    go_on.set()
    thread.join()
    assert list(tmp_path.iterdir()) == []
