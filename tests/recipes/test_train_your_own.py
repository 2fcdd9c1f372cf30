"""The guide's programs and commands run as they stand, with fewer steps."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/train-your-own.md").read_text()


@pytest.mark.slow
def test_the_guide_runs(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "photos").mkdir()
    for number in range(52):
        coarse = Image.fromarray(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8))
        coarse.resize((67, 66)).save(tmp_path / f"photos/{number:02}.jpg")
    pairs, decibels = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    run(tmp_path, "-c", pairs)
    assert len(list((tmp_path / "pairs/train/small").iterdir())) == 50
    command = re.search(r"asykeras (train span .*?)\n\n", GUIDE, re.DOTALL)[1]
    words = shlex.split(command.replace("\\\n", ""))
    few = [word for word in words if word != "--fit"]
    run(tmp_path, "-m", "recipes.train", *few, "--steps", "2", "--every", "2", "--minutes", "0")
    printed = run(tmp_path, "-c", decibels)
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
