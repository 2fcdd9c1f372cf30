"""The rows of the plan are runs that can start, and TRAINING.md tells the same."""

import argparse
from importlib import import_module
from pathlib import Path
from typing import get_type_hints

import pytest

from recipes.plan import ROWS
from recipes.training.settings import add_options, chosen

TABLE = (Path(__file__).parents[2] / "recipes/TRAINING.md").read_text()
IMAGES = {
    ("bsds500/train", "bsds500/test"): "BSD",
    ("bsds500/train", "bsds500/test", "t91"): "BSD, T91",
    ("bsds500/train", "bsds500/test", "t91", "photos"): "BSD, T91, photos",
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_a_row_is_a_run_that_can_start(row):
    module = import_module(f"recipes.{row.recipe}")
    kind = get_type_hints(module.recipe)["settings"]
    parser = argparse.ArgumentParser()
    add_options(parser, kind())
    words = ["--data", "-", "--workdir", "-", *row.options.split()]
    settings = chosen(kind, module.PUBLISHED, parser.parse_args(words))
    module.recipe(settings).build()
    assert settings.descent.steps % settings.descent.every == 0


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_the_table_of_training_shows_the_row(row):
    (line,) = (line for line in TABLE.splitlines() if f"| {row.name} |" in line)
    command, images = (cell.strip() for cell in line.split("|")[3:5])
    assert command.split("`")[1] == f"{row.recipe} {row.options}"
    assert images == IMAGES[row.images]


def test_no_row_trains_on_test_images():
    tests = {"set5", "set14", "bsds500/val", "bsd68", "kodak24", "set12", "div2k_valid_256crop"}
    assert not tests & {folder for row in ROWS.values() for folder in row.images}
