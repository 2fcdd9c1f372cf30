"""The rows of the plan are runs that can start, and TRAINING.md tells the same."""

import argparse
import json
import re
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import get_type_hints

import pytest

from recipes import plan, srcnn
from recipes.gpu.train import Job, Place
from recipes.plan import ROWS, Row
from recipes.training.checkpoints import open_workdir
from recipes.training.settings import add_options, chosen

TABLE = (Path(__file__).parents[2] / "recipes/TRAINING.md").read_text()
IMAGES = {
    ("bsds500/train", "bsds500/test"): "BSD",
    ("bsds500/train", "bsds500/test", "t91"): "BSD, T91",
    ("bsds500/train", "bsds500/test", "t91", "photos"): "BSD, T91, photos",
}


def settings_of(module, words):
    """Return the settings that a recipe takes these words for."""
    kind = get_type_hints(module.recipe)["settings"]
    parser = argparse.ArgumentParser()
    add_options(parser, kind())
    return chosen(kind, module.PUBLISHED, parser.parse_args(words))


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_a_row_is_a_run_that_can_start(row):
    module = import_module(f"recipes.{row.recipe}")
    settings = settings_of(module, ["--data", "-", "--workdir", "-", *row.options.split()])
    module.recipe(settings).build()
    assert settings.descent.steps % settings.descent.every == 0


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_the_table_of_training_shows_the_row(row):
    (line,) = (line for line in TABLE.splitlines() if f"| {row.name} |" in line)
    command, images = (cell.strip() for cell in line.split("|")[3:5])
    assert command.split("`")[1] == f"{row.recipe} {row.options}"
    assert images == IMAGES[row.images]


def test_the_table_has_the_rows_in_the_order_of_the_plan():
    cells = (line.split("|")[2].strip() for line in TABLE.splitlines() if line.count("|") > 8)
    assert [name for name in cells if name in ROWS] == list(ROWS)


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_the_table_tells_what_the_plan_tells_of_a_row(row):
    (line,) = (line for line in TABLE.splitlines() if f"| {row.name} |" in line)
    told = row.floor.replace(" of ", " / ").split(" / ")
    numbers = [number for part in told for number in re.findall(r"\d+\.\d+", part)]
    assert not row.tried or f"not shipped: {row.tried}" in line
    if row.name == "span-x2-photo":  # the plan tells a difference, the table its parts
        of_row, of_other = (float(n) for n in re.findall(r"29\.26|28\.64", line)[:2])
        assert of_row - of_other == pytest.approx(float(numbers.pop(0)))
    assert all(number in line for number in numbers)
    assert ("asked for" in line) == bool(row.floor)
    published = (plan.PUBLISHED / f"{row.name}.json").is_file()
    assert published == ("| published" in line)
    assert not (published and row.tried)


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
    assert asked.endswith("--resume --steps 4000 --every 500 --batch 16 --precision float32")
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


def given(places):
    """Return the settings that the recipe takes the plan's words for."""
    return settings_of(srcnn, line(places)[2:])


def killed(places, settings, step=0):
    """Leave what a run of these settings leaves that was killed, after a checkpoint if any."""
    workdir = open_workdir(settings)
    if step:
        (workdir / f"checkpoints/step-{step:09d}.weights.h5").touch()


def keep(places, reached, **settings):
    """Keep weights of an unfinished run of the row, as `recipes.publish.snapshot` does."""
    file = places / "UNFINISHED/a-row.weights.h5"
    file.write_bytes(b"averaged weights")
    whole = srcnn.SrcnnSettings.of(scale=3, batch=16, every=500, steps=4000, ema=0.0, **settings)
    told = {**whole.identity(), "data": None, "degraded": None}
    training = {"settings": {k: v for k, v in told.items() if v is not None}, "reached": reached}
    file.with_name("a-row.json").write_text(json.dumps({"training": training}))


@pytest.mark.parametrize("step", [0, 500])
def test_a_run_that_was_killed_is_the_same_run_when_it_goes_on(places, step):
    """Before its first checkpoint and after it, by the words that the recipe itself reads."""
    killed(places, given(places), step)
    again = given(places)
    assert again.run.resume
    assert open_workdir(again) == places / "runs/a-row"  # it refuses any other run
    assert plan.following(places / "runs", gpu=False) == ROW


