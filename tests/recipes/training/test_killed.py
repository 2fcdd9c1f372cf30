"""Every recipe, killed at five random moments and resumed each time, ends with the same bits."""

import os
import signal
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest
from PIL import Image

KILLS = 5
RECIPES = {
    "srcnn": "--scale 2 --variant 9-1-5 --patch 36 --batch 8 --steps 300 --every 10",
    "edsr": "--scale 2 --patch 32 --batch 4 --steps 60 --every 4",
    "dncnn": "--sigma 25 --patch 24 --batch 4 --steps 60 --every 4",
    "dphsir": "--bands 1 --patch 16 --batch 2 --steps 16 --every 2",
}


@pytest.fixture
def photos(tmp_path):
    (tmp_path / "photos").mkdir()
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 256, (48, 52, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"photos/{number}.png")
    return tmp_path / "photos"


def start(name, photos, workdir):
    words = ["--data", str(photos), "--workdir", str(workdir), *RECIPES[name].split()]
    program = [sys.executable, "-m", f"recipes.{name}", *words, "--ema", "0.9"]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.Popen(
        [*program, "--quiet", "--resume"], env=environment, stderr=subprocess.DEVNULL
    )


def trained(workdir):
    """Return every array of the last checkpoint: weights, optimizer, averages, noise."""
    arrays = {}

    def keep(name, item):
        if isinstance(item, h5py.Dataset):
            arrays[name] = item[()]

    with h5py.File(max((workdir / "checkpoints").glob("step-*.h5"))) as file:
        file.visititems(keep)
    return arrays


def kill(process, workdir, step, delay):
    """Kill a run `delay` seconds after it has the checkpoint of a step, wherever it is then."""
    while reached(workdir) < step:
        assert process.poll() is None, f"the run ended before step {step}"
        time.sleep(0.01)
    time.sleep(delay)
    process.send_signal(signal.SIGKILL)
    return process.wait() == -signal.SIGKILL


def reached(workdir):
    files = workdir.glob("checkpoints/step-*.weights.h5")
    return max((int(path.name[5:14]) for path in files), default=0)


@pytest.mark.slow
@pytest.mark.parametrize("name", RECIPES)
def test_a_run_killed_at_five_random_moments_ends_with_the_same_bits(name, photos, tmp_path):
    assert start(name, photos, tmp_path / "whole").wait() == 0
    rng = np.random.default_rng()
    steps = np.sort(rng.integers(0, 0.7 * reached(tmp_path / "whole"), KILLS))
    delays = rng.uniform(0, 0.5, KILLS)  # from before the first step to the midst of a checkpoint
    killed = [
        kill(start(name, photos, tmp_path / "killed"), tmp_path / "killed", step, delay)
        for step, delay in zip(steps, delays, strict=True)
    ]
    assert sum(killed) >= 4, f"killed {killed} at {steps} + {delays} s"
    assert start(name, photos, tmp_path / "killed").wait() == 0
    whole, resumed = trained(tmp_path / "whole"), trained(tmp_path / "killed")
    assert whole.keys() == resumed.keys()
    for key, values in whole.items():
        if "psnr" not in key:  # the mean of what was seen since the start is no part of the run
            np.testing.assert_array_equal(values, resumed[key], err_msg=f"{key}, {steps}")
