"""Weights read from the prediction and errors after a curve, with every other option."""

import itertools

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
    Reciprocal,
    Slope,
    Window,
)
from tests.asykeras.gradients import gradient
from tests.asykeras.test_weighting import LABELS, eq_2, grey, table_1


def value(loss, *arguments, **options):
    return np.asarray(ops.convert_to_numpy(loss(*arguments, **options)), np.float64)


def pair(name, dtype="float32"):
    label = LABELS[name].astype(dtype)
    noise = np.random.default_rng(3).normal(0, 0.1, label.shape)
    return label, (label + noise).astype(dtype)


def srgb(x):
    return np.where(x < 0.0031308, 12.92 * x, 1.055 * np.maximum(x, 1e-9) ** (1 / 2.4) - 0.055)


def mu_law(x):
    return np.where(x < 0, 100 * x, np.log1p(100 * np.maximum(x, 0))) / np.log(101)


def power(label):
    return (np.maximum(grey(label), 0) + 0.05) ** -2.0


CURVES = {None: (None, lambda x: x), "srgb": (SRGB(), srgb), "mu-law": (MuLaw(100), mu_law)}
WEIGHTINGS = {
    "reciprocal": (Reciprocal(), eq_2, True),
    "quartile": (Quartile(0.75), lambda label: table_1(label, 0.75), True),
    "power": (Power(2, epsilon=0.05), power, False),
}


def by_formula(label, restored, *, weighting, reference, domain, apply_to, normalize, balanced):
    """Return the weighted squared error of each pixel, `(batch, ...)`, in float64."""
    _, weigh, declared = WEIGHTINGS[weighting]
    label, restored = label.astype(float), restored.astype(float)
    axes = tuple(range(1, label.ndim))
    read = restored if reference == "prediction" else label
    if normalize:
        low, high = label.min(axes, keepdims=True), label.max(axes, keepdims=True)
        read = (read - low) / np.where(high > low, high - low, 1)
    if reference == "prediction":
        whole = declared or normalize
        read = np.clip(read, *((0, 1) if whole else (min(label.min(), 0), max(label.max(), 1))))
    weights = weigh(read)
    if balanced:
        weights = weights / weights.mean(axes, keepdims=True)
    _, curve = CURVES[domain]
    y, f = curve(label), curve(restored)
    if apply_to == "images":
        return ((weights * f - weights * y) ** 2).mean(-1)
    return (weights * (f - y) ** 2).mean(-1)


OPTIONS = [
    {
        "weighting": weighting,
        "reference": reference,
        "domain": domain,
        "apply_to": apply_to,
        "normalize": normalize,
        "balanced": balanced,
    }
    for weighting, reference, domain, apply_to, normalize, balanced in itertools.product(
        WEIGHTINGS,
        ["label", "prediction"],
        CURVES,
        ["error", "images"],
        [False, True],
        [False, True],
    )
]


def loss_of(weighting, domain, **options):
    return AsyMSE(WEIGHTINGS[weighting][0], domain=CURVES[domain][0], **options)


def named(options):
    return "-".join(str(option) for option in options.values())


@pytest.mark.parametrize("options", OPTIONS, ids=named)
def test_every_combination_by_its_formula(options):
    loss = loss_of(**options)
    for name in ("random", "half black", "colour"):  # every shape: below
        label, restored = pair(name)
        expected = by_formula(label, restored, **options).mean()
        found = value(loss, label, restored)
        np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-9, err_msg=name)


@pytest.mark.parametrize("name", LABELS)
@pytest.mark.parametrize("reference", ["label", "prediction"])
@pytest.mark.parametrize("weighting", ["reciprocal", "power"])
def test_every_shape_by_its_formula(name, reference, weighting):
    options = {"weighting": weighting, "reference": reference, "domain": "srgb"}
    options |= {"apply_to": "error", "normalize": False, "balanced": True}
    label, restored = pair(name)
    expected = by_formula(label, restored, **options).mean()
    found = value(loss_of(**options), label, restored)
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-9)


@pytest.mark.parametrize("options", OPTIONS, ids=named)
def test_every_combination_with_a_mask_and_sample_weights(options):
    """Keras divides by the pixels that the mask leaves; the weights of M know no mask."""
    random = np.random.default_rng(5)
    label, restored = pair("colour")
    mask, samples = random.random((2, 6, 5)) > 0.4, random.uniform(0.5, 2, (2, 6, 5))
    errors = by_formula(label, restored, **options)
    for given, each in ((None, 1.0), (samples, samples), (samples[:, 0, 0], samples[:, :1, :1])):
        prediction = ops.convert_to_tensor(restored)
        keras.src.backend.set_keras_mask(prediction, ops.convert_to_tensor(mask))
        expected = (errors * each)[mask].mean()
        found = value(loss_of(**options), label, prediction, given)
        np.testing.assert_allclose(found, expected, rtol=2e-5)


@pytest.mark.parametrize("options", OPTIONS[::5], ids=named)  # 5 divides no count of choices
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_a_mixed_policy_rounds_the_images_alone(options, policy):
    """The network's output is of 16 bits; its error and weights are those of float32."""
    keras.config.set_dtype_policy(policy)
    half = policy.removeprefix("mixed_")
    label, restored = pair("colour")
    output = keras.layers.Identity()(ops.convert_to_tensor(restored))
    assert keras.backend.standardize_dtype(output.dtype) == half
    rounded = np.asarray(ops.convert_to_numpy(ops.cast(output, "float32")))
    found = loss_of(**options)(label, output)
    assert keras.backend.standardize_dtype(found.dtype) == "float32"
    expected = by_formula(label, rounded, **options).mean()
    np.testing.assert_allclose(float(found), expected, rtol=2e-5)


def test_channels_first_and_sample_weights():
    label, restored = pair("colour")
    options = {"reference": "prediction", "domain": MuLaw(100), "balanced": True}
    last = AsyMAE(Power(2), **options)
    first = AsyMAE(Power(2), data_format="channels_first", **options)
    turned = [np.moveaxis(image, -1, 1) for image in (label, restored)]
    weights = np.array([2.0, 0.5])
    assert value(first, *turned, weights) == pytest.approx(
        float(value(last, label, restored, weights))
    )
    mask = np.random.default_rng(5).random((2, 6, 5)) > 0.4
    masked = []
    for loss, images in ((last, (label, restored)), (first, turned)):
        prediction = ops.convert_to_tensor(images[1])
        keras.src.backend.set_keras_mask(prediction, ops.convert_to_tensor(mask))
        masked.append(float(value(loss, images[0], prediction, weights)))
    assert masked[0] == pytest.approx(masked[1])
    assert masked[0] != pytest.approx(float(value(last, label, restored, weights)))
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
