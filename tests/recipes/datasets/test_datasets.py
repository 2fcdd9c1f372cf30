"""Builders of TensorFlow Datasets, on small images made here."""

import hashlib
import tempfile
from dataclasses import replace
from pathlib import Path
from unittest import mock

import keras
import numpy as np
import pytest
from PIL import Image

if keras.backend.backend() != "tensorflow":
    pytest.skip("TensorFlow Datasets read with TensorFlow", allow_module_level=True)
tfds = pytest.importorskip("tensorflow_datasets")
pytest.importorskip("dill", reason="tfds.testing needs it")

from recipes.data.sources import open_images, open_pairs  # noqa: E402
from recipes.datasets import Bsds300, RestorationBenchmarks, bsds300  # noqa: E402
from recipes.datasets.__main__ import main  # noqa: E402
from recipes.datasets.layouts import BENCHMARKS  # noqa: E402
from zoo.pictures.images import ImageError, read_image  # noqa: E402

rng = np.random.default_rng(0)


def photographs(folder, names, size=(4, 6, 3)):
    folder.mkdir(parents=True)
    for name in names:
        pixels = rng.integers(0, 256, size, dtype=np.uint8)
        Image.fromarray(pixels).save(folder / name)


def digest(folder):
    found = hashlib.sha256()
    for path in sorted(folder.glob("*.jpg")):
        found.update(path.name.encode() + b"\0" + path.read_bytes())
    return found.hexdigest()


def small_bsds300(root):
    """Make an unpacked archive of 3 + 2 images; return what the builder must expect of it."""
    splits = {}
    for split, numbers in (("train", (3, 1, 2)), ("test", (10, 9))):
        folder = root / "BSDS300" / "images" / split
        photographs(folder, [f"{number}.jpg" for number in numbers])
        splits[split] = (len(numbers), digest(folder))
    return splits


class Bsds300Test(tfds.testing.DatasetBuilderTestCase):
    """The checks of TensorFlow Datasets, with the archive unpacked in the manual folder."""

    DATASET_CLASS = Bsds300
    SPLITS = {"train": 3, "test": 2}  # noqa: RUF012
    SKIP_CHECKSUMS = True  # of the archive: the images themselves are checked

    @classmethod
    def setUpClass(cls):
        cls.EXAMPLE_DIR = cls.enterClassContext(tempfile.TemporaryDirectory())
        expected = small_bsds300(Path(cls.EXAMPLE_DIR))
        cls.enterClassContext(mock.patch.multiple(bsds300, SPLITS=expected, SIZES=((4, 6),)))
        super().setUpClass()


class RestorationBenchmarksTest(tfds.testing.DatasetBuilderTestCase):
    """The checks of TensorFlow Datasets for every configuration, each in another layout."""

    DATASET_CLASS = RestorationBenchmarks
    SPLITS = {"test": 2}  # noqa: RUF012

    @classmethod
    def setUpClass(cls):
        cls.EXAMPLE_DIR = cls.enterClassContext(tempfile.TemporaryDirectory())
        root, pair = Path(cls.EXAMPLE_DIR), ("a.png", "b.png")
        photographs(root / "benchmark" / "Set5" / "HR", pair)
        photographs(root / "Set14" / "original", ("a.png", "b.bmp"))
        photographs(root / "Set14" / "GTmod12", pair)
        photographs(root / "testsets" / "Set12", pair, (4, 6))
        photographs(root / "testsets" / "BSD68", pair, (4, 6))
        photographs(root / "kodak", pair)
        photographs(root / "Urban100" / "image_SRF_4", ("a_HR.png", "a_LR.png", "b_HR.png"))
        photographs(root / "McM", ("1.tif", "2.tif"))
        small = {n: replace(b, number=2, sizes=(), longest=0) for n, b in BENCHMARKS.items()}
        cls.enterClassContext(mock.patch.dict(BENCHMARKS, small))
        super().setUpClass()


@pytest.fixture
def prepared(tmp_path, monkeypatch):
    """Prepare a small BSDS300 where a source finds it; return the folder of its images."""
    monkeypatch.setattr(bsds300, "SPLITS", small_bsds300(tmp_path))
    monkeypatch.setattr(bsds300, "SIZES", ((4, 6),))
    monkeypatch.setattr("tensorflow_datasets.core.constants.DATA_DIR", str(tmp_path / "tfds"))
    config = tfds.download.DownloadConfig(manual_dir=tmp_path)
    tfds.builder("bsds300").download_and_prepare(download_config=config)
    return tmp_path / "BSDS300" / "images"


def test_a_source_has_the_pixels_of_the_files(prepared):
    images = open_images("tfds:bsds300:train", "rgb")
    assert sorted(images.names) == ["1", "2", "3"]
    for name, image in zip(images.names, images, strict=True):
        np.testing.assert_array_equal(image, read_image(prepared / "train" / f"{name}.jpg"))


