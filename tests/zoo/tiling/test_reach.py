"""What a network looks at, from its graph, against what NaN in one pixel is seen to touch."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import zoo
from asykeras.resize import bicubic_resize
from tests.zoo.examples import small_grunet
from zoo.networks.dncnn import DnCNN
from zoo.networks.mdsr import at_scale
from zoo.tiling.field import Placed, Tiled
from zoo.tiling.graph import TilingError, growth, record, sizes
from zoo.tiling.placed import placed_network
from zoo.tiling.reach import Reach, reach

pytestmark = pytest.mark.once  # the reach follows from the layers; `test_tiles.py` sees it hold


def chain(*steps, channels=1):
    image = keras.Input((None, None, channels))
    x = image
    for step in steps:
        x = step(x)
    return keras.Model(image, x, name="chain")


def convolution(size=3, **options):
    return layers.Conv2D(2, size, padding="same", **options)


def touched(network, enlarge=1, side=41):
    """Return how many pixels of the input lie between a NaN and the tile that it reaches."""
    image = np.full((side, side, network.inputs[0].shape[-1]), 0.5)
    middle = side // 2
    image[middle, middle] = np.nan
    if enlarge > 1:
        image = bicubic_resize(image, enlarge)
    output = ops.convert_to_numpy(network(image[None].astype("float32"), training=False))[0]
    rows = np.flatnonzero(np.isnan(output).any(axis=(1, 2)))
    scale = len(output) / side
    return max(middle - rows[0] // scale, rows[-1] // scale - middle)


def lit(network, side=40, at=20):
    """Return the same, by one bright pixel: some layers lose NaN, or spread it over the whole."""
    network.set_weights([np.ones_like(w) * (w.ndim > 1) for w in network.get_weights()])  # no bias
    image = np.zeros((1, side, side, 1), np.float32)
    image[0, at, at] = 1
    output = ops.convert_to_numpy(network(image, training=False))[0]
    rows = np.flatnonzero(np.abs(output).max(axis=(1, 2)) > 1e-6)
    scale = len(output) / side
    return max(at - rows[0] // scale, rows[-1] // scale - at)


@pytest.mark.parametrize(
    "network",
    [
        chain(convolution(3)),
        chain(convolution((5, 3), dilation_rate=2), layers.ReLU(), convolution(1)),
        chain(layers.ZeroPadding2D(2), layers.Conv2D(2, 5)),
        chain(layers.DepthwiseConv2D(7, padding="same")),
        chain(
            convolution(3), layers.Conv2D(4, 3, padding="same"), lambda x: ops.depth_to_space(x, 2)
        ),
        chain(layers.UpSampling2D(2), convolution(3), convolution(3)),
        chain(lambda x: ops.repeat(ops.repeat(x, 3, axis=1), 3, axis=2), convolution(9)),
        chain(lambda x: ops.concatenate([convolution(3)(x), convolution(7)(x)], axis=-1)),
        DnCNN(depth=5),
        DnCNN(depth=5, batch_norm=False),
        zoo.EDSR(2, blocks=2, filters=4),
        zoo.EDSR(3, blocks=1, filters=4),
    ],
)
def test_the_margin_is_what_is_touched(network):
    found = reach(network)
    assert found.margin == touched(network)
    assert found.step == 1
    assert not found.placed


@pytest.mark.parametrize("variant", ["9-1-5", "9-5-5"])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_bicubic_enlargement_adds_to_the_margin(variant, scale):
    network = zoo.SRCNN(scale, variant=variant)
    found = reach(network, enlarge=scale)
    assert found.scale == scale
    # Rounding up after the sum may cost a pixel.
    assert touched(network, scale) <= found.margin <= touched(network, scale) + 1


def test_published_depths():
    assert reach(DnCNN(variant="S", batch_norm=False)).margin == 17
    # head, 2 x 16 blocks, body, half a pixel each of upsampler and tail
    assert reach(zoo.EDSR(2)).margin == 36
    assert reach(at_scale(zoo.MDSR(), 3)).margin == 44  # two blocks of 5x5 more


def test_pixels_that_become_channels_lie_on_a_grid():
    network = zoo.FFDNet(channels=1)
    found = reach(network)
    assert (found.scale, found.step, found.placed) == (1, 2, False)
    seen = []
    for at in (36, 37):  # both places in its square of 2x2
        image = np.full((1, 72, 72, 1), 0.5, np.float32)
        image[0, at, at] = np.nan
        output = ops.convert_to_numpy(network([image, np.full((1, 1), 0.1, np.float32)]))
        rows = np.flatnonzero(np.isnan(output[0]).any(axis=(1, 2)))
        seen += [at - rows[0], rows[-1] - at]
    assert max(seen) <= found.margin <= max(seen) + 1


@pytest.mark.parametrize("reduce", [ops.max, ops.mean, ops.sum])
def test_a_reduction_of_the_channels_looks_at_one_place(reduce):
    network = chain(
        convolution(5), lambda x: x * ops.sigmoid(reduce(x, axis=-1, keepdims=True)), convolution(3)
    )
    assert reach(network).margin == touched(network) == 3


def test_models_inside_models_are_looked_through():
    inner = chain(convolution(5), convolution(3), channels=2)
    assert reach(chain(convolution(3), inner, inner)).margin == 1 + 3 + 3
    assert reach(keras.Sequential([keras.Input((None, None, 1)), convolution(5)])).margin == 2


@pytest.mark.parametrize(
    ("step", "match"),
    [
        (lambda x: x - ops.mean(x), r"\(Mean\) may look at the whole image"),
        (lambda x: x - ops.mean(x, axis=(-1, 1), keepdims=True), r"\(Mean\) may look at the whole"),
        (lambda x: x * ops.max(x, axis=2, keepdims=True), r"\(Max\) may look at the whole image"),
        (lambda x: x * layers.GlobalAveragePooling2D(keepdims=True)(x), "may look at the whole"),
        (lambda x: ops.flip(x, axis=1), r"\(Flip\) may look at the whole image"),
        (lambda x: ops.concatenate([x, x], axis=1)[:, ::2], "puts images side by side"),
        (lambda x: layers.UpSampling2D(interpolation="lanczos3")(x), "interpolates over"),
        (lambda x: x + np.ones((1, 40, 40, 1), "float32"), "has a value for every place"),
        (lambda x: layers.Conv2DTranspose(1, 4, 2, output_padding=0)(x), "padded or dilated"),
    ],
)
def test_a_layer_that_may_see_all_is_named(step, match):
    with pytest.raises(TilingError, match=match):
        reach(chain(step))


class Negative(keras.Layer, Tiled):
    """A layer of one's own that looks at one place and says no more."""

    def call(self, image):
        return 1 - image


