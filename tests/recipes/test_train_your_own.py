"""The programs and commands of the guide to train with one's own pairs run as they stand."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from zoo.store.weight import find, json_beside

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/train-your-own.md").read_text()


PAIRS, DECIBELS = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)


@pytest.fixture
def pairs(tmp_path):
    """A folder in which the first program has run, on small pictures."""
    (tmp_path / "photos").mkdir()
    with Image.open(ROOT / "zoo/samples/train/tea-gardens.jpg") as photo:
        for number in range(52):
            left = 4 * number
            part = photo.crop((left, 0, left + 67, 66))
            part.save(tmp_path / f"photos/{number:02}.jpg")
    run(tmp_path, "-c", PAIRS)
    return tmp_path


@pytest.mark.slow
def test_the_programs_make_pairs_and_measure_networks(pairs):
    parts = ("train/clean", "train/small", "test/clean", "test/small")
    assert [len(list((pairs / "pairs" / part).iterdir())) for part in parts] == [50, 50, 2, 2]
    (pairs / "runs/mine").mkdir(parents=True)
    weight = find("span-x2").file
    shutil.copy(weight, pairs / "runs/mine/network.weights.h5")
    shutil.copy(json_beside(weight), pairs / "runs/mine/network.json")
    lines = run(pairs, "-c", DECIBELS).splitlines()
    first, second = (line.split(": ") for line in lines)
    assert (first[0], second[0]) == ("span-x2", "runs/mine")
    assert first[1] == second[1]
    assert 20 < float(first[1].removesuffix(" dB")) < 50


@pytest.mark.slow
def test_the_guide_runs(pairs):
    """With fewer steps."""
    command = re.search(r"asykeras (train span .*?)\n\n", GUIDE, re.DOTALL)[1]
    words = shlex.split(command.replace("\\\n", ""))
    few = [word for word in words if word != "--fit"]
    run(pairs, "-m", "recipes.train", *few, "--steps", "2", "--every", "2", "--minutes", "0")
    printed = run(pairs, "-c", DECIBELS)
    assert re.fullmatch(r"span-x2: \d+\.\d\d dB\nruns/mine: \d+\.\d\d dB\n", printed)


def run(folder, *words):
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
