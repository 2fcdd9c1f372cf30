"""Studies of weightings: shifts against sums by hand, and a report of made-up runs."""

import csv
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image
from scipy import stats

from recipes.compare import dark_scene, shifts, study_run
from recipes.compare.cells import CompareError
from recipes.compare.light import Scoring, read_scenes, record
from recipes.compare.plan import Configuration
from recipes.compare.study import STUDIES, plan, shortened
from recipes.compare.study_figures import bias_figure
from recipes.compare.study_report import write
from recipes.compare.study_stored import Runs, read
from recipes.compare.uncertain import KINDS, Uncertain, dark_psnr, kinds_of, uncertain
from recipes.data.sources import open_images

rng = np.random.default_rng(0)
MEANS, VARIANCE = np.array([0.1, 0.5, 0.8]), np.array([0.03, 0.05, 0.05]) ** 2
NONE = np.zeros(3)


def loss(name="asy_mse", **changes):
    return Configuration("other", "other", "mse", name, changes)


def drawn_labels():
    return rng.normal(MEANS, np.sqrt(VARIANCE), (2_000_000, 3)).clip(0, 1)


def test_a_label_weight_moves_the_answer_to_the_weighted_mean():
    labels = drawn_labels()
    weights = (labels + 0.05) ** -2
    wanted = (weights * labels).mean(axis=0) / weights.mean(axis=0) - labels.mean(axis=0)
    found = shifts.answers(loss(weighting="power:2,0.05"), MEANS, VARIANCE, NONE)
    np.testing.assert_allclose(found, wanted, atol=1e-4)
    assert (found < -1e-3).all()


def test_a_curve_moves_the_answer_to_its_own_mean():
    labels = drawn_labels()
    wanted = (labels ** (1 / 2.2)).mean(axis=0) ** 2.2 - labels.mean(axis=0)
    found = shifts.answers(loss("mse", domain="gamma:2.2"), MEANS, VARIANCE, NONE)
    np.testing.assert_allclose(found, wanted, atol=2e-4)


def test_what_moves_nothing_and_what_is_unknown():
    for still in (loss("mse"), loss(weighting="power:2,0.05", reference="prediction")):
        np.testing.assert_array_equal(shifts.answers(still, MEANS, VARIANCE, NONE), NONE)
    assert shifts.answers(loss(weighting="density:1"), MEANS, VARIANCE, NONE) is None


def test_noise_of_the_labels_moves_as_their_uncertainty_does():
    """Of labels of the variance a y + b, weights 1 / (a y + b) move the answer by about -a."""
    gain = 0.5 / 255
    noise = gain * MEANS
    found = shifts.answers(loss(weighting="noise:0.5,0.5"), MEANS, NONE, noise)
    np.testing.assert_allclose(found, -gain * np.ones(3), rtol=0.05)


def test_kinds_tell_flat_from_busy_and_dark_from_bright():
    flat = np.full((20, 20, 1), 0.3)
    busy = flat + rng.normal(0, 0.1, flat.shape)
    assert len(np.unique(kinds_of(flat, linear=False))) == 1
    assert kinds_of(busy, linear=False)[10, 10] % 10 > kinds_of(flat, linear=False)[10, 10] % 10
    assert kinds_of(flat + 0.5, linear=False)[0, 0] > kinds_of(flat, linear=False)[0, 0]
    assert kinds_of(np.full((9, 9, 1), 1.0), linear=True).max() < KINDS


def test_the_labels_of_a_kind():
    answer = np.full((400, 400, 1), 0.15)
    label = (answer + rng.normal(0.01, 0.02, answer.shape)).clip(0, 1)
    found = uncertain({"a": answer}, {"a": label}, Scoring("sigma25"))
    kind = kinds_of(answer, linear=False)[0, 0]
    assert found.mean[kind] == pytest.approx(label.mean(), abs=1e-9)
    assert found.variance[kind] == pytest.approx(label.var(), abs=1e-9)
    assert found.count.sum() == label.size
    values = np.zeros(KINDS)
    values[kind] = 7
    assert set(found.by_level(values)) == {0.0, 7.0}
    moved = np.where(np.arange(KINDS) == kind, 0.01, 0.0)
    still, better = (
        dark_psnr({"a": answer}, {"a": label}, Scoring("sigma25"), shift)
        for shift in (0 * moved, moved)
    )
    assert better - still == pytest.approx(10 * np.log10(5 / 4), abs=0.1)


