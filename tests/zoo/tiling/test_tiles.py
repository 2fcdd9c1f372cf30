"""Tiles: they cover the image once, are of one size, and join to what the whole image gives."""

import dataclasses

import keras
import numpy as np
import pytest
from keras import ops

import zoo
from asykeras.resize import bicubic_resize
from tests.zoo.examples import small_grunet
from zoo.machine import memory
from zoo.networks.mdsr import at_scale
from zoo.pictures.images import read_image
from zoo.pictures.picture import Picture, picture_of
from zoo.restoring import bands
from zoo.restoring.bands import Settings, eightfold, plan
from zoo.restoring.network import Network, open_network
from zoo.restoring.restore import restore
from zoo.scoring.verify import SAMPLES
from zoo.store.card import Use
from zoo.tiling import tiles
from zoo.tiling.reach import Reach
from zoo.tiling.tiles import (
    Span,
    automatic_tile,
    batches,
    bytes_per_pixel,
    middle_span,
    spans,
    tiles_at_once,
)

rng = np.random.default_rng(0)


@pytest.mark.parametrize("length", [1, 7, 16, 17, 48, 160])
@pytest.mark.parametrize("keep", [1, 5, 16, 100])
@pytest.mark.parametrize("margin", [0, 3, 16])
def test_spans_cover_an_axis_once_and_see_their_margin(length, keep, margin):
    cut = spans(length, keep, margin)
    assert [pixel for span in cut for pixel in range(span.first, span.last)] == list(range(length))
    assert len({span.stop - span.start for span in cut}) == 1
    for span in cut:
        assert span.start == 0 or span.first - span.start >= margin
        assert span.stop == length or span.stop - span.last >= margin
        assert 0 <= span.start < span.stop <= length


def test_spans_of_a_network_that_halves_lie_on_its_grid():
    cut = spans(320, keep=20, margin=32, step=16)
    assert all(value % 16 == 0 for span in cut for value in dataclasses.astuple(span))
    assert [span.last - span.first for span in cut] == [32] * 10


def test_the_middle_by_hand():
    assert middle_span(100, keep=10, margin=3, step=4) == Span(40, 60, 45, 55)
    assert middle_span(101, keep=10, margin=0) == Span(45, 55, 45, 55)
    assert middle_span(30, keep=10, margin=20, step=8) == Span(0, 32, 10, 20)  # two are mirrored
    assert middle_span(5, keep=10, margin=1, step=8) == Span(0, 8, 0, 5)


def test_spans_by_hand():
    assert spans(10, keep=4, margin=1) == [Span(0, 6, 0, 4), Span(3, 9, 4, 8), Span(4, 10, 8, 10)]
    assert spans(6, keep=4, margin=1) == [Span(0, 6, 0, 6)]


def test_batches_are_even_and_of_one_size():
    assert list(batches("abcdefghi", 4)) == [list("abc"), list("def"), list("ghi")]
    assert list(batches("abcde", 4)) == [list("abc"), list("dee")]
    assert list(batches("abcde", 9)) == [list("abcde")]


def test_memory_sets_the_size_of_tiles():
    reach = Reach(10, 1, 1, placed=False, floats=100.0)
    # 8 MB hold 100 x 100 pixels of 800 bytes, 10 of them margin on each side
    assert automatic_tile(reach, per_pixel=800, budget=8e6) == 80
    assert automatic_tile(reach, per_pixel=3200, budget=8e6) == 30
    assert automatic_tile(reach, per_pixel=800, budget=1) == 16
    assert automatic_tile(reach, per_pixel=800, budget=1e12) == tiles.LARGEST_SIDE - 20
    assert tiles_at_once(reach, per_pixel=800, keep=30, budget=8e6) == 4
    halving = dataclasses.replace(reach, step=16)
    assert automatic_tile(halving, per_pixel=800, budget=8e6) == 80
    assert automatic_tile(halving, per_pixel=3200, budget=8e6) == 16


