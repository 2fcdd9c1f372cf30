import os
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops
from PIL import Image

from asykeras.resize import (
    BicubicResize,
    bicubic_resize,
    bicubic_resize_8bit,
    cubic_kernel,
    output_length,
)


def random_image(*shape):
    return np.random.default_rng(0).random(shape)


def mirrored_reference(signal, scale, length):
    """One axis by the definition: mirror far beyond the ends, then weigh every pixel."""
    turns = 20
    period = np.concatenate([signal, signal[::-1]])
    pixels = np.tile(period, 2 * turns + 1)
    places = np.arange(len(pixels)) - turns * len(period)
    result = []
    for i in range(length):
        distance = np.abs((i + 0.5) / scale - 0.5 - places) * min(scale, 1.0)
        near = 1.5 * distance**3 - 2.5 * distance**2 + 1
        far = -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
        weights = np.where(distance <= 1, near, np.where(distance <= 2, far, 0.0))
        result.append(np.sum(weights * pixels) / np.sum(weights))
    return np.array(result)


def test_kernel_has_the_values_of_keys_cubic():
    values = cubic_kernel(np.array([0.0, 0.5, -0.5, 1.0, 1.5, 2.0, 3.0]))
    np.testing.assert_array_equal(values, [1.0, 0.5625, 0.5625, 0.0, -0.0625, 0.0, 0.0])


def test_kernel_at_any_offset_sums_to_one():
    taps = np.linspace(0, 1, 11)[:, None] - np.arange(-2, 4)
    np.testing.assert_allclose(cubic_kernel(taps).sum(axis=1), 1.0, rtol=0, atol=1e-15)


def test_doubling_an_impulse_gives_the_kernel():
    row = np.zeros((1, 7))
    row[0, 3] = 1.0
    enlarged = bicubic_resize(row, (1, 2))[0]
    # Output pixels lie a quarter pixel beside the input's: distances 1.75, 1.25, 0.75, 0.25.
    half = [-3 / 128, -9 / 128, 29 / 128, 111 / 128]
    np.testing.assert_allclose(enlarged[3:11], half + half[::-1], rtol=0, atol=1e-15)
    assert not enlarged[:3].any()
    assert not enlarged[11:].any()


def test_two_pixels_doubled_use_the_mirrored_border():
    # First output: -3/128 * 1 - 9/128 * 1 from the mirror image ... 1 0 | 0 1 | 1 0 ...
    expected = [-12 / 128, 26 / 128, 102 / 128, 140 / 128]
    result = bicubic_resize(np.array([[0.0, 1.0]]), (1, 2))[0]
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-15)


def test_two_bytes_doubled_use_the_repeated_border():
    # -9/128 * 255 is below 0; 26/128 * 255 = 51.8; 102/128 * 255 = 203.2; 137/128 * 255 is above.
    result = bicubic_resize(np.array([[0, 255]], "uint8"), (1, 2))
    np.testing.assert_array_equal(result, [[0, 52, 203, 255]])


def test_halving_a_ramp_gives_the_middles_inside():
    small = bicubic_resize(np.arange(20.0)[None], (1, 0.5))[0]
    np.testing.assert_allclose(small[2:-2], np.arange(0.5, 20, 2)[2:-2], rtol=0, atol=1e-14)


@pytest.mark.parametrize("scale", [2, 3, 4, 1 / 2, 1 / 3, 1 / 4, 0.37, 1.7])
@pytest.mark.parametrize("length", [1, 2, 5, 33])
def test_every_length_equals_the_mirrored_definition(scale, length):
    signal = random_image(length)
    result = bicubic_resize(signal[:, None], (scale, 1))[:, 0]
    expected = mirrored_reference(signal, scale, len(result))
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("scale", [1 / 4, 4, 0.01])
def test_single_pixel_stays_itself(scale):
    result = bicubic_resize(np.full((1, 1), 0.3), scale)
    np.testing.assert_allclose(result, 0.3, rtol=0, atol=1e-15)


@pytest.mark.parametrize("divisor", [2, 3, 4, 7, 49])
def test_a_fraction_of_a_multiple_is_exact(divisor):
    for n in range(1, 3000, 7):
        assert output_length(n * divisor, 1 / divisor) == n
        assert output_length(n * divisor + 1, 1 / divisor) == n + 1


def test_size_of_a_pair_is_reached():
    assert bicubic_resize(random_image(481, 321), (160 / 481, 107 / 321)).shape == (160, 107)


