"""Weights read from the prediction and errors after a curve, with every other option."""

import keras
import numpy as np
import pytest
from keras import ops

from asykeras import (
    SRGB,
    AsyMAE,
    AsymmetricLoss,
    AsyMSE,
    MuLaw,
    Power,
    Quartile,
    Slope,
    Window,
)
from tests.asykeras.gradients import gradient
from tests.asykeras.test_weighting import LABELS, eq_2, grey


def value(loss, *arguments, **options):
    return np.asarray(ops.convert_to_numpy(loss(*arguments, **options)), np.float64)


def pair(name, dtype="float32"):
    label = LABELS[name].astype(dtype)
    noise = np.random.default_rng(3).normal(0, 0.1, label.shape)
    return label, (label + noise).astype(dtype)


def srgb(x):
    return np.where(x < 0.0031308, 12.92 * x, 1.055 * np.maximum(x, 1e-9) ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("name", LABELS)
@pytest.mark.parametrize("domain", [None, SRGB()])
@pytest.mark.parametrize("apply_to", ["error", "images"])
@pytest.mark.parametrize("balanced", [False, True])
@pytest.mark.parametrize("normalized", [False, True])
def test_every_combination_by_its_formula(name, domain, apply_to, balanced, normalized):
    label, restored = (image.astype(float) for image in pair(name))
    read = restored
    if normalized:
        axes = tuple(range(1, label.ndim))
        low, high = label.min(axes, keepdims=True), label.max(axes, keepdims=True)
        read = (restored - low) / np.where(high > low, high - low, 1)
    weights = eq_2(np.clip(read, 0, 1))
    if balanced:
        weights = weights / weights.mean(tuple(range(1, label.ndim)), keepdims=True)
    y, f = (srgb(label), srgb(restored)) if domain else (label, restored)
    squared = (weights * f - weights * y) ** 2 if apply_to == "images" else weights * (f - y) ** 2
    loss = AsyMSE(
        reference="prediction",
        domain=domain,
        apply_to=apply_to,
        balanced=balanced,
        normalize=normalized,
    )
    found = value(loss, *pair(name))
    np.testing.assert_allclose(found, squared.mean(), rtol=2e-5, atol=1e-9)


def test_channels_first_masks_and_sample_weights():
    label, restored = pair("colour")
    options = {"reference": "prediction", "domain": MuLaw(100), "balanced": True}
    last = AsyMAE(Power(2), **options)
    first = AsyMAE(Power(2), data_format="channels_first", **options)
    turned = [np.moveaxis(image, -1, 1) for image in (label, restored)]
    weights = np.array([2.0, 0.5])
    assert value(first, *turned, weights) == pytest.approx(
        float(value(last, label, restored, weights))
    )
    np.testing.assert_allclose(
        ops.convert_to_numpy(first.weights(*turned))[:, 0],
        ops.convert_to_numpy(last.weights(label, restored))[..., 0],
        rtol=1e-6,
    )
    each = [float(value(last, label[n : n + 1], restored[n : n + 1])) for n in range(2)]
    assert value(last, label, restored, weights) == pytest.approx((2 * each[0] + 0.5 * each[1]) / 2)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_black_and_negative_predictions_are_finite_in_every_type(dtype, policy):
    keras.config.set_dtype_policy(policy)
    label = np.array([0, 0, 0.5, 1]).reshape(1, 2, 2, 1)
    restored = np.array([0, -0.1, 1.5, 1e-6]).reshape(1, 2, 2, 1)
    for loss in (
        AsyMSE(Slope(SRGB()), reference="prediction", domain=SRGB(), dtype=dtype),
        AsymmetricLoss("mse", None, domain=MuLaw(5000), dtype=dtype),
        AsyMSE(Power(2, epsilon=0.01), reference="prediction", dtype=dtype),
        AsymmetricLoss("charbonnier", None, domain=SRGB(), dtype=dtype),
    ):
        found = loss(label.astype("float16"), restored.astype("float16"))
        assert keras.backend.standardize_dtype(found.dtype) in (dtype, "float32")
        assert np.isfinite(float(found))
        slope = gradient(lambda f, loss=loss: loss(label.astype("float32"), f), restored)
        assert np.isfinite(slope).all()
        assert slope[0, 0, 1, 0] < 0  # pulled up again


def test_no_gradient_flows_through_the_weights():
    label, restored = np.full((1, 1, 1, 1), 0.5), np.full((1, 1, 1, 1), 0.3)
    loss = AsyMSE(Power(1, epsilon=0.2), reference="prediction")
    found = gradient(lambda f: loss(label.astype("float32"), f), restored)
    assert found == pytest.approx(2 * (0.3 - 0.5) / 0.5)


def test_a_prediction_is_clipped_to_the_range_of_the_labels():
    label = np.array([[0.0, 0.5, 1.0]])
    prediction = np.array([[-9.0, 0.5, 9.0]])
    declared = AsyMSE(reference="prediction").weights(label, prediction)
    np.testing.assert_allclose(ops.convert_to_numpy(declared), eq_2(label), rtol=1e-6)
    hdr = AsyMSE(Power(1, epsilon=1), reference="prediction").weights(2 * label, prediction)
    np.testing.assert_allclose(ops.convert_to_numpy(hdr), [[1, 1 / 1.5, 1 / 3]], rtol=1e-6)

    def steep(y):
        return 1 / (y + 1001)

    found = AsyMSE(steep, reference="prediction").weights(label - 1000, prediction)
    np.testing.assert_allclose(
        ops.convert_to_numpy(found), [[1 / 992, 1 / 1001.5, 1 / 1002]], rtol=1e-4
    )


def test_a_window_of_ct_numbers():
    label, restored = np.array([[-1000.0, 40.0, 140.0]]), np.array([[-900.0, 60.0, 140.0]])
    loss = AsymmetricLoss("mae", None, domain=Window(40, width=400))
    assert value(loss, label, restored) == pytest.approx((0.1 * 100 / 400 + 20 / 400) / 3)
    weights = AsyMSE(Slope(Window(40, width=400))).weights(label)
    np.testing.assert_allclose(
        ops.convert_to_numpy(weights), [[0.1**2 / 400**2, 1 / 400**2, 1 / 400**2]], rtol=1e-6
    )


def test_a_domain_may_be_any_callable():
    label, restored = pair("random")
    loss = AsymmetricLoss("mse", None, domain=ops.square)
    expected = ((restored.astype(float) ** 2 - label.astype(float) ** 2) ** 2).mean()
    assert value(loss, label, restored) == pytest.approx(expected, rel=1e-5)


def test_without_a_weighting_it_is_the_plain_error():
    label, restored = pair("colour")
    for error, plain in (
        ("mse", keras.losses.MeanSquaredError),
        ("mae", keras.losses.MeanAbsoluteError),
    ):
        assert value(AsymmetricLoss(error, None), label, restored) == pytest.approx(
            float(value(plain(), label, restored)), rel=1e-6
        )


@pytest.mark.parametrize(
    "loss",
    [
        AsyMSE(Slope(SRGB()), reference="prediction", domain=MuLaw(100), dtype="float64"),
        AsymmetricLoss("huber", None, domain=Window(0.5, width=0.5)),
        AsyMAE(Quartile(0.75), reference="prediction", normalize=True),
    ],
)
def test_they_are_saved(loss, tmp_path):
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert again.get_config() == loss.get_config()
    assert (again.domain, again.weighting) == (loss.domain, loss.weighting)
    assert value(again, *pair("colour")) == value(loss, *pair("colour"))
    model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Conv2D(3, 1)])
    model.compile(loss=loss)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.loss.get_config() == loss.get_config()