def test_a_grey_image_of_a_colour_set_stays_grey(tmp_path):
    photographs(tmp_path / "Set14", [f"{n:02d}.png" for n in range(13)])
    pixels = rng.integers(0, 256, (4, 6), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "Set14" / "bridge.png")
    builder = tfds.builder("restoration_benchmarks/set14", data_dir=tmp_path / "tfds")
    config = tfds.download.DownloadConfig(manual_dir=tmp_path)
    builder.download_and_prepare(download_config=config)
    examples = {e["name"]: e["image"] for e in tfds.as_numpy(builder.as_dataset(split="test"))}
    np.testing.assert_array_equal(examples.pop(b"bridge"), pixels[..., None])
    assert {image.shape[-1] for image in examples.values()} == {3}


def test_the_test_images_of_bsds500_are_not_those_of_bsds300(tmp_path):
    for split in ("train", "val", "test"):
        photographs(tmp_path / "BSR" / "images" / split, ["1.jpg"])
    splits = bsds300.find_splits(tmp_path)
    assert {name: folder.name for name, folder in splits.items()} == {
        "train": "train",
        "test": "val",
    }


def test_a_folder_without_both_splits_is_none(tmp_path):
    photographs(tmp_path / "images" / "train", ["1.jpg"])
    assert bsds300.find_splits(tmp_path) == {}


@pytest.mark.parametrize(
    ("number", "size", "message"),
    [
        (3, (4, 6), "train must hold 3 images. It holds 2"),
        (2, (6, 4), "1.jpg has 6x4 pixels"),
        (2, (4, 6), "are not the files that Berkeley published: their SHA-256 is [0-9a-f]{64}"),
    ],
)
def test_other_files_than_the_published_ones_are_refused(
    tmp_path, monkeypatch, number, size, message
):
    photographs(tmp_path / "train", ["1.jpg", "2.jpg"])
    monkeypatch.setattr(bsds300, "SIZES", (size,))
    with pytest.raises(ImageError, match=message):
        bsds300.check(tmp_path / "train", number, "0" * 64)


def test_no_network_is_told_with_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr("tensorflow_datasets.core.constants.DATA_DIR", str(tmp_path))
    refuse = mock.Mock(side_effect=ConnectionError("no network"))
    monkeypatch.setattr(tfds.download.DownloadManager, "download_and_extract", refuse)
    with pytest.raises(
        ImageError, match="bsds300:train cannot be prepared: .* put the folder BSDS300"
    ):
        open_images("tfds:bsds300:train", "rgb")


def test_a_set_that_is_not_in_the_manual_folder_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("tensorflow_datasets.core.constants.DATA_DIR", str(tmp_path))
    with pytest.raises(ImageError, match="set5:test cannot be prepared: Manual directory"):
        open_images("tfds:restoration_benchmarks/set5:test", "rgb")


def test_pairs_of_div2k(tmp_path, monkeypatch):
    photographs(tmp_path / "hr" / "DIV2K_train_HR", ["0001.png", "0002.png"], (8, 12, 3))
    photographs(tmp_path / "lr" / "DIV2K_train_LR_bicubic" / "X2", ["0001x2.png", "0002x2.png"])
    photographs(tmp_path / "valid" / "DIV2K_valid_HR", ["0801.png"], (8, 12, 3))
    photographs(tmp_path / "valid_lr", ["0801x2.png"])
    folders = {"train_hr": "hr", "train_lr": "lr", "valid_hr": "valid", "valid_lr": "valid_lr"}
    unpacked = {f"{key}_url": str(tmp_path / name) for key, name in folders.items()}
    fetch = mock.Mock(return_value=unpacked)
    monkeypatch.setattr(tfds.download.DownloadManager, "download_and_extract", fetch)
    monkeypatch.setattr("tensorflow_datasets.core.constants.DATA_DIR", str(tmp_path / "tfds"))
    source = "tfds:div2k/bicubic_x2:train"
    clean, degraded = open_pairs(source, f"{source}:lr", "rgb")
    files = {read_image(path).tobytes(): path.stem for path in (tmp_path / "hr").rglob("*.png")}
    partners = {read_image(path).tobytes(): path.stem for path in (tmp_path / "lr").rglob("*.png")}
    for whole, half in zip(clean, degraded, strict=True):
        assert files[whole.tobytes()] + "x2" == partners[half.tobytes()]


def test_the_command_prepares_a_set_and_says_where(tmp_path, capsys):
    photographs(tmp_path / "testsets" / "Set5" / "HR", [f"{n}.png" for n in range(5)])
    options = ["--manual-dir", str(tmp_path / "testsets"), "--data-dir", str(tmp_path / "tfds")]
    assert main(["restoration_benchmarks/set5", *options]) == 0
    assert "tfds/restoration_benchmarks/set5/1.0.0: test 5 images" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("restoration_benchmarks/set5", "datasets: Set5 has 5 images, and no folder of them is in"),
        ("restoration_benchmarks/set9", "BuilderConfig set9 not found"),
        ("set5", "datasets: "),
    ],
)
def test_the_command_says_in_one_line_what_is_wrong(tmp_path, capsys, name, message):
    photographs(tmp_path / "testsets" / "Set5" / "HR", ["0.png"])
    options = ["--manual-dir", str(tmp_path / "testsets"), "--data-dir", str(tmp_path / "tfds")]
    assert main([name, *options]) == 1
    assert message in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.data
def test_the_published_files_are_recognised(data):
    for split, folder in bsds300.find_splits(data / "bsds500").items():
        bsds300.check(folder, bsds300.SPLITS[split])
