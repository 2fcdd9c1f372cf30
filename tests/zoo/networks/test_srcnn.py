"""SRCNN: the published sizes, and the border."""

from functools import partial

import numpy as np
import pytest

from tests.zoo.contracts import BuilderContract, convolve, images, run
from zoo.networks.srcnn import SRCNN, margin


class TestSRCNN(BuilderContract):
    builder = staticmethod(partial(SRCNN, scale=3))
    parameters = 57_281


@pytest.mark.parametrize(("variant", "parameters"), [("9-1-5", 8_129), ("9-3-5", 24_513)])
def test_the_other_variants_have_the_published_number_of_parameters(variant, parameters):
    assert SRCNN(2, variant=variant).count_params() == parameters


def test_it_is_three_convolutions_with_two_relus_between():
    model, image = SRCNN(2, padding="valid"), images(20, 18, 1)
    first, second, third = (layer.get_weights() for layer in model.layers[1:])
    x = np.maximum(convolve(image, *first), 0)
    x = convolve(np.maximum(convolve(x, *second), 0), *third)
    np.testing.assert_allclose(run(model, image)[0], x[:, 8:-8, 8:-8], atol=1e-5)


@pytest.mark.parametrize("size", [(1, 1), (2, 30), (11, 13)])
def test_edge_padding_repeats_the_border_in_front_of_a_valid_network(size):
    edge, valid = SRCNN(3), SRCNN(3, padding="valid")
    valid.set_weights(edge.get_weights())
    image = images(*size, 1)
    border = margin("9-5-5")
    padded = np.pad(image, [(0, 0), (border, border), (border, border), (0, 0)], mode="edge")
    np.testing.assert_allclose(run(edge, image)[0], run(valid, padded)[0], atol=1e-6)


def test_a_constant_image_stays_constant_up_to_its_border():
    restored = run(SRCNN(2), np.full((1, 12, 12, 1), 0.5, np.float32))[0]
    np.testing.assert_allclose(restored, restored[0, 0, 0, 0], atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scale": 5}, "scale must be 2, 3 or 4. Received: scale=5"),
        (
            {"scale": 2, "variant": "9-7-5"},
            "variant must be '9-1-5', '9-3-5' or '9-5-5'. Received: variant='9-7-5'",
        ),
        ({"scale": 2, "channels": 4}, "channels must be 1 or 3. Received: channels=4"),
        (
            {"scale": 2, "padding": "same"},
            "padding must be 'edge' or 'valid'. Received: padding='same'",
        ),
    ],
)
def test_other_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        SRCNN(**arguments)
