"""Metrics against scikit-image (float64), NumPy transcriptions and hand-worked pixels."""

import os
import re
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops
from PIL import Image
from skimage.metrics import (
    normalized_root_mse,
    peak_signal_noise_ratio,
    structural_similarity,
)

from asykeras.metrics import NRMSE, PSNR, RMSE, SSIM, nrmse, psnr, rmse, ssim

FUNCTIONS = [psnr, ssim, rmse, nrmse]
CLASSES = [PSNR, SSIM, RMSE, NRMSE]
WINDOWS = {
    "gaussian": {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False},
    "uniform": {},
}
SHAPES = [(2, 24, 30, 3), (2, 23, 17, 1), (1, 12, 11, 5)]


def image_pair(*shape, seed=0, noise=0.1):
    """Return float32 references in [0, 1] and noisy copies, unclipped."""
    rng = np.random.default_rng(seed)
    clean = rng.random(shape)
    return clean.astype("float32"), (clean + noise * rng.standard_normal(shape)).astype("float32")


def byte_pair(*shape, seed=0):
    clean, noisy = image_pair(*shape, seed=seed)
    return (clean * 255).astype("uint8"), (np.clip(noisy, 0, 1) * 255).astype("uint8")


def pixels(*values):
    """Return one image of one row and one channel."""
    return np.array(values, "float32").reshape(1, 1, -1, 1)


def reference_ssim(clean, noisy, window, data_range=1.0):
    """Return scikit-image's SSIM of each image."""
    values = [
        structural_similarity(
            x.astype("float64"),
            y.astype("float64"),
            data_range=data_range,
            channel_axis=-1,
            **WINDOWS[window],
        )
        for x, y in zip(clean, noisy, strict=True)
    ]
    return np.array(values)


def reference_psnr(clean, noisy, data_range=1.0):
    """Return scikit-image's PSNR of each image."""
    pairs = zip(clean.astype("float64"), noisy.astype("float64"), strict=True)
    return np.array([peak_signal_noise_ratio(x, y, data_range=data_range) for x, y in pairs])


# Values


