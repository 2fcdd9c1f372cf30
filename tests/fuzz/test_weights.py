"""Files of strangers that are changed at random: a few each time, hundreds behind `slow`."""

import subprocess
import sys
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("what a process takes is told by Linux", allow_module_level=True)
pytest.importorskip("scipy")
pytest.importorskip("spectral")

from tests.fuzz.weights.canary import Canary
from tests.fuzz.weights.examine import examine, networks
from tests.fuzz.weights.mutations import change
from tests.fuzz.weights.seeds import seeds
from tests.fuzz.weights.worker import write

CASES = seeds()
COUNT = 40


@pytest.fixture(scope="module")
def models():
    return networks()


@pytest.fixture
def canary(tmp_path, monkeypatch):
    watching = Canary(tmp_path / "beside")
    monkeypatch.chdir(watching.folder)
    yield watching
    watching.close()


def test_changed_files_are_read_right_or_refused_in_one_sentence(models, canary, tmp_path):
    faults = []
    for number in range(COUNT):
        name, files = change(CASES, 1, number)
        write(tmp_path / str(number), files)
        outcome = examine(name, tmp_path / str(number), models, canary)
        faults += [f"{name}, number {number}: {fault}" for fault in outcome.faults]
    assert faults == []


@pytest.mark.parametrize("name", CASES)
def test_whole_files_are_what_another_program_reads(name, models, canary, tmp_path):
    write(tmp_path / "whole", CASES[name])
    deep = name in ("weights srcnn", "weights edsr", "import compact")
    outcome = examine(name, tmp_path / "whole", models, canary, deep)
    assert outcome.faults == []
    assert outcome.done == "loaded"
    alone = ("keras own", "import dncnn bnorm", "import dncnn old pth", "import edsr pth")
    assert outcome.compared or name in alone or name.startswith("import span")


def test_another_file_that_is_opened_is_seen(canary):
    assert canary.faults() == []
    (canary.folder / "secret.h5").read_bytes()
    assert canary.faults() == ["opens a file that it must not"]


@pytest.mark.slow
def test_many_changed_files_in_processes_of_their_own(tmp_path):
    command = [sys.executable, "-m", "tests.fuzz.weights", "--count", "500", "--keep"]
    root = Path(__file__).parents[2]
    run = subprocess.run([*command, tmp_path], cwd=root, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout
    assert "0 with faults" in run.stdout
