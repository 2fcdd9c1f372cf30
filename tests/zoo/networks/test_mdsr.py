"""MDSR: the published sizes, and what its scales share."""

from functools import partial

import numpy as np
import pytest

from tests.zoo.contracts import BuilderContract, images, run
from zoo.networks.mdsr import MDSR, at_scale

KEYS = {"x2": 2, "x3": 3, "x4": 4}


class TestMDSR(BuilderContract):
    builder = staticmethod(partial(MDSR))
    parameters = 3_227_203

    def inputs(self, height, width):
        return {key: images(height, width, 3, seed) for key, seed in KEYS.items()}

    def output_shapes(self, height, width):
        return [(2, scale * height, scale * width, 3) for scale in KEYS.values()]


def test_the_full_network_has_the_published_number_of_parameters():
    assert MDSR(variant="full").count_params() == 7_953_987


@pytest.mark.slow
@pytest.mark.parametrize(("key", "scale"), KEYS.items())
def test_one_scale_is_part_of_the_whole(key, scale):
    model = MDSR()
    inputs = {key: images(4, 5, 3, seed) for key, seed in KEYS.items()}
    whole = dict(zip(KEYS, run(model, inputs), strict=True))
    part = run(at_scale(model, scale), inputs[key])[0]
    np.testing.assert_allclose(part, whole[key], atol=1e-6)


def test_the_scales_share_head_body_and_tail():
    model = MDSR(channels=1)
    parts = [{each.path for each in at_scale(model, scale).variables} for scale in (2, 3, 4)]
    shared = set.intersection(*parts)
    own = {each.path for each in model.variables} - shared
    assert len(shared) == 2 * (1 + 16 * 2 + 1 + 1)  # head, blocks, conv, tail: kernel and bias
    assert {path[:2] for path in own} == set(KEYS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"variant": "large"}, "variant must be 'baseline' or 'full'. Received: variant='large'"),
        ({"channels": 2}, "channels must be 1 or 3. Received: channels=2"),
    ],
)
def test_other_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        MDSR(**arguments)


def test_another_scale_is_refused():
    with pytest.raises(ValueError, match="scale must be 2, 3 or 4. Received: scale=8"):
        at_scale(MDSR(), 8)