class Blur(keras.Layer, Tiled):
    """One that looks further down than up, and to the right."""

    tiling_multiple = 4
    tiling_held = 7

    def call(self, image):
        padded = ops.pad(image, [(0, 0), (1, 3), (0, 2), (0, 0)])
        rows = ops.stack([padded[:, i : i + ops.shape(image)[1]] for i in range(5)])
        columns = ops.sum(rows, axis=0)
        return columns[:, :, :-2] + columns[:, :, 2:]

    def tiling_fields(self, inputs):
        rows, columns = inputs[0]
        return rows.window(5, padding=1), columns.window(3)


def test_a_layer_of_ones_own_says_its_reach():
    network = chain(Negative(), Blur(), layers.Conv2D(1, 3, padding="same"))
    found = reach(network)
    assert touched(network) == 4
    assert (found.margin, found.step, found.placed) == (4, 4, False)
    assert reach(chain(Blur())).floats == 1 + 1 + 7
    image = np.random.default_rng(0).uniform(size=(40, 24, 1)).astype("float32")
    expected = ops.convert_to_numpy(network(image[None]))[0]
    tiled = zoo.restore(network, image, scale=1, tile=8)
    np.testing.assert_allclose(tiled, expected, atol=1e-5)


class Slope(keras.Layer, Placed):
    """One whose output depends on the place: brighter towards the last row."""

    def call(self, image):
        return self.brighter(image, 0.0)

    def brighter(self, image, first):
        rows = ops.arange(ops.shape(image)[1], dtype="float32")[None, :, None, None]
        return image + ops.reshape(first, (-1, 1, 1, 1)) + rows

    def tiling_part(self, shrunk):
        return SlopePart(shrunk)


class SlopePart(Slope):
    def __init__(self, shrunk):
        super().__init__()
        self.shrunk = shrunk

    def call(self, inputs):
        image, place = inputs
        return self.brighter(image, place[:, 0] / self.shrunk)


def test_a_layer_of_ones_own_is_told_its_place():
    network = chain(convolution(3), Slope())
    assert reach(network).placed
    image = np.random.default_rng(0).uniform(size=(1, 12, 20, 1)).astype("float32")
    place = np.array([[4, 12, 0, 20]], "float32")
    expected = ops.convert_to_numpy(network(image))[:, 6:]
    part = ops.convert_to_numpy(placed_network(network)([image[:, 4:], place]))[:, 2:]
    np.testing.assert_allclose(part, expected, atol=1e-5)


def test_a_layer_that_has_a_name_of_keras_is_not_taken_for_it():
    class ReLU(keras.Layer):
        def call(self, image):
            return image - ops.mean(image)

    with pytest.raises(TilingError, match=r"\(ReLU\) may look at the whole image"):
        reach(chain(ReLU()))

    class Conv2D(layers.Conv2D):
        """Derived, under the same name, as one that computes faster."""

    assert reach(chain(Conv2D(1, 3, padding="same"))).margin == 1