@pytest.mark.parametrize("shape", SHAPES)
def test_psnr_equals_scikit_image(shape):
    clean, noisy = image_pair(*shape)
    np.testing.assert_allclose(psnr(clean, noisy), reference_psnr(clean, noisy), atol=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("window", WINDOWS)
def test_ssim_equals_scikit_image(shape, window):
    clean, noisy = image_pair(*shape)
    expected = reference_ssim(clean, noisy, window)
    np.testing.assert_allclose(ssim(clean, noisy, window=window), expected, atol=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
def test_nrmse_equals_scikit_image(shape):
    clean, noisy = image_pair(*shape)
    expected = [normalized_root_mse(x, y) for x, y in zip(clean, noisy, strict=True)]
    np.testing.assert_allclose(nrmse(clean, noisy), expected, rtol=1e-6)


@pytest.mark.parametrize("window", WINDOWS)
def test_8_bit_images_equal_scikit_image(window):
    clean, noisy = byte_pair(2, 23, 30, 3)
    expected = reference_ssim(clean, noisy, window, data_range=255)
    np.testing.assert_allclose(ssim(clean, noisy, max_val=255, window=window), expected, atol=1e-6)
    np.testing.assert_allclose(
        psnr(clean, noisy, max_val=255), reference_psnr(clean, noisy, 255), atol=1e-5
    )


@pytest.mark.parametrize("window", WINDOWS)
def test_ssim_keeps_its_digits_where_images_are_flat(window):
    # Half black, half white, and both halves shifted: E[x^2] - m^2 in float32 is off by 7e-6 here.
    clean = np.full((1, 60, 90, 1), 0.02, "float32")
    clean[:, :, 45:] = 0.93
    shifted = np.where(clean > 0.5, clean - 0.3, clean + 0.2).astype("float32")
    expected = reference_ssim(clean, shifted, window)
    np.testing.assert_allclose(ssim(clean, shifted, window=window), expected, atol=1e-6)


def test_float64_is_kept_where_the_backend_keeps_it():
    if keras.backend.backend() != "tensorflow":
        pytest.skip("this backend computes float64 input in float32")
    clean, noisy = (image.astype("float64") for image in image_pair(2, 16, 19, 3))
    np.testing.assert_allclose(
        ssim(clean, noisy), reference_ssim(clean, noisy, "gaussian"), atol=1e-12
    )
    np.testing.assert_allclose(psnr(clean, noisy), reference_psnr(clean, noisy), atol=1e-11)


def test_psnr_of_a_constant_error():
    # mse = 0.1^2 = 0.01, 10 log10(1 / 0.01) = 20;  max_val 2: 10 log10(4 / 0.01) = 26.0206
    clean, restored = pixels(0.5, 0.5), pixels(0.6, 0.4)
    np.testing.assert_allclose(psnr(clean, restored), [20.0], atol=1e-5)
    np.testing.assert_allclose(psnr(clean, restored, max_val=2), [26.0206], atol=1e-5)


def test_rmse_of_two_pixels():
    # sqrt((0.3^2 + 0.4^2) / 2) = sqrt(0.125), whatever max_val
    clean, restored = pixels(0.0, 0.5), pixels(0.3, 0.9)
    np.testing.assert_allclose(rmse(clean, restored), [np.sqrt(0.125)], rtol=1e-6)
    np.testing.assert_allclose(rmse(clean, restored, max_val=255), [np.sqrt(0.125)], rtol=1e-6)


def test_nrmse_of_two_pixels():
    # sqrt(0 + 0.5^2) / sqrt(0.6^2 + 0.8^2) = 0.5 / 1; not symmetric: 0.5 / sqrt(0.45)
    clean, restored = pixels(0.6, 0.8), pixels(0.6, 0.3)
    np.testing.assert_allclose(nrmse(clean, restored), [0.5], rtol=1e-6)
    np.testing.assert_allclose(nrmse(restored, clean), [0.5 / np.sqrt(0.45)], rtol=1e-6)


def test_ssim_of_constant_images_is_the_luminance_term():
    clean, restored = np.full((1, 11, 11, 1), 0.4), np.full((1, 11, 11, 1), 0.6)
    expected = (2 * 0.4 * 0.6 + 0.01**2) / (0.4**2 + 0.6**2 + 0.01**2)
    np.testing.assert_allclose(ssim(clean, restored), [expected], atol=1e-6)


def test_psnr_follows_from_nrmse():
    # The relation by which the "RMSE" columns of the paper's tables were identified.
    clean, noisy = image_pair(3, 9, 10, 1)
    rms = np.sqrt(np.mean(np.square(clean.astype("float64")), axis=(1, 2, 3)))
    expected = -20 * np.log10(ops.convert_to_numpy(nrmse(clean, noisy)) * rms)
    np.testing.assert_allclose(psnr(clean, noisy), expected, atol=1e-5)


def test_identical_images_are_perfect():
    clean, _ = image_pair(2, 12, 13, 3)
    assert ops.convert_to_numpy(psnr(clean, clean)).tolist() == [np.inf, np.inf]
    assert ops.convert_to_numpy(ssim(clean, clean)).tolist() == [1.0, 1.0]
    assert ops.convert_to_numpy(rmse(clean, clean)).tolist() == [0.0, 0.0]
    assert ops.convert_to_numpy(nrmse(clean, clean)).tolist() == [0.0, 0.0]


def test_nrmse_of_a_black_reference_is_said():
    clean = np.zeros((3, 2, 2, 1), "float32")
    clean[2] = 0.2
    restored = np.full_like(clean, 0.1)
    restored[0] = 0.0
    with pytest.warns(RuntimeWarning, match="2 references of 3 have norm zero"):
        values = ops.convert_to_numpy(nrmse(clean, restored))
    np.testing.assert_allclose(values, [0, np.inf, 0.5], rtol=1e-6)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_each_image_has_its_own_value(function):
    clean, noisy = image_pair(3, 13, 12, 3)
    noisy[1] = 1 - clean[1]
    single = [function(clean[i : i + 1], noisy[i : i + 1])[0] for i in range(3)]
    np.testing.assert_allclose(function(clean, noisy), single, rtol=1e-6)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_nan_stays_in_its_image(function):
    clean, noisy = image_pair(3, 13, 12, 3)
    noisy[1, 6, 6, 0] = np.nan
    values = ops.convert_to_numpy(function(clean, noisy, luma=True, quantize=True))
    assert np.isnan(values).tolist() == [False, True, False]


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_is_compared_in_float32(function, dtype):
    clean, noisy = image_pair(2, 13, 12, 3)
    noisy = ops.cast(noisy, dtype)
    expected = function(clean, ops.cast(noisy, "float32"))
    np.testing.assert_array_equal(function(clean, noisy), expected)


# Protocol


@pytest.mark.parametrize("function", FUNCTIONS)
def test_border_is_cut_on_all_sides(function):
    clean, noisy = image_pair(2, 20, 19, 3)
    expected = function(clean[:, 3:-3, 3:-3], noisy[:, 3:-3, 3:-3])
    np.testing.assert_array_equal(function(clean, noisy, border=3), expected)


@pytest.mark.parametrize("metric_class", CLASSES)
@pytest.mark.parametrize("options", [{"border": 2}, {"luma": True, "quantize": True}])
def test_channels_first_gives_the_same_value(metric_class, options):
    pair = image_pair(2, 20, 19, 3)
    first = [np.moveaxis(image, -1, 1) for image in pair]
    function = metric_class._function
    expected = ops.convert_to_numpy(function(*pair, **options))
    keras.config.set_image_data_format("channels_first")
    last = function(*pair, **options, data_format="channels_last")
    values, metric = function(*first, **options), metric_class(**options)
    np.testing.assert_allclose(values, expected, rtol=1e-6)
    np.testing.assert_array_equal(last, expected)
    np.testing.assert_allclose(metric(*first), expected.mean(), rtol=1e-6)


def test_border_may_leave_one_pixel():
    clean, restored = np.zeros((1, 5, 5, 1)), np.zeros((1, 5, 5, 1))
    restored[0, 2, 2] = 0.1
    np.testing.assert_allclose(psnr(clean, restored, border=2), [20.0], atol=1e-5)


def luma_of_bytes(image):
    """Return BT.601 Y in 8-bit units of RGB in 8-bit units, not rounded."""
    red, green, blue = (image[..., c].astype("float64") for c in range(3))
    return (16 + (65.481 * red + 128.553 * green + 24.966 * blue) / 255)[..., None]


@pytest.mark.parametrize("max_val", [1.0, 255.0])
def test_luma_equals_its_formula(max_val):
    clean, noisy = byte_pair(2, 14, 15, 3)
    expected = reference_psnr(luma_of_bytes(clean), luma_of_bytes(noisy), 255)
    scaled = [(image / 255 * max_val).astype("float32") for image in (clean, noisy)]
    np.testing.assert_allclose(psnr(*scaled, max_val=max_val, luma=True), expected, atol=1e-5)


def test_round_luma_equals_8_bit_luma():
    clean, noisy = byte_pair(2, 14, 15, 3)
    rounded = [np.floor(luma_of_bytes(image) + 0.5) for image in (clean, noisy)]
    value = psnr(clean, noisy, max_val=255, luma=True, round_luma=True)
    np.testing.assert_allclose(value, reference_psnr(*rounded, 255), atol=1e-5)
    assert np.all(np.abs(value - psnr(clean, noisy, max_val=255, luma=True)) > 1e-4)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_grey_images_are_scored_on_their_own_values(function):
    clean, noisy = image_pair(2, 13, 12, 1)
    expected = function(clean, noisy)
    np.testing.assert_array_equal(function(clean, noisy, luma=True, round_luma=True), expected)


def test_quantize_clips_and_rounds_half_up():
    # In 8-bit units 0.5 -> 1, 2.5 -> 3 (half to even gives 0 and 2), -9 -> 0, 300 -> 255.
    restored = pixels(0.5, 2.5, -9, 300, 7.4)
    np.testing.assert_array_equal(
        rmse(pixels(1, 3, 0, 255, 7), restored, max_val=255, quantize=True), [0.0]
    )


def test_every_half_of_an_8_bit_value_rounds_up():
    halves, above = np.arange(255) + 0.5, np.arange(255) + 1
    np.testing.assert_array_equal(
        rmse(pixels(*above), pixels(*halves), max_val=255, quantize=True), [0.0]
    )


def test_quantize_rounds_before_luma():
    clean, noisy = image_pair(2, 14, 15, 3)
    bytes_ = [np.floor(np.clip(x.astype("float64"), 0, 1) * 255 + 0.5) for x in (clean, noisy)]
    expected = reference_psnr(luma_of_bytes(bytes_[0]), luma_of_bytes(bytes_[1]), 255)
    np.testing.assert_allclose(psnr(clean, noisy, luma=True, quantize=True), expected, atol=1e-5)


# Metric classes


@pytest.mark.parametrize("metric_class", CLASSES)
def test_metric_does_not_depend_on_the_batches(metric_class):
    clean, noisy = image_pair(5, 13, 12, 3)
    noisy[0] += 0.3
    whole, split = metric_class(), metric_class()
    whole.update_state(clean, noisy)
    for images in (slice(0, 1), slice(1, 4), slice(4, 5)):
        split.update_state(clean[images], noisy[images])
    expected = np.mean(ops.convert_to_numpy(metric_class._function(clean, noisy)))
    np.testing.assert_allclose(whole.result(), expected, rtol=1e-6)
    np.testing.assert_allclose(split.result(), expected, rtol=1e-6)


def test_mean_is_over_images_and_not_over_pixels():
    # errors 0.1 and 0.01: 20 and 40 dB, mean 30; one mse for both would give 22.97
    clean, restored = np.zeros((2, 2, 2, 1)), np.zeros((2, 2, 2, 1))
    restored[0], restored[1] = 0.1, 0.01
    np.testing.assert_allclose(PSNR()(clean, restored), 30.0, atol=1e-5)


def test_images_of_different_sizes_count_the_same():
    metric = RMSE()
    metric.update_state(np.zeros((1, 2, 2, 1)), np.full((1, 2, 2, 1), 0.1))
    metric.update_state(np.zeros((1, 9, 9, 1)), np.full((1, 9, 9, 1), 0.3))
    np.testing.assert_allclose(metric.result(), 0.2, rtol=1e-6)


@pytest.mark.parametrize("weights", [np.array([3, 1]), [3.0, 1.0], [[3], [1]]])
def test_sample_weight_weights_images(weights):
    clean = np.zeros((2, 2, 2, 1))
    restored = np.stack([np.full((2, 2, 1), 0.1), np.full((2, 2, 1), 0.5)])
    metric = RMSE()
    metric.update_state(clean, restored, sample_weight=weights)
    metric.update_state(clean, restored, sample_weight=2)  # one for all
    np.testing.assert_allclose(metric.result(), (5 * 0.1 + 3 * 0.5) / 8, rtol=1e-6)


def test_weight_zero_leaves_out_a_perfect_image():
    clean = np.zeros((2, 2, 2, 1))
    restored = np.stack([np.zeros((2, 2, 1)), np.full((2, 2, 1), 0.1)])
    metric = PSNR()
    metric.update_state(clean, restored, sample_weight=np.array([0.0, 1.0]))
    np.testing.assert_allclose(metric.result(), 20.0, atol=1e-5)


def test_perfect_image_makes_the_mean_infinite():
    clean, noisy = image_pair(2, 4, 4, 1)
    noisy[0] = clean[0]
    assert float(PSNR()(clean, noisy)) == np.inf


@pytest.mark.parametrize("metric_class", CLASSES)
def test_reset_forgets(metric_class):
    clean, noisy = image_pair(2, 13, 12, 1)
    metric = metric_class()
    metric.update_state(clean, np.full_like(noisy, np.nan))
    metric.reset_state()
    assert np.isnan(float(metric.result()))  # as before the first image
    assert np.isfinite(float(metric(clean, noisy)))


@pytest.mark.parametrize("metric_class", CLASSES)
def test_reload_keeps_every_argument(metric_class):
    options = {
        "max_val": 255.0,
        "border": 2,
        "luma": True,
        "quantize": True,
        "round_luma": True,
        "data_format": "channels_first",
        "name": "y",
        "dtype": "float16",
    }
    if metric_class is SSIM:
        options["window"] = "uniform"
    stored = keras.saving.serialize_keras_object(metric_class(**options))
    assert stored["registered_name"] == f"asykeras>{metric_class.__name__}"
    reloaded = keras.saving.deserialize_keras_object(stored)
    assert type(reloaded) is metric_class
    assert reloaded.get_config() == options


def test_reloaded_metric_uses_its_arguments():
    clean, noisy = byte_pair(2, 24, 22, 3)
    metric = SSIM(max_val=255, border=2, luma=True, window="uniform")
    stored = keras.saving.serialize_keras_object(metric)
    expected = ssim(clean, noisy, max_val=255, border=2, luma=True, window="uniform")
    value = keras.saving.deserialize_keras_object(stored)(clean, noisy)
    np.testing.assert_allclose(value, np.mean(expected), rtol=1e-6)


@pytest.mark.parametrize("metric_class", CLASSES)
def test_name_is_that_of_the_function(metric_class):
    assert metric_class().name == metric_class.__name__.lower()


def test_state_is_float32_and_result_has_the_dtype():
    metric = PSNR(dtype="float16")
    assert {variable.dtype for variable in metric.variables} == {"float32"}
    assert keras.backend.standardize_dtype(metric.result().dtype) == "float16"


def one_convolution(**options):
    inputs = keras.Input((None, None, 3))
    return keras.Model(inputs, keras.layers.Conv2D(3, 3, padding="same", **options)(inputs))


@pytest.mark.parametrize("jit_compile", [False, True])
def test_evaluate_equals_the_functions(jit_compile):
    clean, noisy = image_pair(5, 21, 18, 3)
    keras.utils.set_random_seed(0)  # by chance SSIM can be as good as 0, where no digit holds
    model = one_convolution()
    metrics = [metric_class(border=2, luma=True) for metric_class in CLASSES]
    model.compile(loss="mse", metrics=metrics, jit_compile=jit_compile)
    values = model.evaluate(noisy, clean, batch_size=2, verbose=0, return_dict=True)
    restored = model.predict(noisy, verbose=0)
    for function in FUNCTIONS:
        expected = np.mean(function(clean, restored, border=2, luma=True))
        np.testing.assert_allclose(values[function.__name__], expected, rtol=1e-5)


def test_large_images_keep_their_digits_when_compiled():
    # A plain float32 mean loses digits here, up to 0.06 dB on TensorFlow with XLA for CPU.
    clean = np.full((1, 1000, 1000, 3), 0.5, "float32")
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, keras.layers.Identity()(inputs))
    model.compile(loss="mse", metrics=[PSNR()], jit_compile=True)
    values = model.evaluate(clean + np.float32(0.1), clean, verbose=0, return_dict=True)
    np.testing.assert_allclose(values["psnr"], 20.0, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_fit_reports_training_and_validation(dtype):
    clean, noisy = image_pair(4, 16, 16, 3)
    model = one_convolution(dtype=dtype)
    model.compile(optimizer="adam", loss="mse", metrics=[m() for m in CLASSES])
    history = model.fit(
        noisy, clean, batch_size=2, validation_data=(noisy[:, :13], clean[:, :13]), verbose=0
    ).history
    for function in FUNCTIONS:
        assert np.isfinite(history[function.__name__]).all()
        assert np.isfinite(history["val_" + function.__name__]).all()


def test_weighted_metric_takes_sample_weights_in_evaluate():
    clean = np.zeros((2, 4, 4, 1), "float32")
    restored = np.stack([np.full((4, 4, 1), 0.1), np.full((4, 4, 1), 0.5)]).astype("float32")
    inputs = keras.Input((None, None, 1))
    model = keras.Model(inputs, keras.layers.Identity()(inputs))
    model.compile(loss=rmse, weighted_metrics=[RMSE()])
    weights = np.array([3.0, 1.0])
    values = model.evaluate(
        restored, clean, sample_weight=weights, batch_size=1, verbose=0, return_dict=True
    )
    np.testing.assert_allclose(values["rmse"], (3 * 0.1 + 1 * 0.5) / 4, rtol=1e-6)


@pytest.mark.slow
def test_sizes_may_be_unknown_in_a_graph():
    if keras.backend.backend() != "tensorflow":
        pytest.skip("only TensorFlow traces unknown sizes")
    import tensorflow as tf

    spec = tf.TensorSpec((None, None, None, 3), "float32")
    traced = tf.function(lambda x, y: ssim(x, y, border=1, luma=True), input_signature=[spec, spec])
    for shape in [(2, 14, 17, 3), (1, 20, 13, 3)]:
        pair = image_pair(*shape)
        np.testing.assert_allclose(traced(*pair), ssim(*pair, border=1, luma=True), rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("metric_class", "bigger_is_better"),
    [(PSNR, True), (SSIM, True), (RMSE, False), (NRMSE, False)],
)
def test_callbacks_know_which_direction_is_better(metric_class, bigger_is_better):
    clean, noisy = image_pair(2, 13, 13, 3)
    model = one_convolution()
    model.compile(loss="mse", metrics=[metric_class()])
    stop = keras.callbacks.EarlyStopping(monitor="val_" + metric_class().name, mode="auto")
    model.fit(noisy, clean, validation_data=(noisy, clean), callbacks=[stop], verbose=0)
    assert stop._is_improvement(2.0, 1.0) == bigger_is_better


# Bad input


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 3), (1, 2, 8, 8, 3)])
def test_other_ranks_are_refused(function, shape):
    image = np.zeros(shape, "float32")
    with pytest.raises(ValueError, match=r"add a batch axis.*Received: shape=\(.*8, 8"):
        function(image, image)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_different_shapes_are_refused(function):
    with pytest.raises(
        ValueError, match=r"y_true.shape=\(1, 16, 16, 1\), y_pred.shape=\(1, 16, 16, 3\)"
    ):
        function(np.zeros((1, 16, 16, 1)), np.zeros((1, 16, 16, 3)))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_border_that_leaves_nothing_is_refused(function):
    image = np.zeros((1, 8, 20, 1))
    with pytest.raises(ValueError, match=r"border of 4 .* at least 9. Received: shape=\(1, 8, 20"):
        function(image, image, border=4)


