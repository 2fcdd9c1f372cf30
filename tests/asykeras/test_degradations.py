import os
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops
from PIL import Image
from scipy import ndimage

from asykeras.degradations import BicubicDegrade, BicubicDownscale, Blur, GaussianNoise, Mask
from asykeras.resize import BicubicResize, bicubic_resize

LAYERS = [
    GaussianNoise((0.1, 0.2), seed=3, return_sigma=True, name="noise"),
    GaussianNoise(0.1, seed=4, name="one_level"),
    BicubicDownscale(3, quantize=True, dtype="float64", name="down64"),
    BicubicDownscale(3, quantize=True, name="down"),
    BicubicDegrade(4, quantize=True, name="degrade"),
    Blur([[0.1, 0.2, 0.3]], border="wrap", name="blur"),
    Mask(keep=0.3, seed=5, name="random_mask"),
    Mask(mask=[[0, 1, 1]], name="fixed_mask"),
]


def images(*shape, dtype="float32"):
    return np.random.default_rng(0).random(shape).astype(dtype)


def tensorflow():
    if keras.backend.backend() != "tensorflow":
        pytest.skip("tf.data maps TensorFlow functions only")
    import tensorflow as tf

    return tf


def to_numpy(tensor):
    return ops.convert_to_numpy(tensor)


def unknown_sizes(tf, batches):
    spec = tf.TensorSpec((None, None, None, 3), tf.float32)
    return tf.data.Dataset.from_generator(lambda: iter(batches), output_signature=spec)


def test_noise_has_the_level_asked_for_and_is_not_clipped():
    clean = images(4, 100, 100, 3)
    noise = to_numpy(GaussianNoise(25 / 255, seed=1)(clean)) - clean
    # Standard errors of 120,000 draws: sigma / 346 of the mean, sigma / 490 of sigma itself.
    assert abs(noise.mean()) < 4 * (25 / 255) / 346
    assert abs(noise.std() / (25 / 255) - 1) < 4 / 490
    assert abs((noise**4).mean() / (noise**2).mean() ** 2 - 3) < 4 * np.sqrt(24 / 120_000)
    assert (clean + noise).min() < 0
    assert (clean + noise).max() > 1


def test_noise_is_white():
    noise = to_numpy(GaussianNoise(0.1, seed=1)(np.zeros((2, 100, 100, 2), "float32"))) / 0.1
    for shifted in (np.roll(noise, 1, axis) for axis in range(4)):
        assert abs((noise * shifted).mean()) < 4 / 200  # 40,000 products


def test_zero_noise_changes_nothing():
    clean = images(1, 4, 4, 1)
    np.testing.assert_array_equal(GaussianNoise(0)(clean), clean)


def test_pair_of_levels_draws_one_level_per_image():
    clean = np.zeros((50, 64, 64, 1), "float32")
    noisy, sigma = GaussianNoise((0.05, 0.2), seed=2, return_sigma=True)(clean)
    sigma = to_numpy(sigma)
    assert sigma.shape == (50, 1, 1, 1)
    assert 0.05 <= sigma.min() < 0.07
    assert 0.18 < sigma.max() <= 0.2
    measured = to_numpy(noisy).std(axis=(1, 2, 3))
    np.testing.assert_allclose(measured, sigma.ravel(), rtol=4 / 90)  # 4,096 draws an image


def test_same_seed_gives_the_same_series_of_noise():
    clean = images(2, 5, 5, 1)
    first, second = GaussianNoise((0, 0.2), seed=7), GaussianNoise((0, 0.2), seed=7)
    series = [to_numpy(first(clean)) for _ in range(3)]
    for noisy in series:
        np.testing.assert_array_equal(second(clean), noisy)
    assert (series[0] != series[1]).all()
    assert (to_numpy(GaussianNoise((0, 0.2), seed=8)(clean)) != series[0]).all()


def test_noise_does_not_look_at_training():
    clean = images(1, 5, 5, 1)
    model = keras.Sequential([keras.Input((5, 5, 1)), GaussianNoise(0.1)])
    assert (to_numpy(model(clean, training=False)) != clean).all()


def test_return_sigma_feeds_a_two_input_network():
    inputs = keras.Input((None, None, 3))
    noisy, sigma = GaussianNoise(0.1, return_sigma=True)(inputs)
    assert noisy.shape == (None, None, None, 3)
    assert sigma.shape == (None, 1, 1, 1)
    model = keras.Model(inputs, [noisy, sigma])
    np.testing.assert_array_equal(
        model(images(2, 4, 5, 3))[1], np.full((2, 1, 1, 1), 0.1, "float32")
    )


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
def test_round_trip_keeps_every_argument(layer):
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert type(again) is type(layer)
    assert again.get_config() == layer.get_config()
    assert again.compute_dtype == layer.compute_dtype


