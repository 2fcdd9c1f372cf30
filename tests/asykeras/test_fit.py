"""Losses and metrics in `fit`, `evaluate` and `predict`, fed in every way, against NumPy.

Five images in batches of two: the last batch is smaller, so TensorFlow traces unknown sizes.
"""

import keras
import numpy as np
import pytest
from keras import ops

from asykeras import NRMSE, PSNR, RMSE, SSIM, AsymmetricLoss, AsyMSE, Quartile
from tests.asykeras.test_weighting import eq_2, table_1

BATCHES = [slice(0, 2), slice(2, 4), slice(4, 5)]
RATE = 0.5
MODES = {
    "eager": {"run_eagerly": True},
    "graph": {"jit_compile": False},
    "jit": {"jit_compile": True},
}
rng = np.random.default_rng(7)
LABEL = rng.random((5, 3, 2, 1), dtype=np.float32)
IMAGE = (LABEL + rng.normal(0, 0.1, LABEL.shape)).astype("float32")
PER_IMAGE = np.array([1, 0.5, 2, 0, 3], "float32")
WEIGHTS = {
    "none": None,
    "(5,)": PER_IMAGE,
    "(5, 1)": PER_IMAGE[:, None],
    "(5, 3, 2)": rng.random((5, 3, 2), dtype=np.float32),
    "(5, 3, 2, 1)": rng.random((5, 3, 2, 1), dtype=np.float32),
}


class Gain(keras.layers.Layer):
    """The image times a trainable number; says which pixels count where it is asked to."""

    def __init__(self, masks=False):
        super().__init__()
        self.masks = masks

    def build(self, shape):
        self.gain = self.add_weight(shape=(), initializer="ones")

    def call(self, images):
        return images * self.gain

    def compute_mask(self, images, previous=None):
        return counted(images) if self.masks else None


def counted(images):
    return images[..., 0] > 0.3


class Batches(keras.utils.PyDataset):
    def __init__(self, arrays):
        super().__init__()
        self.arrays = arrays

    def __len__(self):
        return len(BATCHES)

    def __getitem__(self, index):
        return tuple(array[BATCHES[index]] for array in self.arrays)


def tf_data(arrays):
    tf = pytest.importorskip("tensorflow")
    return tf.data.Dataset.from_tensor_slices(arrays).batch(2)


def generator(arrays):
    return (tuple(array[batch] for array in arrays) for batch in BATCHES)


SOURCES = {"tf.data": tf_data, "PyDataset": Batches, "generator": generator}


def fed(source, weights, image=IMAGE, label=LABEL):
    """Return the arguments that feed `fit` or `evaluate`, from arrays or from an iterable."""
    if source == "arrays":
        return {"x": image, "y": label, "sample_weight": weights, "batch_size": 2}
    return {"x": SOURCES[source]((image, label, weights))}


def compiled(mode, loss=None, masks=False, **metrics):
    model = keras.Sequential([Gain(masks)])
    loss = loss or AsyMSE()
    model.compile(keras.optimizers.SGD(RATE), loss, **metrics, **MODES[mode])
    return model


def pixel_weights(weights, mask=None):
    """Return what each pixel of the five images counts."""
    weights = np.ones(5) if weights is None else weights.astype(float)
    if weights.ndim < 3:
        weights = weights.reshape(5, 1, 1)
    weights = np.broadcast_to(weights.reshape(weights.shape[:3]), (5, 3, 2))
    return weights if mask is None else weights * mask


def expected_gain(weights, mask=None, maps=eq_2):
    """Return the gain after an epoch of SGD: the gradients by hand, one batch after the other."""
    gain, each = 1.0, pixel_weights(weights, mask)
    label, image = LABEL.astype(float), IMAGE.astype(float)
    for batch in BATCHES:
        y, x = label[batch], image[batch]
        slope = (each[batch] * (maps(y) * 2 * (gain * x - y) * x)[..., 0]).sum()
        valid = each[batch].size if mask is None else mask[batch].sum()
        gain -= RATE * slope / valid
    return gain


def check_fit(model, expected, **arguments):
    model.fit(**arguments, epochs=1, shuffle=False, verbose=0)
    np.testing.assert_allclose(model.get_weights()[0], expected, rtol=1e-5)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("weights", WEIGHTS)
def test_fit_with_sample_weights(mode, weights):
    weights = WEIGHTS[weights]
    check_fit(compiled(mode), expected_gain(weights), **fed("arrays", weights))


@pytest.mark.parametrize("mode", MODES)
def test_evaluate_and_predict(mode):
    each = eq_2(LABEL) * (IMAGE.astype(float) - LABEL) ** 2 * pixel_weights(PER_IMAGE)[..., None]
    model = compiled(mode)
    loss = model.evaluate(**fed("arrays", PER_IMAGE), verbose=0)
    np.testing.assert_allclose(loss, each.mean(), rtol=1e-5)
    np.testing.assert_array_equal(model.predict(IMAGE, batch_size=2, verbose=0), IMAGE)