@pytest.mark.parametrize(("window", "size"), [("gaussian", 11), ("uniform", 7)])
def test_image_smaller_than_the_window_is_refused(window, size):
    fits, too_small = np.zeros((1, size + 2, size + 2, 1)), np.zeros((1, size + 1, size + 2, 1))
    assert float(ssim(fits, fits, border=1, window=window)[0]) == 1.0
    with pytest.raises(ValueError, match=rf"at least {size}. Received: shape=\(1, {size - 1}, "):
        ssim(too_small, too_small, border=1, window=window)


@pytest.mark.parametrize("channels", [2, 4])
def test_luma_of_other_channel_counts_is_refused(channels):
    image = np.zeros((1, 12, 12, channels))
    with pytest.raises(ValueError, match=rf"1 or 3 channels. Received: channels={channels}"):
        psnr(image, image, luma=True)


def test_complex_images_are_refused():
    image = np.zeros((1, 2, 2, 1), "complex64")
    with pytest.raises(TypeError, match="Received: dtype='complex64'"):
        psnr(image, image)


@pytest.mark.parametrize("build", CLASSES)
def test_bad_options_are_refused_at_construction(build):
    with pytest.raises(ValueError, match=r"above 0\. Received: max_val=0"):
        build(max_val=0)
    with pytest.raises(ValueError, match=r"above 0\. Received: max_val=nan"):
        build(max_val=float("nan"))
    with pytest.raises(ValueError, match=r"0 or more\. Received: border=-1"):
        build(border=-1)
    with pytest.raises(ValueError, match=r"0 or more\. Received: border=1\.5"):
        build(border=1.5)
    with pytest.raises(ValueError, match=r"needs luma=True\. Received: luma=False"):
        build(round_luma=True)


