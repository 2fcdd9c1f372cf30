"""The command from end to end on generated images, its mistakes, and going on."""

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import zoo
from recipes.compare import __main__ as compare
from recipes.compare import cell, sections
from recipes.compare.cells import ROOT, launch, run_cells
from recipes.compare.smoke import generate
from zoo.machine.locks import locked

pytest.importorskip("matplotlib")
pytest.importorskip("scipy")
FEW = ["--preset", "smoke", "--steps", "4", "--set", "batch=2", "every=2", "--quiet"]
FIGURES = {"bars-x2", "radar-x2", "grey-levels-x2", "regions-x2", "weights", "curves-x2"}


@pytest.fixture(scope="module", autouse=True)
def _one_process():
    """Run cells in this process: starting TensorFlow takes longer than these trainings."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compare, "run_cells", partial(run_cells, start=cell.run))
        yield


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A comparison of two losses with two seeds."""
    workdir = tmp_path_factory.mktemp("compare")
    assert compare.main([*FEW, "--workdir", str(workdir)]) == 0
    return workdir


def evaluation(workdir, name):
    return json.loads((workdir / "cells" / name / "evaluation.json").read_text())


@pytest.mark.slow
def test_a_report_holds_tables_figures_and_the_check_of_the_start(finished):
    report = finished / "report"
    text = (report / "report.md").read_text()
    assert "same initial weights, first batch and noise: this holds in 2 of 2 groups" in text
    for section in ("In short", "Differences", "paper's mean improvements", "Error by grey level"):
        assert section in text
    names = {path.stem for path in (report / "figures").iterdir()}
    assert names == FIGURES | {"step-times"}
    for name in names:
        assert f"(figures/{name}.png)" in text
        with Image.open(report / "figures" / f"{name}.png") as image:
            assert min(image.size) > 300
    assert str(finished) not in text  # no path of this machine


@pytest.mark.slow
def test_a_report_can_show_other_pictures_than_it_is_scored_on(finished, tmp_path, monkeypatch):
    drawn = []
    regions = sections.figures.regions
    monkeypatch.setattr(
        sections.figures, "regions", lambda pages: drawn.append(pages) or regions(pages)
    )
    for name, seed in (("free", 0), ("too", 1)):
        values = np.random.default_rng(seed).integers(0, 256, (40, 48, 3), np.uint8)
        (tmp_path / "pictures").mkdir(exist_ok=True)
        Image.fromarray(values).save(tmp_path / f"pictures/{name}.png")
    more = ["--report", str(tmp_path / "report"), "--pictures", str(tmp_path / "pictures")]
    assert compare.main([*FEW, "--workdir", str(finished), *more]) == 0
    assert {heading.split(",")[0] for heading, _, _ in drawn[0]} <= {"free", "too"}
    for _, versions, scores in drawn[0]:
        assert set(versions) == {"bicubic", "MSE", "Asy_MSE", "truth"}
        assert set(scores) <= set(versions)
    text = (tmp_path / "report/report.md").read_text()
    assert "Not test images: they may be published." in text
    assert "| shapes5 |" in text  # the table is of the test images as before


@pytest.mark.slow
def test_the_table_is_the_mean_of_the_evaluations(finished):
    rows = list(csv.reader((finished / "report/table-x2.csv").open()))
    assert rows[0] == ["image", "bicubic", "MSE", "Asy_MSE"]
    scores = [evaluation(finished, f"srcnn-x2-asy_mse-seed{n}")["images"] for n in (0, 1)]
    wanted = np.mean([each["shapes5"]["psnr"] for each in scores])
    row = next(row for row in rows if row[0] == "shapes5")
    assert float(row[3].split("/")[0]) == pytest.approx(wanted, abs=5.1e-4)


@pytest.mark.slow
def test_losses_begin_alike_and_end_apart(finished):
    plain, ours = (evaluation(finished, f"srcnn-x2-{n}-seed0") for n in ("mse", "asy_mse"))
    other = evaluation(finished, "srcnn-x2-mse-seed1")
    assert plain["witness"] == ours["witness"]
    assert plain["witness"]["initial_weights"] != other["witness"]["initial_weights"]
    assert plain["witness"]["first_batch"] != other["witness"]["first_batch"]
    assert plain["images"] != ours["images"]


