"""The losses against the paper's equations in NumPy, and the contract of a Keras loss."""

import re

import keras
import numpy as np
import pytest
from keras import ops

from asykeras import AsyMAE, AsymmetricLoss, AsyMSE, Quartile, Reciprocal
from asykeras.errors import Charbonnier, Huber
from tests.asykeras.test_weighting import LABELS, eq_2, table_1

rng = np.random.default_rng(2)


@keras.saving.register_keras_serializable(package="tests")
class Level:
    """A weighting of one's own, with no more than the docs ask for."""

    def __init__(self, level):
        self.level = level

    def __call__(self, y_true):
        return ops.full_like(y_true[..., :1], self.level)

    def get_config(self):
        return {"level": self.level}


CONFIGURED = [
    AsyMSE(
        Quartile(0.75),
        apply_to="images",
        normalize=True,
        balanced=True,
        data_format="channels_first",
        reduction="sum",
        name="mine",
        dtype="float64",
    ),
    AsyMAE("quartile", apply_to="images", dtype="float16", reduction=None),
    AsymmetricLoss(
        Huber(0.3), Reciprocal(1e-3), balanced=True, reduction="mean_with_sample_weight"
    ),
    AsymmetricLoss(Charbonnier(0.01), normalize=True),
    AsymmetricLoss(keras.losses.log_cosh),
    AsymmetricLoss(weighting=Level(0.5)),
]


def value(loss, *arguments, **options):
    return np.asarray(ops.convert_to_numpy(loss(*arguments, **options)), np.float64)


def pair(name, dtype="float32"):
    label = LABELS[name].astype(dtype)
    noise = np.random.default_rng(3).normal(0, 0.1, label.shape)
    return label, (label + noise).astype(dtype)


