"""The page of the published weights."""

import numpy as np
import pytest

from recipes.publish import showcase
from zoo.scoring.tasks import SuperResolution

pytest.importorskip("matplotlib")
ROW = showcase.Row(
    "perched-osprey", (55, 130, 72, 128), {"SRCNN": "srcnn-955-x4"}, SuperResolution(4)
)


def test_a_row_holds_the_versions_with_their_scores():
    figure = showcase.draw([ROW])
    titles = [axis.get_title() for part in figure.subfigs for axis in part.axes[:3]]
    assert [title.splitlines()[0] for title in titles] == ["bicubic", "SRCNN", "original"]
    bicubic, srcnn = (float(title.split()[2]) for title in titles[:2])
    assert srcnn > bicubic + 0.5
    assert "PSNR" not in titles[2]


def test_noise_is_that_of_the_tables():
    clean = np.full((40, 60, 1), 100, np.uint8)
    row = showcase.Row("-", (0, 0, 10, 10), {}, showcase.NOISE)
    pictures, scores = showcase.versions(row, clean)
    assert list(pictures) == ["noisy", "original"]
    noise = pictures["noisy"].astype(float) - 100
    assert abs(noise.std() - 25) < 4 * 25 / np.sqrt(2 * noise.size)
    # PSNR of clipped noise of 25 grey levels
    assert scores["noisy"]["psnr"] == pytest.approx(20 * np.log10(255 / 25), abs=0.2)


def test_a_file_of_no_picture_is_refused(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(showcase, "ROWS", (ROW,))
    monkeypatch.setattr(showcase, "draw", lambda: showcase.plots.page(2, 2))
    assert showcase.main(["--out", str(tmp_path / "page.txt")]) == 1
    assert "showcase: " in capsys.readouterr().err