def test_configs_hold_every_argument():
    own = [set(layer.get_config()) - {"name", "trainable", "dtype"} for layer in LAYERS]
    noise, bicubic = {"sigma", "seed", "return_sigma"}, {"scale", "quantize"}
    mask = {"mask", "keep", "seed"}
    assert own == [noise, noise, *[bicubic] * 3, {"kernel", "border"}, mask, mask]


@pytest.mark.parametrize("make", [lambda: GaussianNoise((0, 0.3)), lambda: Mask(keep=0.5)])
def test_weight_files_restore_the_next_draw(make, tmp_path):
    clean = images(2, 6, 6, 3)
    first, second = (keras.Sequential([keras.Input((6, 6, 3)), make()]) for _ in range(2))
    first(clean)
    first.save_weights(tmp_path / "state.weights.h5")
    expected = to_numpy(first(clean))
    assert (to_numpy(second(clean)) != expected).any()
    second.load_weights(tmp_path / "state.weights.h5")
    np.testing.assert_array_equal(second(clean), expected)


def test_model_files_restore_the_next_draw(tmp_path):
    clean = images(2, 6, 6, 3)
    model = keras.Sequential([keras.Input((6, 6, 3)), GaussianNoise(0.2)])
    model(clean)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(clean), to_numpy(model(clean)))


def test_weight_file_without_the_state_is_refused(tmp_path):
    keras.Sequential([keras.Input((6, 6, 3)), Blur([[1.0]])]).save_weights(
        tmp_path / "a.weights.h5"
    )
    model = keras.Sequential([keras.Input((6, 6, 3)), GaussianNoise(0.1)])
    with pytest.raises(
        ValueError, match=r"must hold 'seed_state' for gaussian_noise.* Received: keys=\[\]"
    ):
        model.load_weights(tmp_path / "a.weights.h5")