@pytest.mark.parametrize("name", LABELS)
@pytest.mark.parametrize("power", [1, 2])
def test_eqs_2_to_5(name, power):
    label, restored = pair(name)
    expected = (eq_2(label) * np.abs(restored.astype(float) - label) ** power).mean()
    loss = {1: AsyMAE(), 2: AsyMSE()}[power]
    np.testing.assert_allclose(value(loss, label, restored), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", LABELS)
@pytest.mark.parametrize("power", [1, 2])
def test_table_1(name, power):
    label, restored = pair(name)
    weights = table_1(label, 0.25)
    expected = (np.abs(weights * restored - weights * label) ** power).mean()
    loss = {1: AsyMAE, 2: AsyMSE}[power]("quartile", apply_to="images")
    np.testing.assert_allclose(value(loss, label, restored), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", LABELS)
@pytest.mark.parametrize("loss", [AsyMAE(), AsyMSE()])
def test_float16_images(name, loss):
    label, restored = pair(name, "float16")
    errors = np.abs(restored.astype(float) - label.astype(float))
    expected = (eq_2(label.astype(float)) * errors ** (2 if loss.name == "asy_mse" else 1)).mean()
    np.testing.assert_allclose(value(loss, label, restored), expected, rtol=1e-6, atol=1e-6)


def test_the_example_of_the_docstrings():
    label, restored = np.array([[[[0.5]]]], "float32"), np.array([[[[0.7]]]], "float32")
    np.testing.assert_allclose(value(AsyMSE(), label, restored), 0.03928, atol=5e-6)
    np.testing.assert_allclose(value(AsyMAE(), label, restored), 0.19640, atol=5e-6)


def test_dark_pixels_cost_more():
    label = np.array([[[[0.1], [0.9]]]], "float32")
    dark = value(AsyMSE(), label, label + np.array([0.1, 0], "float32")[:, None])
    bright = value(AsyMSE(), label, label + np.array([0, 0.1], "float32")[:, None])
    np.testing.assert_allclose(dark / bright, 1.0 / (0.5 * np.tanh(1 / 0.9) + 0.5), rtol=1e-5)


def test_neutral_weights_give_the_plain_loss():
    label, restored = pair("colour")
    neutral = AsyMSE(lambda y_true: ops.ones_like(y_true[..., :1]))
    plain = keras.losses.MeanSquaredError()
    np.testing.assert_allclose(
        value(neutral, label, restored), value(plain, label, restored), rtol=1e-6
    )


def test_normalize_weighs_the_stretched_label_and_leaves_the_error():
    label, restored = pair("random")
    low, high = label.min((1, 2, 3), keepdims=True), label.max((1, 2, 3), keepdims=True)
    weights = eq_2((label - low) / (high - low))
    expected = (weights * (restored - label) ** 2).mean()
    np.testing.assert_allclose(value(AsyMSE(normalize=True), label, restored), expected, rtol=1e-5)


def test_balanced_weights_have_mean_one_per_image():
    label, restored = pair("random")
    weights = eq_2(label) / eq_2(label).mean((1, 2, 3), keepdims=True)
    expected = (weights * np.abs(restored - label)).mean()
    np.testing.assert_allclose(value(AsyMAE(balanced=True), label, restored), expected, rtol=1e-6)


def test_an_error_that_averages_the_channels_itself():
    label, restored = pair("colour")
    loss = AsymmetricLoss(keras.losses.mean_squared_error)
    np.testing.assert_allclose(
        value(loss, label, restored), value(AsyMSE(), label, restored), rtol=1e-6
    )


@pytest.mark.parametrize(
    "reduction", ["sum_over_batch_size", "sum", "none", "mean_with_sample_weight"]
)
def test_reductions(reduction):
    label, restored = pair("colour")  # (2, 6, 5, 3)
    each = (eq_2(label) * (restored - label) ** 2).mean(-1)
    sample = np.array([1.0, 3.0], "float32")
    weighted = each * sample[:, None, None]
    expected = {
        "sum_over_batch_size": weighted.sum() / each.size,
        "sum": weighted.sum(),
        "none": weighted,
        "mean_with_sample_weight": weighted.sum() / (sample.sum() * 6 * 5),
    }[reduction]
    got = value(AsyMSE(reduction=reduction), label, restored, sample_weight=sample)
    np.testing.assert_allclose(got, expected, rtol=1e-5)


@pytest.mark.parametrize("shape", [(4,), (4, 1), (4, 1, 1)])
def test_a_weight_per_image_is_never_read_as_a_weight_per_column(shape):
    label = np.zeros((4, 3, 4, 1), "float32")  # batch == width: plain Keras weighs the columns
    restored = np.zeros_like(label)
    restored[0] = 1.0
    sample = np.array([1.0, 0, 0, 0], "float32").reshape(shape)
    np.testing.assert_allclose(value(AsyMSE(), label, restored, sample_weight=sample), 0.25)


def test_a_weight_per_pixel():
    label, restored = pair("random")
    sample = (np.arange(9 * 7 * 3).reshape(3, 9, 7) % 2).astype("float32")
    expected = (eq_2(label) * (restored - label) ** 2)[..., 0] * sample
    got = value(AsyMSE(), label, restored, sample_weight=sample)
    np.testing.assert_allclose(got, expected.mean(), rtol=1e-5)


def test_masked_pixels_do_not_count():
    label, restored = pair("random")
    mask = rng.random((3, 9, 7)) > 0.5
    prediction = ops.convert_to_tensor(restored)
    keras.src.backend.set_keras_mask(prediction, ops.convert_to_tensor(mask))
    expected = (eq_2(label) * (restored - label) ** 2)[..., 0][mask].mean()
    np.testing.assert_allclose(value(AsyMSE(), label, prediction), expected, rtol=1e-5)


@pytest.mark.parametrize("name", LABELS)
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_gradients_are_finite(name, dtype):
    label, restored = pair(name, dtype)
    layer = keras.layers.Rescaling(1.0)
    model = keras.Sequential([layer, Gain()])
    model.compile(keras.optimizers.SGD(1.0), AsyMSE("quartile"), jit_compile=False)
    model.train_on_batch(restored, label)
    assert np.isfinite(model.get_weights()[0])


class Gain(keras.layers.Layer):
    def build(self, shape):
        self.gain = self.add_weight(shape=(), initializer="ones")

    def call(self, x):
        return x * self.gain


def fitted(loss, label, degraded, jit=False, sample_weight=None):
    """Return the gain after one step of SGD from 1: it shows the gradient."""
    model = keras.Sequential([Gain()])
    model.compile(keras.optimizers.SGD(1.0), loss, jit_compile=jit)
    model.fit(degraded, label, batch_size=len(label), sample_weight=sample_weight, verbose=0)
    return float(model.get_weights()[0])


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("weighting", ["reciprocal", "quartile"])
def test_the_gradient_in_fit_is_that_of_the_formula(weighting, jit):
    label, degraded = pair("random")
    weights = eq_2(label) if weighting == "reciprocal" else table_1(label, 0.25)
    expected = 1 - (2 * weights * (degraded - label) * degraded).mean()
    got = fitted(AsyMSE(weighting), label, degraded, jit)
    np.testing.assert_allclose(got, expected, rtol=1e-5)


def test_fit_with_a_weight_per_image():
    label, degraded = pair("random")
    label, degraded = label[:, :3, :3], degraded[:, :3, :3]  # batch == width == 3
    sample = np.array([1.0, 0, 0], "float32")
    weights = eq_2(label) * sample[:, None, None, None]
    expected = 1 - (2 * weights * (degraded - label) * degraded).mean()
    got = fitted(AsyMSE(), label, degraded, sample_weight=sample)
    np.testing.assert_allclose(got, expected, rtol=1e-5)


def test_no_gradient_flows_through_the_weights():
    label, _ = pair("random")
    model = keras.Sequential([Gain()])
    loss = AsyMSE()

    class LabelFromModel(keras.losses.Loss):
        def call(self, y_true, y_pred):
            return ops.mean(loss.weights(y_pred) + 0.0 * y_pred, axis=-1)

    model.compile(keras.optimizers.SGD(1.0), LabelFromModel(), jit_compile=False)
    model.fit(label, label, verbose=0)
    assert float(model.get_weights()[0]) == 1.0


def test_mixed_precision_computes_the_loss_in_float32():
    keras.config.set_dtype_policy("mixed_float16")
    label, restored = pair("random")
    loss = AsyMSE()
    half = ops.convert_to_tensor(restored.astype("float16"))
    expected = (eq_2(label) * (restored.astype("float16").astype(float) - label) ** 2).mean()
    assert loss.dtype == "float32"
    np.testing.assert_allclose(value(loss, label, half), expected, rtol=1e-6)


@pytest.mark.parametrize("loss", CONFIGURED)
def test_round_trip_keeps_every_argument(loss):
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert type(again) is type(loss)
    assert again.get_config() == loss.get_config()
    assert again.dtype == loss.dtype
    label, restored = pair("colour")
    np.testing.assert_array_equal(value(again, label, restored), value(loss, label, restored))


@pytest.mark.parametrize("loss", [loss for loss in CONFIGURED if loss.reduction])
def test_a_saved_model_comes_back_compiled_with_its_loss(loss, tmp_path):
    model = keras.Sequential([keras.Input((None, None, 1)), keras.layers.Conv2D(1, 1)])
    model.compile("sgd", loss)
    model.train_on_batch(*pair("random"))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.loss.get_config() == loss.get_config()


def test_shapes_that_differ_are_refused():
    label, restored = pair("colour")
    message = r"must have the same .*: y_true.shape=\(2, 6, 5, 3\), y_pred.shape=\(2, 6, 5, 1\)"
    with pytest.raises(ValueError, match=message):
        AsyMSE()(label, restored[..., :1])
    with pytest.raises(ValueError, match="must have the same shape"):
        AsyMSE()(label[..., 0], restored)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_labels_that_are_not_finite_are_refused(bad):
    label, restored = pair("random")
    label = label.copy()
    label[0, 0, 0] = bad
    with pytest.raises(ValueError, match="labels must be finite. Received: nan_or_infinite=1"):
        AsyMSE()(label, restored)


def test_8_bit_labels_are_refused():
    label = np.full((1, 2, 2, 1), 200, "uint8")
    with pytest.raises(ValueError, match="divide 8-bit images by 255.* Received: dtype='uint8'"):
        AsyMSE()(label, label.astype("float32"))


def test_a_batch_axis_alone_is_refused():
    with pytest.raises(
        ValueError, match=r"images need a batch axis and at least one more. Received: shape=\(3,\)"
    ):
        AsyMSE()(np.zeros(3, "float32"), np.zeros(3, "float32"))


@pytest.mark.parametrize("shape", [(2,), (2, 1), (9, 7), (3, 9), (3, 7, 9), (3, 9, 7, 2)])
def test_a_sample_weight_of_another_shape_is_refused(shape):
    label, restored = pair("random")
    message = (
        r"sample_weight must be a number, one weight per image or one per pixel: of shape \(\), "
        rf"\(3,\) or \(3, 9, 7\). Received: sample_weight.shape={re.escape(str(shape))}"
    )
    with pytest.raises(ValueError, match=message):
        AsyMSE()(label, restored, sample_weight=np.ones(shape, "float32"))


@pytest.mark.parametrize(
    "weight", [2, 2.5, [1, 2, 3], [[1], [2.0], [0]], np.array([True, False, True])]
)
@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "mean_with_sample_weight"])
def test_sample_weights_may_be_numbers_and_lists(weight, reduction):
    label, restored = pair("random")
    each = (eq_2(label) * (restored - label) ** 2).mean((1, 2, 3))
    weights = np.broadcast_to(np.ravel(np.asarray(weight, float)), 3)
    divisor = 3 if reduction == "sum_over_batch_size" else weights.sum()
    got = value(AsyMSE(reduction=reduction), label, restored, sample_weight=weight)
    np.testing.assert_allclose(got, (each * weights).sum() / divisor, rtol=1e-5)


