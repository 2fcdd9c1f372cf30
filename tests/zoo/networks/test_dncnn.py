"""DnCNN: the published sizes, folding, and the authors' weights."""

from functools import partial

import keras
import numpy as np
import pytest

from tests.zoo.contracts import BuilderContract, convolve, images, run
from zoo.networks.dncnn import DnCNN, fold_batch_norm

rng = np.random.default_rng(0)


class TestDnCNN(BuilderContract):
    builder = staticmethod(partial(DnCNN, variant="S", depth=5))
    parameters = 640 + 3 * (36_864 + 4 * 64) + 577


class TestMergedColourDnCNN(BuilderContract):
    builder = staticmethod(partial(DnCNN, variant="C", depth=5, batch_norm=False))
    parameters = 1792 + 3 * (36_864 + 64) + 1731
    channels = 3


@pytest.mark.parametrize(
    ("variant", "channels", "merged", "trainable", "all_parameters"),
    [
        ("S", 1, 555_137, 556_097, 558_017),
        ("B", 1, 665_921, 667_073, 669_377),
        ("3", 1, 665_921, 667_073, 669_377),
        ("S", 3, 557_443, 558_403, 560_323),
        ("C", 3, 668_227, 669_379, 671_683),
    ],
)
def test_the_published_number_of_parameters(variant, channels, merged, trainable, all_parameters):
    model = DnCNN(variant=variant, channels=channels)
    assert sum(int(np.prod(each.shape)) for each in model.trainable_variables) == trainable
    assert model.count_params() == all_parameters
    assert DnCNN(variant=variant, channels=channels, batch_norm=False).count_params() == merged


def with_statistics(model):
    """Give the normalisations statistics and factors as after training, negative gammas too."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            gamma, beta, mean = rng.normal(size=(3, 64))
            layer.set_weights([gamma, beta, mean, rng.uniform(0.2, 3, 64)])
    return model


@pytest.mark.parametrize("channels", [1, 3])
def test_folding_keeps_the_output(channels):
    model = with_statistics(DnCNN(variant="S", depth=6, channels=channels))
    image = images(17, 12, channels)
    merged = fold_batch_norm(model)
    expected = run(model, image)[0]
    assert np.abs(expected - image).max() > 0.1
    np.testing.assert_allclose(run(merged, image)[0], expected, rtol=1e-5, atol=1e-5)


def test_folding_gives_the_merged_network():
    merged, built = fold_batch_norm(DnCNN(variant="B")), DnCNN(variant="B", batch_norm=False)
    assert [layer.name for layer in merged.layers] == [layer.name for layer in built.layers]
    assert merged.count_params() == 665_921


def test_folding_needs_a_network_with_batch_normalisation():
    with pytest.raises(ValueError, match="with batch normalisation. Received: model='dncnn_s'"):
        fold_batch_norm(DnCNN(variant="S", batch_norm=False))


def test_the_network_is_the_published_one():
    """Three convolutions with a normalisation in the middle, written out."""
    model, image = with_statistics(DnCNN(variant="S", depth=3)), images(5, 6, 1)
    x = np.maximum(convolve(image, *model.get_layer("conv1").get_weights()), 0)
    x = convolve(x, *model.get_layer("conv2").get_weights())
    gamma, beta, mean, variance = model.get_layer("bn2").get_weights()
    x = np.maximum(gamma * (x - mean) / np.sqrt(variance + 1e-4) + beta, 0)
    residual = convolve(x, *model.get_layer("conv3").get_weights())
    np.testing.assert_allclose(run(model, image)[0], image - residual, rtol=1e-5, atol=1e-5)


def test_without_weights_the_image_remains():
    model, image = DnCNN(variant="B", batch_norm=False), images(4, 4, 1)
    model.set_weights([np.zeros_like(array) for array in model.get_weights()])
    np.testing.assert_array_equal(run(model, image)[0], image)


@pytest.mark.parametrize("filters", [32, 64])
def test_training_begins_near_the_image(filters):
    """The residual has then the size of noise: gamma is 0.025, the least of the authors'."""
    model, image = DnCNN(variant="S", depth=7, filters=filters), images(40, 40, 1)
    residual = image - keras.ops.convert_to_numpy(model(image, training=True))
    assert 0 < residual.std() < 0.1
    np.testing.assert_array_equal(model.get_layer("bn2").get_weights()[0], np.float32(0.025))


def test_training_moves_the_statistics_by_a_tenth():
    model = DnCNN(variant="S", depth=3)
    values = run(keras.Model(model.input, model.get_layer("conv2").output), images(8, 8, 1))[0]
    model(images(8, 8, 1), training=True)
    moving_mean = model.get_layer("bn2").get_weights()[2]
    np.testing.assert_allclose(moving_mean, 0.1 * values.mean(axis=(0, 1, 2)), atol=1e-5)


def test_normalisation_stays_in_float32_under_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    layer = DnCNN(variant="S").get_layer("bn2")
    assert {each.dtype for each in layer.variables} == {"float32"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"variant": "T"}, "variant must be 'S', 'B', 'C' or '3'. Received: variant='T'"),
        ({"depth": 2}, "depth must be an int from 3. Received: depth=2"),
        ({"depth": 17.0}, "depth must be an int from 3. Received: depth=17.0"),
        ({"channels": 31}, "channels must be 1 or 3. Received: channels=31"),
    ],
)
def test_other_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        DnCNN(**arguments)


def official_weights(path):
    """Return kernels (H, W, in, out) and biases of a MatConvNet network in an HDF5 file."""
    h5py = pytest.importorskip("h5py")
    weights = []
    with h5py.File(path) as file:
        for reference in file["net/layers"][:, 0]:
            layer = file[reference]
            if "weights" in layer:
                kernel, bias = (file[each][()] for each in layer["weights"][:, 0])
                # MATLAB drops trailing dimensions of 1, and HDF5 reverses the order.
                kernel = kernel.reshape((1,) * (4 - kernel.ndim) + kernel.shape)
                weights += [kernel.transpose(3, 2, 1, 0), bias.ravel()]
    return weights


@pytest.mark.data
def test_the_authors_weights_give_the_authors_psnr(data):
    """Set12 01 to 07 at sigma 25: 30.34 dB in the mean with the released DnCNN-S."""
    image_module = pytest.importorskip("PIL.Image")
    file = data / "weights" / "dncnn_official_sigma25.mat"
    if not file.is_file():
        pytest.skip(f"no {file.name}")
    model = DnCNN(variant="S", batch_norm=False)
    model.set_weights(official_weights(file))
    paths = sorted((data / "set12").glob("0[1-7].png"))
    clean = np.stack([np.asarray(image_module.open(path)) for path in paths])[..., None] / 255
    noisy = clean + np.random.default_rng(0).normal(0, 25 / 255, clean.shape)
    restored = np.round(np.clip(run(model, noisy)[0], 0, 1) * 255) / 255
    errors = np.mean((restored - clean) ** 2, axis=(1, 2, 3))
    assert np.mean(-10 * np.log10(errors)) == pytest.approx(30.34, abs=0.05)
