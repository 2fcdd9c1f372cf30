"""Images that are changed at random: a few each time, thousands behind `slow` and `make fuzz`."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.zoo.examples import network
from zoo.restoring.bands import Settings

if sys.platform != "linux":
    pytest.skip("what a process takes is told by Linux", allow_module_level=True)
pytest.importorskip("pyvips")
pytest.importorskip("tifffile")

from tests.fuzz.images.examine import examine
from tests.fuzz.images.mutations import change
from tests.fuzz.images.seeds import seeds

FILES = seeds()
COUNT, PART = 400, 50


@pytest.mark.parametrize("start", range(0, COUNT, PART))
def test_changed_images_are_restored_right_or_refused_in_one_sentence(start, tmp_path):
    faults = []
    for number in range(start, start + PART):
        name, content = change(FILES, 1, number)
        path = tmp_path / f"old.{name.split()[0]}"
        path.write_bytes(content)
        outcome = examine(path, network(), Settings(), compare=True)
        faults += [f"{name}, number {number}: {fault}" for fault in outcome.faults]
    assert faults == []


@pytest.mark.parametrize("name", FILES)
def test_whole_images_are_what_another_program_reads(name, tmp_path):
    path = tmp_path / f"old.{name.split()[0]}"
    path.write_bytes(FILES[name])
    assert examine(path, network(), Settings(), compare=True).faults == []


@pytest.mark.slow
def test_many_changed_images_in_processes_of_their_own(tmp_path):
    command = [sys.executable, "-m", "tests.fuzz.images", "--count", "1000", "--keep"]
    root = Path(__file__).parents[2]
    run = subprocess.run([*command, tmp_path], cwd=root, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout
    assert "0 with faults" in run.stdout
