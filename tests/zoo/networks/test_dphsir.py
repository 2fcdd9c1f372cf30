"""GRUNet of DPHSIR: its layers and the whole network, written out in NumPy."""

from functools import partial

import keras
import numpy as np
import pytest

from tests.zoo.contracts import BuilderContract, images, run
from tests.zoo.examples import small_grunet
from zoo.networks.dphsir import DPHSIR
from zoo.networks.layers import CropTo, EnlargeAligned, MirrorToMultiple, QuasiRecurrentUnit

rng = np.random.default_rng(0)
# JAX compiles each operation for each shape: ten seconds and more for every test of the network.
on_jax_slow = pytest.mark.slow if keras.backend.backend() == "jax" else lambda test: test


class DPHSIRContract(BuilderContract):
    parameters = 3_530_547

    def inputs(self, height, width):
        return [images(height, width, self.channels), np.array([[0.1], [0.2]], np.float32)]


@pytest.mark.slow_on_jax
class TestDPHSIRWithOneBand(DPHSIRContract):
    builder = staticmethod(partial(DPHSIR, channels=1, variant="small"))
    channels = 1


@on_jax_slow
class TestDPHSIRWithAnyBands(DPHSIRContract):
    builder = staticmethod(partial(DPHSIR, variant="small"))
    channels = 3


@pytest.mark.slow
class TestLargeDPHSIR(DPHSIRContract):
    builder = staticmethod(partial(DPHSIR))
    channels = 3
    parameters = 14_278_451


@pytest.mark.once
def test_the_large_network_has_its_number_of_parameters():
    assert DPHSIR(channels=1).count_params() == TestLargeDPHSIR.parameters


# The layers, written out. Volumes are (B, bands, H, W, C).


def convolve(volume, kernel, stride=1):
    """Convolve with zero padding by the kernel's radius, which PyTorch calls padding."""
    radius = kernel.shape[0] // 2
    padded = np.pad(volume, [(0, 0), *3 * [(radius, radius)], (0, 0)])
    bands, height, width = volume.shape[1:4]
    result = 0
    for band, row, column in np.ndindex(kernel.shape[:3]):
        window = padded[:, band : band + bands, row : row + height, column : column + width]
        result = result + window[:, :, ::stride, ::stride] @ kernel[band, row, column]
    return result


def pool(z, f, backward=False):
    """Run through the bands one after another."""
    order = reversed(range(z.shape[1])) if backward else range(z.shape[1])
    result, h = np.empty_like(z), 0
    for band in order:
        h = f[:, band] * h + (1 - f[:, band]) * z[:, band]
        result[:, band] = h
    return result


def recur(gates, direction):
    if direction != "both":
        z, f = np.split(gates, 2, axis=-1)
        return pool(np.tanh(z), 1 / (1 + np.exp(-f)), direction == "backward")
    z, ahead, back = np.split(gates, 3, axis=-1)
    z, ahead, back = np.tanh(z), 1 / (1 + np.exp(-ahead)), 1 / (1 + np.exp(-back))
    return pool(z, ahead) + pool(z, back, backward=True)


def enlarge(volume):
    """Interpolate at linspace(0, n - 1, 2 n) along height and width."""

    def line(values):
        length = len(values)
        return np.interp(np.linspace(0, length - 1, 2 * length), np.arange(length), values)

    return np.apply_along_axis(line, 3, np.apply_along_axis(line, 2, volume))


@pytest.mark.slow_on_jax
@pytest.mark.parametrize("bands", [1, 4])
@pytest.mark.parametrize("direction", ["forward", "backward", "both"])
@pytest.mark.parametrize(("kernel_size", "stride", "use_bias"), [(3, 2, False), (1, 1, True)])
def test_a_unit_is_a_convolution_and_a_loop(bands, direction, kernel_size, stride, use_bias):
    unit = QuasiRecurrentUnit(
        2, kernel_size=kernel_size, stride=stride, direction=direction, use_bias=use_bias
    )
    volume = rng.normal(size=(2, bands, 6, 5, 3))
    unit.build(volume.shape)
    unit.set_weights([rng.normal(size=each.shape) for each in unit.weights])
    kernel, *bias = unit.get_weights()
    expected = recur(convolve(volume, kernel, stride) + sum(bias), direction)
    assert unit.compute_output_shape(volume.shape) == expected.shape
    np.testing.assert_allclose(unit(volume), expected, atol=1e-5)


