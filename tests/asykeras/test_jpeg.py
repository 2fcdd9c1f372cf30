"""JPEG compression as a layer, against the files of Pillow (libjpeg-turbo)."""

import io
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops
from PIL import Image

from asykeras.degradations import GaussianNoise
from asykeras.jpeg import JpegCompression

PHOTOGRAPHS = sorted(Path("zoo/samples/test").glob("*"))[:2]


def crop(file, channels, height, width):
    """Return a part of a photograph, `(height, width, channels)`."""
    with Image.open(file) as image:
        part = image.convert("RGB" if channels == 3 else "L").crop(
            (40, 30, 40 + width, 30 + height)
        )
    return np.asarray(part).reshape(height, width, channels)


def of_a_file(image, quality, subsampling):
    file = io.BytesIO()
    plane = image[..., 0] if image.shape[-1] == 1 else image
    Image.fromarray(plane).save(file, "JPEG", quality=quality, subsampling=subsampling)
    with Image.open(file) as decoded:
        return np.asarray(decoded).reshape(image.shape).astype(int)


def of_the_layer(image, quality, **options):
    layer = JpegCompression(quality, **options)
    return np.round(ops.convert_to_numpy(layer(image[None].astype("float32") / 255))[0] * 255)


@pytest.mark.parametrize("quality", [1, 10, 49, 75, 100])
@pytest.mark.parametrize(
    ("channels", "subsampling", "size"),
    [(1, "4:2:0", (97, 130)), (3, "4:2:0", (97, 131)), (3, "4:4:4", (64, 72))],
)
def test_an_image_becomes_what_a_file_holds(channels, subsampling, size, quality):
    """At least 19 of 20 values are equal or next to each other.

    libjpeg's transform is one of whole numbers: where it rounds to the other side, a coefficient
    changes by a step of its table, and with it a block. On average that stays below a quarter of a
    grey level, and below half of what the compression itself changes.
    """
    for file in PHOTOGRAPHS:
        image = crop(file, channels, *size)
        expected = of_a_file(image, quality, subsampling)
        found = of_the_layer(image, quality, subsampling=subsampling)
        difference = np.abs(found - expected)
        assert difference.mean() < 0.25
        assert difference.mean() < 0.5 * np.abs(image - expected).mean() or quality == 100
        assert (difference > 1).mean() < 0.05


def test_a_grey_image_of_few_frequencies_is_equal_to_the_last_bit():
    rows, columns = np.indices((16, 24))
    image = np.uint8(128 + 6 * (rows // 8) + 11 * (columns // 8))[..., None]
    for quality in (5, 30, 75):
        np.testing.assert_array_equal(
            of_the_layer(image, quality), of_a_file(image, quality, "4:2:0")
        )


def test_each_image_draws_its_own_quality_within_the_ends():
    image = crop(PHOTOGRAPHS[0], 1, 48, 48)
    by_quality = [of_the_layer(image, quality) for quality in range(20, 24)]
    layer = JpegCompression((20, 23), seed=1)
    many = np.round(
        ops.convert_to_numpy(layer(np.stack([image / 255] * 64).astype("float32"))) * 255
    )
    drawn = [[bool((one == each).all()) for each in by_quality].index(True) for one in many]
    assert set(drawn) == {0, 1, 2, 3}


def test_the_state_of_its_generator_is_saved(tmp_path):
    image = np.stack([crop(PHOTOGRAPHS[0], 1, 24, 24) / 255] * 4).astype("float32")

    def model():
        inputs = keras.Input((None, None, 1))
        return keras.Model(inputs, JpegCompression((5, 95), seed=3)(inputs))

    first, second = model(), model()
    first(image)
    first.save_weights(tmp_path / "state.weights.h5")
    expected = ops.convert_to_numpy(first(image))
    second.load_weights(tmp_path / "state.weights.h5")
    np.testing.assert_array_equal(ops.convert_to_numpy(second(image)), expected)


def test_its_config_is_whole():
    layer = JpegCompression((7, 60), subsampling="4:4:4", seed=5, dtype="float64", name="file")
    again = JpegCompression.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert (again.low, again.high, again.subsampling, again.seed) == (7, 60, "4:4:4", 5)


@pytest.mark.parametrize("quality", [0, 101, 50.0, True, (60, 40), (1, 2, 3)])
def test_a_quality_that_is_none_is_refused(quality):
    with pytest.raises(ValueError, match="whole number from 1 to 100, or a pair of them. Received"):
        JpegCompression(quality)


def test_what_a_file_cannot_hold_is_refused():
    with pytest.raises(ValueError, match="subsampling must be 4:2:0 or 4:4:4. Received"):
        JpegCompression(50, subsampling="4:1:1")
    with pytest.raises(ValueError, match="images must have 1 or 3 channels. Received"):
        JpegCompression(50)(np.zeros((1, 8, 8, 4), "float32"))
    with pytest.raises(ValueError, match="divide 8-bit images by 255"):
        JpegCompression(50)(np.full((1, 8, 8, 1), 200.0, "float32"))
    with pytest.raises(TypeError, match="floating point"):
        JpegCompression(50)(np.zeros((1, 8, 8, 1), "uint8"))


@pytest.mark.slow_on_jax
def test_it_compiles_for_any_size():
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, JpegCompression(30)(GaussianNoise(0.0, seed=0)(inputs)))
    model.compile()
    image = crop(PHOTOGRAPHS[1], 3, 33, 47)
    found = model.predict(image[None].astype("float32") / 255, verbose=0)[0]
    np.testing.assert_allclose(found * 255, of_the_layer(image, 30), atol=1e-3)
