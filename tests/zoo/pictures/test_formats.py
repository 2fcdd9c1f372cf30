"""Kinds of picture files: HEIC and AVIF as their own libraries read them, raw files, odd names."""

import os
import sys

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms, features

from tests.zoo.examples import network
from zoo.app.folder import restore_file
from zoo.app.progress import Job
from zoo.pictures.images import ImageError, read_image
from zoo.pictures.photos import read_header
from zoo.pictures.rows import open_rows
from zoo.restoring.bands import Settings

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def picture():
    """A smooth picture of 48 x 32 pixels, dark but for its upper left quarter."""
    values = np.full((32, 48, 3), 40, np.uint8)
    values[:16, :24] = (200, 120, 90)
    return Image.fromarray(values)


def exif(orientation):
    tags = Image.Exif()
    tags[0x0112] = orientation
    tags[0x010F] = "maker"
    return tags.tobytes()


def save_heic(path, **options):
    pytest.importorskip("pillow_heif").register_heif_opener()
    picture().save(path, "HEIF", quality=95, chroma=444, **options)
    return path


def save_avif(path, **options):
    if not features.check("avif"):
        pytest.skip("this build of Pillow has no AVIF")
    picture().save(path, "AVIF", quality=95, subsampling="4:4:4", **options)
    return path


def restored(path, target, scale=2):
    remark = restore_file(Job(path, target), lambda colour: network(scale), Settings())
    with Image.open(target) as image:
        image.load()
    return image, remark


@pytest.mark.parametrize(("save", "format"), [(save_heic, "HEIF"), (save_avif, "AVIF")])
def test_files_of_phones_are_restored_upright_with_their_profile(save, format, tmp_path):
    path = save(tmp_path / "photo.bin", exif=exif(6), icc_profile=PROFILE)  # turn by 90 degrees
    image, remark = restored(path, tmp_path / "large.bin")
    assert (image.format, image.size, remark) == (format, (64, 96), "")
    assert image.info["icc_profile"] == PROFILE
    assert image.getexif().get(0x0112, 1) == 1
    assert image.getexif()[0x010F] == "maker"
    upright = np.asarray(picture().transpose(Image.Transpose.ROTATE_270)).astype(int)
    expected = upright.repeat(2, axis=0).repeat(2, axis=1)
    assert np.abs(np.asarray(image.convert("RGB")) - expected).mean() < 2  # lossy twice
    assert np.abs(read_image(path) - upright).mean() < 2


@pytest.mark.parametrize(("bits", "lost"), [(10, 2), (12, 4)])
def test_a_deep_heic_file_is_said_to_lose_what_pillow_drops(bits, lost, tmp_path, monkeypatch):
    heif = pytest.importorskip("pillow_heif")
    monkeypatch.setattr(heif.options, "SAVE_HDR_TO_12_BIT", bits == 12)
    path, values = tmp_path / "deep.heic", np.full((32, 48, 3), 200 * 257, np.uint16)
    values[:, :24] = 90 * 257
    heif.from_bytes("RGB;16", (48, 32), values.tobytes()).save(path, quality=-1)
    said = f"of {path} this is not kept: {lost} of {bits} bit"
    assert read_header(path).remark == said
    np.testing.assert_allclose(read_image(path), values / 257, atol=2)
    image, remark = restored(path, tmp_path / "new.heic", scale=1)
    assert remark == said
    np.testing.assert_allclose(np.asarray(image).astype(int), values / 257, atol=4)


@pytest.mark.parametrize(("bits", "lost"), [(8, 0), (10, 2), (12, 4)])
def test_a_deep_avif_file_is_said_to_lose_what_pillow_drops(bits, lost, tmp_path):
    if not features.check("avif"):
        pytest.skip("this build of Pillow has no AVIF")
    pyvips, path = pytest.importorskip("pyvips"), tmp_path / "deep.avif"
    values = np.linspace(0, 65535, 32 * 48 * 3).reshape(32, 48, 3).astype(np.uint16)
    image = pyvips.Image.new_from_array(values, interpretation="rgb16")
    try:
        image.heifsave(str(path), compression="av1", bitdepth=bits, lossless=True)
    except pyvips.Error:
        pytest.skip("this build of libvips writes no AVIF")
    said = f"of {path} this is not kept: {lost} of {bits} bit" if lost else ""
    assert read_header(path).remark == said
    np.testing.assert_allclose(read_image(path), values / 257, atol=2)


def test_heic_without_its_extra_is_one_sentence(tmp_path, monkeypatch):
    path = save_heic(tmp_path / "a.jpg")  # as phones and messengers name them
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(ImageError, match=r"a.jpg is HEIC, .*: pip install 'asykeras\[heic\]'"):
        read_header(path)


@pytest.mark.parametrize("suffix", ["dng", "CR2", "nef", "arw", "raf"])
def test_a_raw_file_gets_advice_and_not_its_preview(suffix, tmp_path):
    path = tmp_path / f"a.{suffix}"
    tifffile.imwrite(path, np.zeros((8, 8), np.uint8))  # many are TIFF files
    with pytest.raises(ImageError, match=f"a.{suffix} is a raw file of a camera: develop it first"):
        read_header(path)
    with pytest.raises(ImageError, match=f"a.{suffix} is a raw file of a camera"):
        read_image(path)


@pytest.mark.parametrize("name", [b"raw \xff\xfe.tif", "é漢.tif".encode(), b"a[page=1].tif"])
def test_names_of_any_bytes(name, tmp_path):
    path = tmp_path / os.fsdecode(name)
    values = np.random.default_rng(0).integers(0, 65536, (5, 6, 3)).astype(np.uint16)
    with path.open("wb") as file:
        tifffile.imwrite(file, values, photometric="rgb")
    with open_rows(read_header(path)) as rows:
        np.testing.assert_array_equal(rows(0, 5), values)
