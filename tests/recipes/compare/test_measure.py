"""Scores of restored images against scikit-image and the zoo's own protocol."""

import numpy as np
import pytest
from PIL import Image
from zoo.scoring.evaluation import denoising, super_resolution

from asykeras.resize import bicubic_resize
from recipes.compare.measure import measure, original, read_tests, restore_some, restorer, scored
from zoo.pictures.images import ImageError

skimage = pytest.importorskip("skimage.metrics")
rng = np.random.default_rng(0)


def smooth(height, width, channels):
    coarse = rng.random((height // 8 + 2, width // 8 + 2, channels))
    return (np.clip(bicubic_resize(coarse, 8)[:height, :width], 0, 1) * 255).astype(np.uint8)


IMAGES = {"colour": smooth(41, 50, 3), "grey": smooth(40, 33, 1)}


def test_scores_are_those_of_the_zoos_protocol():
    found = measure(restorer(None, "x3"), IMAGES, "x3")
    wanted = super_resolution(lambda small: enlarge_bicubic(small, 3), list(IMAGES.values()), 3)
    for record, scores in zip(found.values(), wanted, strict=True):
        assert record["psnr"] == scores["psnr"]
        assert record["ssim_gaussian"] == scores["ssim"]
        assert record["nrmse"] == scores["nrmse"]


@pytest.mark.parametrize("name", IMAGES)
def test_uniform_ssim_and_nrmse_are_scikit_images_on_what_is_scored(name):
    record = measure(restorer(None, "x3"), IMAGES, "x3")[name]
    restored = restore_some(restorer(None, "x3"), IMAGES, "x3", [name])[name]
    pair = [scored(i, "x3")[..., 0] for i in (original(IMAGES[name], "x3"), restored)]
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
    for record in measure(restorer(None, task), IMAGES, task).values():
        sums = record["grey_levels"]
        error = sum(sums["squared"]) / sum(sums["count"])
        assert -10 * np.log10(error) == pytest.approx(record["psnr"], abs=1e-4)


def test_denoising_is_on_grey_images():
    found = measure(restorer(None, "sigma25"), IMAGES, "sigma25")
    grey = [original(image, "sigma25") for image in IMAGES.values()]
    wanted = denoising(lambda noisy: np.clip(noisy, 0, 1), grey, 25, "uniform")
    assert [r["psnr"] for r in found.values()] == [s["psnr"] for s in wanted]
    assert [r["ssim_uniform"] for r in found.values()] == pytest.approx(
        [s["ssim"] for s in wanted], abs=1e-12
    )


def test_one_image_is_restored_from_the_noise_that_it_is_scored_with():
    seen = []
    measure(lambda noisy: seen.append(noisy) or np.clip(noisy, 0, 1), IMAGES, "sigma25")
    alone = restore_some(lambda noisy: noisy, IMAGES, "sigma25", ["grey"])
    np.testing.assert_array_equal(alone["grey"], seen[1])


def test_images_come_in_the_order_of_the_names(tmp_path):
    for name in ("a", "b", "c"):
        Image.fromarray(np.zeros((3, 3), np.uint8)).save(tmp_path / f"{name}.png")
    assert list(read_tests(tmp_path, ("c", "a"))) == ["c", "a"]
    assert list(read_tests(tmp_path, ())) == ["a", "b", "c"]
    with pytest.raises(ImageError, match="has no image named d"):
        read_tests(tmp_path, ("a", "d"))
