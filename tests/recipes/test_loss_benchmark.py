"""What losses cost: which are measured, on which networks, and the table that is written."""

import csv
from pathlib import Path

import keras
import numpy as np
import pytest

import asykeras
from recipes.benchmark import __main__, loss
from recipes.training.weightings import CURVES

TABLE = Path(__file__).parents[2] / "recipes/results/tables/loss-step.csv"
PAIRS = loss.pairs()
LABEL, OUTPUT = np.random.default_rng(0).random((2, 1, 8, 8, 3), np.float32)


def tiny():
    return keras.Sequential([keras.Input((8, 8, 3)), loss.Gain()])


@pytest.fixture
def small(monkeypatch):
    """Both networks as small as they can be."""
    cases = {name: loss.Case(tiny, (1, 8, 8, 3), 1) for name in loss.CASES}
    monkeypatch.setattr(loss, "CASES", cases)


def test_every_curve_both_references_and_the_noise_of_the_machine_are_measured():
    measured = {type(ours.domain) for ours, _ in PAIRS.values() if getattr(ours, "domain", None)}
    names = ("Gamma", "SRGB", "MuLaw", "Log", "Reinhard", "PQ", "PU21", "Anscombe", "Window")
    assert measured == {getattr(asykeras, name) for name in names}
    assert len(measured) == len(CURVES)  # what the recipes take
    references = [getattr(ours, "reference", None) for ours, _ in PAIRS.values()]
    assert {"label", "prediction"} <= set(references)
    assert PAIRS["`Power(1)` of the label"][0].reference == "label"
    assert PAIRS["`Power(1)` of the prediction"][0].reference == "prediction"
    assert [type(each) for each in PAIRS["MSE (noise of the machine)"]] == [
        keras.losses.MeanSquaredError
    ] * 2


@pytest.mark.parametrize("name", PAIRS)
def test_what_is_measured_is_another_loss_than_the_plain_one(name):
    ours, plain = (float(each(LABEL, OUTPUT)) for each in PAIRS[name])
    assert np.isfinite(ours)
    assert (ours == plain) == (name == "MSE (noise of the machine)")


def test_a_side_trains_so_many_steps():
    network, steps = tiny(), []
    batch = np.stack([LABEL, OUTPUT])
    train = loss.trainer(network, keras.losses.MeanSquaredError(), batch, 3)
    for _ in range(2):
        train()
        steps.append(int(network.optimizer.iterations))
    assert steps == [6, 9]  # three before the first turn, so that nothing is traced in it
    assert float(network.layers[0].gain) != 1


def test_the_table_has_every_loss_on_both_networks(monkeypatch, small, tmp_path, capsys):
    given = []

    def ratio(first, second, rounds):
        given.append(rounds)
        return np.array([1.0, 1.5, 2.0])

    monkeypatch.setattr(loss, "ratio", ratio)
    monkeypatch.setattr(loss, "trainer", lambda *_: None)
    path = tmp_path / "new" / "table.csv"
    assert __main__.main(["loss", "--rounds", "7", "--csv", str(path)]) == 0
    head, *rows = csv.reader(path.open(newline=""))
    assert head == ["loss, over MSE", "SRCNN 9-5-5", "network of one number"]
    assert rows == [[name, *["1.500 (1.250 to 1.750)"] * 2] for name in PAIRS]
    assert given == [7] * 2 * len(PAIRS)
    assert capsys.readouterr().out.count("1.500 (1.250 to 1.750)") == 2 * len(PAIRS)


def test_a_loss_is_timed(monkeypatch, small, capsys):
    monkeypatch.setattr(loss, "pairs", lambda: {"AsyMSE": PAIRS["AsyMSE"]})
    loss.benchmark_loss(2)
    first, second = capsys.readouterr().out.splitlines()[1:]
    for line, network in ((first, "SRCNN 9-5-5"), (second, "network of one number")):
        assert line.startswith(network)
        assert float(line.split("AsyMSE")[1].split()[0]) > 0


def test_the_networks_are_srcnn_and_one_number():
    counts = [case.build().count_params() for case in loss.CASES.values()]
    assert counts == [57_281, 1]
    for case in loss.CASES.values():
        assert case.build().output_shape[-1] == case.shape[-1]


def test_the_committed_table_has_the_rows_that_are_measured():
    head, *rows = csv.reader(TABLE.open(newline=""))
    assert head == ["loss, over MSE", *loss.CASES]
    assert [row[0] for row in rows] == list(PAIRS)
