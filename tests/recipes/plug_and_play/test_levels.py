"""Levels of noise: image units in the code, grey levels in files and on command lines."""

import argparse
import json
from pathlib import Path

import pytest

from recipes.plug_and_play import levels
from recipes.plug_and_play.rows import ROWS, methods_of
from zoo.plug_and_play import total_variation

RESULTS = Path(__file__).parents[3] / "recipes/results/plug-and-play"


@pytest.mark.parametrize("name", ["photographs", "cubes"])
def test_published_settings_are_on_the_ladders_and_written_as_they_were(name):
    cells = json.loads((RESULTS / f"{name}.json").read_text())["cells"]
    for row in ROWS:
        for method, its in methods_of(row, total_variation()).items():
            written = cells[f"{row.label}/{method}"]["settings"]
            settings = levels.read(written)
            assert levels.written(settings) == written
            for each, ladder in its.ladders.items():
                assert settings[each] in ladder, (row.label, method, each)


def test_a_level_of_25_grey_levels():
    assert levels.option("25") == levels.in_image_units(25) == 25 / 255
    assert levels.in_grey_levels(25 / 255) == 25
    assert levels.written({"noise": 0.5 / 255, "last": None, "lam": 2}) == {
        "noise": 0.5,
        "last": None,
        "lam": 2,
    }
    with pytest.raises(argparse.ArgumentTypeError, match="'ten' is no number of grey levels"):
        levels.option("ten")
