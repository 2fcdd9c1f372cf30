"""The fused batch normalisation against Keras' own."""

import keras
import numpy as np
import pytest
from keras import ops

import zoo
from recipes.training.normalization import BatchNormalization as Fused
from recipes.training.normalization import with_fast_normalization
from zoo.networks.dncnn import fold_batch_norm

rng = np.random.default_rng(0)
TENSORFLOW = keras.backend.backend() == "tensorflow"
fused_only = pytest.mark.skipif(not TENSORFLOW, reason="other backends use Keras' own kernels")


def layers(**options):
    """Return Keras' layer and the fused one with the same weights, negative gammas too."""
    pair = [
        kind(momentum=0.9, epsilon=1e-4, **options)
        for kind in (keras.layers.BatchNormalization, Fused)
    ]
    arrays = [*rng.normal(size=(3, 5)), rng.uniform(0.2, 3, 5)]
    for layer in pair:
        layer.build((None, None, None, 5))
        layer.set_weights(arrays)
    return pair


def activations(offset=0.0):
    """Return (4, 6, 7, 5) of standard deviations from 0.1 to 3 and any mean."""
    spread, mean = np.linspace(0.1, 3, 5), offset * rng.normal(size=5)
    return (rng.normal(size=(4, 6, 7, 5)) * spread + mean).astype("float32")


def trained(layer, x, weights):
    """Return outputs, gradients of the weighted sum of outputs, and the moved statistics."""
    import tensorflow as tf

    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        outputs = tf.cast(layer(x, training=True), "float32")
        total = tf.reduce_sum(outputs * weights)
    gradients = tape.gradient(total, [x, *(each.value for each in layer.trainable_variables)])
    return [np.asarray(each) for each in (outputs, *gradients, *layer.get_weights()[2:])]


@fused_only
@pytest.mark.parametrize(("offset", "tolerance"), [(0.0, 3e-6), (5.0, 1e-4)])
def test_it_trains_as_keras_layer_does(offset, tolerance):
    x, weights = activations(offset), rng.normal(size=(4, 6, 7, 5))
    theirs, ours = (trained(layer, x, weights) for layer in layers())
    for expected, actual in zip(theirs, ours, strict=True):
        scale = np.abs(expected).max()
        np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance * scale)


@fused_only
def test_under_mixed_precision_only_the_activations_are_rounded():
    keras.config.set_dtype_policy("mixed_bfloat16")
    x = activations()
    weights = rng.normal(size=x.shape)
    theirs, ours = (trained(layer, x, weights) for layer in layers())
    for index in (-2, -1):  # the statistics
        np.testing.assert_allclose(ours[index], theirs[index], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(ours[0], theirs[0], rtol=2**-7, atol=2**-8)  # a digit of bfloat16


@fused_only
def test_the_moving_variance_is_the_biased_one():
    """Of 0 and 2 the variance is 1, not the kernel's 2; moved by a tenth from 1: 1."""
    layer = Fused(momentum=0.9)
    layer(np.array([0.0, 2.0], "float32").reshape(1, 1, 2, 1), training=True)
    np.testing.assert_allclose(layer.get_weights()[3], [1.0], rtol=1e-6)


def test_one_pixel_has_no_variance():
    layer = Fused(momentum=0.9)
    output = layer(np.full((1, 1, 1, 1), 7.0, "float32"), training=True)
    assert ops.convert_to_numpy(output).item() == 0.0
    np.testing.assert_allclose(layer.get_weights()[2:], [[0.7], [0.9]], rtol=1e-6)


@pytest.mark.parametrize("training", [False, True])
def test_a_frozen_layer_and_inference_are_keras_own(training):
    theirs, ours = layers(trainable=not training)
    x = activations()
    np.testing.assert_array_equal(ours(x, training=training), theirs(x, training=training))


@pytest.mark.parametrize(
    "options",
    [{"renorm": True}] + [{"dtype": "float64"}, {"synchronized": True}] * TENSORFLOW,
)
def test_what_the_kernels_do_not_know_is_keras_own(options):
    x = activations()
    results = []
    for kind in (keras.layers.BatchNormalization, Fused):
        layer = kind(**options)
        results.append([layer(x, training=True), *layer.get_weights()])
    for expected, actual in zip(*results, strict=True):
        np.testing.assert_array_equal(actual, expected)


def test_a_mask_is_kept():
    x, mask = activations(), np.ones((4, 6, 7), bool)
    mask[:, 3:] = False
    theirs, ours = layers()
    expected = theirs(x, training=True, mask=mask)
    np.testing.assert_array_equal(ours(x, training=True, mask=mask), expected)


@fused_only
def test_files_are_keras_own_but_for_the_class(tmp_path, monkeypatch):
    monkeypatch.setattr("recipes.training.normalization.accelerated", lambda: False)
    keras.utils.set_random_seed(0)
    begun = zoo.DnCNN(variant="S", depth=4)
    model = with_fast_normalization(begun)
    for ours, theirs in zip(model.get_weights(), begun.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    model(rng.random((2, 8, 8, 1), dtype="float32"), training=True)
    model.save_weights(tmp_path / "model.weights.h5")
    model.save(tmp_path / "model.keras")
    plain = zoo.DnCNN(variant="S", depth=4, weights=str(tmp_path / "model.weights.h5"))
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert type(again.get_layer("bn2")) is Fused
    assert [each.path for each in plain.variables] == [each.path for each in model.variables]
    image = rng.random((1, 9, 5, 1), dtype="float32")
    merged = fold_batch_norm(model)
    for other in (plain, again, merged):
        np.testing.assert_allclose(other(image), model(image), atol=1e-5)


@pytest.mark.parametrize("accelerator", [False, True])
def test_the_layer_is_chosen_by_backend_and_device(accelerator, monkeypatch):
    monkeypatch.setattr("recipes.training.normalization.accelerated", lambda: accelerator)
    model = with_fast_normalization(zoo.DnCNN(depth=4))
    expected = Fused if TENSORFLOW and not accelerator else keras.layers.BatchNormalization
    assert [type(model.get_layer(name)) for name in ("bn2", "bn3")] == [expected, expected]