def test_smaller_scale_goes_first():
    image = random_image(9, 9)
    columns_first = bicubic_resize(bicubic_resize(image, (1, 0.4)), (3, 1))
    rows_first = bicubic_resize(bicubic_resize(image, (3, 1)), (1, 0.4))
    result = bicubic_resize(image, (3, 0.4))
    # The order shows in the last bits only.
    np.testing.assert_array_equal(result, columns_first)
    assert (result != rows_first).any()


def test_bytes_are_rounded_between_the_two_passes():
    # Rows first: (1+2)/2 = 1.5 -> 2 and (0+2)/2 = 1 -> columns (2+1)/2 = 1.5 -> 2.
    # Without the rounding between: (1.5+1)/2 = 1.25 -> 1.
    image = np.array([[1, 0], [2, 2]], "uint8")
    assert bicubic_resize(image, 1 / 2) == [[2]]
    assert np.floor(bicubic_resize(image.astype("float64"), 1 / 2) + 0.5) == [[1]]


def test_bytes_go_rows_first():
    # Rows: (0+1)/2 = 0.5 -> 1 and (2+1)/2 = 1.5 -> 2; columns: 1.5 -> 2. Columns first gives 1.
    image = np.array([[0, 2], [1, 1]], "uint8")
    assert bicubic_resize(image, 1 / 2) == [[2]]
    assert bicubic_resize(image.T, 1 / 2) == [[1]]


def test_enlarging_back_fits_the_grid():
    ramp = np.arange(100.0)[:, None]
    small = bicubic_resize(ramp, (1 / 3, 1))
    back = bicubic_resize(small, (3, 1), size=(100, 1))
    assert small.shape == (34, 1)
    np.testing.assert_allclose(back[10:90], ramp[10:90], rtol=0, atol=1e-12)  # no shift


def test_ranks_agree():
    batch = random_image(2, 9, 7, 3)
    result = bicubic_resize(batch, 1.5)
    for i in range(2):
        np.testing.assert_array_equal(bicubic_resize(batch[i], 1.5), result[i])
        for c in range(3):
            np.testing.assert_array_equal(
                bicubic_resize(batch[i, :, :, c], 1.5), result[i, :, :, c]
            )


@pytest.mark.parametrize("scale", [1 / 3, 2, (0.5, 1.5)])
def test_float_tensors_agree_with_numpy(scale):
    image = random_image(2, 13, 10, 3)
    result = bicubic_resize(ops.convert_to_tensor(image, "float32"), scale)
    np.testing.assert_allclose(result, bicubic_resize(image, scale), rtol=0, atol=1e-6)


@pytest.mark.parametrize("scale", [1 / 2, 1 / 3, 1 / 4, 2, 3])
def test_byte_tensors_agree_with_numpy(scale):
    image = np.random.default_rng(1).integers(0, 256, (61, 83, 3), dtype="uint8")
    expected = bicubic_resize(image, scale)
    np.testing.assert_array_equal(bicubic_resize(ops.convert_to_tensor(image), scale), expected)
    floats = bicubic_resize_8bit(ops.convert_to_tensor(image, "float32"), scale)
    np.testing.assert_array_equal(floats, expected)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "uint8"])
def test_tensors_keep_their_dtype(dtype):
    result = bicubic_resize(ops.ones((1, 4, 4, 1), dtype), 2)
    assert keras.backend.standardize_dtype(result.dtype) == dtype
    np.testing.assert_array_equal(ops.cast(result, "float32"), 1.0)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "uint8"])
def test_arrays_keep_their_dtype(dtype):
    result = bicubic_resize(np.ones((4, 4), dtype), 2)
    assert isinstance(result, np.ndarray)
    assert result.dtype == dtype


def test_nan_stays_near():
    image = np.zeros((20, 1))
    image[5] = np.nan
    touched = np.isnan(bicubic_resize(image, (2, 1)))[:, 0].nonzero()[0]
    np.testing.assert_array_equal(touched, range(7, 15))  # the eight pixels with a tap on pixel 5


@pytest.mark.slow
def test_unknown_sizes_in_tf_data():
    if keras.backend.backend() != "tensorflow":
        pytest.skip("tf.data maps TensorFlow functions only")
    import tensorflow as tf

    images = [random_image(1, 7, 11, 3), random_image(2, 5, 1, 3)]
    spec = tf.TensorSpec((None, None, None, 3), tf.float64)
    data = tf.data.Dataset.from_generator(lambda: iter(images), output_signature=spec)
    for scale in (2, 1 / 3, (1.5, 0.4)):
        for image, result in zip(
            images, data.map(lambda x, s=scale: bicubic_resize(x, s)), strict=True
        ):
            np.testing.assert_allclose(result, bicubic_resize(image, scale), rtol=0, atol=1e-13)
    cut = next(iter(data.map(lambda x: bicubic_resize(x, 3, size=(20, 31)))))
    np.testing.assert_allclose(cut, bicubic_resize(images[0], 3, size=(20, 31)), rtol=0, atol=1e-13)