@pytest.fixture
def scenes():
    return {name: rng.uniform(0, 1, (24, 24, 1)) ** 2 for name in ("one", "two")}


@pytest.fixture
def workdir(tmp_path, monkeypatch, scenes):
    """A study of two losses and five seeds, of which the second is 0.01 brighter each time."""
    study = STUDIES["weightings-linear"]
    study = replace(study, configurations=study.configurations[:2], parts=study.parts[:1])
    scoring = study.parts[0].scoring
    for cell in plan(study):
        folder = tmp_path / "cells" / cell.name
        folder.mkdir(parents=True)
        noise = np.random.default_rng(cell.seed).normal(0, 0.01, (24, 24, 1))
        more = 0.0 if cell.configuration.name == "mse" else 0.01 + 0.001 * cell.seed
        images = {name: record(s, s + noise + more, scoring) for name, s in scenes.items()}
        witness = {"initial_weights": "a", "first_batch": "b", "first_input": [0.0]}
        about = {"cell": cell.name, "task": cell.task, "settings": {"seed": cell.seed}}
        evaluation = {"cell": about, "witness": witness, "images": images}
        (folder / "evaluation.json").write_text(json.dumps(evaluation))
    monkeypatch.setattr(study_run, "read_scenes", lambda *_: scenes)
    monkeypatch.setattr(study_run, "load", lambda _: nothing())
    return study, tmp_path


def nothing():
    image = keras.Input((None, None, 1))
    return keras.Model(image, keras.layers.Identity()(image))


def jobs():
    return {"": {"cell": {"names": []}, "paths": {"test": ""}}}


def test_a_report_of_finished_runs(workdir, tmp_path):
    study, folder = workdir
    found = study_run.finished(study, jobs(), folder, Runs())
    part, name = study.parts[0], study.configurations[1].name
    assert found.seeds(part) == [0, 1, 2, 3, 4]
    path = write(found, tmp_path / "report", [])
    text = path.read_text()
    assert "holds in 5 of 5 groups" in text
    assert (path.parent / "bias-x2.png").read_bytes()[:4] == b"\x89PNG"

    rows = list(csv.DictReader((path.parent / "scores.csv").open(newline="")))
    scores = {
        loss: np.array(
            [[float(r["psnr"]) for r in rows if (r["configuration"], r["seed"]) == (loss, str(s))]
             for s in range(5)]
        )
        for loss in ("mse", name)
    }  # fmt: skip
    differences = (scores[name] - scores["mse"]).mean(axis=1)
    interval = stats.ttest_1samp(differences, 0).confidence_interval(0.95)
    wanted = [differences.mean(), interval.low, interval.high]
    row = text.split("Minus MSE")[1].split(study.configurations[1].label + " | ")[1]
    cell = re.findall(r"[-+][\d.]+", row.split(" |")[0])
    assert [float(number) for number in cell] == pytest.approx(wanted, abs=1e-3)

    sums = list(csv.DictReader((path.parent / "grey-levels.csv").open(newline="")))
    ours = [row for row in sums if row["configuration"] == name and row["bin"] == "9"]
    plain = [row for row in sums if row["configuration"] == "mse" and row["bin"] == "9"]
    by_hand = sum(float(row["signed"]) for row in ours) - sum(float(r["signed"]) for r in plain)
    pixels = sum(float(row["count"]) for row in plain)
    grey = 9.5 / 16
    slope = 2.4 / 1.055 * ((grey + 0.055) / 1.055) ** 1.4  # of the inverse of sRGB
    assert by_hand / pixels == pytest.approx(0.012, abs=1e-6)
    assert found.shift(part, name, 9, 10).mean() == pytest.approx(255 * 0.012 / slope, rel=1e-4)


