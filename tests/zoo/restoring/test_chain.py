"""Chains: networks one after the other, in floating point, tiled as one."""

import dataclasses

import keras
import numpy as np
import pytest
from PIL import Image

import zoo
from tests.zoo.examples import small_grunet
from zoo.app import cli
from zoo.networks.edsr import EDSR
from zoo.networks.span import SPAN
from zoo.restoring.network import chain, open_network
from zoo.store.card import Use
from zoo.tiling.reach import Reach, in_a_row

rng = np.random.default_rng(0)
PHOTO = rng.uniform(0.2, 0.8, (37, 29, 3)).astype(np.float32)


def denoiser(channels=1):
    return open_network(zoo.DnCNN(variant="S", depth=4, channels=channels), scale=1)


def enlarger(scale=2, channels=3):
    return open_network(EDSR(scale, blocks=1, filters=8, channels=channels))


def test_a_chain_is_one_network_after_the_other():
    first, second = denoiser(), enlarger()
    both = zoo.restore([first, second], PHOTO)
    step = zoo.restore(second, zoo.restore(first, PHOTO))
    np.testing.assert_allclose(both, step, atol=1e-6)
    assert both.shape == (74, 58, 3)


def test_nothing_is_rounded_or_clipped_in_between():
    first, second = denoiser(), enlarger()
    image = (PHOTO * 255).astype(np.uint8)
    exact = zoo.restore(second, zoo.restore(first, image / np.float32(255)))
    expected = np.floor(np.clip(exact, 0, 1) * 255 + 0.5)
    found = zoo.restore([first, second], image)
    assert found.dtype == np.uint8
    assert np.abs(found - expected).max() <= 1  # where float32 and float64 differ at a half
    assert (found == expected).mean() > 0.99


@pytest.mark.slow_on_jax
@pytest.mark.parametrize("colour", ["grey", "rgb", "grey and alpha", "rgb and alpha"])
@pytest.mark.parametrize("tile", [5, 16])
def test_tiles_of_a_chain_equal_the_whole(colour, tile):
    networks = [denoiser(), enlarger(), denoiser(3), enlarger(2, channels=1)]
    image = PHOTO[..., :1] if "grey" in colour else PHOTO
    alpha = "alpha" in colour
    if alpha:
        image = np.concatenate([image, rng.uniform(0, 1, (37, 29, 1)).round(0)], axis=-1)
    whole, tiled = (zoo.restore(networks, image, alpha=alpha, tile=t) for t in (64, tile))
    assert whole.shape == (148, 116, image.shape[-1])
    np.testing.assert_allclose(tiled, whole, atol=1e-5)


@pytest.mark.slow
def test_tiles_of_a_network_that_knows_their_place_behind_one_that_enlarges():
    keras.utils.set_random_seed(0)
    networks = [enlarger(), open_network(small_grunet(3)), enlarger(3)]
    whole, tiled = (zoo.restore(networks, PHOTO, sigma=0.1, tile=t) for t in (64, 12))
    np.testing.assert_allclose(tiled, whole, atol=1e-5)


@pytest.mark.slow_on_jax
def test_the_image_is_enlarged_first_where_a_part_wants_that():
    srcnn = open_network(zoo.SRCNN(2, variant="9-1-5"), scale=2)
    networks = [srcnn, denoiser(3)]
    whole, tiled = (zoo.restore(networks, PHOTO, tile=t) for t in (64, 7))
    np.testing.assert_allclose(tiled, whole, atol=1e-5)
    np.testing.assert_allclose(
        whole, zoo.restore(networks[1], zoo.restore(srcnn, PHOTO)), atol=1e-6
    )