def test_files_without_the_new_arguments_load_as_before():
    config = AsyMSE(balanced=True).get_config()
    del config["reference"], config["domain"]
    again = AsyMSE.from_config(config)
    assert (again.reference, again.domain) == ("label", None)


@pytest.mark.parametrize("compiled", [False, True])
def test_fit_with_a_prediction_weight(compiled):
    label = LABELS["colour"].astype("float32")
    model = keras.Sequential([keras.Input((6, 5, 3)), keras.layers.Conv2D(3, 1)])
    loss = AsyMSE(Power(2), reference="prediction", domain=SRGB())
    model.compile("sgd", loss, jit_compile=compiled, run_eagerly=False)
    history = model.fit(label, label, batch_size=2, epochs=8, verbose=0).history["loss"]
    assert history[-1] < history[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"reference": "input"},
            "reference must be 'label' or 'prediction'. Received: reference='input'",
        ),
        (
            {"domain": "srgb"},
            r"domain must be None or a curve such as SRGB\(\). Received: domain='srgb'",
        ),
        (
            {"weighting": None, "reference": "prediction"},
            "reference says what is done with weights, and weighting=None has none. "
            "Received: reference='prediction'",
        ),
        ({"weighting": None, "apply_to": "images"}, "apply_to says what is done with weights"),
        ({"weighting": None, "normalize": True}, "normalize says .* Received: normalize=True"),
        ({"weighting": None, "balanced": True}, "balanced says .* Received: balanced=True"),
    ],
)
def test_what_means_nothing_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        AsyMSE(**options)


def test_weights_that_are_not_there():
    label, _ = pair("random")
    with pytest.raises(ValueError, match="there are no weights. Received: weighting=None"):
        AsymmetricLoss("mse", None).weights(label)
    with pytest.raises(ValueError, match="there are no weights. Received: y_pred=None"):
        AsyMSE(reference="prediction").weights(label)
    np.testing.assert_allclose(
        ops.convert_to_numpy(AsyMSE(reference="prediction").weights(label, label)),
        eq_2(label),
        rtol=1e-6,
    )
    assert grey(label).shape == label.shape
