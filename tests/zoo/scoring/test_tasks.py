"""The tasks: against scikit-image, hand-made noise, JPEG files, the published bicubic figures."""

import math

import keras
import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from asykeras.resize import bicubic_resize
from zoo.pictures.images import find_images, read_image, to_channels
from zoo.restoring.network import open_network
from zoo.scoring import verify
from zoo.scoring.evaluate import evaluate, evaluate_with, mean
from zoo.scoring.tasks import (
    NOISE_SEED,
    Deblocking,
    Denoising,
    PhotoEnlargement,
    SuperResolution,
    TaskError,
    parse,
)

pytestmark = pytest.mark.once  # NumPy but for the metrics, which are tested on both
rng = np.random.default_rng(0)
NOISE = Denoising(25 / 255)


def smooth(height, width, channels):
    """Return a smooth random image, which bicubic interpolation can bring back."""
    coarse = rng.random((height // 8 + 2, width // 8 + 2, channels))
    large = bicubic_resize(coarse, 8)[:height, :width]
    return (np.clip(large, 0, 1) * 255).astype(np.uint8)


def model(channels, layer):
    image = keras.Input((None, None, channels))
    return keras.Model(image, layer(image))


def psnr(restore, images, task):
    """Return the PSNR of each image."""
    return [each.scores["psnr"] for each in evaluate_with(restore, images, task)]


def test_psnr_is_that_of_luma_without_the_border():
    clean, restored = smooth(20, 24, 3), smooth(20, 24, 3)
    luma = [16 + image @ np.array([65.481, 128.553, 24.966]) / 255 for image in (clean, restored)]
    inside = [each[2:-2, 2:-2] for each in luma]
    expected = peak_signal_noise_ratio(*inside, data_range=255)
    task = SuperResolution(2)
    assert task.score(clean, restored)["psnr"] == pytest.approx(expected, abs=1e-5)
    np.testing.assert_allclose(task.compared(clean)[..., 0] * 255, inside[0], atol=1e-4)
    rounded = peak_signal_noise_ratio(*(np.floor(each + 0.5) for each in inside), data_range=255)
    found = SuperResolution(2, rounded_luma=True).score(clean, restored)
    assert found["psnr"] == pytest.approx(rounded, abs=1e-5)


@pytest.mark.parametrize("rounded", [False, True])
def test_a_grey_image_is_scored_on_its_own_values(rounded):
    clean, restored = smooth(21, 24, 1), smooth(21, 24, 1)
    expected = peak_signal_noise_ratio(clean[3:-3, 3:-3], restored[3:-3, 3:-3], data_range=255)
    scores = SuperResolution(3, rounded).score(clean, restored)
    assert scores["psnr"] == pytest.approx(expected, abs=1e-5)


def test_scores_do_not_follow_the_data_format_of_keras():
    clean, restored = smooth(18, 20, 3), smooth(18, 20, 3)
    task = SuperResolution(2)
    expected = task.score(clean, restored)
    keras.config.set_image_data_format("channels_first")
    assert task.score(clean, restored) == expected


def test_noise_is_neither_clipped_nor_rounded_and_the_same_again():
    image = np.full((200, 200, 1), 250, np.uint8)
    noisy = NOISE.degrade(image, 0)
    np.testing.assert_array_equal(NOISE.degrade(image, 0), noisy)
    noise = noisy - image / 255
    assert noise.std() * 255 == pytest.approx(25, abs=4 * 25 / np.sqrt(2 * noise.size))
    assert noisy.max() > 1
    expected = np.random.default_rng([NOISE_SEED, 0]).normal(0, 25 / 255, image.shape)
    np.testing.assert_allclose(noise, expected, atol=1e-12)
    assert (NOISE.degrade(image, 1) != noisy).any()


def test_what_is_restored_is_clipped_before_it_is_scored():
    image = np.full((20, 20, 1), 250, np.uint8)
    noisy = np.clip(NOISE.degrade(image, 0), 0, 1)
    expected = peak_signal_noise_ratio(image / 255, noisy, data_range=1)
    assert psnr(lambda degraded: degraded, [image], NOISE) == pytest.approx([expected], abs=1e-5)
    assert psnr(NOISE.baseline, [image], NOISE) == pytest.approx([expected], abs=1e-5)


def test_the_noise_of_an_image_does_not_depend_on_its_neighbours():
    images = [smooth(20, 24, 1) for _ in range(2)]
    others = [np.zeros((30, 30, 1), np.uint8), images[1]]
    first, second = (psnr(NOISE.baseline, each, NOISE) for each in (images, others))
    assert first[1] == second[1]


def test_the_window_of_ssim_is_that_of_the_paper_on_demand():
    image = smooth(40, 40, 1)
    noisy = np.clip(NOISE.degrade(image, 0), 0, 1)
    uniform = Denoising(25 / 255, window="uniform").score(image, noisy)["ssim"]
    expected = structural_similarity((image / 255)[..., 0], noisy[..., 0], data_range=1)
    assert uniform == pytest.approx(expected, abs=1e-6)
    assert NOISE.score(image, noisy)["ssim"] != uniform


def test_images_are_cropped_and_shrunk_before_they_are_restored():
    seen = []

    def enlarge(image):
        seen.append(image)
        return np.zeros((40, 48, 3), np.uint8)

    clean = smooth(41, 50, 3)
    (found,) = evaluate_with(enlarge, [clean], SuperResolution(4))
    np.testing.assert_array_equal(seen[0], bicubic_resize(clean[:40, :48], 1 / 4))
    np.testing.assert_array_equal(found.reference, clean[:40, :48])


def test_without_a_network_it_is_bicubic_enlargement():
    clean = smooth(21, 24, 3)
    (found,) = evaluate(None, [clean], SuperResolution(3))
    np.testing.assert_array_equal(found.restored, bicubic_resize(bicubic_resize(clean, 1 / 3), 3))


def test_a_grey_network_is_scored_on_grey_images():
    half, colour = model(1, keras.layers.Rescaling(0.5)), smooth(20, 24, 3)
    grey = to_channels(colour, "grey")
    expected = psnr(lambda noisy: noisy / 2, [grey], NOISE)
    found = [each.scores["psnr"] for each in evaluate(half, [colour], NOISE)]
    assert found == pytest.approx(expected, rel=1e-5)


def test_a_network_must_do_what_is_asked_for():
    same = model(3, keras.layers.Rescaling(1.0))
    twice = model(3, keras.layers.UpSampling2D(2))
    with pytest.raises(ValueError, match="enlarges by 2. Received: scale=3"):
        list(evaluate(twice, [smooth(20, 24, 3)], SuperResolution(3)))
    with pytest.raises(ValueError, match="srcnn-955-x3 has the scale 3. Received: scale=1"):
        list(evaluate("srcnn-955-x3", [smooth(20, 24, 3)], NOISE))
    with pytest.raises(ValueError, match="takes images with 3 channels. Received: channels=5"):
        list(evaluate(same, [np.zeros((20, 24, 5), np.uint8)], NOISE))


# Bicubic in dB: with Y rounded as in the tables of SRCNN (arXiv:1501.00092) and EDSR
# (arXiv:1707.02921), and without, as protocols have it that keep Y in floating point.
PUBLISHED = {
    ("set5", "-rounded-luma"): (33.64, 30.39, 28.42),
    ("set5", ""): (33.67, 30.41, 28.43),
    ("set14", "-rounded-luma"): (30.23, 27.54, 26.00),
}


@pytest.mark.data
@pytest.mark.parametrize(("name", "luma"), PUBLISHED)
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_published_bicubic_figures(data, name, luma, scale):
    images = [read_image(path) for path in find_images(data / name)]
    found = mean(evaluate(None, images, parse(f"x{scale}{luma}")))
    assert found["psnr"] == pytest.approx(PUBLISHED[name, luma][scale - 2], abs=0.02)


def test_deblocking_restores_what_a_jpeg_file_holds(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    Image.fromarray(image).save(tmp_path / "image.jpg", quality=30)
    decoded = np.asarray(Image.open(tmp_path / "image.jpg")) / 255
    task = Deblocking(30)
    np.testing.assert_array_equal(task.degrade(image, 0), decoded)
    error = np.mean((image / 255 - decoded) ** 2)
    found = psnr(task.baseline, [image], task)
    assert found == pytest.approx([-10 * np.log10(error)], abs=1e-6)


@pytest.mark.parametrize("window", ["gaussian", "uniform"])
def test_deblocking_on_luma_has_the_scores_of_scikit_image(window):
    """Its Y of BT.601, its PSNR and its SSIM, of a restored picture that goes beyond [0, 1]."""
    color, metrics = (pytest.importorskip(f"skimage.{name}") for name in ("color", "metrics"))
    image = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    image[:12] //= 4  # not of one mean alone
    task = Deblocking(30, window, luma=True)
    degraded = task.degrade(image, 0)
    restored = 1.2 * degraded - 0.1
    true, pred = (color.rgb2ycbcr(each)[..., 0] for each in (image / 255, restored.clip(0, 1)))
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    if window == "uniform":
        options = {"win_size": 7}
    found = task.score(image, restored)
    expected = metrics.peak_signal_noise_ratio(true, pred, data_range=255)
    assert found["psnr"] == pytest.approx(expected, abs=1e-6)
    similar = metrics.structural_similarity(true, pred, data_range=255, **options)
    assert found["ssim"] == pytest.approx(similar, abs=1e-6)
    np.testing.assert_allclose(255 * task.compared(image)[..., 0], true, atol=1e-9)
    assert task.score(image, degraded) != Deblocking(30, window).score(image, degraded)
    grey = image[..., :1]
    assert task.score(grey, grey[::-1] / 255) == Deblocking(30, window).score(
        grey, grey[::-1] / 255
    )


def test_a_grey_network_removes_artefacts_of_the_grey_image():
    colour = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    network, task = model(1, keras.layers.Identity()), Deblocking(10)
    found = [each.scores["psnr"] for each in evaluate(network, [colour], task)]
    same = psnr(task.baseline, [to_channels(colour, "grey")], task)
    assert found == pytest.approx(same, abs=1e-4)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_photograph_is_blurred_shrunk_noisy_and_a_jpeg_file(channels, tmp_path):
    image = np.random.default_rng(1).integers(0, 256, (40, 52, channels), dtype=np.uint8)
    random = np.random.default_rng([0, 5])
    blur, level, quality = (random.uniform(*ends) for ends in ((0, 1.5), (0, 10), (40, 95)))
    reach = math.ceil(3 * blur)
    widths = (blur, blur, 0)
    blurred = gaussian_filter(image / 255, widths, mode="nearest", radius=(reach, reach, 0))
    small = np.asarray(bicubic_resize(blurred, 0.5))
    noisy = np.clip(small + random.normal(0, level / 255, small.shape), 0, 1)
    pixels = np.floor(noisy * 255 + 0.5).astype(np.uint8)
    Image.fromarray(pixels.squeeze()).save(tmp_path / "a.jpg", quality=round(quality))
    task = PhotoEnlargement(2)
    found = task.degrade(image, 5)
    expected = np.asarray(Image.open(tmp_path / "a.jpg")).reshape(20, 26, channels)
    np.testing.assert_array_equal(found, expected)
    assert not np.array_equal(found, task.degrade(image, 6))


def test_photographs_are_scored_as_enlargements_are():
    image = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    task = PhotoEnlargement(2)
    assert task.score(image, image[::-1]) == SuperResolution(2).score(image, image[::-1])
    assert "JPEG of quality 40 to 95 (seed 0), output rounded to 8 bit" in task.protocol()
    assert task != SuperResolution(2)


@pytest.mark.parametrize(
    ("text", "task"),
    [
        ("x3", SuperResolution(3)),
        ("x4-rounded-luma", SuperResolution(4, rounded_luma=True)),
        ("x2-photo", PhotoEnlargement(2)),
        ("sigma25", Denoising(25 / 255)),
        ("sigma12.5-uniform", Denoising(12.5 / 255, window="uniform")),
        ("jpeg10", Deblocking(10)),
        ("jpeg10-uniform", Deblocking(10, window="uniform")),
        ("jpeg10-luma", Deblocking(10, luma=True)),
        ("jpeg10-luma-uniform", Deblocking(10, window="uniform", luma=True)),
    ],
)
def test_a_task_is_its_text(text, task):
    assert parse(text) == task
    assert str(task) == text
    assert task.protocol().startswith("protocol: ")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "x1",
        "x3.5",
        "X3",
        "x3-uniform",
        "sigma",
        "sigma25-rounded-luma",
        "sigma25-photo",
        "sigma25-luma",
        "jpeg10-uniform-luma",
        "jpeg7.5",
        "jpeg0",
    ],
)
def test_a_text_that_is_no_task(text):
    with pytest.raises(TaskError, match="a task is x2, .* Received: task="):
        parse(text)


def test_a_cube_is_scored_on_all_bands_in_its_own_depth(tmp_path):
    cube = rng.integers(0, 65536, (24, 20, 7), dtype=np.uint16)
    cube[0, 0, :2] = 0, 65535  # stretched from the least to the largest: it stays as it is
    (tmp_path / "HSI").mkdir()
    np.save(tmp_path / "HSI/Scene.npy", cube)
    place = verify.test_folder("hsi/scene.npy", str(tmp_path))
    assert find_images(place) == [tmp_path / "HSI/Scene.npy"]
    image = keras.Input((None, None, None))
    network = open_network(keras.Model(image, keras.layers.Rescaling(0.5)(image)), scale=1)
    noise = np.random.default_rng([NOISE_SEED, 0]).normal(0, 30 / 255, cube.shape)
    expected = np.clip(np.float32(cube / 65535 + noise) / 2, 0, 1)
    found = verify.measure(network, place, "sigma30")["psnr"]
    assert found == pytest.approx(-10 * np.log10(np.mean((expected - cube / 65535) ** 2)), abs=1e-4)


def test_a_test_set_that_is_no_folder_and_no_file_is_not_there(tmp_path):
    (tmp_path / "one.npy").touch()
    assert verify.test_folder("one.npy/two", str(tmp_path)) is None
    assert verify.test_folder("other", str(tmp_path)) is None