def test_a_transposed_convolution_is_the_convolution_with_its_kernel_turned():
    """The import rule of the docstring: scatter each voxel, and crop the padding."""
    theirs = rng.normal(size=(3, 4, 3, 3, 3))  # in, out, bands, rows, columns
    volume = rng.normal(size=(1, 4, 5, 6, 3))
    scattered = np.zeros((1, 6, 7, 8, 4))
    for band, row, column in np.ndindex(3, 3, 3):
        target = scattered[:, band : band + 4, row : row + 5, column : column + 6]
        target += volume @ theirs[:, :, band, row, column]
    ours = theirs[:, :, ::-1, ::-1, ::-1].transpose(2, 3, 4, 0, 1)
    np.testing.assert_allclose(convolve(volume, ours), scattered[:, 1:-1, 1:-1, 1:-1])


@pytest.mark.parametrize("size", [(1, 1), (2, 5), (7, 4)])
def test_enlarging_keeps_the_corners_and_interpolates_between(size):
    volume = rng.normal(size=(2, 3, *size, 2))
    enlarged = keras.ops.convert_to_numpy(EnlargeAligned()(volume))
    np.testing.assert_allclose(enlarged, enlarge(volume), atol=1e-6)


@pytest.mark.parametrize("size", [(1, 5), (16, 17), (33, 15)])
def test_mirroring_fills_up_to_the_multiple(size):
    image = images(*size, 2)
    extra = [(0, -length % 16) for length in size]
    mirrored = keras.ops.convert_to_numpy(MirrorToMultiple(16)(image))
    np.testing.assert_array_equal(mirrored, np.pad(image, [(0, 0), *extra, (0, 0)], "symmetric"))
    np.testing.assert_array_equal(CropTo()([mirrored, image]), image)


@pytest.mark.parametrize(
    "layer",
    [
        QuasiRecurrentUnit(
            3,
            kernel_size=5,
            stride=2,
            direction="both",
            use_bias=True,
            dtype="float64",
            name="unit",
        ),
        EnlargeAligned(name="enlarge", dtype="float64"),
        MirrorToMultiple(4, name="mirror", dtype="float64"),
        CropTo(name="crop", dtype="float64"),
    ],
)
def test_layers_round_trip(layer):
    config = keras.saving.serialize_keras_object(layer)
    assert config["registered_name"] == f"asykeras>{type(layer).__name__}"
    again = keras.saving.deserialize_keras_object(config)
    assert type(again) is type(layer)
    assert again.get_config() == layer.get_config()


# The network, written out from the authors' description.


def written_out(model, image, sigma, halvings=4):
    """Height and width must be multiples of 16."""

    def unit(x, name, direction="forward", stride=1):
        kernel, *bias = (a.astype(np.float64) for a in model.get_layer(name).get_weights())
        return recur(convolve(x, kernel, stride) + sum(bias), direction)

    def block(x, name):
        return unit(unit(x, f"{name}_unit1"), f"{name}_unit2") + unit(x, f"{name}_shortcut")

    volume = image.transpose(0, 3, 1, 2)[..., None].astype(np.float64)
    level = np.broadcast_to(sigma[:, :, None, None, None], volume.shape)
    features = [unit(np.concatenate([volume, level], axis=-1), "head", "both")]
    for number in range(1, halvings + 1):
        down = unit(features[-1], f"down{number}", "backward", stride=2)
        features.append(block(down, f"encoder{number}"))
    x = features.pop()
    for number in range(halvings, 0, -1):
        up = unit(enlarge(x), f"up{number}", "backward")
        x = block(np.concatenate([features.pop(), up], axis=-1), f"decoder{number}")
    noise = unit(x, "tail", "both")
    return image + noise[..., 0].transpose(0, 2, 3, 1)


@pytest.mark.slow_on_jax
@pytest.mark.parametrize("bands", [1, 3])
def test_the_network_is_the_published_one(bands):
    model = DPHSIR(channels=bands)
    inputs = [images(16, 32, bands), np.array([[0.1], [0.5]], np.float32)]
    np.testing.assert_allclose(run(model, inputs)[0], written_out(model, *inputs), atol=1e-5)


