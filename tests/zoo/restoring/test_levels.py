"""`sigma="auto"` and `strength`: what is found in a picture, what follows, and the blend."""

import warnings

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image

from asykeras.noise_level import estimate_noise
from asykeras.resize import bicubic_resize
from zoo.app.folder import Job, restore_file
from zoo.pictures.picture import picture_of
from zoo.restoring.bands import Settings
from zoo.restoring.levels import CLEAN, found, level_of
from zoo.restoring.network import Network, chain
from zoo.restoring.restore import restore
from zoo.store.card import Use
from zoo.tiling.reach import Reach

GREY = 1 / 255


def network(use, factor=0.5, name="it"):
    """Return a network that darkens; one that takes the level adds it, too."""

    def engine(inputs):
        large = inputs[0].repeat(use.scale, axis=1).repeat(use.scale, axis=2)
        return large * factor + (inputs[1][:, :, None, None] if use.takes_sigma else 0)

    return Network(name, use, None, engine, Reach(0, use.scale, 1, placed=False, floats=1.0))


DENOISER = Use(takes_sigma=True, levels=(0.0, 50 * GREY))


def noisy(level, shape=(64, 64, 3), seed=0):
    return 0.5 + np.random.default_rng(seed).normal(0, level * GREY, shape)


def test_the_level_is_found_in_each_image_and_given_to_the_network():
    images = [noisy(10), noisy(30, seed=1)]
    with pytest.warns(UserWarning, match="the image holds noise of [0-9.]+ grey .* it removes"):
        restored = restore(network(DENOISER), images, sigma="auto")
    for before, after in zip(images, restored, strict=True):
        level = round(255 * estimate_noise(before), 1) / 255
        np.testing.assert_allclose(after, before * 0.5 + level, atol=1e-6)
    with pytest.warns(UserWarning, match="noise"):
        batch = restore(network(DENOISER), np.stack(images), sigma="auto")
    np.testing.assert_array_equal(batch, np.stack(restored))
    grey = restore_quietly(network(DENOISER), images[0][..., 0], sigma="auto")
    assert grey.shape == (64, 64)


