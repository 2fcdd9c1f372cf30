"""What a run has reached, kept as a start for another."""

import json

import keras
import numpy as np
import pytest
from PIL import Image

import zoo
from recipes import dncnn
from recipes.publish import snapshot
from recipes.training.settings import TrainingError
from zoo.networks.dncnn import fold_batch_norm
from zoo.store.weight import load_into


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of three steps, finished, whose last checkpoint is there."""
    folder = tmp_path_factory.mktemp("snapshot")
    pixels = np.random.default_rng(0).integers(0, 256, (24, 24), dtype=np.uint8)
    (folder / "images").mkdir()
    Image.fromarray(pixels).save(folder / "images/one.png")
    words = f"--data {folder}/images --workdir {folder}/run --steps 3 --every 1 --batch 2"
    words += " --patch 16 --precision float32 --variant S --quiet"
    assert dncnn.main(words.split()) == 0
    return folder / "run"


@pytest.mark.slow
def test_the_averaged_weights_are_kept_in_the_form_that_is_trained(run, tmp_path, capsys):
    words = ["dncnn", str(run), "--name", "mine", "--out", str(tmp_path), "--hardware", "an abacus"]
    assert snapshot.main(words) == 0
    assert "wrote" in capsys.readouterr().out
    card = json.loads((tmp_path / "mine.json").read_text())
    assert card["training"]["reached"] == "3 of 3 steps"
    assert card["training"]["hardware"] == "an abacus"
    assert card["arguments"] == {"variant": "S", "batch_norm": True}
    kept = zoo.load(str(tmp_path / "mine.weights.h5"))
    # The finished run published the same average, merged. Float16 has 11 bits.
    noisy = np.random.default_rng(1).normal(0.5, 0.2, (1, 20, 20, 1)).astype("float32")
    finished = np.asarray(zoo.load(str(run))(noisy, training=False))
    again = np.asarray(fold_batch_norm(kept)(noisy, training=False))
    assert 0 < np.abs(again - finished).max() < 17 * 2**-11
    started = zoo.DnCNN(variant="S")
    load_into(started, str(tmp_path / "mine.weights.h5"))
    for mine, there in zip(started.get_weights(), kept.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, there)


def test_a_folder_without_a_run_is_refused(tmp_path, capsys):
    assert snapshot.main(["dncnn", str(tmp_path), "--name", "mine", "--out", str(tmp_path)]) == 1
    assert "holds no run that can be read" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_run_that_is_nested_too_deep_is_refused(tmp_path):
    (tmp_path / "run.json").write_text("[" * 10**5)
    with pytest.raises(TrainingError, match="holds no run that can be read: RecursionError"):
        snapshot.keep("dncnn", tmp_path, "a", tmp_path)


def test_what_is_kept_can_be_loaded():
    """Each file that the repository keeps is that of its card."""
    files = sorted(snapshot.UNFINISHED.glob("*.weights.h5"))
    assert files
    for file in files:
        network = zoo.load(str(file))
        assert isinstance(network, keras.Model)
        assert all(np.isfinite(array).all() for array in network.get_weights())
