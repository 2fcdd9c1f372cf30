"""Scores of restored images against scikit-image and the zoo's own protocol."""

import numpy as np
import pytest
from PIL import Image

from asykeras.resize import bicubic_resize
from recipes.compare.measure import evaluations, measure, read_tests
from zoo.pictures.errors import ImageError
from zoo.pictures.images import to_channels
from zoo.scoring.evaluate import evaluate
from zoo.scoring.tasks import Denoising, SuperResolution, parse

skimage = pytest.importorskip("skimage.metrics")
rng = np.random.default_rng(0)


def smooth(height, width, channels):
    coarse = rng.random((height // 8 + 2, width // 8 + 2, channels))
    return (np.clip(bicubic_resize(coarse, 8)[:height, :width], 0, 1) * 255).astype(np.uint8)


IMAGES = {"colour": smooth(41, 50, 3), "grey": smooth(40, 33, 1)}


def test_scores_are_those_of_the_zoos_protocol():
    task = SuperResolution(3)
    found = measure(None, IMAGES, task)
    for record, each in zip(found.values(), evaluate(None, IMAGES.values(), task), strict=True):
        assert record["psnr"] == each.scores["psnr"]
        assert record["ssim_gaussian"] == each.scores["ssim"]
        assert record["nrmse"] == each.scores["nrmse"]


@pytest.mark.parametrize("name", IMAGES)
def test_uniform_ssim_and_nrmse_are_scikit_images_on_what_is_scored(name):
    task = SuperResolution(3)
    record, each = (of(None, IMAGES, task)[name] for of in (measure, evaluations))
    pair = [task.compared(image)[..., 0] for image in (each.reference, each.restored)]
    assert record["ssim_uniform"] == pytest.approx(
        skimage.structural_similarity(*pair, data_range=1.0), abs=1e-6
    )
    assert record["nrmse"] == pytest.approx(
        np.linalg.norm(pair[0] - pair[1]) / np.linalg.norm(pair[0]), rel=1e-6
    )
    assert record["psnr"] == pytest.approx(
        skimage.peak_signal_noise_ratio(*pair, data_range=1.0), abs=1e-5
    )


@pytest.mark.parametrize("task", ["x2", "x3", "sigma25"])
def test_errors_by_grey_level_are_of_the_same_pixels_as_the_psnr(task):
    for record in measure(None, IMAGES, parse(task)).values():
        sums = record["grey_levels"]
        error = sum(sums["squared"]) / sum(sums["count"])
        assert -10 * np.log10(error) == pytest.approx(record["psnr"], abs=1e-4)


def test_denoising_is_on_grey_images():
    task = Denoising(25 / 255, window="uniform")
    found = measure(None, IMAGES, task)
    for number, (image, record) in enumerate(zip(IMAGES.values(), found.values(), strict=True)):
        grey = to_channels(image, "grey")
        noisy = np.clip(task.degrade(grey, number), 0, 1)
        assert record["psnr"] == task.score(grey, noisy)["psnr"]
        assert record["ssim_uniform"] == pytest.approx(task.score(grey, noisy)["ssim"], abs=1e-12)


def test_images_come_in_the_order_of_the_names(tmp_path):
    for name in ("a", "b", "c"):
        Image.fromarray(np.zeros((3, 3), np.uint8)).save(tmp_path / f"{name}.png")
    assert list(read_tests(tmp_path, ("c", "a"))) == ["c", "a"]
    assert list(read_tests(tmp_path, ())) == ["a", "b", "c"]
    with pytest.raises(ImageError, match="has no image named d"):
        read_tests(tmp_path, ("a", "d"))