@pytest.mark.slow
def test_the_same_command_trains_nothing_again(finished, monkeypatch):
    monkeypatch.setattr(cell, "train", None)  # calling it would fail
    before = (finished / "report/report.md").read_text()
    assert compare.main([*FEW, "--workdir", str(finished)]) == 0
    assert (finished / "report/report.md").read_text() == before


@pytest.mark.slow
def test_a_report_is_computed_again_without_runs_or_images(finished, tmp_path, monkeypatch):
    report = shutil.copytree(finished / "report", tmp_path / "report")
    before = (report / "report.md").read_text()
    (report / "statistics.csv").unlink()
    (report / "report.md").write_text(before.replace("undecided", "better"))
    monkeypatch.setattr(compare, "read_tests", None)  # calling it would fail
    assert compare.main([*FEW, "--recompute", str(report)]) == 0
    assert (report / "report.md").read_text() == before
    assert "undecided (2 seeds)" in (report / "statistics.csv").read_text()


@pytest.mark.slow
def test_a_report_of_other_runs_is_not_computed_again(finished, tmp_path, capsys):
    report = shutil.copytree(finished / "report", tmp_path / "report")
    assert compare.main([*FEW, "--seeds", "1", "--recompute", str(report)]) == 1
    assert "which these options do not plan" in capsys.readouterr().err


@pytest.mark.slow
def test_other_steps_in_the_same_folder_are_refused(finished, capsys):
    assert compare.main([*FEW, "--steps", "6", "--workdir", str(finished)]) == 1
    error = capsys.readouterr().err
    assert "holds another run: its steps is 4, not 6; choose another --workdir" in error


@pytest.mark.slow
def test_more_seeds_and_an_ablation_add_runs(finished, tmp_path, monkeypatch):
    started = []

    def start(folder, minutes):
        started.append(folder.name)
        return 1

    monkeypatch.setattr(compare, "run_cells", partial(run_cells, start=start))
    report = ["--report", str(tmp_path / "report")]
    more = [*FEW, "--seeds", "3", "--workdir", str(finished), *report]
    for name in ("srcnn-x2-mse-seed2", "srcnn-x2-asy_mse-seed2"):
        (finished / "cells" / name).mkdir(parents=True, exist_ok=True)
        (finished / "cells" / name / "log.txt").write_text("why")
    assert compare.main(more) == 1
    assert started == ["srcnn-x2-mse-seed2", "srcnn-x2-asy_mse-seed2"]
    assert "Failed: srcnn-x2-mse-seed2" in (tmp_path / "report/report.md").read_text()


def read(words):
    """Return the options that a command line gives."""
    parser = argparse.ArgumentParser()
    compare.describe(parser)
    return parser.parse_args(words)


def one_cell(tmp_path, **changes):
    """Write the job of one cell and return its folder."""
    options = read([*FEW, "--workdir", str(tmp_path)])
    preset = compare.chosen_preset(options)
    data = compare._data_folder(options, tmp_path)
    jobs = compare._jobs(preset, data, tmp_path)
    folder = tmp_path / "cells/srcnn-x2-mse-seed0"
    folder.mkdir(parents=True)
    job = jobs[folder.name]
    job["cell"]["configuration"] |= changes
    (folder / "cell.json").write_text(json.dumps(job))
    return folder


@pytest.mark.slow
def test_a_cell_that_is_cut_goes_on_to_the_same_network(finished, tmp_path):
    folder = one_cell(tmp_path)
    assert cell.run(folder, 1e-9) == cell.CUT
    assert not (folder / "evaluation.json").exists()
    assert cell.run(folder, 0.0) == 0
    whole = evaluation(finished, "srcnn-x2-mse-seed0")
    found = evaluation(tmp_path, folder.name)
    assert found["witness"] == whole["witness"]
    for name, record in found["images"].items():
        assert record["psnr"] == pytest.approx(whole["images"][name]["psnr"], abs=1e-6)
    assert not (folder / "checkpoints").exists()