@pytest.mark.parametrize("options", [{}, {"error": "mae", "apply_to": "images", "balanced": True}])
@pytest.mark.parametrize("name", ["colour", "bands", "volume", "signal"])
def test_channels_first_gives_the_same_loss(name, options):
    label, restored = pair(name)
    first = [np.moveaxis(x, -1, 1) if label.ndim > 2 else x for x in (label, restored)]
    weight = np.arange(1, 1 + len(label), dtype="float32")
    expected = value(AsymmetricLoss(**options), label, restored, sample_weight=weight)
    keras.config.set_image_data_format("channels_first")
    loss, last = AsymmetricLoss(**options), AsymmetricLoss(**options, data_format="channels_last")
    np.testing.assert_allclose(value(loss, *first, sample_weight=weight), expected, rtol=1e-6)
    np.testing.assert_array_equal(value(last, label, restored, sample_weight=weight), expected)
    weights = np.moveaxis(loss.weights(first[0]), 1, -1) if label.ndim > 2 else loss.weights(label)
    np.testing.assert_array_equal(weights, last.weights(label))


@pytest.mark.parametrize("weighting", ["reciprocal", "quartile"])
@pytest.mark.parametrize(("factor", "shift"), [(255, 0), (2, -1), (4095, 0)])
def test_labels_in_another_range_are_refused(weighting, factor, shift):
    label = np.linspace(0, 1, 30, dtype="float32").reshape(2, 5, 3, 1) * factor + shift
    message = (
        rf"{weighting.title()} expects labels in \[0, 1\]: divide 8-bit images by 255, or give the "
        rf"loss normalize=True. Received: least={shift}, most={factor + shift}"
    )
    loss = AsyMSE(weighting)
    for use in (lambda: loss(label, label), lambda: loss.weights(label)):
        with pytest.raises(ValueError, match=message):
            use()
    model = keras.Sequential([keras.layers.Identity()])
    model.compile("sgd", loss, run_eagerly=True)
    with pytest.raises(ValueError, match=message):
        model.evaluate(label, label, verbose=0)


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("options", [{}, {"reference": "prediction"}, {"weighting": "quartile"}])
def test_a_compiled_loss_of_labels_in_another_range_is_nan_and_trains_on(jit, options):
    if not jit and keras.backend.backend() == "jax":
        pytest.skip("JAX runs eagerly without jit")
    label = np.linspace(0, 1, 36, dtype="float32").reshape(3, 4, 3, 1)
    model = keras.Sequential([keras.layers.Conv2D(1, 1)])
    model.compile(keras.optimizers.SGD(1e-9), AsyMSE(**options), jit_compile=jit)
    losses = {}
    for factor in (255, 1):
        fitted = model.fit(label * factor, label * factor, batch_size=2, verbose=0)
        losses[factor] = fitted.history["loss"][0]
    assert np.isnan(losses[255])
    assert np.isfinite(losses[1])
    assert all(np.isfinite(each).all() for each in model.get_weights())
    with pytest.raises(ValueError, match=r"expects labels in \[0, 1\]"):
        AsyMSE(**options)(label * 255, label)