@pytest.mark.filterwarnings("ignore:Your input ran out of data")  # said of any generator
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("source", SOURCES)
def test_fit_from_every_source(mode, source):
    check_fit(compiled(mode), expected_gain(PER_IMAGE), **fed(source, PER_IMAGE))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("weights", ["none", "(5,)"])
def test_masked_pixels_do_not_count(mode, weights):
    weights = WEIGHTS[weights]
    expected = expected_gain(weights, counted(IMAGE))
    check_fit(compiled(mode, masks=True), expected, **fed("arrays", weights))


@pytest.mark.parametrize("mode", MODES)
def test_every_option_of_a_loss(mode):
    def maps(label):
        label = (label - label.min((1, 2, 3), keepdims=True)) / np.ptp(
            label, (1, 2, 3), keepdims=True
        )
        weights = table_1(label, 0.75)
        return (weights / weights.mean((1, 2, 3), keepdims=True)) ** 2

    loss = AsyMSE(Quartile(0.75), apply_to="images", normalize=True, balanced=True)
    check_fit(
        compiled(mode, loss), expected_gain(PER_IMAGE, None, maps), **fed("arrays", PER_IMAGE)
    )


@pytest.mark.parametrize("mode", MODES)
def test_batches_of_changing_sizes(mode):
    model = compiled(mode)
    expected = 1.0
    for batch in (slice(0, 3), slice(3, 5), slice(0, 4)):
        x, y = IMAGE[batch].astype(float), LABEL[batch].astype(float)
        each = PER_IMAGE[batch, None, None, None] * eq_2(y)
        before = (each * (expected * x - y) ** 2).mean()
        model.reset_metrics()
        loss = model.train_on_batch(IMAGE[batch], LABEL[batch], PER_IMAGE[batch])
        np.testing.assert_allclose(loss, before, rtol=1e-5)
        expected -= RATE * (each * 2 * (expected * x - y) * x).mean()
    np.testing.assert_allclose(model.get_weights()[0], expected, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_weighted_metrics(mode):
    label = rng.random((5, 12, 13, 1), dtype=np.float32)
    image = (label + rng.normal(0, 0.1, label.shape)).astype("float32")
    metrics = [each() for each in (PSNR, SSIM, RMSE, NRMSE)]
    model = compiled(mode, weighted_metrics=metrics)
    found = model.evaluate(**fed("tf.data", PER_IMAGE, image, label), verbose=0, return_dict=True)
    for metric in metrics:
        values = ops.convert_to_numpy(metric._function(label, image))
        np.testing.assert_allclose(
            found[metric.name], np.average(values, weights=PER_IMAGE), rtol=1e-5
        )


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(5, 4), (5, 4, 2), (5, 2, 2, 2, 3)])
def test_any_number_of_axes(shape):
    label = rng.random(shape, dtype=np.float32)
    weights = PER_IMAGE.reshape(5, *(1,) * (len(shape) - 1))
    loss = compiled("graph").evaluate(label + 0.1, label, 2, 0, PER_IMAGE)
    np.testing.assert_allclose(loss, (weights * eq_2(label) * 0.01).mean(), rtol=1e-4)


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
@pytest.mark.parametrize("mode", ["graph", "jit"])
def test_the_end_of_a_generator_of_known_sizes_is_no_image(mode):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("only TensorFlow compiles the fetching of a batch")
    import tensorflow as tf

    pairs = [(LABEL[batch] + 0.1, LABEL[batch]) for batch in BATCHES[:2]]
    spec = tf.TensorSpec((2, 3, 2, 1))
    data = tf.data.Dataset.from_generator(lambda: iter(pairs), output_signature=(spec, spec))
    found = compiled(mode, metrics=[PSNR()]).evaluate(data, verbose=0, return_dict=True)
    np.testing.assert_allclose(found["psnr"], 20, rtol=1e-5)


def test_labels_of_an_unknown_rank_are_one_sentence():
    if keras.backend.backend() != "tensorflow":
        pytest.skip("only TensorFlow traces unknown ranks")
    import tensorflow as tf

    data = tf.data.Dataset.from_tensor_slices((IMAGE, LABEL))
    data = data.map(lambda x, y: (x, tf.numpy_function(np.copy, [y], tf.float32))).batch(2)
    model = compiled("graph")
    with pytest.raises(ValueError, match="call tf.ensure_shape. Received: shape=None"):
        model.evaluate(data, verbose=0)


@pytest.mark.parametrize("mode", ["eager", "graph"])
@pytest.mark.parametrize("reduction", ["sum", "mean_with_sample_weight"])
def test_reductions_of_batches_that_do_not_divide(mode, reduction):
    loss = AsymmetricLoss("mae", reduction=reduction)
    each = (eq_2(LABEL) * np.abs(IMAGE.astype(float) - LABEL)).mean((1, 2, 3)) * PER_IMAGE
    sums = [each[batch].sum() for batch in BATCHES]
    counts = [6 if reduction == "sum" else 1 / PER_IMAGE[batch].sum() for batch in BATCHES]
    sizes = [2, 2, 1]  # Keras averages the losses of batches by their sizes
    expected = np.average(np.multiply(sums, counts), weights=sizes)
    found = compiled(mode, loss).evaluate(**fed("arrays", PER_IMAGE), verbose=0)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
