"""The rows of the plan are runs that can start, and TRAINING.md tells the same."""

import argparse
import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import get_type_hints

import pytest

from recipes import plan
from recipes.plan import ROWS, Row
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


ROW = Row("a-row", "srcnn", "--scale 3", ("t91",), gpu=False)
RUN = {"settings": {"steps": 4000, "every": 500, "batch": 16, "precision": "float32"}}


@pytest.fixture
def places(tmp_path, monkeypatch):
    """A repository with one row and nothing trained."""
    for name in ("PUBLISHED", "UNFINISHED"):
        (tmp_path / name).mkdir()
        monkeypatch.setattr(plan, name, tmp_path / name)
    monkeypatch.setattr(plan, "ROWS", {ROW.name: ROW})
    return tmp_path


def begin(places, step):
    checkpoints = places / "runs/a-row/checkpoints"
    checkpoints.mkdir(parents=True, exist_ok=True)
    (checkpoints / f"step-{step:09d}.weights.h5").touch()
    (places / "runs/a-row/run.json").write_text(json.dumps(RUN))


def line(places):
    return plan.words(ROW, "data", places / "runs", bfloat16=True)


def test_a_row_begins_goes_on_and_ends(places):
    runs = places / "runs"
    assert plan.state(ROW, runs).text == "not begun"
    assert line(places)[-2:] == ["--precision", "bfloat16"]
    begin(places, 500)
    begin(places, 1500)
    assert plan.state(ROW, runs).text == f"step 1,500 of 4000, in {runs / 'a-row'}"
    asked = " ".join(line(places))
    assert asked.endswith("--resume --steps 4000 --batch 16 --every 500 --precision float32")
    (runs / "a-row/network.weights.h5").touch()
    assert plan.state(ROW, runs).text == "finished, to be measured and published"
    assert plan.following(runs, gpu=True) is None


def test_a_row_goes_on_from_what_the_repository_keeps(places):
    (places / "UNFINISHED/a-row.weights.h5").touch()
    card = {"training": {**RUN, "reached": "1,700 of 4,000 steps"}}
    (places / "UNFINISHED/a-row.json").write_text(json.dumps(card))
    asked = " ".join(line(places))
    assert f"--init {places / 'UNFINISHED/a-row.weights.h5'} --first-step 1500" in asked
    begin(places, 2000)  # the machine has more than the repository
    assert "--resume" in line(places)
    assert "--init" not in line(places)


def test_what_is_begun_comes_first_and_a_gpu_has_its_rows(places, monkeypatch):
    large = Row("large", "edsr", "--scale 2", ("t91",))
    new = Row("new", "srcnn", "--scale 2", ("t91",), gpu=False)
    monkeypatch.setattr(plan, "ROWS", {row.name: row for row in (large, new, ROW)})
    assert plan.following(places / "runs", gpu=True) == large
    assert plan.following(places / "runs", gpu=False) == new
    begin(places, 500)
    assert plan.following(places / "runs", gpu=True) == ROW
    (places / "PUBLISHED/large.json").touch()
    assert plan.state(large, places / "runs").text == "published"


def test_the_command_needs_nothing_but_python_and_tells_the_next_row(tmp_path):
    root = Path(__file__).parents[2]
    words = [sys.executable, "-S", "-m", "recipes.plan", "--runs", str(tmp_path)]
    told = subprocess.run(words, cwd=root, capture_output=True, text=True, check=True).stdout
    assert "python -m recipes." in told
    every = subprocess.run([*words, "--all"], cwd=root, capture_output=True, text=True, check=True)
    assert len(every.stdout.splitlines()) == len(ROWS)
    done = subprocess.run(
        [*words, "--run", "--data", "nowhere"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == "plan: there is no folder nowhere; give --data\n"