@pytest.mark.parametrize(
    "loss", [AsyMSE(normalize=True), AsyMSE(Level(1.0)), AsyMSE(lambda y_true: y_true)]
)
@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_labels_of_any_range_where_none_is_expected(loss, dtype):
    label = np.arange(30).reshape(2, 5, 3, 1).astype(dtype)
    assert value(loss, label, label + np.float32(1)) > 0


def test_noise_and_overshoot_stay_within_the_range():
    label = np.array([[[[-0.45], [0.5], [1.45]]]], "float32")
    assert np.isfinite(value(AsyMSE(), label, label))


def test_names_of_losses_are_no_strings_of_keras():
    model, label = keras.Sequential([keras.layers.Identity()]), LABELS["random"]
    for name in ("asy_mse", "AsyMSE", "asykeras>AsyMSE"):
        model.compile(loss=name)
        with pytest.raises(ValueError, match="Could not interpret loss identifier"):
            model.evaluate(label, label, verbose=0)
    assert keras.saving.get_registered_object("asykeras>AsyMSE") is AsyMSE
    label, restored = pair("random")
    model.compile(loss=AsyMSE)
    found = model.evaluate(restored, label, verbose=0)
    np.testing.assert_allclose(found, value(AsyMSE(), label, restored), rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"error": "l2"},
            r"error must be one of \['charbonnier', 'huber', 'mae', 'mse'\] .* error='l2'",
        ),
        (
            {"weighting": "tanh"},
            r"weighting must be one of \['quartile', 'reciprocal'\] .* weighting='tanh'",
        ),
        (
            {"apply_to": "labels"},
            "apply_to must be 'error' or 'images'. Received: apply_to='labels'",
        ),
        ({"reduction": "median"}, "reduction=median"),
    ],
)
def test_unknown_names_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        AsymmetricLoss(**options)


def test_an_error_that_averages_too_much_is_refused():
    label, restored = pair("colour")
    loss = AsymmetricLoss(lambda y_true, y_pred: ops.mean(ops.abs(y_true - y_pred), axis=(1, 2, 3)))
    with pytest.raises(ValueError, match="one value per element or per pixel"):
        loss(label, restored)