def test_the_legend_of_the_figure_hides_nothing(workdir):
    study, folder = workdir
    found = study_run.finished(study, jobs(), folder, Runs())
    page = bias_figure(found, study.parts[0])
    page.canvas.draw()
    (legend,) = page.legends
    names = [text.get_text() for text in legend.get_texts()]
    assert sorted(names) == ["MSE's answers, moved", "error after the curve of sRGB"]
    for axes in page.axes:
        assert axes.get_legend() is None
        assert legend.get_window_extent().y1 <= axes.get_tightbbox().y0


def test_a_study_that_is_cut_reports_whole_seeds(workdir, tmp_path):
    study, folder = workdir
    for cell in plan(study)[3:]:
        (folder / "cells" / cell.name / "evaluation.json").unlink()
    found = study_run.finished(study, jobs(), folder, Runs())
    text = write(found, tmp_path / "report", ["some", "others"]).read_text()
    assert "2,500 steps, 1 seeds" in text
    assert "Not finished: 2 runs" in text
    assert "nan" not in text


def test_a_study_goes_on_from_its_report(workdir, tmp_path):
    """What the report keeps of seeds 0 to 2, and runs of the others, make the same report."""
    study, folder = workdir
    whole = write(study_run.finished(study, jobs(), folder, Runs()), tmp_path / "whole", [])
    late = [cell for cell in plan(study) if cell.seed > 2]
    kept_aside = {cell.name: folder / "cells" / cell.name / "evaluation.json" for cell in late}
    texts = {name: path.read_text() for name, path in kept_aside.items()}
    for path in [*kept_aside.values()][1:]:  # seed 3 is half there
        path.unlink()
    write(study_run.finished(study, jobs(), folder, Runs()), tmp_path / "half", ["left"])
    shutil.rmtree(folder / "cells")

    kept = read(study, tmp_path / "half")
    assert {seed for _, _, seed in kept.scores} == {0, 1, 2}
    assert kept.left_out == 1  # of seed 3
    assert [cell.name for cell in study_run.missing_cells(study, kept)] == [*texts]
    for name, text in texts.items():
        kept_aside[name].parent.mkdir(parents=True)
        kept_aside[name].write_text(text)
    found = study_run.finished(study, jobs(), folder, kept)
    again = write(found, tmp_path / "again", [])
    assert again.read_text() == whole.read_text()
    for file in ("theory.csv", "moved.csv"):
        assert (again.parent / file).read_text() == (whole.parent / file).read_text()


def test_a_whole_report_is_written_again_in_a_new_work_folder(workdir, tmp_path):
    study, folder = workdir
    whole = write(study_run.finished(study, jobs(), folder, Runs()), tmp_path / "whole", [])
    kept = read(study, whole.parent)
    found = study_run.finished(study, jobs(), tmp_path / "new" / "folder", kept)
    again = write(found, tmp_path / "again", [])
    assert again.read_text() == whole.read_text()


def test_a_study_that_got_another_part_keeps_its_runs(workdir, tmp_path):
    study, folder = workdir
    path = write(study_run.finished(study, jobs(), folder, Runs()), tmp_path / "report", [])
    more = replace(study, parts=(replace(study.parts[0], task="x2-more"), *study.parts))
    missing = study_run.missing_cells(more, read(more, path.parent))
    assert [cell.task for cell in missing] == ["x2-more"] * 10
    with (path.parent / "moved.csv").open("a") as file:
        file.write("gone,1,1\n")
    assert {*read(study, path.parent).theory} == {"x2"}
    fewer = replace(study, configurations=study.configurations[:1])
    assert read(fewer, path.parent).left_out == 5  # runs of the other loss