@on_jax_slow
def test_the_small_network_has_a_level_less():
    model = DPHSIR(channels=1, variant="small")
    inputs = [images(8, 16, 1), np.array([[0.1], [0.5]], np.float32)]
    np.testing.assert_allclose(run(model, inputs)[0], written_out(model, *inputs, 3), atol=1e-5)
    with pytest.raises(ValueError, match="'full' or 'small'. Received: variant='tiny'"):
        DPHSIR(channels=1, variant="tiny")


def test_any_number_of_bands_shares_the_weights():
    any_bands = DPHSIR(variant="small")
    for bands in (1, 3, 7):
        fixed = DPHSIR(channels=bands, variant="small")
        fixed.set_weights(any_bands.get_weights())
        inputs = [images(6, 5, bands), np.full((2, 1), 0.1, np.float32)]
        expected = run(fixed, inputs)[0]
        np.testing.assert_allclose(run(any_bands, inputs)[0], expected, atol=1e-5)


@pytest.mark.slow
def test_predict_equals_a_call():
    """The loop over an unknown number of bands also compiles."""
    model, inputs = DPHSIR(), [images(6, 5, 4), np.full((2, 1), 0.1, np.float32)]
    np.testing.assert_allclose(model.predict(inputs, verbose=0), run(model, inputs)[0], atol=1e-5)


@pytest.mark.slow_on_jax
def test_a_mirrored_image_is_restored_as_if_it_had_been_larger():
    model, image = DPHSIR(channels=1, variant="small"), images(10, 16, 1)
    larger = np.pad(image, [(0, 0), (0, 6), (0, 0), (0, 0)], "symmetric")
    sigma = np.full((2, 1), 0.1, np.float32)
    expected = run(model, [larger, sigma])[0][:, :10]
    np.testing.assert_allclose(run(model, [image, sigma])[0], expected, atol=1e-6)


def test_the_noise_level_matters():
    model, image = DPHSIR(channels=1, variant="small"), images(8, 8, 1)
    low, high = (run(model, [image, np.full((2, 1), level)])[0] for level in (0.0, 0.2))
    assert np.abs(low - high).max() > 1e-3


@pytest.mark.parametrize("bands", [0, -1, 3.0, True, "31"])
def test_other_numbers_of_bands_are_refused(bands):
    with pytest.raises(
        ValueError, match=f"channels must be an int from 1. Received: channels={bands!r}"
    ):
        DPHSIR(channels=bands)


@pytest.mark.slow_on_jax
@pytest.mark.parametrize("direction", ["forward", "backward", "both"])
@pytest.mark.parametrize("bands", [1, 3])
@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_training_gives_the_same(bands, direction, dtype):
    """In training the recurrence over few bands is one compiled step on TensorFlow."""
    unit = QuasiRecurrentUnit(4, direction=direction, dtype=dtype)
    volume = rng.standard_normal((2, bands, 6, 5, 3)).astype(np.float32)
    expected = keras.ops.convert_to_numpy(keras.ops.cast(unit(volume), "float32"))
    found = keras.ops.convert_to_numpy(keras.ops.cast(unit(volume, training=True), "float32"))
    # Rounded to bfloat16 at the end in both, from float32 values that may differ by a last bit.
    bound = 1e-6 if dtype == "float32" else 2**-8
    np.testing.assert_allclose(found, expected, rtol=0, atol=bound)


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="JAX compiles with XLA anyway")
@pytest.mark.slow
@pytest.mark.parametrize("bands", [1, 3])
def test_few_bands_train_as_a_whole_under_xla(bands):
    found = []
    for jit in (False, True):
        keras.utils.set_random_seed(0)
        model = small_grunet(bands)
        assert all(layer.supports_jit for layer in model.layers)
        model.compile("sgd", "mse", jit_compile=jit)
        inputs = [images(8, 8, bands), np.full((2, 1), 0.1, np.float32)]
        found.append([model.train_on_batch(inputs, images(8, 8, bands)) for _ in range(3)])
    np.testing.assert_allclose(found[1], found[0], rtol=1e-5)


def test_units_refuse_other_arguments():
    with pytest.raises(ValueError, match="direction must be .* Received: direction='up'"):
        QuasiRecurrentUnit(2, direction="up")
    with pytest.raises(ValueError, match="kernel_size must be odd. Received: kernel_size=2"):
        QuasiRecurrentUnit(2, kernel_size=2)
