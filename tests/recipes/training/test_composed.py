"""Composed kernels: the same network before, another way of learning, a plain network after."""

import keras
import numpy as np
import pytest
from scipy.signal import correlate2d

import zoo
from recipes.span import SpanSettings, recipe
from recipes.training.composed import ComposedConv2D, composed
from recipes.training.run import train

IMAGE = np.random.default_rng(3).random((1, 9, 11, 3), "float32")


def test_a_composed_network_computes_what_the_plain_one_does():
    plain = zoo.SPAN(2, channels=8)
    several = composed(plain)
    kinds = [isinstance(layer, ComposedConv2D) for layer in several.layers]
    assert sum(kinds) == 1 + 6 * 3 + 1 + 1  # head, blocks, behind them, tail; not the 1x1 fusion
    np.testing.assert_allclose(several(IMAGE), plain(IMAGE), atol=3e-6)


def test_the_kernel_is_that_of_the_convolutions_in_turn():
    """Against SciPy, without a border: A, B and C convolve the image one after another."""
    plain = keras.layers.Conv2D(2, 3, name="conv", data_format="channels_last")
    plain.build((None, None, None, 2))
    layer = ComposedConv2D(plain)
    first = IMAGE[0, ..., :2] @ np.asarray(layer.before)
    middle = np.asarray(layer.middle)
    planes = [
        sum(correlate2d(first[..., i], middle[..., i, o], "valid") for i in range(4))
        for o in range(4)
    ]
    expected = np.stack(planes, -1) @ np.asarray(layer.after)
    rest = np.asarray(layer.rest)
    expected += np.stack(
        [
            sum(correlate2d(IMAGE[0, ..., i], rest[..., i, o], "valid") for i in range(2))
            for o in range(2)
        ],
        -1,
    )
    np.testing.assert_allclose(layer(IMAGE[..., :2])[0, 1:-1, 1:-1], expected, atol=1e-5)


def test_bfloat16_rounds_the_sum_and_not_its_parts():
    plain = keras.layers.Conv2D(2, 3, data_format="channels_last", dtype="mixed_bfloat16")
    plain.build((None, None, None, 2))
    layer = ComposedConv2D(plain)
    large = np.full(layer.after.shape, 1000.0, "float32")
    layer.after.assign(large)
    layer.take(plain)
    image = keras.ops.cast(IMAGE[..., :2], "bfloat16")
    found = keras.ops.cast(layer(image)[0, 1:-1, 1:-1], "float32")
    np.testing.assert_allclose(found, keras.ops.cast(plain(image)[0], "float32"), atol=0.02)


@pytest.mark.slow
def test_training_ends_with_a_plain_network(tmp_path):
    few = {"data": "zoo/samples/train", "batch": 2, "patch": 24, "steps": 2, "every": 2}
    settings = SpanSettings.of(**few, channels=8, composed=True, quiet=True)

    def run(name, **more):
        chosen = settings.having(workdir=str(tmp_path / name), **more)
        return zoo.load(train(chosen, recipe(chosen))).get_weights()

    first = run("first")
    assert [w.shape for w in first] == [w.shape for w in zoo.SPAN(2, channels=8).get_weights()]
    second = run("second", init=str(tmp_path / "first"), learning_rate=1e-9)
    for kernel, same in zip(first, second, strict=True):
        np.testing.assert_allclose(same, kernel, atol=1e-6)  # it went on from the merged one
