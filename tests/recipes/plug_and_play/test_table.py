"""The table of plug-and-play: every task once, means, going on, and what is refused."""

import json

import numpy as np
import pytest
from PIL import Image

from recipes.plug_and_play import table as restoration_table
from recipes.plug_and_play.levels import written
from recipes.plug_and_play.rows import ROWS, settings_of
from recipes.plug_and_play.table import restore_row, table
from zoo.plug_and_play import total_variation

rng = np.random.default_rng(0)


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(rng.integers(0, 256, (20, 26, 3), dtype=np.uint8)).save(path)
    return path


def run(photo, out, *words):
    given = [str(photo), "--denoiser", "tv", "--crop", "16", "--out", str(out), *words]
    return restoration_table.main(given)


@pytest.mark.slow
def test_every_task_is_scored_once_and_not_again(photo, tmp_path, capsys, monkeypatch):
    rows = ROWS[::2]  # every task at one level of noise
    monkeypatch.setattr(restoration_table, "ROWS", rows)
    out = tmp_path / "out"
    assert run(photo, out) == 0
    cells = json.loads((out / "cells.json").read_text())["cells"]
    assert set(cells) == {f"photo/{row.label}" for row in rows}
    for cell in cells.values():
        assert {"input", "plug-and-play"} < set(cell["scores"])
        assert set(cell["scores"]) == {"input", *cell["settings"]}
        found = [list(scores.values()) for scores in cell["scores"].values()]
        assert np.isfinite(found).all()
    title, _, said, _, *lines = (out / "table.md").read_text().splitlines()
    assert title == "# Plug-and-play with tv against classical methods"
    assert "the middle 16 x 16 pixels of photo;" in said
    assert len(lines) == 2 + len(rows)
    capsys.readouterr()
    # Nothing is left to do: not even the denoiser is called.
    monkeypatch.setattr(restoration_table, "restore_row", None)
    assert run(photo, out) == 0
    assert capsys.readouterr().out.splitlines() == [*lines, ""]


def test_the_row_is_the_mean_over_files_beside_the_best_classical_method():
    label = "inpainting, 30 % missing, noise 2"
    scores = {
        "a": {"input": 10.0, "plug-and-play": 30.0, "first": 27.0, "second": 20.0},
        "b": {"input": 12.0, "plug-and-play": 22.0, "first": 23.0, "second": 29.0},
    }
    cells = {
        f"{stem}/{label}": {"scores": {name: {"mpsnr": db} for name, db in each.items()}}
        for stem, each in scores.items()
    }
    expected = f"| {label} | 2 | 11.00 | 25.00 (first) | 26.00 | +1.00 | 1 |"
    assert table(cells, "net", {}).splitlines()[2:] == [expected]
    half = {key: cell for key, cell in cells.items() if key.startswith("a/")}
    lines = table(cells, "net", {"same": cells, "half": half}).splitlines()
    assert lines[0].endswith("| better on | plug-and-play, same | plug-and-play, half |")
    assert lines[2] == f"{expected} 26.00 |  |"


def test_the_middle_is_cut_out(photo, tmp_path, monkeypatch):
    seen = []

    def noted(truths, row, denoiser, settings):
        seen.extend(truths)
        scores = {name: {"mpsnr": 1.0} for name in ("input", "plug-and-play", "other")}
        return [{"settings": settings, "scores": scores} for _ in truths]

    monkeypatch.setattr(restoration_table, "restore_row", noted)
    assert run(photo, tmp_path / "out") == 0
    with Image.open(photo) as image:
        expected = np.asarray(image)[2:18, 5:21] / 255
    np.testing.assert_allclose(seen[0], expected, atol=1e-6)


@pytest.mark.slow
def test_files_of_one_shape_go_together_and_have_the_cells_that_they_have_alone(photo, tmp_path):
    truths = [rng.random((8, 8, 3)).astype("float32") for _ in range(2)]
    row = next(row for row in ROWS if row.task == "inpaint")
    settings = settings_of(row, total_variation(), {})
    both = restore_row(truths, row, total_variation(), settings)
    for truth, cell in zip(truths, both, strict=True):
        (alone,) = restore_row([truth], row, total_variation(), settings)
        for name, scores in alone["scores"].items():
            assert cell["scores"][name] == pytest.approx(scores, abs=1e-3)