def restore_quietly(*arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return restore(*arguments, **options)


def test_a_clean_image_is_left_as_it_is():
    clean = (noisy(1) * 255).astype(np.uint8)
    with pytest.warns(UserWarning, match="grey levels, less than 2: it is left as it is$"):
        restored = restore(network(DENOISER), clean, sigma="auto")
    np.testing.assert_array_equal(restored, clean)
    assert restored is not clean


def test_the_rest_of_a_chain_goes_on_with_a_clean_image():
    both = chain([network(DENOISER), network(Use(scale=2), 1.0)])
    with pytest.warns(UserWarning, match="less than 2: it is not denoised$"):
        restored = restore(both, noisy(1), sigma="auto")
    np.testing.assert_allclose(restored, noisy(1).repeat(2, 0).repeat(2, 1), atol=1e-6)
    with pytest.warns(UserWarning, match="which it,it removes"):
        assert restore(both, noisy(20), sigma="auto").shape == (128, 128, 3)


def test_alpha_is_not_looked_at():
    image = np.concatenate([noisy(20), np.random.default_rng(0).random((64, 64, 1))], axis=-1)
    restored = restore_quietly(network(DENOISER), image, sigma="auto", alpha=True)
    level = round(255 * estimate_noise(image[..., :3]), 1) / 255
    np.testing.assert_allclose(restored[..., :3], image[..., :3] * 0.5 + level, atol=1e-6)


def test_a_level_that_the_network_is_not_for_is_said():
    with pytest.warns(UserWarning, match=r"removes; it is for noise from 0 to 50 .* not of \d\d"):
        restore(network(DENOISER), noisy(70), sigma="auto")


@pytest.mark.parametrize(
    ("use", "images", "sigma", "match"),
    [
        (DENOISER, noisy(9), "loud", "sigma must be a number or 'auto'. Received: sigma='loud'"),
        (Use(scale=2), noisy(9), "auto", "it takes no noise level. Received: sigma='auto'"),
        (Use(), noisy(9), "auto", "it takes no noise level. Received: sigma='auto'"),
        (DENOISER, noisy(9, (31, 90)), "auto", "32 x 32 pixels. Received: height=31, width=90"),
        (DENOISER, np.full((40, 40), np.nan), "auto", "must hold finite values"),
    ],
)
def test_what_is_refused(use, images, sigma, match):
    with pytest.raises(ValueError, match=match):
        restore(network(use), images, sigma=sigma)


# ---- files


def save(path, values):
    Image.fromarray(np.floor(np.clip(values, 0, 1) * 255 + 0.5).astype(np.uint8)).save(path)
    return path.read_bytes()


def test_a_clean_file_is_copied_byte_for_byte(tmp_path):
    old = save(tmp_path / "a.png", noisy(1)) + b"beyond the end"
    (tmp_path / "a.png").write_bytes(old)
    asked = []
    job = Job(tmp_path / "a.png", tmp_path / "out/a.png")
    said = restore_file(
        job, None, Settings(), by_level=lambda colour, level: asked.append((colour, level))
    )
    assert (tmp_path / "out/a.png").read_bytes() == old
    level = asked[0][1]
    assert asked == [("rgb", level)]
    assert level < CLEAN
    expected = f"{job.source} holds noise of {level * 255:.3g} grey levels, less than 2: it is left"
    assert said == f"{expected} as it is"


def test_a_file_is_restored_at_its_level_as_the_array_is(tmp_path):
    save(tmp_path / "a.png", noisy(20))
    job = Job(tmp_path / "a.png", tmp_path / "b.png")
    said = restore_file(
        job, None, Settings(), by_level=lambda colour, level: network(DENOISER, name=f"{colour}!")
    )
    assert said.startswith(f"{job.source} holds noise of ")
    assert said.endswith("grey levels, which rgb! removes")
    with Image.open(tmp_path / "a.png") as before, Image.open(tmp_path / "b.png") as after:
        expected = restore_quietly(network(DENOISER), np.asarray(before), sigma="auto")
        np.testing.assert_array_equal(np.asarray(after), expected)


def test_a_damaged_file_is_not_copied(tmp_path):
    whole = save(tmp_path / "a.png", noisy(1))
    (tmp_path / "a.png").write_bytes(whole[: len(whole) // 2])
    job = Job(tmp_path / "a.png", tmp_path / "b.png")
    with pytest.raises(Exception, match="a.png"):
        restore_file(job, None, Settings(), by_level=lambda colour, level: None)
    assert not job.target.exists()


def test_what_follows_from_a_level():
    use = network(DENOISER)
    assert found("a", CLEAN, use).network is use
    assert found("a", 1.9 * GREY, use).network is None
    assert found("a", 0.0, None).remark.startswith("a holds noise of 0 grey levels, less than 2")


def test_a_level_is_rounded_to_a_tenth():
    image = noisy(20)
    level = level_of(lambda top, end: image[top:end], picture_of(image)) * 255
    assert level == pytest.approx(round(level, 1), abs=1e-9)


# ---- strength


@pytest.mark.parametrize("strength", [0, 0.25, 1])
@pytest.mark.parametrize("scale", [1, 2, 3])
@pytest.mark.parametrize("tile", [None, 5])
def test_the_blend_is_exact(strength, scale, tile):
    image = np.random.default_rng(0).random((17, 13, 3))
    its_network = network(Use(scale=scale))
    restored = restore(its_network, image, strength=strength, tile=tile)
    enlarged = bicubic_resize(image, scale)
    expected = strength * image.repeat(scale, 0).repeat(scale, 1) / 2 + (1 - strength) * enlarged
    np.testing.assert_allclose(restored, expected, atol=1e-7)


def test_strength_0_gives_what_was_given():
    image = np.random.default_rng(0).integers(0, 65536, (9, 7, 4)).astype(np.uint16)
    image[..., 3] = np.where(image[..., 3] < 30_000, 0, image[..., 3])
    restored = restore(network(Use()), image, strength=0, alpha=True)
    np.testing.assert_array_equal(restored, image)


def test_strength_goes_with_luma_networks_and_chains():
    picture = keras.Input((None, None, 1))
    luma = keras.Model(picture, layers.Rescaling(0.5)(picture))
    image = np.random.default_rng(0).random((8, 9, 3))
    whole = restore(luma, image, scale=2)
    half = restore(luma, image, scale=2, strength=0.5)
    np.testing.assert_allclose(half, (whole + bicubic_resize(image, 2)) / 2, atol=1e-7)
    both = chain([network(Use()), network(Use(scale=2))])
    expected = 0.5 * image.repeat(2, 0).repeat(2, 1) / 4 + 0.5 * bicubic_resize(image, 2)
    np.testing.assert_allclose(restore(both, image, strength=0.5), expected, atol=1e-7)


@pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan"), float("inf")])
def test_a_strength_that_is_no_share(strength):
    expected = f"strength must be from 0 to 1. Received: strength={strength}"
    with pytest.raises(ValueError, match=expected):
        restore(network(Use()), noisy(1), strength=strength)
