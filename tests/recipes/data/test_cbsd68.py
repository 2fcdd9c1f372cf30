"""CBSD68: the 68 images, and no others."""

from hashlib import sha256

import numpy as np
import pytest
from PIL import Image

from recipes.data import cbsd68
from recipes.datasets.layouts import benchmark_files


@pytest.fixture
def berkeley(tmp_path, monkeypatch):
    """Make a folder of three files, of which two are the set."""
    folder = tmp_path / "test"
    folder.mkdir()
    for name in ("10", "3", "9"):
        (folder / f"{name}.jpg").write_bytes(name.encode())
    monkeypatch.setattr(cbsd68, "NAMES", ["3", "10"])
    expected = b"\x00".join([b"10.jpg", b"103.jpg", b"3"])
    monkeypatch.setattr(cbsd68, "SHA256", sha256(expected).hexdigest())
    return folder


def test_the_images_of_the_set_are_copied_and_no_others(berkeley, tmp_path):
    assert cbsd68.main([str(berkeley), "--out", str(tmp_path / "data/cbsd68")]) == 0
    copied = {path.name: path.read_bytes() for path in (tmp_path / "data/cbsd68").iterdir()}
    assert copied == {"3.jpg": b"3", "10.jpg": b"10"}


def test_other_or_missing_files_are_refused_before_anything_is_written(berkeley, tmp_path, capsys):
    words = [str(berkeley), "--out", str(tmp_path / "out")]
    (berkeley / "3.jpg").write_bytes(b"else")
    assert cbsd68.main(words) == 1
    assert "are not the files that Berkeley published" in capsys.readouterr().err
    (berkeley / "3.jpg").unlink()
    assert cbsd68.main(words) == 1
    assert "3.jpg: CBSD68 is part of BSDS300's test images" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.data
def test_they_are_the_images_of_bsd68_in_its_order(data, tmp_path):
    cbsd68.copy_images(data / "bsds500/val", tmp_path / "cbsd68")
    colours = sorted((tmp_path / "cbsd68").iterdir())
    for grey, colour in zip(benchmark_files(data, "bsd68"), colours, strict=True):
        with Image.open(grey) as first, Image.open(colour) as second:
            difference = np.asarray(first.convert("L"), float) - np.asarray(second.convert("L"))
        assert np.abs(difference).mean() < 1, (grey.name, colour.name)
