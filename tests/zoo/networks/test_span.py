"""SPAN: the published sizes, and the whole network written out in NumPy."""

import subprocess
import sys
from functools import partial

import keras
import numpy as np
import pytest

import zoo
from tests.zoo.contracts import BuilderContract, convolve, images, run
from zoo.networks.span import SPAN
from zoo.tiling.reach import reach

MEAN = np.array([0.4488, 0.4371, 0.4040])


class TestSPAN(BuilderContract):
    builder = staticmethod(partial(SPAN, scale=2))
    parameters = 410_700
    channels = 3
    scale = 2


@pytest.mark.parametrize(
    ("scale", "channels", "parameters"),
    [
        (4, 48, 426_288),
        # 3 -> C, 19 of C -> C, 4 C -> C by 1x1, C -> 3 scale^2
        (3, 28, 28 * 28 + 19 * 28 * 253 + 28 * 113 + 27 * 253),
        (4, 52, 28 * 52 + 19 * 52 * 469 + 52 * 209 + 48 * 469),
    ],
)
def test_the_other_networks_have_the_published_number_of_parameters(scale, channels, parameters):
    assert SPAN(scale, channels=channels).count_params() == parameters


def silu(x):
    return x / (1 + np.exp(-x))


def written_out(model, image, scale):
    """After Wan et al., Fig. 3 and Eqs. 3 to 6; torch's pixel shuffle is (c, row, column)."""

    def conv(x, name):
        return convolve(x, *model.get_layer(name).get_weights())

    head = conv(image - MEAN, "head")
    x, blocks = head, []
    for number in range(1, 7):
        first = silu(conv(x, f"block{number}_conv1"))
        third = conv(silu(conv(first, f"block{number}_conv2")), f"block{number}_conv3")
        x = (third + x) * (1 / (1 + np.exp(-third)) - 0.5)
        blocks.append(x)
    parts = [head, conv(x, "body_conv"), blocks[0], first]
    small = conv(conv(np.concatenate(parts, -1), "fusion"), "tail")
    batch, height, width, _ = small.shape
    pixels = small.reshape(batch, height, width, scale, scale, 3)
    return pixels.transpose(0, 1, 3, 2, 4, 5).reshape(batch, height * scale, width * scale, 3)


@pytest.mark.parametrize(("scale", "channels"), [(2, 48), (3, 28), (4, 52)])
def test_the_network_is_the_published_one(scale, channels):
    model = SPAN(scale, channels=channels)
    image = images(5, 6, 3)
    assert run(model, image)[0].shape == (2, 5 * scale, 6 * scale, 3)
    np.testing.assert_allclose(run(model, image)[0], written_out(model, image, scale), atol=1e-4)


def test_features_keep_their_size_from_block_to_block():
    keras.utils.set_random_seed(0)
    model = SPAN(2)
    inner = [model.get_layer(f"block{number}").output for number in range(1, 7)]
    found = run(keras.Model(model.input, inner), images(16, 16, 3))
    assert all(0.1 < values.std() < 20 for values in found)


def test_tiles_equal_the_whole():
    model = SPAN(2)
    assert reach(model).margin == 21  # convolutions of 3x3 in a row
    image = images(70, 41, 3)[0]
    tiled = zoo.restore(model, image, tile=16)
    np.testing.assert_allclose(tiled, run(model, image[None])[0][0], atol=1e-5)


def test_a_keras_file_opens_where_only_keras_is_imported(tmp_path):
    model, image = SPAN(2), images(7, 9, 3)
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "image.npy", image)
    code = (
        "import sys, keras, numpy as np; folder = sys.argv[1];"
        "model = keras.saving.load_model(folder + '/model.keras');"
        "output = model(np.load(folder + '/image.npy'));"
        "np.save(folder + '/output.npy', keras.ops.convert_to_numpy(output));"
        "assert 'zoo' not in sys.modules and 'asykeras' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    np.testing.assert_array_equal(np.load(tmp_path / "output.npy"), run(model, image)[0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scale": 8}, "scale must be 2, 3 or 4. Received: scale=8"),
        ({"scale": 2, "channels": 64}, "channels must be 28, 48 or 52. Received: channels=64"),
    ],
)
def test_other_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        SPAN(**arguments)