def test_memory_grows_with_images_channels_and_scale():
    reach = Reach(10, 1, 1, placed=False, floats=100.0)
    network = 4 * tiles.OVERHEAD * 100
    assert bytes_per_pixel(reach, images=1, channels=3) == network + 8 * tiles.COPIES * 3
    assert bytes_per_pixel(reach, images=4, channels=4) == 4 * network + 8 * tiles.COPIES * 4
    doubling = dataclasses.replace(reach, scale=2)
    assert bytes_per_pixel(doubling, images=1, channels=3) == network + 8 * tiles.COPIES * 12


def test_free_memory_is_that_of_the_machine(monkeypatch):
    assert 2**24 < tiles.free_memory() < 2**50
    assert 0 < tiles.memory_budget() <= tiles.LARGEST_BUDGET
    monkeypatch.setattr(memory.Path, "read_text", lambda self: "MemAvailable: 3000 kB\n")
    assert tiles.free_memory() == 3000 * 1024
    assert tiles.memory_budget() == 1000 * 1024


def test_free_memory_where_the_system_does_not_tell(monkeypatch):
    def absent(*_):
        raise OSError

    monkeypatch.setattr(memory.Path, "read_text", absent)
    monkeypatch.setattr(memory.os, "sysconf", absent)
    assert tiles.free_memory() == 2**31


# ---- tiles against the whole image


def whole(network, image, enlarge=1, sigma=None):
    """Return what a network makes of an image in one piece, without `zoo.restoring.bands`."""
    image = image[None].astype(np.float64)
    image = (bicubic_resize(image, enlarge) if enlarge > 1 else image).astype(np.float32)
    inputs = image if sigma is None else [image, np.full((1, 1), sigma, np.float32)]
    return ops.convert_to_numpy(network(inputs, training=False))[0]


NETWORKS = {
    "SRCNN x3": (lambda: zoo.load("srcnn-955-x3"), 3, 1),
    "SRCNN 9-1-5 x2": (lambda: zoo.SRCNN(2, variant="9-1-5"), 2, 1),
    "DnCNN": (lambda: zoo.DnCNN(variant="S", depth=7, batch_norm=False), 1, 1),
    "EDSR x2": (lambda: zoo.EDSR(2, blocks=2, filters=16), 2, 3),
    "EDSR x4": (lambda: zoo.EDSR(4, blocks=1, filters=8), 4, 3),
}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("tile", [5, 16])
def test_tiles_equal_the_whole_image(name, tile):
    build, scale, channels = NETWORKS[name]
    keras.utils.set_random_seed(0)
    network = build()
    enlarges = scale if name.startswith("SRCNN") else 1
    image = rng.uniform(size=(37, 43, channels)).astype(np.float32)
    options = {} if name.startswith("EDSR") else {"scale": scale}
    found = restore(network, image, tile=tile, **options)
    np.testing.assert_allclose(found, whole(network, image, enlarges), atol=1e-5)
    assert found.dtype == np.float32


@pytest.mark.slow_on_jax
@pytest.mark.parametrize("channels", [1, 3, None])
@pytest.mark.parametrize("tile", [5, 16])
def test_tiles_of_a_u_net_know_their_place(channels, tile):
    keras.utils.set_random_seed(0)
    network = small_grunet(channels)
    image = rng.uniform(size=(37, 43, 3)).astype(np.float32)
    parts = [image] if channels != 1 else [image[..., [each]] for each in range(3)]
    expected = [whole(network, part, sigma=0.1) for part in parts]
    found = restore(network, image, sigma=0.1, tile=tile)
    np.testing.assert_allclose(found, np.concatenate(expected, axis=-1), atol=1e-5)
    opened = open_network(network)
    assert opened.reach.placed
    elsewhere = dataclasses.replace(opened, engine=misplaced(opened.engine))
    seam = restore(elsewhere, image, sigma=0.1, tile=tile)
    assert np.abs(seam - found).max() > 1e-4


