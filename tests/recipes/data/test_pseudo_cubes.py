"""Cubes made of photographs: smooth spectra, one for each hue, the same for the same seed."""

import numpy as np
import pytest
from PIL import Image

from recipes.data import pseudo_cubes
from zoo.store.cubes import read_cube


def rng():
    return np.random.default_rng(5)


def test_curves_are_smooth_and_not_negative():
    made = pseudo_cubes.curves(rng(), 200, 31)
    assert made.shape == (200, 31)
    assert made.min() >= 0
    np.testing.assert_allclose(made.mean(axis=1), 1)
    # The steepest part of the narrowest bump, width w of the range: exp(-1/2) / w a range.
    steepest = np.exp(-0.5) / pseudo_cubes.WIDTHS[0] / 30
    heights = made.max(axis=1) * pseudo_cubes.BUMPS[1]
    assert (np.abs(np.diff(made, axis=1)).max(axis=1) <= steepest * heights).all()


def test_materials_are_told_by_hue_and_not_by_brightness():
    red, blue = np.array([0.8, 0.1, 0.1]), np.array([0.1, 0.1, 0.8])
    light = np.concatenate([red * np.linspace(0.5, 1, 50)[:, None], blue * np.ones((50, 1))])
    share = pseudo_cubes.materials(light, 2, rng())
    np.testing.assert_allclose(share.sum(axis=1), 1)
    assert share.min() >= 0
    first = share[:50].mean(axis=0).argmax()
    assert (share[:50].argmax(axis=1) == first).all()
    assert (share[50:].argmax(axis=1) != first).all()


def test_a_spectrum_is_of_the_pixel_alone_and_brighter_light_is_more_of_it():
    picture = rng().uniform(0.2, 0.9, (40, 40, 3))
    picture[3:6, 5:9] = picture[20:23, 30:34] = (0.5, 0.3, 0.2)
    cube = pseudo_cubes.spread(picture, 31, rng())
    assert cube.dtype == np.uint16
    assert cube.shape == (40, 40, 31)
    assert cube.max() == 65535
    np.testing.assert_array_equal(cube[3:6, 5:9], cube[20:23, 30:34])
    grey = np.repeat(np.linspace(0.1, 0.6, 40)[:, None, None], 40, axis=1) * np.ones(3)
    ramp = pseudo_cubes.spread(grey, 31, rng()).astype(np.int64)
    assert (np.diff(ramp[:, 0], axis=0) >= 0).all()


def test_black_stays_black():
    assert not pseudo_cubes.spread(np.zeros((8, 8, 3)), 5, rng()).any()


def test_a_part_is_half_the_size_and_the_mean_of_four_pixels():
    image = rng().integers(0, 256, (41, 60, 3), dtype=np.uint8)
    taken = pseudo_cubes.part(image, 99, rng())
    assert taken.shape == (20, 30, 3)
    assert taken[2, 3, 1] == pytest.approx(image[4:6, 6:8, 1].mean() / 255)
    assert pseudo_cubes.part(image, 16, rng()).shape == (16, 16, 3)


def test_the_command_writes_cubes_that_the_recipes_read(tmp_path, capsys):
    for number in range(2):
        pixels = np.random.default_rng(number).integers(0, 256, (64, 96, 3), dtype=np.uint8)
        (tmp_path / "photos").mkdir(exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / f"photos/{number}.png")
    words = [str(tmp_path / "photos"), "--count", "3", "--bands", "7", "--side", "24"]
    assert pseudo_cubes.main([*words, "--out", str(tmp_path / "a")]) == 0
    assert pseudo_cubes.main([*words, "--out", str(tmp_path / "b")]) == 0
    assert pseudo_cubes.main([*words, "--out", str(tmp_path / "c"), "--seed", "1"]) == 0
    made = {folder: sorted((tmp_path / folder).iterdir()) for folder in "abc"}
    assert [path.name for path in made["a"]] == ["0000.npy", "0001.npy", "0002.npy"]
    assert [p.read_bytes() for p in made["a"]] == [p.read_bytes() for p in made["b"]]
    assert made["a"][0].read_bytes() != made["c"][0].read_bytes()
    assert read_cube(made["a"][0]).shape == (24, 24, 7)


@pytest.mark.parametrize(("option", "least"), [("count", 1), ("bands", 2), ("side", 16)])
def test_numbers_that_make_no_cube_are_refused(tmp_path, capsys, option, least):
    words = [str(tmp_path), "--out", str(tmp_path / "out"), f"--{option}", str(least - 1)]
    assert pseudo_cubes.main(words) == 2
    expected = f"--{option} must be {least} or more. Received: {least - 1}"
    assert expected in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("width", "height", "code"), [(30, 7, 1), (8, 8, 0)])
def test_an_image_that_is_too_small_is_named(tmp_path, capsys, width, height, code):
    Image.new("RGB", (width, height)).save(tmp_path / "dot.png")
    assert pseudo_cubes.main([str(tmp_path), "--out", str(tmp_path / "out")]) == code
    told = f"dot.png is too small for a cube: {width} x {height} pixels"
    assert (told in capsys.readouterr().err) == bool(code)
