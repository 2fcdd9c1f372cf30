"""The demo: its photographs, what it trains, what it leaves behind, and how it fails."""

import csv
import json
import re
import subprocess
import sys

import pytest
from PIL import Image

import zoo
from recipes import demo
from tests.zoo.examples import card_of
from zoo.pictures.images import find_images, read_image
from zoo.scoring.evaluate import Evaluation
from zoo.store.weight import save

pytest.importorskip("matplotlib")


@pytest.fixture
def no_training(monkeypatch):
    def fail(*_):
        raise AssertionError("training began")

    monkeypatch.setattr(demo, "train", fail)


def write_network(work):
    """Write an untrained network where the demo looks for the AsyMSE one."""
    arguments = {"scale": 3, "variant": "9-1-5"}
    (work / "asy_mse").mkdir()
    card = {"builder": "SRCNN", "arguments": arguments, "use": {"scale": 3, "enlarge_first": True}}
    save(zoo.SRCNN(**arguments), work / "asy_mse" / "network.weights.h5", card_of(card))


def test_there_are_ten_photographs_to_train_on_and_four_to_test_on():
    train, test = (find_images(demo.SAMPLES / part) for part in ("train", "test"))
    assert (len(train), len(test)) == (10, 4)
    assert not {path.name for path in train} & {path.name for path in test}
    assert sum(path.stat().st_size for path in train + test) <= 3_000_000