def misplaced(engine):
    return lambda inputs: engine([*inputs[:-1], 0 * inputs[-1] + 44])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("build", "scale", "side"),
    [
        (lambda: zoo.DnCNN(variant="S", batch_norm=False), 1, 83),
        (lambda: zoo.EDSR(2), None, 131),
        (lambda: at_scale(zoo.MDSR(), 3), None, 131),
        (lambda: at_scale(zoo.MDSR(), 4), None, 131),
    ],
)
def test_tiles_of_published_networks_equal_the_whole_image(build, scale, side):
    keras.utils.set_random_seed(0)
    network = build()
    image = rng.uniform(size=(side, side - 10, network.input_shape[-1])).astype(np.float32)
    expected = whole(network, image)
    for tile in (17, 40):
        found = restore(network, image, tile=tile, scale=scale)
        np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["keras", "onnxruntime", "openvino"])
@pytest.mark.parametrize("name", zoo.list_weights())
def test_tiles_of_published_weights_equal_the_whole_image(name, engine):
    if engine != "keras" and keras.backend.backend() != "tensorflow":
        pytest.skip("networks are exported from TensorFlow")
    network, opened = zoo.load(name), open_network(name, engine=engine)
    photo = read_image(SAMPLES / "test" / "perched-osprey.jpg")[60:191, 40:161]
    image = (photo / 255).astype(np.float32)[..., : opened.channels]
    sigma = 0.1 if opened.use.takes_sigma else None
    enlarge = opened.use.scale if opened.use.enlarge_first else 1
    expected = whole(network, image, enlarge, sigma)
    for tile in (17, 48):
        found = restore(opened, image, tile=tile, sigma=sigma)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("channels", "tile"), [(1, 48), (1, 200), (3, 200)])
def test_tiles_of_grunet_equal_the_whole_image(channels, tile):
    keras.utils.set_random_seed(0)
    network = zoo.DPHSIR(channels=channels)
    image = rng.uniform(size=(457, 401, channels)).astype(np.float32)
    found = restore(network, image, sigma=0.1, tile=tile)
    np.testing.assert_allclose(found, whole(network, image, sigma=0.1), atol=1e-5)


def test_a_smaller_margin_shows_a_seam():
    keras.utils.set_random_seed(0)
    network = open_network(zoo.DnCNN(variant="S", depth=7, batch_norm=False), scale=1)
    image = rng.uniform(size=(37, 43, 1)).astype(np.float32)
    narrow = dataclasses.replace(network.reach, margin=network.reach.margin - 1)
    seam = restore(dataclasses.replace(network, reach=narrow), image, tile=8)
    assert np.abs(seam - restore(network, image)).max() > 1e-5


def counter(shapes):
    def run(inputs):
        shapes.append(inputs[0].shape)
        return inputs[0]

    return run


def test_all_batches_of_a_picture_have_one_shape():
    shapes = []
    reach = Reach(2, 1, 1, placed=False, floats=1.0)
    network = Network("counter", Use(), 3, counter(shapes), reach)
    image = rng.uniform(size=(33, 47, 3))
    np.testing.assert_array_equal(restore(network, image, tile=10), image.astype(np.float32))
    assert set(shapes) == {(5, 14, 14, 3)}
    assert len(shapes) == 4
    its_plan = plan(network, picture_of(image), Settings(tile=10))
    assert (len(its_plan.rows), len(its_plan.columns)) == (4, 5)


def test_a_wide_picture_is_restored_by_fewer_rows():
    reach = Reach(2, 2, 1, placed=False, floats=1.0)
    network = Network("it", Use(2), 3, counter([]), reach)
    high = plan(network, Picture(2000, 1000, 3, np.dtype(np.uint8), "rgb"), Settings())
    wide = plan(network, Picture(2000, 50_000, 3, np.dtype(np.uint8), "rgb"), Settings())
    assert len(high.rows) == 2
    rows = wide.rows[0].last
    assert 0.9 * bands.BAND_BYTES < rows * 50_000 * 3 * 4 <= bands.BAND_BYTES
    assert len(wide.columns) == 50


def test_a_network_that_is_not_known_is_run_on_the_whole_image():
    image = keras.Input((None, None, 1))
    network = keras.Model(image, image - ops.mean(image, axis=(1, 2), keepdims=True))
    opened = open_network(network, scale=1)
    assert opened.reach is None
    assert "may look at the whole image" in opened.whole
    values = rng.uniform(size=(33, 47, 1)).astype(np.float32)
    found = restore(opened, values, tile=8)
    np.testing.assert_allclose(found, values - values.mean(), atol=1e-6)


