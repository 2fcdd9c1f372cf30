"""Checkpoints of strangers: what is damaged is skipped as a whole, and told in a printable line."""

import json

import h5py
import numpy as np
import pytest

import zoo
from recipes.training.checkpoints import load_newest, open_workdir, save_checkpoint
from recipes.training.settings import Settings, TrainingError


@pytest.fixture
def network():
    network = zoo.SRCNN(2, variant="9-1-5")
    network.compile("adam", "mse")
    network.optimizer.build(network.trainable_variables)
    return network


@pytest.fixture
def settings(tmp_path, network):
    """Of a run with two checkpoints."""
    settings = Settings.of(data="images", workdir=str(tmp_path), resume=True)
    open_workdir(settings)
    for step in (1, 2):
        save_checkpoint(network, tmp_path, step, settings)
    return settings


def change(workdir, **facts):
    path = workdir / "checkpoints/step-000000002.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | facts))


def test_a_checkpoint_without_its_optimizer_is_skipped(settings, network, tmp_path, capsys):
    with h5py.File(tmp_path / "checkpoints/step-000000002.weights.h5", "a") as file:
        del file["optimizer/vars/1"]
    (tmp_path / "checkpoints/step-000000002.json").unlink()
    assert load_newest(network, tmp_path) == 1
    assert "skipped the damaged checkpoint step-000000002" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("facts", "step"),
    [({"sha256": None}, 1), ({"versions": {"keras": "a\nb\x1b[2J" + "x" * 10**5}}, 2)],
)
def test_what_stands_beside_a_checkpoint_is_told_in_a_line(
    facts, step, settings, network, tmp_path, capsys
):
    change(tmp_path, **facts)
    assert load_newest(network, tmp_path) == step
    (line,) = capsys.readouterr().err.splitlines()
    assert line.isprintable()
    assert len(line) < 500


def test_another_run_is_told_in_a_short_sentence(settings, tmp_path):
    run = json.loads((tmp_path / "run.json").read_text())
    run["settings"]["loss"] = "x" * 10**5
    (tmp_path / "run.json").write_text(json.dumps(run))
    with pytest.raises(TrainingError, match="its loss is 'x{79}, not 'mse'$"):
        open_workdir(settings)


def test_a_checkpoint_comes_back(settings, network, tmp_path):
    before = network.get_weights()
    network.set_weights([np.zeros_like(each) for each in before])
    assert load_newest(network, tmp_path) == 2
    assert all(map(np.array_equal, before, network.get_weights()))
