"""What travels: the images of the named rows alone, within the limit, and nothing half done."""

import subprocess

import numpy as np
import pytest
from PIL import Image

from recipes.gpu.pack import MIB, main
from zoo.pictures.images import read_image

rng = np.random.default_rng(0)


def write(path, height, width, channels=3, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    small = rng.integers(0, 256, (height // 4, width // 4, channels), dtype=np.uint8)
    pixels = small.repeat(4, 0).repeat(4, 1)
    Image.fromarray(pixels[..., 0] if channels == 1 else pixels).save(path, **options)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A repository of 3000 bytes, a file that git ignores, and data."""
    repository = tmp_path / "repository"
    repository.mkdir()
    (repository / "code.py").write_bytes(bytes(2000))
    (repository / "new.py").write_bytes(bytes(1000 - 13))
    (repository / "ignored").write_bytes(bytes(10**6))
    (repository / ".gitignore").write_text(".gpu\nignored\n")
    subprocess.run(["git", "init", "-q"], cwd=repository, check=True)
    subprocess.run(["git", "add", "code.py"], cwd=repository, check=True)
    write(tmp_path / "data/bsds500/train/a.jpg", 60, 80, quality=95)
    write(tmp_path / "data/bsds500/test/b.jpg", 60, 80, quality=95)
    write(tmp_path / "data/t91/c.png", 40, 80)
    write(tmp_path / "data/t91/grey.png", 40, 80, channels=1)
    write(tmp_path / "data/photos/below/d.jpg", 640, 1800, quality=98)
    write(tmp_path / "data/set5/never.png", 40, 40)
    monkeypatch.chdir(repository)
    return tmp_path / "data", repository / ".gpu"


def packed(place, *words, limit=64.0):
    data, _ = place
    return main([*words, "--data", str(data), "--limit", str(limit)])


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*"))


def bytes_of(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_the_images_of_the_named_row_travel_as_they_are(place, capsys):
    data, out = place
    assert packed(place, "dncnn-gray-25") == 0
    assert names(out) == ["images/bsds500/test/b.jpg", "images/bsds500/train/a.jpg"]
    for name in ("train/a.jpg", "test/b.jpg"):
        whole = (data / "bsds500" / name).read_bytes()
        assert (out / "images/bsds500" / name).read_bytes() == whole
    assert "of 64; images as they are" in capsys.readouterr().out


def test_rows_share_their_images(place):
    _, out = place
    assert packed(place, "dncnn-gray-25", "edsr-baseline-x2", "srcnn-955-x3") == 0
    assert len(names(out)) == 5
    assert "images/photos/below/d.jpg" in names(out)


def test_what_travels_is_the_sum_of_what_git_knows_and_what_is_packed(place, capsys):
    """A limit just reached is kept to; with one byte less other images travel."""
    _, out = place
    assert packed(place, "dncnn-gray-25") == 0
    total = 3000 + bytes_of(out)
    assert packed(place, "dncnn-gray-25", limit=total / MIB) == 0
    assert "images as they are" in capsys.readouterr().out
    assert packed(place, "dncnn-gray-25", limit=(total - 1) / MIB) == 0
    assert "PNG quality 95, all others too" in capsys.readouterr().out
    assert names(out) == ["images/bsds500/test/b.jpg.webp", "images/bsds500/train/a.jpg.webp"]
    assert 3000 + bytes_of(out) < total
    assert packed(place, "dncnn-gray-25", limit=3000 / MIB) == 1
    assert "pack: what travels is above" in capsys.readouterr().err
    assert names(out) == []


def test_a_file_that_another_coding_would_enlarge_stays(place):
    data, out = place
    write(data / "bsds500/train/rough.jpg", 60, 80, quality=5)
    with Image.open(data / "bsds500/train/rough.jpg") as image:
        whole = image.copy()
    assert packed(place, "dncnn-gray-25", limit=(3000 + bytes_of(data / "bsds500") - 1) / MIB) == 0
    assert "images/bsds500/train/rough.jpg" in names(out)
    np.testing.assert_array_equal(read_image(out / "images/bsds500/train/rough.jpg"), whole)


def test_what_else_travels_counts(place, tmp_path, capsys):
    assert packed(place, "dncnn-gray-25", "--more", str(tmp_path / "run"), limit=1) == 1
    assert "run, which is to travel" in capsys.readouterr().err
    (tmp_path / "run").mkdir()
    (tmp_path / "run/step").write_bytes(bytes(2 * MIB))
    assert packed(place, "dncnn-gray-25", "--more", str(tmp_path / "run"), limit=1) == 1
    assert packed(place, "dncnn-gray-25", "--more", str(tmp_path / "run"), limit=3) == 0
    assert "run 2.0" in capsys.readouterr().out


def test_above_the_limit_photographs_are_shrunk_and_small_images_keep_their_bits(place, capsys):
    data, out = place
    assert packed(place, "edsr-baseline-x2") == 0
    whole = bytes_of(out)
    assert packed(place, "edsr-baseline-x2", limit=(whole + 2000) / MIB) == 0
    assert "larger than 1600 shrunk to that, quality 95; PNG lossless" in capsys.readouterr().out
    with Image.open(out / "images/photos/below/d.jpg.webp") as photo:
        assert photo.size == (1600, round(640 * 1600 / 1800))
    exact = read_image(out / "images/t91/c.png.webp")
    np.testing.assert_array_equal(exact, read_image(data / "t91/c.png"))
    for name in ("t91/grey.png", "bsds500/train/a.jpg"):  # WebP has no grey, JPEG is small already
        assert (out / "images" / name).read_bytes() == (data / name).read_bytes()


def test_what_cannot_be_packed_is_one_sentence(place, tmp_path, capsys, monkeypatch):
    assert packed(place, "edsr") == 1
    assert (
        "there is no row 'edsr' in the plan; there are dncnn-color-blind" in capsys.readouterr().err
    )
    (place[0] / "t91").rename(place[0] / "T91")
    assert packed(place, "srcnn-955-x3") == 1
    assert "there is no folder" in capsys.readouterr().err
    monkeypatch.chdir(tmp_path)
    assert packed(place, "dncnn-gray-25") == 1
    assert "run this in the repository" in capsys.readouterr().err