# ---- self-ensemble


def test_the_self_ensemble_is_the_mean_over_eight_symmetries():
    keras.utils.set_random_seed(0)
    network = zoo.EDSR(2, blocks=1, filters=4)
    image = rng.uniform(size=(9, 13, 3)).astype(np.float32)
    results = []
    for transposed in (False, True):
        for rows, columns in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
            turned = image[::rows, ::columns]
            turned = turned.swapaxes(0, 1) if transposed else turned
            result = whole(network, turned)
            result = result.swapaxes(0, 1) if transposed else result
            results.append(result[::rows, ::columns])
    found = restore(network, image, self_ensemble=True)
    np.testing.assert_allclose(found, np.mean(results, axis=0), atol=1e-6)
    np.testing.assert_allclose(
        restore(network, image, self_ensemble=True, tile=4), found, atol=1e-6
    )


@pytest.mark.slow
def test_the_self_ensemble_of_a_u_net_does_not_depend_on_the_tiles():
    keras.utils.set_random_seed(0)
    network = small_grunet(3)
    image = rng.uniform(size=(22, 27, 3)).astype(np.float32)
    options = {"sigma": 0.1, "self_ensemble": True}
    expected = restore(network, image, **options)
    np.testing.assert_allclose(restore(network, image, tile=4, **options), expected, atol=1e-5)


def test_the_ensemble_turns_the_place_of_a_tile_with_it():
    whole_image = rng.uniform(size=(1, 8, 12, 1)).astype(np.float32)
    top, left = 2, 3
    tile = whole_image[:, top : top + 4, left : left + 5]
    turned_places = []

    def engine(inputs):
        images, place = inputs
        turned_places.append(place[0].astype(int).tolist())
        return images

    place = np.array([[top, 8, left, 12]], np.float32)
    np.testing.assert_allclose(eightfold(engine)([tile, place]), tile, atol=1e-7)
    # a quarter to the left: the columns 3 to 8 of 12, from the right, become rows
    assert turned_places[2] == [12 - 3 - 5, 12, 2, 8]
    assert turned_places[1] == [2, 8, 12 - 3 - 5, 12]


def disc(side):
    """Return a white disc with a soft edge on transparent black, `(side, side, 4)`, uint8."""
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    alpha = np.clip(side / 3 - np.hypot(x, y), 0, 1)
    return np.round(255 * np.stack([alpha > 0] * 3 + [alpha], axis=-1)).astype(np.uint8)


def on_white(image):
    colour, alpha = image[..., :3].astype(np.float64), image[..., 3:] / 255
    return colour * alpha + 255 * (1 - alpha)


@pytest.mark.slow_on_jax
@pytest.mark.parametrize("tile", [None, 8])
def test_hidden_colour_does_not_bleed_into_what_is_seen(tile):
    large = zoo.restore("srcnn-955-x2", disc(64), alpha=True, tile=tile)
    assert large.shape == (128, 128, 4)
    assert on_white(large).min() > 254


@pytest.mark.slow_on_jax
def test_tiles_of_a_picture_with_alpha_join_without_a_seam():
    rng = np.random.default_rng(0)
    image = rng.uniform(0, 1, (70, 60, 4)).astype(np.float32)
    image[..., 3] = np.where(rng.uniform(size=(70, 60)) < 0.97, 0, image[..., 3])
    whole, tiled = (zoo.restore("srcnn-955-x2", image, alpha=True, tile=tile) for tile in (128, 16))
    np.testing.assert_allclose(tiled, whole, atol=1e-5)


def test_hidden_colour_stays_what_it_was_where_nothing_is_enlarged():
    image = np.random.default_rng(0).integers(0, 256, (20, 20, 4), dtype=np.uint8)
    image[:10, :, 3] = 0
    blur = keras.Sequential(
        [keras.Input((None, None, 3)), keras.layers.AveragePooling2D(3, 1, "same")]
    )
    result = zoo.restore(blur, image, scale=1, alpha=True)
    np.testing.assert_array_equal(result[:10], image[:10])
    assert (result[10:] != image[10:]).any()