def test_unknown_window_is_refused():
    with pytest.raises(ValueError, match=r"'gaussian' or 'uniform'\. Received: window='hann'"):
        SSIM(window="hann")


@pytest.mark.parametrize("shape", [(3,), (3, 1), (2, 12, 12), (1, 2)])
def test_other_sample_weight_shapes_are_refused(shape):
    clean, noisy = image_pair(2, 12, 12, 1)
    message = (
        r"sample_weight must be a number or one weight per image: of shape \(\) or \(2,\). "
        rf"Received: sample_weight.shape={re.escape(str(shape))}"
    )
    with pytest.raises(ValueError, match=message):
        PSNR().update_state(clean, noisy, sample_weight=np.ones(shape))


@pytest.mark.parametrize("bad", [-1.0, float("nan"), float("inf")])
def test_sample_weights_that_no_mean_has_are_refused(bad):
    clean, noisy = image_pair(2, 12, 12, 1)
    metric = PSNR()
    with pytest.raises(
        ValueError, match=f"must be finite and not negative. Received: weight={bad:g}"
    ):
        metric.update_state(clean, noisy, sample_weight=[1.0, bad])
    assert np.isnan(float(metric.result()))  # nothing was added


@pytest.mark.parametrize("function", [psnr, ssim])
@pytest.mark.parametrize(("factor", "max_val"), [(255, 1), (255, 100.0), (4095, 255)])
def test_references_above_max_val_are_refused(function, factor, max_val):
    clean = np.linspace(0, factor, 288, dtype="float32").reshape(2, 12, 12, 1)
    message = (
        r"max_val must be the largest value .* 255 for 8-bit ones. "
        rf"Received: max_val={max_val:g}, largest={factor}"
    )
    with pytest.raises(ValueError, match=message):
        function(clean, clean + 1, max_val=max_val)


# Real images


@pytest.mark.data
@pytest.mark.parametrize("window", WINDOWS)
def test_real_image_equals_scikit_image(window):
    folder = Path(os.environ.get("ASYKERAS_DATA", ""), "set12")
    if "ASYKERAS_DATA" not in os.environ or not folder.is_dir():
        pytest.skip("ASYKERAS_DATA does not name a folder with set12")
    clean = np.asarray(Image.open(folder / "01.png"), "float32")[None, ..., None] / 255
    noise = np.random.default_rng(0).standard_normal(clean.shape).astype("float32")
    noisy = clean + noise * 25 / 255
    expected = reference_ssim(clean, noisy, window)
    np.testing.assert_allclose(ssim(clean, noisy, window=window), expected, atol=1e-6)
    np.testing.assert_allclose(psnr(clean, noisy), reference_psnr(clean, noisy), atol=1e-5)
