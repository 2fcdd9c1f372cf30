"""A run in pieces of which each has the averaged weights of the one before, and nothing else."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from recipes import srcnn
from recipes.data.patches import Patches
from recipes.publish.snapshot import keep
from recipes.training import run as training
from recipes.training.checkpoints import open_workdir
from recipes.training.settings import TrainingError
from zoo.restoring.network import open_network
from zoo.scoring.evaluate import evaluate, mean
from zoo.scoring.tasks import SuperResolution

PHOTOGRAPHS = Path("zoo/samples/train")
STEPS = 8000  # pieces of 2,000 are long beside their 200 of warm-up; 1,000 ended 0.07 dB higher


def settings(folder, **changes):
    few = {"batch": 8, "patch": 40, "steps": STEPS, "every": STEPS // 4, "quiet": True}
    shared = {"data": str(PHOTOGRAPHS), "scale": 2, "variant": "9-1-5", "learning_rate": 1e-3}
    return srcnn.SrcnnSettings.of(**{**few, **shared, "workdir": str(folder), **changes})


def train(chosen):
    return training.train(chosen, srcnn.recipe(chosen))


def psnr(path):
    paths = sorted(Path("zoo/samples/test").iterdir())
    images = [np.asarray(Image.open(each).convert("RGB")) for each in paths]
    return mean(list(evaluate(open_network(str(path)), images, SuperResolution(2))))["psnr"]


@pytest.mark.slow  # two minutes
def test_four_pieces_end_where_one_does(tmp_path):
    """On photographs that no run here trains on, within 0.05 dB."""
    whole = psnr(train(settings(tmp_path / "whole")))
    init, first = "", 0
    for piece in range(1, 5):
        folder = tmp_path / f"piece{piece}"
        chosen = settings(folder, init=init, first_step=first)
        try:  # as many minutes as end the run after its first piece
            path = train(chosen.having(minutes=1e-6))
        except TrainingError:
            init = str(keep("srcnn", folder, f"after{piece}", tmp_path)).replace(
                ".json", ".weights.h5"
            )
            first = piece * STEPS // 4
    assert abs(psnr(path) - whole) < 0.05


@pytest.mark.slow
def test_the_samples_go_on_at_the_step(tmp_path, monkeypatch):
    steps, batch = [], Patches.numpy_batch

    def noted(patches, step):
        steps.append(step)
        return batch(patches, step)

    few = {"steps": 4, "every": 2, "batch": 2}
    first = train(settings(tmp_path / "first", **few))
    monkeypatch.setattr(Patches, "numpy_batch", noted)
    monkeypatch.setattr(training, "batches", lambda patches, *given, **_: counted(steps, *given))
    with pytest.raises(Counted):
        train(settings(tmp_path / "second", **few, init=str(first), first_step=2))
    assert steps[-2:] == [2, 4]


class Counted(Exception):
    """The batches of these steps were asked for."""


def counted(steps, start, stop, *_):
    steps += [start, stop]
    raise Counted


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"first_step": 2}, "--first-step belongs to --init .* Received: 2 of 8000, --init ''"),
        ({"first_step": STEPS, "init": "srcnn-955-x2"}, "lies below --steps"),
        ({"first_step": -1, "init": "srcnn-955-x2"}, "lies below --steps"),
        (
            {"first_step": 2, "init": "srcnn-955-x2", "fit": True, "minutes": 1.0},
            "--fit chooses the steps, so --first-step has none",
        ),
    ],
)
def test_a_first_step_without_sense_is_refused(tmp_path, changes, said):
    with pytest.raises(TrainingError, match=said):
        train(settings(tmp_path, **changes))


def test_a_piece_that_goes_on_within_minutes_has_the_steps_of_its_run(tmp_path):
    """`recipes.gpu` gives `--fit` to all, and a run that is there has chosen already."""
    begun = settings(tmp_path, init="srcnn-955-x2", first_step=2000)
    open_workdir(begun)
    again = begun.having(resume=True, fit=True, minutes=1.0, steps=10**6)
    settled = training._settled(again)
    assert (settled.descent.steps, settled.descent.first_step) == (STEPS, 2000)
    assert not settled.run.fit