@pytest.mark.parametrize("path", find_images(demo.SAMPLES), ids=lambda path: path.stem)
def test_a_photograph_is_colour_of_512_pixels_without_metadata(path):
    image = read_image(path)
    assert image.shape[-1] == 3
    assert max(image.shape) == 512
    assert image.std() > 20  # no blank file
    with Image.open(path) as file:
        assert not file.getexif()
        assert set(file.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


def test_what_the_page_shows_are_test_images():
    names = {path.stem for path in find_images(demo.SAMPLES / "test")}
    assert {*demo.REGIONS, demo.MAPPED} <= names


@pytest.mark.parametrize("steps", [7, 30])
def test_nothing_but_the_loss_differs_between_the_trainings(monkeypatch, tmp_path, steps):
    runs = []
    monkeypatch.setattr(demo.training, "train", lambda settings, recipe: runs.append(settings))
    demo.train(tmp_path, steps, quiet=True)
    plain, ours = runs
    assert (plain.objective.loss, ours.objective.loss) == ("mse", "asy_mse")
    assert plain.having(loss="asy_mse", workdir=ours.run.workdir) == ours
    assert plain.descent.steps == steps
    assert steps % plain.descent.every == 0


def test_the_summary_is_the_mean_difference_and_claims_nothing():
    columns = {
        name: [Evaluation(None, None, {"psnr": value}) for value in values]
        for name, values in {"MSE": (30.0, 20.0), "AsyMSE": (30.1, 19.7)}.items()
    }
    assert demo.summary(columns) == (
        "AsyMSE minus MSE: mean -0.100 dB over 2 images, one seed: not evidence by itself"
    )


@pytest.mark.slow
@pytest.mark.once
def test_the_exported_network_is_compared_and_named_without_a_folder(tmp_path):
    write_network(tmp_path)
    report = demo.export(tmp_path)
    assert report["parity"]["largest_difference"] == 0
    assert report["weight"] == "asy_mse"
    assert (tmp_path / "savedmodel/saved_model.pb").is_file()


def test_another_backend_has_no_export(monkeypatch, tmp_path):
    monkeypatch.setattr(demo.keras.backend, "backend", lambda: "jax")
    assert demo.export(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_results_replace_those_of_an_earlier_demo_and_nothing_else(tmp_path):
    work, out = tmp_path / "work", tmp_path / "out"
    for folder, content in ((work, "new"), (out, "old")):
        (folder / "mse").mkdir(parents=True)
        (folder / "mse" / content).touch()
        (folder / "demo.json").write_text(content)
    (out / "savedmodel").mkdir()  # the later run made none
    (out / "notes.txt").write_text("mine")
    demo.publish(work, out)
    assert sorted(path.name for path in out.rglob("*")) == ["demo.json", "mse", "new", "notes.txt"]
    assert (out / "demo.json").read_text() == "new"


def test_a_folder_with_a_strangers_files_is_refused(tmp_path, capsys, no_training):
    (tmp_path / "mse").mkdir()
    assert demo.main(["--out", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert error == f"demo: {tmp_path} holds something that no demo wrote: mse\n"
    assert [path.name for path in tmp_path.iterdir()] == ["mse"]


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path, capsys, no_training):
    (tmp_path / "file").touch()
    assert demo.main(["--out", str(tmp_path / "file" / "out")]) == 1
    error = capsys.readouterr().err
    assert (
        error == f"demo: the folder {tmp_path / 'file' / 'out'} cannot be used: Not a directory\n"
    )


def test_a_number_of_steps_below_one_is_one_sentence(tmp_path, capsys, no_training):
    assert demo.main(["--out", str(tmp_path / "out"), "--steps", "0"]) == 1
    assert capsys.readouterr().err == "demo: --steps must be at least 1. Received: 0\n"
    assert not (tmp_path / "out").exists()


def test_missing_matplotlib_is_said_before_the_training(tmp_path, monkeypatch, capsys, no_training):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert demo.main(["--out", str(tmp_path / "out")]) == 1
    assert "asykeras[plots]" in capsys.readouterr().err


def test_a_training_that_fails_leaves_nothing(tmp_path, monkeypatch, capsys):
    def fail(settings, recipe):
        raise demo.training.TrainingError("the loss became nan")

    monkeypatch.setattr(demo.training, "train", fail)
    assert demo.main(["--out", str(tmp_path), "--quiet"]) == 1
    assert capsys.readouterr() == ("", "demo: the loss became nan\n")
    assert list(tmp_path.iterdir()) == []


def test_the_time_is_that_from_the_start_of_the_command(tmp_path, monkeypatch, capsys):
    """Imports count, too: they take seconds, and the person waits for them."""
    for name in ("train", "score", "summary", "table", "draw", "export"):
        monkeypatch.setattr(demo, name, lambda *_: None)
    monkeypatch.setattr(demo.showcase, "draw", lambda: None)
    monkeypatch.setattr(demo.plots, "save", lambda *_, **__: None)
    monkeypatch.setattr(demo, "BEGUN", demo.time.monotonic() - 3600)
    demo.run(tmp_path, 1)
    last = capsys.readouterr().out.splitlines()[-1]
    assert re.fullmatch(r"36\d\d seconds in all, from the start of the command", last)


def test_the_start_is_seen_before_anything_heavy_is_imported():
    seen = "import recipes, sys; print(recipes.BEGUN > 0, {'keras', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", seen], capture_output=True, text=True, check=True)
    assert done.stdout == "True set()\n"


@pytest.mark.slow
@pytest.mark.once
def test_a_short_demo_leaves_all_its_results(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert demo.main(["--out", "out", "--steps", "2"]) == 0
    shown, out = capsys.readouterr().out, tmp_path / "out"
    assert sorted(path.name for path in out.iterdir()) == sorted(demo.RESULTS)
    assert "protocol: x3" in shown
    assert "one seed: not evidence by itself" in shown
    record = json.loads((out / "demo.json").read_text())
    assert record["steps"] == 2
    assert record["savedmodel_difference"] <= 1e-5
    assert len(list(csv.DictReader((out / "scores.csv").open()))) == 3 * 4
    assert zoo.load(str(out / "mse")).count_params() == 8129  # 9-1-5 with biases
    with Image.open(out / "demo.png") as page:
        assert min(page.size) > 1000