def test_unknown_byte_sizes_in_tf_data():
    if keras.backend.backend() != "tensorflow":
        pytest.skip("tf.data maps TensorFlow functions only")
    import tensorflow as tf

    image = np.random.default_rng(2).integers(0, 256, (31, 44, 3), dtype="uint8")
    spec = tf.TensorSpec((None, None, 3), tf.uint8)
    data = tf.data.Dataset.from_generator(lambda: iter([image]), output_signature=spec)
    result = next(iter(data.map(lambda x: bicubic_resize(x, 1 / 3))))
    np.testing.assert_array_equal(result, bicubic_resize(image, 1 / 3))


def test_symbolic_images_become_a_layer_that_saves(tmp_path):
    inputs = keras.Input((None, None, 2))
    model = keras.Model(inputs, bicubic_resize(inputs, 1 / 3))
    assert model.output_shape == (None, None, None, 2)
    model.save(tmp_path / "model.keras")
    image = random_image(1, 10, 8, 2).astype("float32")
    result = keras.models.load_model(tmp_path / "model.keras").predict(image, verbose=0)
    np.testing.assert_allclose(result, bicubic_resize(image, 1 / 3), rtol=0, atol=1e-6)


def test_layer_round_trip_keeps_arguments():
    layer = BicubicResize((2, 1.5), size=(7, 6), name="up", dtype="float16")
    config = layer.get_config()
    again = BicubicResize.from_config(config)
    assert again.get_config() == config
    assert (again.scale, again.size, again.compute_dtype) == ((2, 1.5), (7, 6), "float16")
    assert again.compute_output_shape((None, 4, None, 3)) == (None, 7, 6, 3)
    assert BicubicResize(1 / 3).compute_output_shape((10, None)) == (4, None)


@pytest.mark.parametrize("scale", [0, -1, np.nan, np.inf, True, "2", (1, 2, 3), (2, 0)])
def test_bad_scale_is_refused(scale):
    with pytest.raises(ValueError, match=r"scale must be a positive number .* Received: scale="):
        bicubic_resize(np.ones((4, 4)), scale)


@pytest.mark.parametrize("size", [(9, 4), (0, 4), (4, 9)])
def test_bad_size_is_refused(size):
    with pytest.raises(ValueError, match=r"size must be from 1 to 8 on axis .. Received: size="):
        bicubic_resize(np.ones((4, 4)), 2, size=size)


def test_size_must_be_a_pair():
    with pytest.raises(ValueError, match=r"size must be a pair .* Received: size=\(4, 4, 3\)"):
        bicubic_resize(np.ones((4, 4, 3)), 2, size=(4, 4, 3))


@pytest.mark.parametrize("shape", [(4,), (1, 1, 4, 4, 3)])
def test_wrong_rank_is_refused(shape):
    with pytest.raises(ValueError, match=f"Received: rank={len(shape)}"):
        bicubic_resize(np.ones(shape), 2)


def test_empty_image_is_refused():
    with pytest.raises(ValueError, match=r"must not be empty. Received: shape=\(0, 4\)"):
        bicubic_resize(np.ones((0, 4)), 2)


@pytest.mark.parametrize("dtype", ["uint16", "int32", "bool"])
def test_other_dtypes_are_refused(dtype):
    with pytest.raises(TypeError, match=f"uint8 or floating point. Received: {dtype=}"):
        bicubic_resize(np.ones((4, 4), dtype), 2)


def test_lists_are_refused():
    with pytest.raises(TypeError, match=r"NumPy array or a tensor. Received: type=.*list"):
        bicubic_resize([[1.0, 2.0]], 2)


@pytest.mark.data
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_set14_is_reproduced_without_a_differing_pixel(scale):
    folder = Path(os.environ.get("ASYKERAS_DATA", ""), "set14_pairs", f"image_SRF_{scale}")
    if "ASYKERAS_DATA" not in os.environ or not folder.is_dir():
        pytest.skip("set ASYKERAS_DATA to the folder that holds set14_pairs")
    pairs = [(path, Path(str(path).replace("_HR", "_LR"))) for path in folder.glob("*_HR.png")]
    assert len(pairs) == 14
    for clean, small in pairs:
        result = bicubic_resize(np.asarray(Image.open(clean)), 1 / scale)
        np.testing.assert_array_equal(result, np.asarray(Image.open(small)), err_msg=clean.name)