def test_a_cell_is_held_by_one_process(tmp_path):
    pytest.importorskip("fcntl")
    folder = one_cell(tmp_path)
    with locked(folder / cell.LOCK) as alone:
        assert alone
        assert cell.run(folder, 0.0) == cell.BUSY
    assert not (folder / "run.json").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rate", "low", "high"),
    [
        ({"loss": "asy_mse"}, 0.88, 1.0),  # the range of Eq. 2
        ({"loss": "asy_mse", "weighting": "quartile", "apply_to": "images"}, 0.25, 0.88),
    ],
)
def test_the_learning_rate_is_scaled_by_the_mean_weight(tmp_path, rate, low, high):
    folder = one_cell(tmp_path, rate=rate)
    assert cell.run(folder, 0.0) == 0
    factor = evaluation(tmp_path, folder.name)["witness"]["rate_factor"]
    assert low < factor < high
    settings = json.loads((folder / "run.json").read_text())["settings"]
    assert settings["learning_rate"] == pytest.approx(1e-3 * factor)  # the recipe's default


def test_the_runs_can_be_listed(capsys):
    assert compare.main(["--preset", "paper-table-4", "--list"]) == 0
    listed = capsys.readouterr().out.split()
    assert len(listed) == 4 * 5
    assert listed[0] == "dncnn-sigma25-mae-seed0"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--preset", "paper-table-2"], "--data must name the folder"),
        (["--preset", "paper-table-2", "--data", "absent"], "there is no folder absent/set14"),
        (["--network", "dncnn", "--scales", "2"], "--scales is not for this network"),
        (["--network", "srcnn", "--sigma", "25"], "--sigma is not for this network"),
        (["--network", "srcnn", "--set", "seed=3"], "Received: 'seed=3'"),
        (["--network", "srcnn", "--set", "batch=many"], "batch must be of type int"),
        (["--network", "srcnn", "--seeds", "0"], "must be at least 1. Received: 0 and 5000"),
        (["--network", "edsr", "--init", "nothing"], "'nothing' is neither a published weight"),
        (["--network", "edsr", "--init", "span-x2"], "the first layer that differs is 'head'"),
        (["--network", "srcnn", "--init", "srcnn-955-x2"], "differs is 'mapping'"),  # 9-1-5 there
        (["--network", "dncnn", "--init", "dncnn-gray-25"], "differs is 'conv2'"),  # not folded
    ],
)
def test_mistakes_are_one_sentence(arguments, message, capsys, tmp_path):
    assert compare.main([*arguments, "--workdir", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert error.startswith("compare: ")
    assert message in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize(
    ("module", "sentence"),
    [("scipy", "pip install scipy"), ("matplotlib.figure", "asykeras[plots]")],
)
def test_a_missing_library_is_said_before_anything_is_trained(
    module, sentence, monkeypatch, tmp_path, capsys
):
    monkeypatch.setitem(sys.modules, module, None)
    assert compare.main([*FEW, "--workdir", str(tmp_path / "work")]) == 1
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "work").exists()


def test_options_change_the_protocol():
    arguments = ["--network", "srcnn", "--losses", "asy_mse", "mse", "--scales", "4", "--seeds"]
    more = ["5", "--steps", "50", "--set", "variant=9-5-5", "clip=1", "--test", "set5:bird,baby"]
    options = read([*arguments, *more])
    preset = compare.chosen_preset(options)
    assert preset.losses == ("mse", "asy_mse")
    assert (preset.tasks, preset.seeds) == (("x4",), 5)
    assert (preset.test, preset.names) == ("set5", ("bird", "baby"))
    assert preset.settings["variant"] == "9-5-5"
    assert (preset.settings["steps"], preset.settings["clip"]) == (50, 1.0)
    command = compare._command(options)
    assert "--scales 4" in command
    assert "--test set5:bird,baby" in command
    assert "--minutes" not in command


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--network", "edsr", "--init", "edsr-baseline-x2"], "x2 started from edsr-baseline-x2."),
        (
            ["--network", "edsr", "--init", "edsr-baseline-x2", "--scales", "4"],
            "x4 started from edsr-baseline-x2 of scale 2: 1,517,571 of 1,517,571 parameters",
        ),
        (
            ["--network", "dncnn", "--init", "dncnn-gray-25", "--set", "folded=True"],
            "sigma25 started from dncnn-gray-25.",
        ),
    ],
)
def test_the_protocol_says_with_which_weights_all_begin(words, said):
    preset = compare.chosen_preset(read(words))
    assert preset.settings["init"] == words[3]
    assert said in preset.choices["initial weights"]
    assert compare._command(read(words)).count(f"--init {words[3]}") == 1


