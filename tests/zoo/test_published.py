"""Every published weight: its file, its card, and one number of it, recomputed."""

import re
from pathlib import Path

import keras
import pytest

import zoo
from zoo import cards
from zoo.verify import verify
from zoo.weights import FILES

README = Path(__file__).parents[2] / "README.md"
# JAX compiles GRUNet for each size of the samples: a minute.
ON_JAX_SLOW = {"dphsir-small"} if keras.backend.backend() == "jax" else set()


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow if name in ON_JAX_SLOW else ())
        for name in zoo.list_weights()
    ],
)
def test_the_number_on_the_samples_is_repeated(name):
    rows = [row for row in verify(name) if row["data"] == "samples"]
    assert rows
    assert all(row["passed"] for row in rows), rows


@pytest.mark.parametrize("name", zoo.list_weights())
def test_a_card_is_complete(name):
    card = zoo.card(name)
    assert card["licence"] == "Apache-2.0"
    assert card["bytes"] == (FILES / card["file"]).stat().st_size
    assert card["parameters"] == zoo.load(name).count_params()
    assert re.fullmatch("[0-9a-f]{40}", card["commit"])
    assert {"data", "settings", "versions", "hardware", "seconds"} <= set(card["training"])
    assert all("protocol" in test for test in card["tests"])


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize("name", zoo.list_weights())
def test_every_number_of_the_card_is_repeated(name, data):
    rows = verify(name, str(data))
    assert all(row["passed"] for row in rows), rows


def test_the_readme_holds_the_table_of_the_cards():
    text = README.read_text()
    assert cards.put_into(text) == text
