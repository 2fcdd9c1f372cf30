"""Commands survive being killed: a few rounds of `tests.fuzz.kill`; `make fuzz` runs them all."""

import signal

import keras
import pytest

from tests.fuzz.kill import CASES, disturb

pytestmark = [
    pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="commands are the same"),
    pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no such signals"),
]


@pytest.mark.parametrize("name", ["restore", "import"])
def test_a_command_that_is_killed_is_finished_by_the_next(name):
    assert disturb(name, 3, 0, lambda line: None) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_a_command_that_is_killed_20_times(name):
    assert disturb(name, 20, 1, lambda line: None) == []