@pytest.mark.parametrize("step", [0, 1000, 2500])
def test_a_row_that_went_on_from_the_repository_goes_on_again(places, step):
    keep(places, "1,700 of 4,000 steps", init="srcnn-955-x2")
    first = given(places)
    assert (first.descent.first_step, first.descent.steps, first.descent.ema) == (1500, 4000, 0.0)
    assert first.start.init == str(places / "UNFINISHED/a-row.weights.h5")
    killed(places, first, step)
    again = given(places)
    assert again.run.resume
    assert again.descent == first.descent
    assert open_workdir(again) == places / "runs/a-row"
    text = plan.state(ROW, places / "runs").text
    assert text.startswith(f"step {step:,} of 4000" if step else "step 1500 of 4000")


def test_settings_that_are_no_rows_are_those_of_the_run(places):
    """As of a run that `recipes.gpu` began: other steps, zeros and switches."""
    (places / "UNFINISHED/other.weights.h5").write_bytes(b"weights of another row")
    changes = {"ema": 0.0, "clip": 0.0, "linear": True, "steps": 700, "every": 100, "loss": "mae"}
    changes |= {"precision": "float32", "init": str(places / "UNFINISHED/other.weights.h5")}
    killed(places, given(places).having(**changes), step=100)
    again = given(places)
    assert open_workdir(again) == places / "runs/a-row"
    assert again.samples.linear
    assert (again.descent.ema, again.descent.clip, again.descent.steps) == (0.0, 0.0, 700)


def test_a_run_whose_start_is_gone_does_not_go_on_and_says_so(places):
    keep(places, "1,700 of 4,000 steps")
    killed(places, given(places), step=2000)
    keep(places, "2,000 of 4,000 steps")
    (places / "UNFINISHED/a-row.weights.h5").write_bytes(b"those of another step")
    found = plan.state(ROW, places / "runs")
    assert "started from a-row.weights.h5, SHA-256 " in found.text
    assert found.text.endswith("which is not here: bring it back, or move the folder away")
    assert plan.following(places / "runs", gpu=True) is None


def test_a_row_that_says_its_start_begins_a_new_run_from_what_is_kept(places, monkeypatch):
    keep(places, "3,990 of 4,000 steps")
    itself = Row("a-row", "srcnn", "--scale 3 --init UNFINISHED/a-row.weights.h5", ("t91",))
    found = plan.state(itself, places / "runs")
    assert found.text == "a new run starts from 3,990 of 4,000 steps that are kept"
    assert found.again == ()
    assert plan.beginning(itself) == itself.options.split()


def test_a_gpu_starts_from_what_is_kept_and_goes_on_with_the_run_there(places):
    """`--fit` chooses the steps, so that a new run begins there with its schedule."""
    keep(places, "1,700 of 4,000 steps")
    place = Place(Path("images"), places / "runs", places, 1, ())
    first = settings_of(srcnn, place.command(Job(ROW, 60, False))[3:])
    assert first.start.init == str(places / "UNFINISHED/a-row.weights.h5")
    assert (first.descent.first_step, first.run.fit) == (0, True)
    killed(places, first.having(steps=300, every=100), step=100)
    again = settings_of(srcnn, place.command(Job(ROW, 60, True))[3:])
    assert open_workdir(again) == places / "runs/a-row"
    shutil.rmtree(places / "UNFINISHED")
    with pytest.raises(ValueError, match=r"a-row started from a-row\.weights\.h5, .* not here"):
        place.command(Job(ROW, 60, True))


def test_what_is_below_its_floor_and_what_was_only_tried_say_so(places):
    told = Row("a-row", "srcnn", "--scale 3", ("t91",), floor="Set5 30 of 31", tried="9 steps")
    runs = places / "runs"
    assert plan.state(told, runs).text == (
        "tried: 9 steps, not kept, below its floor: Set5 30 of 31"
    )
    (places / "PUBLISHED/a-row.json").touch()
    assert plan.state(told, runs).text == "published, below its floor: Set5 30 of 31"
    assert plan.state(ROW, runs).text == "published"


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
