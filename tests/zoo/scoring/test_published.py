"""Every published weight: its file, its card, and one number of it, recomputed."""

import re
from pathlib import Path

import keras
import numpy as np
import pytest
from zoo.scoring.evaluation import denoising, mean, score_network, super_resolution

import zoo
from zoo.pictures.images import find_images, read_image, to_channels
from zoo.scoring.verify import SAMPLES, verify
from zoo.store import table as cards
from zoo.store.weight import PUBLISHED

README = Path(__file__).parents[3] / "README.md"
# JAX compiles GRUNet for each size of the samples: a minute.
ON_JAX_SLOW = {"dphsir-small"} if keras.backend.backend() == "jax" else set()


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow if name in ON_JAX_SLOW else ())
        for name in zoo.list_weights()
    ],
)
def test_the_number_on_the_samples_is_repeated(name):
    rows = [row for row in verify(name) if row["data"] == "samples"]
    assert rows
    assert all(row["passed"] for row in rows), rows


@pytest.mark.parametrize("name", zoo.list_weights())
def test_a_card_is_complete(name):
    card = zoo.card(name)
    assert card["licence"] == "Apache-2.0"
    assert card["bytes"] == (PUBLISHED / card["file"]).stat().st_size
    assert card["parameters"] == zoo.load(name).count_params()
    assert re.fullmatch("[0-9a-f]{40}", card["commit"])
    assert {"data", "settings", "versions", "hardware", "seconds"} <= set(card["training"])
    assert all("protocol" in test for test in card["tests"])


def samples_of(name):
    (test,) = (test for test in zoo.card(name)["tests"] if test["data"] == "samples")
    return test


IMAGES = [read_image(path) for path in find_images(SAMPLES / "test")]
ENLARGING = [name for name in zoo.list_weights() if "scale" in samples_of(name)]
DENOISING = [name for name in zoo.list_weights() if "sigma" in samples_of(name)]


# That the card tells the truth about the samples is the first test of this file.


@pytest.mark.parametrize("name", ENLARGING)
def test_a_network_that_enlarges_beats_bicubic_and_srcnn(name):
    test = samples_of(name)
    scale = test["scale"]
    bicubic = super_resolution(lambda small: enlarge_bicubic(small, scale), IMAGES, scale)
    assert test["psnr"] > mean(bicubic)["psnr"] + 0.5
    if "srcnn" not in name:
        assert test["psnr"] > samples_of(f"srcnn-955-x{scale}")["psnr"] + 0.5


def non_local_means(images, sigma):
    """Return the mean PSNR of scikit-image's, of the better of two strengths (of 0.5 to 0.9)."""
    restoration = pytest.importorskip("skimage.restoration")
    noise = sigma / 255
    grey = images[0].shape[-1] == 1
    options = {"sigma": noise, "patch_size": 5, "patch_distance": 6}
    options["channel_axis"] = None if grey else -1

    def psnr(strength):
        def clean(noisy):
            picture = noisy[..., 0] if grey else noisy
            found = restoration.denoise_nl_means(picture, h=strength * noise, **options)
            return found.reshape(noisy.shape)

        return mean(denoising(clean, images, sigma))["psnr"]

    return max(psnr(0.5), psnr(0.6))


@pytest.mark.parametrize("name", DENOISING)
def test_a_denoiser_beats_non_local_means_at_its_best_strength(name):
    test = samples_of(name)
    grey = "grey" in zoo.card(name)["use"]["colours"]
    images = [to_channels(image, "grey") for image in IMAGES] if grey else IMAGES
    best = non_local_means(images, test["sigma"])
    assert best > 26.5  # it is a fair opponent: 20.2 dB without it
    assert test["psnr"] > best + 0.5


@pytest.mark.slow
@pytest.mark.parametrize("name", DENOISING)
@pytest.mark.parametrize("end", [0, 1])
def test_a_denoiser_is_worth_it_at_both_ends_of_its_levels(name, end):
    """By `zoo.restore`, as a user runs it, on two photographs."""
    sigma = max(zoo.card(name)["use"]["levels"][end], 5.0)
    grey = "grey" in zoo.card(name)["use"]["colours"]
    images = [to_channels(image, "grey") if grey else image for image in IMAGES[1:3]]
    network = zoo.open_network(name)

    def clean(noisy):
        return np.clip(zoo.restore(noisy.astype("float32"), network, sigma=sigma / 255), 0, 1)

    assert mean(denoising(clean, images, sigma))["psnr"] > non_local_means(images, sigma) + 0.5


@pytest.mark.parametrize("name", zoo.list_weights())
def test_a_published_number_stands_beside_one_that_was_measured_alike(name):
    """SRCNN's numbers are of Y rounded to 8 bit, which costs up to 0.1 dB."""
    for test in zoo.card(name)["tests"]:
        if "published" in test and "scale" in test:
            alike = "Y rounded" if test.get("round_luma") else "Y in floating point"
            assert alike in test["protocol"]
            assert "Y rounded" not in test["published_note"]
            assert test.get("round_luma") or not name.startswith("srcnn")


@pytest.mark.slow
@pytest.mark.parametrize("name", zoo.list_weights())
def test_what_a_user_runs_has_the_score_of_what_is_published(name):
    """`zoo.restore`, in tiles, and the functions that score a network on whole images."""
    test, network = samples_of(name), zoo.open_network(name)
    if "scale" in test:
        scale = test["scale"]
        user = super_resolution(lambda small: zoo.restore(small, network, tile=96), IMAGES, scale)
        scored = score_network(zoo.load(name), IMAGES, scale=scale)
    else:
        sigma, grey = test["sigma"], network.channels == 1
        images = [to_channels(image, "grey") if grey else image for image in IMAGES]

        def clean(noisy):
            tiled = zoo.restore(noisy.astype("float32"), network, sigma=sigma / 255, tile=160)
            return np.clip(tiled, 0, 1)

        user, scored = (
            denoising(clean, images, sigma),
            score_network(zoo.load(name), images, sigma=sigma),
        )
    for one, other in zip(user, scored, strict=True):
        assert one["psnr"] == pytest.approx(other["psnr"], abs=0.001)
    assert mean(user)["psnr"] == pytest.approx(test["psnr"], abs=0.001)


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize("name", zoo.list_weights())
def test_every_number_of_the_card_is_repeated(name, data):
    rows = verify(name, str(data))
    assert all(row["passed"] for row in rows), rows


def test_the_readme_holds_the_table_of_the_cards():
    text = README.read_text()
    assert cards.put_into(text) == text
