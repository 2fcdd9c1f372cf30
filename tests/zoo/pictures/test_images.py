"""Image files as they are found: modes, depths, and what is no image."""

import struct
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from zoo.pictures.images import (
    ImageError,
    crop_to_multiple,
    encoded_size,
    find_images,
    read_header,
    read_image,
    to_channels,
)

rng = np.random.default_rng(0)
RGB = rng.integers(0, 256, (7, 5, 3), dtype=np.uint8)
DEEP = rng.integers(0, 65536, (7, 5, 4), dtype=np.uint16)


def saved(tmp_path, image, name="image.png", **options):
    image.save(tmp_path / name, **options)
    return tmp_path / name


def png16(path, image):
    """Write a PNG file of 16 bit, which Pillow does for grey alone."""
    height, width, channels = image.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in image)
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    head = struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n"
    for kind, data in ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")):
        check = zlib.crc32(kind + data)
        content += struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)
    path.write_bytes(content)
    return path


def test_rgb_is_read_as_it_is(tmp_path):
    np.testing.assert_array_equal(read_image(saved(tmp_path, Image.fromarray(RGB))), RGB)


def test_grey_keeps_one_channel(tmp_path):
    path = saved(tmp_path, Image.fromarray(RGB[..., 0]))
    np.testing.assert_array_equal(read_image(path), RGB[..., :1])


def test_alpha_is_dropped(tmp_path):
    rgba = np.concatenate([RGB, np.full((7, 5, 1), 9, np.uint8)], axis=-1)
    np.testing.assert_array_equal(read_image(saved(tmp_path, Image.fromarray(rgba))), RGB)


def test_16_bit_grey_is_scaled_to_8_bit(tmp_path):
    values = np.array([[0, 128, 129, 257, 65535, 32768]], np.uint16)
    path = saved(tmp_path, Image.fromarray(values))
    np.testing.assert_array_equal(read_image(path)[0, :, 0], [0, 0, 1, 1, 255, 128])


def test_16_bit_grey_keeps_its_depth_when_asked(tmp_path):
    values = np.array([[0, 128, 129, 257, 65535, 32768]], np.uint16)
    image = read_image(saved(tmp_path, Image.fromarray(values)), depth="file")
    assert image.dtype == np.uint16
    np.testing.assert_array_equal(image[..., 0], values)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_16_bit_png_keeps_both_bytes_of_every_value(tmp_path, channels):
    path = png16(tmp_path / "deep.png", DEEP[..., :channels])
    image = read_image(path, depth="file")
    assert image.dtype == np.uint16
    np.testing.assert_array_equal(image, DEEP[..., : 1 if channels < 3 else 3])
    assert read_header(path) == (7, 5, np.uint16)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compression", [None, "deflate"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_16_bit_tiff_keeps_both_bytes_of_every_value(tmp_path, order, compression, channels):
    tifffile = pytest.importorskip("tifffile", reason="an independent writer")
    path = tmp_path / "deep.tif"
    kind = {1: {"photometric": "minisblack"}, 3: {"photometric": "rgb"}}.get(
        channels, {"photometric": "rgb", "extrasamples": ["unassalpha"]}
    )
    values = DEEP[..., :channels].squeeze()
    tifffile.imwrite(path, values, byteorder=order, compression=compression, **kind)
    image = read_image(path, depth="file")
    assert image.dtype == np.uint16
    np.testing.assert_array_equal(image, DEEP[..., : min(channels, 3)])
    assert read_header(path) == (7, 5, np.uint16)


@pytest.mark.parametrize("compression", [None, "deflate"])
def test_16_bit_tiff_in_planes(tmp_path, compression, monkeypatch):
    tifffile = pytest.importorskip("tifffile", reason="an independent writer")
    path = tmp_path / "planes.tif"
    planes = np.moveaxis(DEEP[..., :3], -1, 0)
    options = {"photometric": "rgb", "planarconfig": "separate", "compression": compression}
    tifffile.imwrite(path, planes, **options)
    np.testing.assert_array_equal(read_image(path, depth="file"), DEEP[..., :3])
    monkeypatch.setitem(sys.modules, "pyvips", None)
    with pytest.raises(ImageError, match=r"planes.tif holds 3 channels of 16 bit.*\[photos\]"):
        read_image(path, depth="file")


def test_an_8_bit_file_stays_8_bit_at_either_depth(tmp_path):
    path = saved(tmp_path, Image.fromarray(RGB))
    image = read_image(path, depth="file")
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, RGB)
    assert read_header(path) == (7, 5, np.uint8)