def test_a_report_without_a_theory_needs_the_first_run_again(workdir, tmp_path):
    study, folder = workdir
    path = write(study_run.finished(study, jobs(), folder, Runs()), tmp_path / "report", [])
    (path.parent / "theory.csv").unlink()
    missing = study_run.missing_cells(study, read(study, path.parent))
    assert [cell.name for cell in missing] == ["srcnn-x2-mse-seed0"]
    shutil.rmtree(folder / "cells")
    found = study_run.finished(study, jobs(), folder, read(study, path.parent))
    assert "/ -" not in write(found, tmp_path / "again", ["one"]).read_text()


def test_a_report_of_other_runs_is_refused(workdir, tmp_path):
    study, folder = workdir
    path = write(study_run.finished(study, jobs(), folder, Runs()), tmp_path / "report", [])
    with pytest.raises(CompareError, match="no report of weightings-linear with 7 steps for srcnn"):
        read(shortened(study, None, 7), path.parent)
    with pytest.raises(CompareError, match="no report of weightings-rare"):
        read(replace(STUDIES["weightings-poisson"], name="weightings-rare"), path.parent)
    (path.parent / "scores.csv").write_text("task,configuration\n1,2\n")
    with pytest.raises(CompareError, match="cannot be read: KeyError"):
        read(study, path.parent)
    with pytest.raises(CompareError, match="cannot be read: FileNotFoundError"):
        read(study, tmp_path)


def test_exposures_are_made_of_the_names_and_read_as_floats(tmp_path):
    grey = rng.integers(0, 256, (20, 30, 1), dtype=np.uint8)
    (tmp_path / "photographs").mkdir()
    for name in "abcdefgh":
        Image.fromarray(grey[..., 0]).save(tmp_path / f"photographs/{name}.png")
    folder = tmp_path / "exposed"
    study_run.brighten(tmp_path / "photographs", folder)
    images = open_images(str(folder), "luma")
    values = grey / 255
    light = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    factors = np.array([(image / np.maximum(light, 1e-9)).max() for image in images])
    for image, factor in zip(images, factors, strict=True):
        assert image.dtype == np.float32
        np.testing.assert_allclose(image, factor * light, rtol=1e-5, atol=1e-7)
    assert (factors >= 1 / 64).all()
    assert (factors <= 1).all()
    assert factors.max() / factors.min() > 4  # of eight draws of 6 stops
    scoring = STUDIES["weightings-linear"].parts[1].scoring
    scenes = read_scenes(tmp_path / "photographs", ["c", "a"], scoring)
    np.testing.assert_allclose(scenes["a"], images[0], rtol=1e-6)
    assert scoring.peak == 800


def test_a_study_without_a_run_says_so(tmp_path, monkeypatch, scenes):
    monkeypatch.setattr(study_run, "read_scenes", lambda *_: scenes)
    study = STUDIES["weightings-rare"]
    found = study_run.finished(study, jobs(), tmp_path, Runs())
    assert "No seed is finished" in write(found, tmp_path / "report", ["all"]).read_text()


def test_uncertain_by_level_weighs_by_pixels():
    count = np.zeros((16, 2))
    count[3] = 1, 3
    known = Uncertain(np.zeros(2), np.zeros(2), count)
    assert known.by_level(np.array([0.0, 4.0]))[3] == 3.0


def test_the_dark_scene_is_the_darkest(monkeypatch):
    bright, dark = rng.uniform(0.5, 1, (60, 80, 1)), rng.uniform(0, 0.1, (60, 80, 1))
    loaded = []
    monkeypatch.setattr(dark_scene, "load", lambda path: loaded.append(path.name) or nothing())
    page = dark_scene.draw({"bright": bright, "dark": dark}, Path("cells"))
    assert loaded == [f"srcnn-x2-{loss}-seed0" for loss in ("mse", "paper", "prediction_power")]
    titles = [axes.get_title() for axes in page.axes]
    assert page.get_suptitle().startswith("dark: ")
    assert titles[3] == "truth"
    assert titles[0].startswith("MSE\n")
    assert len(titles) == 8
