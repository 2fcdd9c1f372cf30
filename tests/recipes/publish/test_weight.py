"""Publishing a weight: what is measured, written and refused."""

import json

import h5py
import keras
import numpy as np
import pytest

import zoo
from recipes.publish import weight as publish
from tests.zoo.examples import card_of
from zoo.machine.files import sha256
from zoo.store.weight import load_into, save


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A finished run, and a zoo of its own to publish into."""
    monkeypatch.setattr(publish, "PUBLISHED", tmp_path / "zoo")
    (tmp_path / "run").mkdir()
    keras.utils.set_random_seed(0)
    arguments = {"scale": 2, "variant": "9-1-5"}
    network = zoo.SRCNN(**arguments)
    use = {"scale": 2, "enlarge_first": True}
    card = card_of({"builder": "SRCNN", "arguments": arguments, "use": use})
    save(network, tmp_path / "run/network.weights.h5", card)
    return tmp_path / "run", network


def published(run, *words):
    return publish.main([str(run), "--name", "mine", "--data", str(run), *words])


@pytest.mark.slow
@pytest.mark.parametrize(("words", "dtype"), [((), "float32"), (("--half",), "float16")])
def test_the_card_is_that_of_the_file(words, dtype, run, tmp_path):
    folder, network = run
    assert published(folder, *words) == 0
    card = json.loads((tmp_path / "zoo/mine.json").read_text())
    file = tmp_path / "zoo/mine.weights.h5"
    assert card["sha256"] == sha256(file)
    assert (card["bytes"], card["dtype"]) == (file.stat().st_size, dtype)
    with h5py.File(file) as content:
        kernel = content["layers/conv2d/vars/0"]
        assert kernel.dtype == dtype
        expected = np.asarray(network.weights[0])
        np.testing.assert_array_equal(kernel, expected.astype(dtype))
    again = zoo.SRCNN(2, variant="9-1-5")
    load_into(again, str(file))
    for found, wanted in zip(again.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_array_equal(found, wanted.astype(dtype).astype("float32"))
    (samples,) = card["tests"]
    assert (samples["data"], samples["task"], samples["images"]) == ("samples", "x2", 4)


@pytest.mark.slow
def test_float16_that_costs_too_much_is_refused(run, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(publish, "CHANGE_BY_HALVES", 0.0)
    assert published(run[0], "--half") == 1
    assert "publish: float16 changes samples (4), x2 by" in capsys.readouterr().err
    assert not (tmp_path / "zoo").exists()


def test_an_absent_test_set_is_refused(run, tmp_path, capsys):
    assert published(run[0], "--test", "set5:x2") == 1
    assert "there is no folder or file set5 below" in capsys.readouterr().err
    assert not (tmp_path / "zoo").exists()


@pytest.mark.parametrize("test", ["set5", "set5:", "set5:x9.5", "set5:round_luma:32.75"])
def test_a_test_that_names_no_task_is_refused(test, run, tmp_path, capsys):
    assert published(run[0], "--test", test) == 1
    assert "publish: a task is x2, x3, x4" in capsys.readouterr().err
    assert not (tmp_path / "zoo").exists()


@pytest.mark.parametrize(
    ("text", "data", "task", "published", "note"),
    [
        ("set5:x3", "set5", "x3", 0.0, ""),
        ("Set5:x3-rounded-luma:32.75:a note: two", "set5", "x3-rounded-luma", 32.75, "a note: two"),
        ("bsd68:sigma25:29.23", "bsd68", "sigma25", 29.23, ""),
    ],
)
def test_the_short_form_of_a_test(text, data, task, published, note):
    test = publish.read_test(text)
    assert (test.data, test.task) == (data, task)
    assert (test.published, test.published_note) == (published, note)
