"""The table of plug-and-play: every task once, means, going on, and what is refused."""

import json

import numpy as np
import pytest
from PIL import Image

from recipes import restoration_table
from recipes.restoration_table import ROWS, table

rng = np.random.default_rng(0)


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(rng.integers(0, 256, (20, 26, 3), dtype=np.uint8)).save(path)
    return path


def run(photo, out, *words):
    given = [str(photo), "--denoiser", "tv", "--crop", "16", "--out", str(out), *words]
    return restoration_table.main(given)


def test_every_task_is_scored_once_and_not_again(photo, tmp_path, capsys, monkeypatch):
    out = tmp_path / "out"
    assert run(photo, out) == 0
    cells = json.loads((out / "cells.json").read_text())["cells"]
    assert set(cells) == {f"photo/{row.label}" for row in ROWS}
    for cell in cells.values():
        assert {"input", "ours"} < set(cell)
        assert np.isfinite([list(scores.values()) for scores in cell.values()]).all()
    title, _, said, _, *lines = (out / "table.md").read_text().splitlines()
    assert title == "# Plug-and-play with tv against classical methods"
    assert "the middle 16 x 16 pixels of photo." in said
    assert len(lines) == 2 + len(ROWS)
    capsys.readouterr()
    # Nothing is left to do: not even the denoiser is called.
    monkeypatch.setattr(restoration_table, "restore_row", None)
    assert run(photo, out) == 0
    assert capsys.readouterr().out.splitlines() == [*lines, ""]


def test_the_row_is_the_mean_over_files_beside_the_best_classical_method():
    label = "inpainting, 30 % missing"
    cells = {
        f"a/{label}": {
            "input": {"mpsnr": 10.0},
            "ours": {"mpsnr": 30.0},
            "first": {"mpsnr": 27.0},
            "second": {"mpsnr": 20.0},
        },
        f"b/{label}": {
            "input": {"mpsnr": 12.0},
            "ours": {"mpsnr": 33.0},
            "first": {"mpsnr": 23.0},
            "second": {"mpsnr": 29.0},
        },
    }
    expected = f"| {label} | 2 | 11.00 | 25.00 (first) | 31.50 | +6.50 |  |"
    assert table(cells, "net").splitlines()[2:] == [expected]


def test_the_middle_is_cut_out(photo, tmp_path, monkeypatch):
    seen = []

    def noted(truth, row, network):
        seen.append(truth)
        return {name: {"mpsnr": 1.0} for name in ("input", "ours", "other")}

    monkeypatch.setattr(restoration_table, "restore_row", noted)
    assert run(photo, tmp_path / "out") == 0
    with Image.open(photo) as image:
        expected = np.asarray(image)[2:18, 5:21] / 255
    np.testing.assert_allclose(seen[0], expected, atol=1e-6)


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