@pytest.mark.slow
def test_other_settings_are_restored_again(photo, tmp_path, monkeypatch):
    rows = [row for row in ROWS if row.label == "deblurring, Gaussian 8x8 of sigma 3, noise 2"]
    monkeypatch.setattr(restoration_table, "ROWS", rows)
    out, file = tmp_path / "out", tmp_path / "settings.json"
    methods = settings_of(rows[0], total_variation(), {})
    found = []
    for balance in (1e-4, 1e-2):
        methods["Wiener"] = {"balance": balance}
        cells = {
            f"{rows[0].label}/{name}": {"settings": written(each)} for name, each in methods.items()
        }
        file.write_text(json.dumps({"options": {"images": ["else.png"]}, "cells": cells}))
        assert run(photo, out, "--settings", str(file)) == 0
        (cell,) = json.loads((out / "cells.json").read_text())["cells"].values()
        assert cell["settings"]["Wiener"] == {"balance": balance}
        found.append(cell["scores"])
    assert found[0]["Wiener"] != found[1]["Wiener"]
    assert found[0]["TV"] == found[1]["TV"]
    assert "tuned by the same search on else.png" in (out / "table.md").read_text()


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ({"else": {}}, "--settings has none of plug-and-play for denoising, sigma 30"),
        (
            {"denoising, sigma 30/plug-and-play": {"settings": {"levels": 30}}},
            "--settings has others than plug-and-play takes, for denoising, sigma 30",
        ),
    ],
)
def test_settings_that_do_not_fit_are_refused(cells, message, photo, tmp_path, capsys):
    file = tmp_path / "settings.json"
    file.write_text(json.dumps({"options": {}, "cells": cells}))
    assert run(photo, tmp_path / "out", "--settings", str(file)) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_another_denoiser_or_a_broken_record_is_refused(photo, tmp_path, capsys):
    out = tmp_path / "out"
    out.mkdir()
    (out / "cells.json").write_text('{"options": {"denoiser": "else", "crop": 16}, "cells": {}}')
    assert run(photo, out) == 1
    assert "take another --out" in capsys.readouterr().err
    (out / "cells.json").write_text("[]")
    assert run(photo, out) == 1
    assert "cells.json is not a record of this command" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("denoiser", "crop", "message"),
    [
        ("else", 8, "other.json was made with --crop 8. Received: 16"),
        ("runs/tv", 16, "other.json is of tv, which has a column already"),
        ("else", 16, "other.json has none of these files"),
    ],
)
def test_another_denoiser_beside_it_was_shown_the_same(
    denoiser, crop, message, photo, tmp_path, capsys
):
    other = tmp_path / "other.json"
    made = {"denoiser": denoiser, "crop": crop, "bands": 0}
    other.write_text(json.dumps({"options": made, "cells": {}}))
    assert run(photo, tmp_path / "out", "--beside", str(other)) == 1
    assert message in capsys.readouterr().err


def test_another_measurement_beside_it_is_refused(photo, tmp_path, monkeypatch, capsys):
    def scored(truths, row, denoiser, settings):
        scores = {name: {"mpsnr": 1.0} for name in ("input", "plug-and-play", "other")}
        return [{"settings": {}, "scores": scores} for _ in truths]

    monkeypatch.setattr(restoration_table, "restore_row", scored)
    other = tmp_path / "other.json"
    cell = {"settings": {}, "scores": {"input": {"mpsnr": 2.0}}}
    made = {"denoiser": "else", "crop": 16, "bands": 0}
    cells = {f"photo/{row.label}": cell for row in ROWS}
    other.write_text(json.dumps({"options": made, "cells": cells}))
    assert run(photo, tmp_path / "out", "--beside", str(other)) == 1
    assert "else restored another picture or measurement: photo/" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--denoiser", "nothing"), "nothing"),
        (("--denoiser", "srcnn-955-x2"), "srcnn-955-x2 enlarges: it is no denoiser"),
    ],
)
def test_other_networks_are_refused_before_work(words, message, photo, tmp_path, capsys):
    assert run(photo, tmp_path / "out", *words) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