def test_draws_in_fit_are_saved_too(tmp_path):
    clean = images(6, 6, 6, 1)

    def build():
        layers = [keras.Input((6, 6, 1)), GaussianNoise(0.2, seed=1), keras.layers.Conv2D(1, 1)]
        model = keras.Sequential(layers)
        model.compile("sgd", "mse")
        return model

    model, again = build(), build()
    model.fit(clean, clean, batch_size=2, shuffle=False, verbose=0)
    model.save_weights(tmp_path / "state.weights.h5")
    again.load_weights(tmp_path / "state.weights.h5")
    assert to_numpy(again.layers[0].seed_generator.state)[1] == 3
    for each in (model, again):
        each.fit(clean, clean, batch_size=2, shuffle=False, verbose=0)
    for a, b in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_downscale_equals_the_numpy_resize(scale):
    clean = images(2, 25, 31, 3)
    small = BicubicDownscale(scale)(clean)
    assert small.shape == (2, -(-25 // scale), -(-31 // scale), 3)
    expected = bicubic_resize(clean.astype("float64"), 1 / scale)
    np.testing.assert_allclose(small, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_quantized_downscale_equals_the_uint8_rule(scale):
    clean = np.random.default_rng(3).integers(0, 256, (1, 97, 125, 3), dtype="uint8")
    small = to_numpy(BicubicDownscale(scale, quantize=True)(clean / np.float32(255)))
    expected = bicubic_resize(clean, 1 / scale)
    np.testing.assert_array_equal(np.round(small * 255), expected)
    np.testing.assert_allclose(small, expected / 255, rtol=1e-6)  # it is those whole numbers / 255


@pytest.mark.parametrize("shape", [(1, 10, 10, 1), (2, 7, 11, 3), (1, 1, 2, 1)])
@pytest.mark.parametrize("quantize", [False, True])
def test_degrade_keeps_the_size_and_equals_down_and_up(shape, quantize):
    clean = np.random.default_rng(4).integers(0, 256, shape, dtype="uint8")
    result = to_numpy(BicubicDegrade(3, quantize=quantize)(clean / np.float32(255)))
    source = clean if quantize else clean / 255
    expected = bicubic_resize(bicubic_resize(source, 1 / 3), 3)[:, : shape[1], : shape[2]]
    expected = expected / 255 if quantize else expected
    assert result.shape == shape
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-6)


def test_degrade_does_not_shift():
    ramp = np.linspace(0, 1, 100, dtype="float32")[None, :, None, None] * np.ones(
        (1, 1, 4, 1), "float32"
    )
    result = to_numpy(BicubicDegrade(3)(ramp))
    np.testing.assert_allclose(result[:, 10:-10], ramp[:, 10:-10], rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("border", "mode"),
    [("symmetric", "reflect"), ("edge", "nearest"), ("wrap", "grid-wrap"), ("zero", "constant")],
)
@pytest.mark.parametrize("size", [(3, 3), (4, 7), (9, 12)])
def test_blur_equals_scipy(border, mode, size):
    clean, kernel = images(2, 5, 8, 3), images(*size, dtype="float64")
    result = Blur(kernel, border=border)(clean)
    expected = ndimage.convolve(clean.astype("float64"), kernel[None, :, :, None], mode=mode)
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-5 * kernel.sum())


def test_blur_flips_the_kernel():
    row = np.array([1.0, 2.0, 3.0], "float32").reshape(1, 1, 3, 1)
    result = to_numpy(Blur([[0, 0, 1]], border="zero")(row))
    np.testing.assert_array_equal(result.ravel(), [0.0, 1.0, 2.0])


def test_even_kernel_is_anchored_right_of_the_middle():
    row = np.array([1.0, 2.0, 3.0], "float32").reshape(1, 1, 3, 1)
    np.testing.assert_array_equal(
        to_numpy(Blur([[0, 1]], border="zero")(row)).ravel(), [1.0, 2.0, 3.0]
    )
    np.testing.assert_array_equal(
        to_numpy(Blur([[1, 0]], border="zero")(row)).ravel(), [2.0, 3.0, 0.0]
    )


def test_wrapped_blur_is_a_product_of_spectra():
    clean, kernel = images(1, 8, 8, 1), images(3, 3, dtype="float64")
    spread = np.zeros((8, 8))
    spread[:3, :3] = kernel
    spread = np.roll(spread, (-1, -1), axis=(0, 1))
    product = np.fft.fft2(clean[0, :, :, 0]) * np.fft.fft2(spread)
    result = to_numpy(Blur(kernel, border="wrap")(clean))[0, :, :, 0]
    np.testing.assert_allclose(result, np.fft.ifft2(product).real, rtol=0, atol=1e-5)


def test_fixed_mask_multiplies():
    clean = images(2, 3, 4, 3)
    flat = np.random.default_rng(5).integers(0, 2, (3, 4))
    deep = np.random.default_rng(6).integers(0, 2, (3, 4, 3))
    np.testing.assert_array_equal(Mask(flat)(clean), clean * flat[None, :, :, None])
    np.testing.assert_array_equal(Mask(flat[:, :, None])(clean), clean * flat[None, :, :, None])
    np.testing.assert_array_equal(Mask(deep)(clean), clean * deep[None])


def test_random_mask_keeps_the_share_and_joins_channels():
    clean = np.ones((4, 100, 100, 3), "float32")
    masked = to_numpy(Mask(keep=0.7, seed=1)(clean))
    assert set(np.unique(masked)) == {0.0, 1.0}
    assert abs(masked[..., 0].mean() - 0.7) < 4 * np.sqrt(0.7 * 0.3 / 40_000)
    np.testing.assert_array_equal(masked, np.repeat(masked[..., :1], 3, axis=3))
    assert (masked[0] != masked[1]).any()
    np.testing.assert_array_equal(Mask(keep=1.0)(clean), clean)


@pytest.mark.parametrize("layer", LAYERS[3:7], ids=lambda layer: layer.name)
def test_nan_stays_where_it_is_seen(layer):
    clean = images(2, 40, 40, 1)
    clean[0, 0, 0, 0] = np.nan
    result = to_numpy(layer(clean))
    assert np.isfinite(result[1]).all()
    assert np.isfinite(result[0, -3:]).all()


@pytest.mark.parametrize("layer", [LAYERS[1], *LAYERS[3:7]], ids=lambda layer: layer.name)
@pytest.mark.parametrize("size", [(1, 1), (5, 9)])
def test_symbolic_shape_equals_the_computed_shape(layer, size):
    inputs = keras.Input((None, None, 3))
    outputs = layer(inputs)
    clean = images(2, *size, 3)
    result = keras.Model(inputs, outputs)(clean)
    assert outputs.shape == (None, None, None, 3)
    assert tuple(result.shape) == layer.compute_output_shape(clean.shape)
    assert np.isfinite(to_numpy(result)).all()


@pytest.mark.parametrize("layer", LAYERS[3:7], ids=lambda layer: layer.name)
def test_layers_are_compiled_in_front_of_a_network(layer):
    clean = images(4, 12, 12, 1)
    inputs = keras.Input((12, 12, 1))
    outputs = keras.layers.Conv2D(1, 3, padding="same")(layer(inputs))
    model = keras.Model(inputs, outputs)
    model.compile("sgd", "mse", jit_compile=True)
    target = np.zeros((4, *outputs.shape[1:]), "float32")
    before = model.get_weights()[0]
    history = model.fit(clean, target, batch_size=2, epochs=2, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    assert (model.get_weights()[0] != before).any()


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_compiled_quantized_downscale_equals_the_uint8_rule(scale):
    clean = np.random.default_rng(3).integers(0, 256, (1, 97, 125, 3), dtype="uint8")
    model = keras.Sequential([keras.Input((97, 125, 3)), BicubicDownscale(scale, quantize=True)])
    model.compile(jit_compile=True)
    small = model.predict(clean / np.float32(255), verbose=0)
    np.testing.assert_array_equal(np.round(small * 255), bicubic_resize(clean, 1 / scale))


@pytest.mark.parametrize("layer", LAYERS[3:6], ids=lambda layer: layer.name)
def test_tf_data_equals_eager_on_unknown_sizes(layer):
    batches = [images(1, 9, 14, 3), images(2, 2, 1, 3)]
    for clean, result in zip(batches, unknown_sizes(tensorflow(), batches).map(layer), strict=True):
        np.testing.assert_allclose(result, layer(clean), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "make", [lambda: GaussianNoise((0, 0.3), seed=1), lambda: Mask(keep=0.5, seed=1)]
)
def test_tf_data_draws_the_eager_series(make):
    batches = [images(1, 9, 14, 3), images(2, 2, 1, 3), images(2, 2, 1, 3)]
    data, eager = unknown_sizes(tensorflow(), batches).map(make()), make()
    results = []
    for clean, result in zip(batches, data, strict=True):
        np.testing.assert_allclose(result, eager(clean), rtol=0, atol=1e-6)
        results.append(to_numpy(result))
    assert (results[1] != results[2]).any()


def test_mixed_precision_does_not_narrow_the_noise():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        layer = GaussianNoise(0.1)
    finally:
        keras.config.set_dtype_policy("float32")
    result = layer(ops.cast(images(1, 4, 4, 1), "bfloat16"))
    assert keras.backend.standardize_dtype(result.dtype) == "float32"


@pytest.mark.parametrize("dtype", ["float16", "mixed_bfloat16"])
def test_narrow_dtype_is_refused(dtype):
    with pytest.raises(
        ValueError, match=r"dtype must be float32 or float64. Received: dtype='b?float16'"
    ):
        BicubicDownscale(2, dtype=dtype)


@pytest.mark.parametrize(
    "sigma", [-0.1, np.nan, np.inf, True, (0.2, 0.1), (0.1,), (-1, 1), (0, np.nan), "25", None]
)
def test_bad_sigma_is_refused(sigma):
    with pytest.raises(ValueError, match=r"sigma must be >= 0, or a pair .* Received: sigma="):
        GaussianNoise(sigma)


@pytest.mark.parametrize("scale", [1, 0, -2, 2.0, 1.5, True, "2", None])
@pytest.mark.parametrize("layer", [BicubicDownscale, BicubicDegrade])
def test_bad_scale_is_refused(layer, scale):
    with pytest.raises(ValueError, match=f"whole number from 2 up. Received: {scale=}"):
        layer(scale)


@pytest.mark.parametrize("kernel", [[], [[]], [[np.nan]], [[np.inf, 1]]])
def test_empty_or_non_finite_kernel_is_refused(kernel):
    with pytest.raises(
        ValueError, match="kernel must hold one finite number or more. Received: kernel="
    ):
        Blur(kernel)


@pytest.mark.parametrize("kernel", [[1.0, 2.0], 1.0, np.ones((2, 2, 2))])
def test_kernel_that_is_not_2d_is_refused(kernel):
    with pytest.raises(ValueError, match=r"kernel must be 2-D. Received: shape="):
        Blur(kernel)


def test_unknown_border_is_refused():
    with pytest.raises(
        ValueError, match=r"border must be one of symmetric, .* Received: border='mirror'"
    ):
        Blur([[1.0]], border="mirror")


@pytest.mark.parametrize("keep", [0, -0.1, 1.1, np.nan])
def test_bad_keep_is_refused(keep):
    with pytest.raises(ValueError, match=rf"keep must be in \(0, 1\]. Received: {keep=}"):
        Mask(keep=keep)


def test_bad_mask_is_refused():
    with pytest.raises(
        ValueError, match="give either mask or keep. Received: mask=None, keep=None"
    ):
        Mask()
    with pytest.raises(ValueError, match=r"give either mask or keep. Received: mask=.*, keep=0.5"):
        Mask([[1.0]], keep=0.5)
    with pytest.raises(ValueError, match=r"mask must be 2-D or 3-D. Received: shape=\(2,\)"):
        Mask([1.0, 0.0])
    with pytest.raises(ValueError, match="mask must hold one finite number or more"):
        Mask([[np.nan]])


@pytest.mark.parametrize("shape", [(4, 1), (1, 4), (4, 4, 2)])
def test_mask_of_another_size_is_refused(shape):
    with pytest.raises(
        ValueError, match=r"mask must have the size of the images. Received: mask.shape="
    ):
        Mask(np.ones(shape))(images(1, 4, 4, 3))


@pytest.mark.parametrize("layer", LAYERS[:5], ids=lambda layer: layer.name)
def test_images_in_another_unit_are_refused(layer):
    bytes_ = np.linspace(0, 255, 3 * 64, dtype="float32").reshape(1, 8, 8, 3)
    with pytest.raises(ValueError, match="by 255. Received: least=0, most=255"):
        layer(bytes_)


def test_blur_of_an_unknown_number_of_channels_is_refused():
    tf = tensorflow()
    spec = tf.TensorSpec((None, 4, 4, None))
    blur = tf.function(Blur([[1.0]]), input_signature=[spec], autograph=False)
    with pytest.raises(
        ValueError, match="known number of channels. Received: shape=.*None, 4, 4, None"
    ):
        blur.get_concrete_function()


@pytest.mark.parametrize("layer", LAYERS[3:7], ids=lambda layer: layer.name)
def test_wrong_images_are_refused(layer):
    with pytest.raises(TypeError, match=r"floating point in \[0, 1\]. Received: dtype='uint8'"):
        layer(np.ones((1, 4, 4, 3), "uint8"))
    with pytest.raises(ValueError, match=r"shape \(B, H, W, C\). Received: shape=\(4, 4, 3\)"):
        layer(np.ones((4, 4, 3), "float32"))


@pytest.mark.parametrize(
    "layer",
    [
        BicubicResize(2),
        BicubicDownscale(2),
        BicubicDegrade(2),
        Blur(np.ones((3, 3)) / 9),
        GaussianNoise(0.1),
    ],
    ids=lambda layer: layer.name,
)
def test_channels_first_are_refused_and_channels_last_taken_under_any_setting(layer):
    last = images(2, 6, 8, 3)
    expected = layer(last).shape
    keras.config.set_image_data_format("channels_first")
    assert layer(last).shape == expected
    with pytest.raises(ValueError, match="must be channels last, also where keras.config says"):
        layer(np.moveaxis(last, -1, 1))


@pytest.mark.data
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_set14_is_reproduced_in_float32(scale):
    folder = Path(os.environ.get("ASYKERAS_DATA", ""), "set14_pairs", f"image_SRF_{scale}")
    if "ASYKERAS_DATA" not in os.environ or not folder.is_dir():
        pytest.skip("set ASYKERAS_DATA to the folder that holds set14_pairs")
    layer = BicubicDownscale(scale, quantize=True)
    pairs = [(path, Path(str(path).replace("_HR", "_LR"))) for path in folder.glob("*_HR.png")]
    assert len(pairs) == 14
    for clean, small in pairs:
        clean = np.atleast_3d(np.asarray(Image.open(clean), "float32") / 255)[None]
        result = np.round(to_numpy(layer(clean))[0] * 255)
        np.testing.assert_array_equal(result, np.atleast_3d(np.asarray(Image.open(small))))


class Flicker(GaussianNoise):
    """A layer of a user, which hands the arguments of the noise on and keeps its own elsewhere."""

    def __init__(self, depth, **options):
        super().__init__(**options)
        self._depth = depth

    def get_config(self):
        return {**super().get_config(), "depth": self._depth}


def test_a_subclass_is_saved_with_what_it_hands_on():
    layer = Flicker(3, sigma=0.1, return_sigma=True, seed=5, name="mine")
    config = layer.get_config()
    wanted = {"depth": 3, "sigma": 0.1, "return_sigma": True, "seed": 5, "name": "mine"}
    assert {name: config[name] for name in wanted} == wanted
    assert Flicker.from_config(config).get_config() == config
