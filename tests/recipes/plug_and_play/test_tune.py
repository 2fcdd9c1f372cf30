"""Tuning every method on every row, and the table that is made with what was found."""

import json

import numpy as np
import pytest
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio

from recipes.plug_and_play import table as restoration_table
from recipes.plug_and_play import tune
from recipes.plug_and_play.levels import read
from recipes.plug_and_play.rows import ROWS

rng = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def few_rows(monkeypatch):
    """Leave denoising, deblurring and CASSI; `test_restoration_table` has all rows."""
    rows = [row for row in ROWS if row.task in ("denoise", "deblur", "cassi")]
    monkeypatch.setattr(tune, "ROWS", rows)
    monkeypatch.setattr(restoration_table, "ROWS", rows)


def photo(folder, name):
    """Save a slope with a bright disc."""
    y, x = np.mgrid[:20, :24]
    values = (
        np.stack([3 * y, 4 * x, 3 * x + y], -1)
        + 90 * ((y - 9) ** 2 + (x - 12) ** 2 < 30)[..., None]
    )
    Image.fromarray(values.astype(np.uint8)).save(folder / name)
    return str(folder / name)


def one_try(score, ladders, begin):
    """Stand in for the search: it scores the beginning and takes the last rung of each ladder."""
    score(begin)
    return tune.Found({name: ladder[-1] for name, ladder in ladders.items()}, 1.0, 1)


@pytest.mark.slow
def test_what_is_tuned_is_what_the_table_uses(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(tune, "search", one_try)
    words = ["--crop", "16", "--denoiser", "tv", "--out"]
    settings = tmp_path / "settings.json"
    assert tune.main([photo(tmp_path, "a.png"), *words, str(settings)]) == 0
    cells = json.loads(settings.read_text())["cells"]
    assert {key.rsplit("/", 1)[0] for key in cells} == {row.label for row in tune.ROWS}
    wiener = cells["deblurring, Gaussian 8x8 of sigma 3, noise 0.5/Wiener"]
    assert wiener["settings"] == {"balance": 10.0}
    used = []
    monkeypatch.setattr(
        restoration_table,
        "restore",
        lambda method, problem, found: used.append(found) or problem.task.start(problem.measured),
    )
    words = [photo(tmp_path, "b.png"), *words, str(tmp_path / "out"), "--settings", str(settings)]
    assert restoration_table.main(words) == 0
    assert used == [read(cell["settings"]) for cell in cells.values()]
    # The photograph that was tuned on cannot be scored.
    words[0] = str(tmp_path / "a.png")
    capsys.readouterr()
    assert restoration_table.main(words) == 1
    assert "a.png is scored here and was tuned on" in capsys.readouterr().err


@pytest.mark.slow
def test_a_second_start_searches_what_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr(tune, "search", one_try)
    words = [photo(tmp_path, "a.png"), "--crop", "16", "--denoiser", "tv", "--out"]
    words.append(str(tmp_path / "settings.json"))
    assert tune.main(words) == 0
    content = json.loads((tmp_path / "settings.json").read_text())
    left = "CASSI, one measurement of all bands, noise 2/TV"
    gone = content["cells"].pop(left)
    (tmp_path / "settings.json").write_text(json.dumps(content))
    begins = []
    monkeypatch.setattr(tune, "search", lambda *given: begins.append(given[2]) or one_try(*given))
    assert tune.main(words) == 0
    assert json.loads((tmp_path / "settings.json").read_text())["cells"][left] == gone
    # It began with what the other level of noise ended with.
    assert begins == [read(content["cells"][left.replace("noise 2", "noise 0.5")]["settings"])]


def test_files_of_several_sizes_are_refused(tmp_path, capsys):
    small = tmp_path / "small.png"
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(small)
    words = [photo(tmp_path, "a.png"), str(small), "--denoiser", "tv", "--out", str(tmp_path / "o")]
    assert tune.main(words) == 1
    assert "several sizes: cut them with --crop" in capsys.readouterr().err


def test_the_score_is_the_mean_over_bands_and_pictures():
    truth, other = rng.random((2, 2, 6, 7, 3))
    expected = [
        peak_signal_noise_ratio(truth[k, ..., band], other[k, ..., band], data_range=1)
        for k in range(2)
        for band in range(3)
    ]
    assert tune.mpsnr(truth, other) == pytest.approx(np.mean(expected))