def test_a_16_bit_png_that_is_cut_short_is_refused(tmp_path):
    path = png16(tmp_path / "deep.png", rng.integers(0, 65536, (90, 90, 3), dtype=np.uint16))
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(ImageError, match="deep.png cannot be read"):
        read_image(path, depth="file")


def test_an_unknown_depth_is_refused(tmp_path):
    with pytest.raises(ValueError, match="depth must be '8' or 'file'. Received: depth='16'"):
        read_image(saved(tmp_path, Image.fromarray(RGB)), depth="16")


@pytest.mark.parametrize("name", ["image.png", "image.jpg", "image.bmp", "image.tif", "image.webp"])
def test_the_header_has_the_size_without_decoding(tmp_path, name):
    path = saved(tmp_path, Image.fromarray(RGB), name)
    assert read_header(path) == (7, 5, np.uint8)
    assert encoded_size(path.read_bytes()) == (7, 5)


def test_the_header_of_a_file_that_is_no_image_is_refused(tmp_path):
    (tmp_path / "text.png").write_text("not an image")
    with pytest.raises(ImageError, match="text.png is not a PNG, JPEG, WebP, BMP or TIFF image"):
        read_header(tmp_path / "text.png")
    with pytest.raises(ImageError, match="the image cannot be read"):
        encoded_size(b"")


def test_palette_becomes_rgb(tmp_path):
    image = Image.fromarray(np.where(RGB > 127, 255, 0).astype(np.uint8))
    expected = np.asarray(image)
    np.testing.assert_array_equal(read_image(saved(tmp_path, image.quantize(8))), expected)


def test_a_text_file_named_png_is_refused(tmp_path):
    path = tmp_path / "text.png"
    path.write_text("not an image")
    with pytest.raises(ImageError, match="text.png is not a PNG, JPEG, WebP, BMP or TIFF image"):
        read_image(path)


def test_a_truncated_jpeg_is_refused(tmp_path):
    whole = saved(tmp_path, Image.fromarray(np.tile(RGB, (20, 20, 1))), "whole.jpg")
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(whole.read_bytes()[:-3000])
    with pytest.raises(
        ImageError, match="cut.jpg cannot be read: (it is cut short|image file is truncated)"
    ):
        read_image(cut)


def test_an_empty_file_is_refused(tmp_path):
    (tmp_path / "empty.png").touch()
    with pytest.raises(ImageError, match="empty.png is empty"):
        read_image(tmp_path / "empty.png")


def test_images_are_found_recursively_and_sorted(tmp_path):
    (tmp_path / "b").mkdir()
    for name in ("b/2.PNG", "b/1.jpeg", "a.tif", "notes.txt"):
        (tmp_path / name).touch()
    found = [str(path.relative_to(tmp_path)) for path in find_images(tmp_path)]
    assert found == ["a.tif", "b/1.jpeg", "b/2.PNG"]


def test_an_empty_folder_and_no_folder_are_refused(tmp_path):
    with pytest.raises(ImageError, match="holds no image"):
        find_images(tmp_path)
    with pytest.raises(ImageError, match="there is no folder .*absent"):
        find_images(tmp_path / "absent")


def test_luma_is_rounded_bt_601():
    expected = [[[16, 235, round(16 + 65.481), round(16 + 24.966)]]]
    image = np.array([[[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 0, 255]]], np.uint8)
    np.testing.assert_array_equal(to_channels(image, "luma")[None, ..., 0], expected)


def test_luma_of_16_bit_values_is_16_bit():
    image = np.array([[[0, 0, 0], [65535, 65535, 65535], [65535, 0, 0]]], np.uint16)
    luma = to_channels(image, "luma")
    assert luma.dtype == np.uint16
    expected = [16 * 257, 235 * 257, round((16 + 65.481) * 257)]
    np.testing.assert_array_equal(luma[0, :, 0], expected)


def test_grey_to_rgb_and_back():
    grey = RGB[..., :1]
    np.testing.assert_array_equal(to_channels(grey, "rgb"), np.repeat(grey, 3, -1))
    np.testing.assert_array_equal(to_channels(to_channels(grey, "rgb"), "grey"), grey)
    np.testing.assert_array_equal(to_channels(grey, "luma"), grey)


def test_crop_to_multiple():
    assert crop_to_multiple(np.zeros((10, 9, 3)), 4).shape == (8, 8, 3)