def test_all_turns_of_each_part():
    networks = [denoiser(), enlarger()]
    found = zoo.restore(networks, PHOTO, self_ensemble=True)
    first = zoo.restore(networks[0], PHOTO, self_ensemble=True)
    expected = zoo.restore(networks[1], first, self_ensemble=True)
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("reaches", "expected"),
    [
        # 20 pixels, and 37 of half the size
        ([Reach(20, 1, 1, False, 9.0), Reach(37, 2, 1, False, 5.0)], Reach(57, 2, 1, False, 9.0)),
        ([Reach(4, 2, 1, False, 8.0), Reach(5, 2, 1, False, 3.0)], Reach(7, 4, 1, False, 12.0)),
        # sides of multiples of 8 of an image that is twice as large
        ([Reach(3, 2, 1, False, 1.0), Reach(16, 1, 8, True, 1.0)], Reach(12, 2, 4, True, 4.0)),
        ([Reach(3, 3, 2, False, 1.0), Reach(8, 1, 4, False, 1.0)], Reach(8, 3, 4, False, 9.0)),
    ],
)
def test_what_a_tile_of_a_chain_needs(reaches, expected):
    assert in_a_row(reaches) == expected


def test_the_level_goes_to_what_denoises():
    level = dataclasses.replace(denoiser(), use=Use(levels=(0.1, 0.2)))
    with pytest.warns(UserWarning, match="is for noise from 25.5 to 51 grey levels .* not of 76.5"):
        zoo.restore([level, enlarger()], PHOTO, sigma=0.3)
    with pytest.raises(ValueError, match="enlarges and takes no noise level. Received: sigma=0.3"):
        zoo.restore([enlarger(), enlarger()], PHOTO, sigma=0.3)
    takes = open_network(small_grunet(3))
    with pytest.raises(ValueError, match="must be given the level of the noise"):
        zoo.restore([takes, enlarger()], PHOTO)


def test_what_is_no_chain_is_refused():
    first = denoiser()
    whole = dataclasses.replace(first, reach=None)
    with pytest.raises(
        ValueError, match="dncnn_s takes whole pictures, so it cannot be in a chain"
    ):
        zoo.restore([whole, first], PHOTO)
    with pytest.raises(ValueError, match=r"a chain must have at least one network. Received: \[\]"):
        chain([])
    with pytest.raises(ValueError, match="dncnn_s,edsr.* has the scale 2. Received: scale=3"):
        zoo.restore([first, enlarger()], PHOTO, scale=3)
    with pytest.raises(zoo.WeightsError, match="'' is neither a published weight"):
        open_network("srcnn-955-x2,")
    with pytest.raises(TypeError, match="a chain has no engine of its own"):
        chain([first]).engine([PHOTO])


def test_a_chain_of_chains():
    inner = chain([denoiser(), enlarger()])
    outer = chain([inner, enlarger()])
    expected = zoo.restore(outer.stages[2], zoo.restore(inner, PHOTO))
    np.testing.assert_allclose(zoo.restore(outer, PHOTO), expected, atol=1e-6)


def test_a_file_whose_name_has_a_comma_is_a_file(tmp_path):
    model = SPAN(2, channels=8)
    zoo.store.weight.save(
        model,
        tmp_path / "a,b.weights.h5",
        zoo.store.card.Card("SPAN", {"scale": 2, "channels": 8}, Use(scale=2)),
    )
    assert not open_network(str(tmp_path / "a,b.weights.h5")).parts


@pytest.mark.slow
def test_the_command_takes_names_with_commas_between(tmp_path, capsys):
    image = rng.integers(0, 256, (20, 16, 3), dtype=np.uint8)
    Image.fromarray(image).save(tmp_path / "a.png")
    names = "dncnn-gray-25, srcnn-955-x2"
    words = ["restore", str(tmp_path / "a.png"), "-o", str(tmp_path / "b.png"), "--sigma", "20"]
    assert cli.main([*words, "--weights", names]) == 0
    with pytest.warns(UserWarning, match="on one that is rgb, expect poor results"):
        expected = zoo.restore(names, image, sigma=20 / 255)
    np.testing.assert_array_equal(zoo.read_image(tmp_path / "b.png"), expected)
    assert "dncnn-gray-25 is for grey and cmyk and bands pictures" in capsys.readouterr().err
