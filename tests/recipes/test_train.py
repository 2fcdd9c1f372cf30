"""The command as it is installed: what the zoo has, and `train`."""

import gc
import importlib
import tomllib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from recipes import start, train
from zoo.app import cli

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_the_installed_command_is_this_one():
    assert PROJECT["project"]["scripts"] == {"asykeras": "recipes.start:main"}


def test_the_command_works_with_a_garbage_collector_that_skips_the_imports(monkeypatch):
    found = []

    def command():
        found.append((gc.isenabled(), gc.get_freeze_count() > 10_000))
        return 3

    monkeypatch.setattr(train, "main", command)
    try:
        assert start.main() == 3
        assert found == [(True, True)]
        assert len(gc.get_objects()) < 1000  # to be searched at the exit
    finally:
        gc.unfreeze()


def test_the_wheel_holds_every_room():
    named = set(PROJECT["tool"]["setuptools"]["packages"])
    there = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for package in ("asykeras", "zoo", "recipes")
        for path in (ROOT / package).rglob("__init__.py")
    }
    assert named == there


def test_what_the_recipes_read_is_in_the_wheel():
    named = {
        path
        for pattern in PROJECT["tool"]["setuptools"]["package-data"]["recipes"]
        for path in (ROOT / "recipes").glob(pattern)
    }
    assert {ROOT / "recipes/compare/paper.json", ROOT / "recipes/TRAINING.md"} <= named
    assert sum(path.stat().st_size for path in named) < 100_000


def test_a_recipe_is_trained(tmp_path, capsys):
    (tmp_path / "photos").mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (40, 44, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photos/one.png")
    folders = ["--data", str(tmp_path / "photos"), "--workdir", str(tmp_path / "run")]
    few = "--steps 2 --every 2 --batch 1 --scale 2 --patch 36 --variant 9-1-5".split()
    assert train.main(["train", "srcnn", *folders, *few]) == 0
    assert "wrote " in capsys.readouterr().out
    assert (tmp_path / "run/network.weights.h5").is_file()


@pytest.mark.parametrize("name", train.RECIPES)
def test_every_recipe_is_there(name):
    assert callable(importlib.import_module(f"recipes.{name}").main)


def test_help_names_the_command_as_it_was_given(capsys):
    with pytest.raises(SystemExit):
        train.main(["train", "span", "--help"])
    assert capsys.readouterr().out.startswith("usage: asykeras train span ")


def test_errors_name_the_recipe(tmp_path, capsys):
    given = ["--data", str(tmp_path / "none"), "--workdir", str(tmp_path / "run")]
    assert train.main(["train", "edsr", *given]) == 1
    assert capsys.readouterr().err.startswith("edsr: ")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train"], "the following arguments are required: RECIPE"),
        (["train", "sharpen"], "invalid choice: 'sharpen'"),
        (["train", "sharpen", "--data", "x"], "invalid choice: 'sharpen'"),
    ],
)
def test_an_unknown_recipe_is_refused(words, message, capsys):
    with pytest.raises(SystemExit) as end:
        train.main(words)
    assert end.value.code == 2
    assert message in capsys.readouterr().err


def test_the_other_commands_are_those_of_the_zoo(capsys):
    assert train.main(["list"]) == cli.main(["list"]) == 0
    assert "edsr-baseline-x2" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        cli.main(["train", "edsr"])  # the zoo alone knows no recipes
