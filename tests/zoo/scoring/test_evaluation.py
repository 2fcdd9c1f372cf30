"""The protocols: against scikit-image, hand-made noise and the published bicubic figures."""

from functools import partial

import keras
import numpy as np
import pytest
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from asykeras.resize import bicubic_resize
from zoo.pictures.images import find_images, read_image, to_channels
from zoo.scoring import evaluation

rng = np.random.default_rng(0)
WINDOWS = ("gaussian", "uniform")


def smooth(height, width, channels):
    """Return a smooth random image, which bicubic interpolation can bring back."""
    coarse = rng.random((height // 8 + 2, width // 8 + 2, channels))
    large = bicubic_resize(coarse, 8)[:height, :width]
    return (np.clip(large, 0, 1) * 255).astype(np.uint8)


def through(clean, restored, scale, round_luma=False):
    """Score `restored`, whatever the small image is."""
    return evaluation.super_resolution(lambda _: restored, [clean], scale, round_luma)[0]


def test_psnr_is_that_of_luma_without_the_border():
    clean, restored = smooth(20, 24, 3), smooth(20, 24, 3)
    luma = [16 + image @ np.array([65.481, 128.553, 24.966]) / 255 for image in (clean, restored)]
    inside = [each[2:-2, 2:-2] for each in luma]
    expected = peak_signal_noise_ratio(*inside, data_range=255)
    assert through(clean, restored, 2)["psnr"] == pytest.approx(expected, abs=1e-5)
    rounded = peak_signal_noise_ratio(*(np.floor(each + 0.5) for each in inside), data_range=255)
    assert through(clean, restored, 2, True)["psnr"] == pytest.approx(rounded, abs=1e-5)


def test_a_grey_image_is_scored_on_its_own_values():
    clean, restored = smooth(21, 24, 1), smooth(21, 24, 1)
    expected = peak_signal_noise_ratio(clean[3:-3, 3:-3], restored[3:-3, 3:-3], data_range=255)
    for round_luma in (False, True):
        scores = through(clean, restored, 3, round_luma)
        assert scores["psnr"] == pytest.approx(expected, abs=1e-5)


def test_scores_do_not_follow_the_data_format_of_keras():
    clean, restored = (rng.random((13, 16, 3)) for _ in range(2))
    expected = evaluation.score(clean, restored, border=1, luma=True)
    keras.config.set_image_data_format("channels_first")
    assert evaluation.score(clean, restored, border=1, luma=True) == expected


def test_noise_is_neither_clipped_nor_rounded_and_the_same_again():
    seen = []

    def keep(noisy):
        seen.append(noisy)
        return noisy

    image = np.full((200, 200, 1), 250, np.uint8)
    first, second = (evaluation.denoising(keep, [image], 25) for _ in range(2))
    noise = seen[0] - image / 255
    assert noise.std() * 255 == pytest.approx(25, abs=4 * 25 / np.sqrt(2 * noise.size))
    assert seen[0].max() > 1
    assert first == second
    expected = peak_signal_noise_ratio(image / 255, seen[0], data_range=1)
    assert first[0]["psnr"] == pytest.approx(expected, abs=1e-5)


def test_the_noise_of_an_image_does_not_depend_on_its_neighbours():
    seen = []
    images = [smooth(20, 24, 1) for _ in range(2)]
    for others in (images, [np.zeros((30, 30, 1), np.uint8), images[1]]):
        evaluation.denoising(lambda noisy: seen.append(noisy) or noisy, others, 25)
    np.testing.assert_array_equal(seen[1], seen[3])


def test_the_window_of_ssim_is_that_of_the_paper_on_demand():
    image = smooth(40, 40, 1)
    identity = [evaluation.denoising(lambda noisy: noisy, [image], 25, w) for w in WINDOWS]
    noise = np.random.default_rng([evaluation.NOISE_SEED, 0]).normal(0, 25 / 255, image.shape)
    expected = structural_similarity(
        (image / 255)[..., 0], (image / 255 + noise)[..., 0], data_range=1
    )
    assert identity[1][0]["ssim"] == pytest.approx(expected, abs=1e-6)
    assert identity[0][0]["ssim"] != identity[1][0]["ssim"]


def test_images_are_cropped_and_shrunk_before_they_are_restored():
    seen = []

    def enlarge(image):
        seen.append(image)
        return np.zeros((40, 48, 3), np.uint8)

    clean = smooth(41, 50, 3)
    evaluation.super_resolution(enlarge, [clean], 4)
    expected = bicubic_resize(clean[:40, :48], 1 / 4)
    np.testing.assert_array_equal(seen[0], expected)


def test_a_network_is_scored_as_a_user_would_use_it():
    image = keras.Input((None, None, 1))
    half = keras.Model(image, keras.layers.Rescaling(0.5)(image))
    colour = smooth(20, 24, 3)
    grey = to_channels(colour, "grey")
    noisy = evaluation.denoising(lambda noisy: np.clip(noisy / 2, 0, 1), [grey], 25)
    assert evaluation.score_network(half, [colour], sigma=25)[0] == pytest.approx(
        noisy[0], rel=1e-5
    )


def test_a_task_must_be_named_and_fit():
    image = keras.Input((None, None, 3))
    network = keras.Model(image, keras.layers.Rescaling(1.0)(image))
    with pytest.raises(ValueError, match=r"give one of scale, .* Received: \[None, None, None\]"):
        evaluation.score_network(network, [smooth(20, 24, 3)])
    with pytest.raises(ValueError, match="takes images with 3 channels. Received: 1"):
        evaluation.score_network(network, [smooth(20, 24, 1)], sigma=25)


# Bicubic in dB: with Y rounded as in the tables of SRCNN (arXiv:1501.00092) and EDSR
# (arXiv:1707.02921), and without, as protocols have it that keep Y in floating point.
PUBLISHED = {
    ("set5", True): (33.64, 30.39, 28.42),
    ("set5", False): (33.67, 30.41, 28.43),
    ("set14", True): (30.23, 27.54, 26.00),
}


@pytest.mark.data
@pytest.mark.parametrize(("name", "round_luma"), PUBLISHED)
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_published_bicubic_figures(data, name, round_luma, scale):
    images = [read_image(path) for path in find_images(data / name)]
    enlarge = partial(enlarge_bicubic, scale=scale)
    scores = evaluation.super_resolution(enlarge, images, scale, round_luma)
    expected = PUBLISHED[name, round_luma][scale - 2]
    assert evaluation.mean(scores)["psnr"] == pytest.approx(expected, abs=0.02)


def test_deblocking_restores_what_a_jpeg_file_holds(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    Image.fromarray(image).save(tmp_path / "image.jpg", quality=30)
    decoded = np.asarray(Image.open(tmp_path / "image.jpg")) / 255
    seen = []
    (scores,) = evaluation.deblocking(lambda shown: seen.append(shown) or shown, [image], 30)
    np.testing.assert_array_equal(seen[0], decoded)
    error = np.mean((image / 255 - decoded) ** 2)
    assert scores["psnr"] == pytest.approx(-10 * np.log10(error), abs=1e-6)


def test_a_grey_network_removes_artefacts_of_the_grey_image():
    colour = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    image = keras.Input((None, None, 1))
    network = keras.Model(image, keras.layers.Identity()(image))
    (scores,) = evaluation.score_network(network, [colour], quality=10)
    grey = to_channels(colour, "grey")
    (same,) = evaluation.deblocking(lambda shown: shown, [grey], 10)
    assert scores["psnr"] == pytest.approx(same["psnr"], abs=1e-4)