def test_weights_of_ones_own_are_named_without_the_place_where_they_lie(tmp_path, monkeypatch):
    file = tmp_path / "some/runs/mine.weights.h5"
    file.parent.mkdir(parents=True)
    zoo.EDSR(2).save_weights(file)
    words = ["--network", "edsr", "--init", str(file)]
    command = compare._command(read(words))
    assert command.endswith("--init runs/mine.weights.h5")
    assert command.count("--init") == 1
    (started,) = (compare.chosen_preset(read(words)).settings["init"],)
    assert started.startswith("mine.weights.h5, SHA-256 ")
    monkeypatch.chdir(tmp_path)
    assert compare._absolute("some/runs/mine.weights.h5") == str(file)
    (tmp_path / "edsr-baseline-x2").mkdir()  # is no weight, and hides none
    assert compare._absolute("edsr-baseline-x2") == "edsr-baseline-x2"


@pytest.mark.slow
def test_every_run_begins_with_a_published_weight(tmp_path):
    words = ["--network", "srcnn", "--scales", "2", "--losses", "mse", "asy_mse", "--seeds", "2"]
    words += ["--init", "srcnn-955-x2", "--steps", "2", "--set", "variant=9-5-5", "batch=2"]
    words += ["patch=49", "--validation", "", "--ablation-seeds", "0", "--train", "train"]
    generate(tmp_path / "data")
    words += ["--test", "test", "--data", str(tmp_path / "data"), "--workdir", str(tmp_path / "w")]
    assert compare.main(words) == 0
    witnesses = [
        evaluation(tmp_path / "w", f"srcnn-x2-{loss}-seed{seed}")["witness"]
        for loss in ("mse", "asy_mse")
        for seed in (0, 1)
    ]
    published = cell.digest(zoo.load("srcnn-955-x2").get_weights())
    assert {witness["initial_weights"] for witness in witnesses} == {published}
    report = (tmp_path / "w/report/report.md").read_text()
    assert "--init srcnn-955-x2" in report
    assert "those of srcnn-955-x2 for every loss and seed: x2 started from srcnn-955-x2." in report


@pytest.mark.slow
@pytest.mark.parametrize(
    ("network", "patch"), [("edsr", "24"), ("dncnn", "16"), ("dphsir", "16"), ("srcnn", "49")]
)
def test_every_network_can_be_compared_with_one_seed(network, patch, tmp_path, capsys):
    generate(tmp_path / "data")
    arguments = ["--network", network, "--data", str(tmp_path / "data"), "--train", "train"]
    arguments += ["--test", "test", "--losses", "mse", "asy_mse", "--seeds", "1", "--steps", "2"]
    arguments += ["--set", "batch=2", f"patch={patch}", "--validation", "", "--ablation-seeds", "0"]
    arguments += ["--scales", "2"] if network in ("edsr", "srcnn") else []
    assert compare.main([*arguments, "--workdir", str(tmp_path / "work")]) == 0
    text = (tmp_path / "work/report/report.md").read_text()
    assert "mean of 1 seed:" in text
    assert "one seed" in text  # in place of a deviation between seeds
    assert "which are not the ones above" in text  # the paper's cells are of other images


@pytest.mark.slow
def test_the_smoke_run_with_processes_of_their_own(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(compare, "run_cells", partial(run_cells, start=launch))
    assert compare.main([*FEW[:-1], "--workdir", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "[4/4] srcnn-x2-asy_mse-seed1" in shown
    assert Path(shown.splitlines()[-1].removeprefix("wrote ")).is_file()


@pytest.mark.slow
def test_a_run_ends_with_the_process_that_started_it(tmp_path):
    os.mkfifo(tmp_path / "cell.json")  # it waits for its settings
    words = [sys.executable, "-m", "recipes.compare.cell", str(tmp_path), "--child"]
    with subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        run.stdin.close()  # as the system does for a process that is killed
        assert run.wait(timeout=120) == 143
    assert [path.name for path in tmp_path.iterdir()] == ["cell.json"]