@pytest.mark.parametrize(
    "layer",
    [layers.PReLU(), layers.LayerNormalization((1, 2, 3)), layers.BatchNormalization(axis=1)],
)
def test_weights_along_rows_and_columns_are_refused(layer):
    network = keras.Sequential([keras.Input((16, 16, 1)), layer])
    with pytest.raises(TilingError, match="may look at the whole image"):
        reach(network)


def test_weights_along_the_channels_are_not():
    normalized = chain(layers.BatchNormalization(), layers.LayerNormalization(), layers.Dense(3))
    assert reach(normalized).margin == 0
    assert reach(chain(layers.PReLU(shared_axes=(1, 2)), convolution(3))).margin == 1


def halved(x, down, up):
    x = convolution(3)(x)
    return convolution(3)(ops.concatenate([x, up(convolution(5)(down(x)))], axis=-1))


@pytest.mark.parametrize(
    ("down", "up"),
    [
        (layers.MaxPooling2D(), layers.UpSampling2D()),
        (layers.MaxPooling2D(3, 2, padding="same"), layers.UpSampling2D(interpolation="bilinear")),
        (layers.AveragePooling2D(3), layers.UpSampling2D(3, interpolation="bicubic")),
        (layers.Conv2D(2, 3, 2, padding="same"), layers.Conv2DTranspose(2, 3, 2, padding="same")),
        (layers.Conv2D(2, 4, 2, padding="same"), layers.Conv2DTranspose(2, 2, 2)),
        (layers.Conv2D(2, 2, 2), layers.Conv2DTranspose(2, 5, 2, padding="same")),
        (layers.SeparableConv2D(2, 5, 4, padding="same"), layers.Conv2DTranspose(2, 4, 4)),
    ],
)
def test_a_u_net_is_run_on_multiples(down, up):
    network = chain(lambda x: halved(x, down, up))
    found = reach(network)
    factor = down.strides[0]
    assert found.step == sizes(network).multiple == factor
    places = [9 * factor + i for i in range(factor)]
    seen = max(lit(network, side=20 * factor, at=each) for each in places)
    assert seen <= found.margin < seen + factor


@pytest.mark.parametrize(
    ("kernel", "padding"), [(2, "valid"), (3, "same"), (4, "same"), (5, "same")]
)
def test_transposed_convolutions_enlarge(kernel, padding):
    network = chain(convolution(3), layers.Conv2DTranspose(1, kernel, 2, padding=padding))
    assert reach(network).margin == touched(network)
    assert reach(network).scale == 2


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("factor", [2, 3])
def test_interpolation_that_knows_no_border_enlarges(interpolation, factor):
    network = chain(layers.UpSampling2D(factor, interpolation=interpolation), convolution(3))
    assert lit(network) <= reach(network).margin <= lit(network) + 1


@pytest.mark.once
def test_growth_is_a_whole_number():
    assert growth(zoo.EDSR(4, blocks=1, filters=4)) == 4
    assert growth(small_grunet(1)) == 1
    with pytest.raises(ValueError, match="Received: 58 x 58 pixels for 64 x 64"):
        growth(chain(layers.Conv2D(1, 7)))
    with pytest.raises(ValueError, match="must have one output .* Received: 3"):
        growth(zoo.MDSR())


def test_a_graph_is_recorded_in_the_order_of_its_calls():
    network = chain(convolution(3, name="first"), layers.ReLU(name="second"))
    graph = record(network)
    assert [call.layer.name for call in graph.calls] == ["first", "second"]
    assert graph.calls[1].inputs()[0] is graph.calls[0].output
    assert network.count_params() == 2 * 9 + 2  # the layers are shared, not copied


def test_floats_count_the_largest_step():
    network = chain(convolution(3), layers.Conv2D(8, 3, padding="same"), channels=3)
    assert reach(network).floats == 2 + 8


@pytest.mark.slow
def test_grunet_is_run_on_a_grid_of_16():
    found = reach(zoo.DPHSIR())
    assert found == Reach(160, 1, 16, placed=True, floats=240.0)
    small = reach(zoo.DPHSIR(variant="small"))
    assert (small.margin, small.step, small.floats) == (72, 8, 240.0)


@pytest.mark.parametrize("bands", [1, None])
def test_a_placed_network_on_the_whole_image_is_the_network(bands):
    network = small_grunet(bands)
    image = np.random.default_rng(0).uniform(size=(1, 12, 20, 1)).astype("float32")
    sigma = np.full((1, 1), 0.1, "float32")
    place = np.array([[0, 12, 0, 20]], "float32")
    expected = ops.convert_to_numpy(network([image, sigma]))
    found = ops.convert_to_numpy(placed_network(network)([image, sigma, place]))
    np.testing.assert_allclose(found, expected, atol=1e-6)
    elsewhere = np.array([[8, 32, 0, 20]], "float32")
    moved = ops.convert_to_numpy(placed_network(network)([image, sigma, elsewhere]))
    assert np.abs(moved - expected).max() > 1e-4


def test_reach_says_what_it_is():
    assert reach(zoo.SRCNN(3), enlarge=3) == Reach(5, 3, 1, False, 864.0)
