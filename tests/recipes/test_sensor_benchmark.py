"""One denoiser on a sensor's noise, told a level and stabilized: what each is given and scored."""

import numpy as np
import pytest
from PIL import Image

from recipes.benchmark import __main__, sensor
from recipes.compare.light import sensor_noise
from zoo.pictures.images import read_image
from zoo.store.weight import published_card

READ = 2 / 255


@pytest.fixture
def pictures(tmp_path):
    """Two small photographs, larger than the middle that is restored."""
    for name, file in (("a", "casa-mila"), ("b", "perched-osprey")):
        photo = read_image(f"zoo/samples/test/{file}.jpg")[100:142, 100:150]
        Image.fromarray(photo).save(tmp_path / f"{name}.png")
    return tmp_path


def middles(folder):
    return [read_image(folder / f"{name}.png")[5:37, 9:41] / 255 for name in "ab"]


@pytest.fixture
def calls(monkeypatch):
    """What the network is asked for; as it is it answers black, stabilized it answers grey."""
    asked = []

    def restore(network, noisy, sigma=None):
        asked.append((network, noisy, sigma))
        return np.full_like(noisy, 0.0 if network == sensor.WEIGHT else 0.25)

    monkeypatch.setattr(sensor.zoo, "restore", restore)
    monkeypatch.setattr(
        sensor.zoo, "stabilized", lambda name, gain, read_noise: (name, gain, read_noise)
    )
    return asked


def table(capsys):
    """Return the cells of the lines that were printed below the head."""
    lines = capsys.readouterr().out.splitlines()
    begin = lines.index("|---|---|---|---|---|---|") + 1
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[begin:]]


def encoded(light):
    """Return light after sRGB (IEC 61966-2-1)."""
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def decibels(label, picture):
    return -10 * np.log10(np.mean((picture - label) ** 2))


def test_both_ways_get_the_same_noise_at_three_levels(pictures, calls, capsys):
    assert __main__.main(["sensor", "--data", str(pictures), "--side", "32"]) == 0
    assert [row[:2] for row in table(capsys)] == [
        [electrons, scored]
        for electrons in ("10", "50", "250")
        for scored in ("in linear light", "after sRGB")
    ]
    wanted = [
        (gain, sensor_noise(clean, number, gain, READ))
        for gain in (1 / 10, 1 / 50, 1 / 250)
        for number, clean in enumerate(middles(pictures))
    ]
    for (gain, noisy), plain, stable in zip(wanted, calls[::2], calls[1::2], strict=True):
        np.testing.assert_array_equal(plain[1], noisy)
        np.testing.assert_array_equal(stable[1], noisy)
        assert plain[0] == "ffdnet-color"
        assert plain[2] == min(sensor.estimated_level(noisy), 75 / 255)
        assert stable[0] == ("ffdnet-color", gain, READ)
        assert stable[2] is None


def test_the_scores_are_means_over_the_pictures_in_light_and_after_srgb(pictures, calls, capsys):
    sensor.benchmark_sensor(str(pictures), 32)
    cleans = middles(pictures)
    noisy = [sensor_noise(clean, number, 1 / 10, READ) for number, clean in enumerate(cleans)]
    for row, curve in zip(table(capsys), (lambda light: light, encoded), strict=False):
        scores = [
            [
                decibels(curve(clean), curve(np.clip(picture, 0, 1)))
                for picture in (noise, 0 * clean, 0 * clean + 0.25)
            ]
            for clean, noise in zip(cleans, noisy, strict=True)
        ]
        found = [float(cell) for cell in row[2:5]]
        np.testing.assert_allclose(found, np.mean(scores, axis=0), atol=0.00501)
        ahead = sum(stable > plain for _, plain, stable in scores)
        assert row[5] == f"{ahead} of 2"


def test_the_level_that_is_told_is_the_highest_that_the_denoiser_takes(monkeypatch, calls):
    assert published_card(sensor.WEIGHT).use.levels == (0, sensor.HIGHEST)
    monkeypatch.setattr(sensor, "estimated_level", lambda noisy: 90 / 255)
    sensor._scores(np.full((16, 16, 3), 0.5), 0, 1 / 10)
    assert calls[0][2] == 75 / 255


def test_the_level_is_found_in_noise_alone():
    noisy = 0.5 + np.random.default_rng(0).normal(0, 0.1, (401, 400, 3))
    assert sensor.estimated_level(noisy) == pytest.approx(0.1, rel=0.02)
    ramp = np.linspace(0, 1, 400)[None, :, None] + np.zeros((400, 400, 3))
    assert sensor.estimated_level(ramp) == pytest.approx(0, abs=1e-9)


def test_the_network_removes_noise_in_both_ways():
    clean = read_image("zoo/samples/test/casa-mila.jpg")[100:164, 100:164] / 255
    for noisy, plain, stable in sensor._scores(clean, 0, 1 / 50):
        assert min(plain, stable) > noisy + 3
