"""Image files as they are found: modes, depths, and what is no image."""

import numpy as np
import pytest
from PIL import Image

from zoo.images import (
    ImageError,
    crop_to_multiple,
    find_images,
    read_image,
    to_channels,
)

rng = np.random.default_rng(0)
RGB = rng.integers(0, 256, (7, 5, 3), dtype=np.uint8)


def saved(tmp_path, image, name="image.png", **options):
    image.save(tmp_path / name, **options)
    return tmp_path / name


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


def test_palette_becomes_rgb(tmp_path):
    image = Image.fromarray(np.where(RGB > 127, 255, 0).astype(np.uint8))
    expected = np.asarray(image)
    np.testing.assert_array_equal(read_image(saved(tmp_path, image.quantize(8))), expected)


def test_a_text_file_named_png_is_refused(tmp_path):
    path = tmp_path / "text.png"
    path.write_text("not an image")
    with pytest.raises(ImageError, match="text.png is not an image that can be read"):
        read_image(path)


def test_a_truncated_jpeg_is_refused(tmp_path):
    whole = saved(tmp_path, Image.fromarray(np.tile(RGB, (20, 20, 1))), "whole.jpg")
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(whole.read_bytes()[:-3000])
    with pytest.raises(ImageError, match="cut.jpg cannot be read: image file is truncated"):
        read_image(cut)


def test_an_empty_file_is_refused(tmp_path):
    (tmp_path / "empty.png").touch()
    with pytest.raises(ImageError, match="empty.png is not an image"):
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


def test_grey_to_rgb_and_back():
    grey = RGB[..., :1]
    np.testing.assert_array_equal(to_channels(grey, "rgb"), np.repeat(grey, 3, -1))
    np.testing.assert_array_equal(to_channels(to_channels(grey, "rgb"), "grey"), grey)
    np.testing.assert_array_equal(to_channels(grey, "luma"), grey)


def test_crop_to_multiple():
    assert crop_to_multiple(np.zeros((10, 9, 3)), 4).shape == (8, 8, 3)
