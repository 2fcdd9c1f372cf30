"""`restore` with a user's own model: any kind and size, or one sentence."""

import warnings
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers, ops

import zoo
from tests.zoo.examples import card_of
from zoo.restoring.network import open_network
from zoo.restoring.restore import restore
from zoo.store.weight import save

rng = np.random.default_rng(0)
PHOTO = rng.uniform(size=(45, 51, 3)).astype(np.float32)


def convolution(filters=3, size=3, **options):
    return layers.Conv2D(filters, size, padding="same", **options)


def model_of(steps, size=(None, None), channels=3, **options):
    image = keras.Input((*size, channels), **options)
    return keras.Model(image, steps(image), name="mine")


def mean_removed(image):
    return image - ops.mean(convolution()(image), axis=(1, 2), keepdims=True)


def pooled(image, attention=False, depth=2):
    features = [convolution(4, activation="relu")(image)]
    for _ in range(depth):
        features.append(convolution(4)(layers.MaxPooling2D()(features[-1])))
    x = features.pop()
    if attention:
        x = x * layers.Dense(4)(layers.GlobalAveragePooling2D(keepdims=True)(x))
    while features:
        x = layers.Concatenate()([features.pop(), layers.UpSampling2D()(x)])
        x = convolution(4)(x)
    return convolution()(x)


class Subclassed(keras.Model):
    def __init__(self, steps):
        super().__init__(name="mine")
        self.steps = steps

    def call(self, image):
        for step in self.steps:
            image = step(image)
        return image


def of_any_size(model, size=(None, None)):
    """Return a sequential model with another size of input, the weights shared."""
    return keras.Sequential([keras.Input((*size, 3)), *model.layers])


def predict(model, image):
    return model.predict_on_batch(image[None].astype(np.float32))[0]


# ---- one size of input


def test_a_model_that_fit_gave_a_size_restores_any():
    model = keras.Sequential([layers.UpSampling2D(3), convolution(3, 9)])
    model.compile("adam", "mse")
    model.fit(np.zeros((4, 32, 32, 3)), np.zeros((4, 96, 96, 3)), verbose=0)
    assert model.inputs[0].shape[1:] == (32, 32, 3)
    free = of_any_size(model)
    for picture in (PHOTO, PHOTO[:32, :32], PHOTO[:5, :7]):
        for tile in (None, 8):
            found = restore(model, picture, tile=tile)
            np.testing.assert_allclose(found, predict(free, picture), atol=1e-5)
    np.testing.assert_array_equal(predict(model, PHOTO[:32, :32]).shape, (96, 96, 3))


@pytest.mark.parametrize("options", [{"size": (16, 24)}, {"batch_size": 4}, {"size": (None, 16)}])
def test_a_fixed_size_does_not_matter_to_convolutions(options):
    image = keras.Input((*options.get("size", (None, None)), 3), options.get("batch_size"))
    inner = keras.Sequential([convolution(8, activation="relu"), convolution()])
    model = keras.Model(image, image + inner(image))
    expected = PHOTO + predict(of_any_size(inner), PHOTO)
    np.testing.assert_allclose(restore(model, PHOTO, scale=1), expected, atol=1e-5)
    assert model.input_shape[1:3] == options.get("size", (None, None))  # as it was


def test_tiles_are_of_the_only_size_where_a_layer_minds():
    model = model_of(lambda x: convolution()(x) + rng.random((1, 24, 16, 3), np.float32), (24, 16))
    seen = []
    network = open_network(model, scale=1)
    engine = network.engine
    object.__setattr__(
        network, "engine", lambda inputs: (seen.append(inputs[0].shape), engine(inputs))[1]
    )
    assert network.size == (24, 16)
    with pytest.warns(
        UserWarning, match="mine takes images of 24 x 16 pixels alone, and its layer"
    ):
        found = restore(network, PHOTO)
    assert found.shape == PHOTO.shape
    assert set(seen) == {(1, 24, 16, 3)}
    np.testing.assert_allclose(
        found[:18, :12], predict(model, PHOTO[:24, :16])[:18, :12], atol=1e-6
    )
    exact = restore(network, PHOTO[:24, :16])
    np.testing.assert_allclose(exact, predict(model, PHOTO[:24, :16]), atol=1e-6)


@pytest.mark.filterwarnings("error")
def test_a_picture_smaller_than_the_only_size_is_mirrored():
    model = model_of(mean_removed, (24, 16))
    padded = np.pad(PHOTO[:20, :5], [(0, 4), (0, 11), (0, 0)], mode="symmetric")
    found = restore(model, PHOTO[:20, :5], scale=1)
    np.testing.assert_allclose(found, predict(model, padded)[:20, :5], atol=1e-6)


def test_flattened_images_are_restored_in_tiles():
    model = model_of(
        lambda x: layers.Reshape((8, 8, 3))(layers.Dense(192)(layers.Flatten()(x))), (8, 8)
    )
    with pytest.warns(UserWarning, match="takes images of 8 x 8 pixels alone"):
        found = restore(model, PHOTO, scale=1)
    assert found.shape == PHOTO.shape
    np.testing.assert_allclose(found[:6, :6], predict(model, PHOTO[:8, :8])[:6, :6], atol=1e-6)
    network = open_network(model, scale=1)
    with pytest.warns(UserWarning, match="alone") as told:
        several = [*restore(network, [PHOTO]), *restore(network, PHOTO[None])]
    assert all(np.array_equal(each, found) for each in several)
    assert {each.filename for each in told} == {__file__}  # the line that calls


def test_the_only_size_of_a_network_that_wants_enlarged_images():
    model = model_of(mean_removed, (24, 24))
    with pytest.warns(UserWarning, match="images of 12 x 12 pixels"):
        assert restore(model, PHOTO, scale=2).shape == (90, 102, 3)
    with pytest.raises(ValueError, match="mine takes images of 25 x 25 pixels alone, no multiple"):
        restore(model_of(mean_removed, (25, 25)), PHOTO, scale=2)
    with pytest.raises(ValueError, match="takes no turned pictures. Received: self_ensemble=True"):
        restore(model_of(mean_removed, (24, 16)), PHOTO, scale=1, self_ensemble=True)


# ---- multiples


@pytest.mark.parametrize("attention", [False, True])
@pytest.mark.parametrize("shape", [(45, 51), (1, 1), (44, 48)])
def test_a_u_net_restores_odd_sizes(attention, shape):
    model = model_of(lambda x: pooled(x, attention))
    picture = PHOTO[: shape[0], : shape[1]]
    network = open_network(model, scale=1)
    assert (network.reach is None) == attention
    more = [(0, -side % 4) for side in shape]
    expected = predict(model, np.pad(picture, [*more, (0, 0)], mode="symmetric"))
    found = restore(network, picture)
    np.testing.assert_allclose(found, expected[: shape[0], : shape[1]], atol=1e-6)
    if not attention:
        np.testing.assert_allclose(restore(network, picture, tile=4), found, atol=1e-5)


@pytest.mark.slow
def test_a_deep_u_net_and_one_of_another_multiple():
    deep = model_of(lambda x: pooled(x, attention=True, depth=4))
    assert restore(deep, PHOTO, scale=1).shape == PHOTO.shape
    thirds = model_of(lambda x: layers.UpSampling2D(3)(layers.MaxPooling2D(3)(mean_removed(x))))
    assert open_network(thirds, scale=1).step == 3
    assert restore(thirds, PHOTO[:44, :50], scale=1).shape == (44, 50, 3)
    assert open_network(thirds, scale=3).step == 1  # it is enlarged first


# ---- other kinds of model


@pytest.mark.parametrize("size", [32, 8])
def test_a_subclassed_model_restores_whole_pictures(size):
    steps = [convolution(8, activation="relu"), convolution()]
    model = Subclassed(steps)
    model(np.zeros((1, size, size, 3)))
    found = restore(model, PHOTO, scale=1)
    np.testing.assert_allclose(found, ops.convert_to_numpy(model(PHOTO[None]))[0], atol=1e-6)


def test_a_subclassed_u_net_is_padded_and_one_of_one_size_cut():
    model = Subclassed([layers.MaxPooling2D(), convolution(), layers.UpSampling2D()])
    model(np.zeros((1, 8, 8, 3)))
    padded = np.pad(PHOTO, [(0, 1), (0, 1), (0, 0)], mode="symmetric")
    expected = ops.convert_to_numpy(model(padded[None]))[0, :45, :51]
    np.testing.assert_allclose(restore(model, PHOTO, scale=1), expected, atol=1e-6)
    flat = Subclassed([layers.Flatten(), layers.Dense(192), layers.Reshape((8, 8, 3))])
    flat(np.zeros((1, 8, 8, 3)))
    with pytest.warns(UserWarning, match="mine takes images of 8 x 8 pixels alone"):
        assert restore(flat, PHOTO, scale=1).shape == PHOTO.shape


def test_inputs_are_found_by_what_they_are():
    image, level = keras.Input((None, None, 3), name="noisy"), keras.Input((1,), name="level")
    result = image + ops.reshape(level, (-1, 1, 1, 1))
    for inputs in ([level, image], {"level": level, "noisy": image}):
        model = keras.Model(inputs, {"clean": result})
        np.testing.assert_allclose(restore(model, PHOTO, sigma=0.25), PHOTO + 0.25, atol=1e-6)


@pytest.mark.parametrize("policy", ["float16", "bfloat16", "float64", "mixed_float16"])
def test_models_of_other_policies(policy):
    keras.config.set_dtype_policy(policy)
    model = model_of(convolution())
    keras.config.set_dtype_policy("float32")
    free = model_of(convolution())
    free.set_weights([np.asarray(each, np.float32) for each in model.get_weights()])
    found = restore(model, PHOTO, scale=1)
    assert found.dtype == np.float32
    step = 0.02 if "16" in policy else 1e-5
    np.testing.assert_allclose(found, predict(free, PHOTO), atol=step)


def test_a_path_is_a_name(tmp_path):
    save(zoo.SRCNN(2, variant="9-1-5"), tmp_path / "network.weights.h5", card_of(CARD))
    expected = restore(str(tmp_path), PHOTO)
    np.testing.assert_array_equal(restore(tmp_path, PHOTO), expected)
    np.testing.assert_array_equal(restore(tmp_path / "network.weights.h5", PHOTO), expected)
    assert restore(Path("srcnn-955-x2"), PHOTO).shape == (90, 102, 3)


CARD = {
    "builder": "SRCNN",
    "arguments": {"scale": 2, "variant": "9-1-5"},
    "use": {"scale": 2, "enlarge_first": True},
}


def test_a_model_is_as_it_was_and_says_nothing():
    model = model_of(pooled, (16, 16))
    before = model.get_config()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        restore(model, PHOTO, scale=1)
        restore(model, PHOTO, scale=1)
    assert model.get_config() == before
    assert model.layers[1].output.shape == (None, 16, 16, 4)  # as features are taken from it


# ---- one sentence


def channels_first():
    image = keras.Input((3, None, None))
    return keras.Model(image, layers.Conv2D(3, 1, data_format="channels_first")(image), name="mine")


def built(steps, shape=(1, 8, 8, 3)):
    model = Subclassed(steps)
    model(np.zeros(shape))
    return model


def two_images():
    first, second = keras.Input((None, None, 3)), keras.Input((None, None, 3))
    return keras.Model([first, second], first + second, name="mine")


def with_sigma():
    image, level = keras.Input((None, None, 3)), keras.Input((1,))
    return keras.Model(
        [image, level], layers.UpSampling2D()(image) * level[:, None, None], name="mine"
    )


@pytest.mark.parametrize(
    ("build", "match"),
    [
        (lambda: keras.Sequential([convolution()], name="mine"), "mine has no weights yet: fit it"),
        (lambda: Subclassed([convolution()]), "mine has no weights yet: fit it"),
        (channels_first, "mine has the channels first"),
        (
            two_images,
            r"must take an image .* Received: inputs=\(None, None, None, 3\), \(None, None, No",
        ),
        (with_sigma, "mine must either enlarge or take sigma. Received: scale=1"),
        (lambda: model_of(lambda x: [x + 1, x + 2]), "mine must have one output"),
        (
            lambda: model_of(convolution(1)),
            r"as many channels as it takes. Received: output=.*, 1\) for",
        ),
        (
            lambda: model_of(lambda x: layers.Dense(10)(layers.GlobalAveragePooling2D()(x))),
            r"must return an image of .* Received: output=\(None, 10\) for",
        ),
        (lambda: model_of(layers.Conv2D(3, 5)), "keep the size .* Received: 60 x 60 pixels for 64"),
        (lambda: model_of(layers.MaxPooling2D()), "Received: 32 x 32 pixels for 64 x 64"),
        (lambda: model_of(layers.Resizing(64, 64)), "must keep the size of an image or enlarge it"),
        (
            lambda: model_of(layers.Rescaling(1 / 255), dtype="uint8"),
            "floating point, white at 1. Received: image=uint8, output=float32",
        ),
        (lambda: model_of(lambda x: ops.cast(x, "uint8")), "Received: image=float32, output=uint8"),
        (lambda: built([layers.Dense(10)], (1, 3)), "mine does not say what it takes: give"),
        (lambda: built([layers.Flatten(), layers.Dense(192)]), "must return an image"),
        (lambda: built([lambda x: x, convolution(1)]), "must return an image of as many channels"),
    ],
)
def test_what_is_no_restoration_is_refused_in_one_sentence(build, match):
    with pytest.raises(ValueError, match=match) as caught:
        restore(build(), PHOTO, scale=1)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("model", [None, [convolution()], convolution(), lambda x: x, 3])
def test_what_is_no_model_is_refused(model):
    with pytest.raises(TypeError, match="model must be the name or path of a weight, or a keras.M"):
        restore(model, PHOTO, scale=1)


@pytest.mark.parametrize("scale", [0, -1, 2.5, True, "2"])
def test_a_scale_is_a_whole_number(scale):
    with pytest.raises(ValueError, match="scale must be a whole number from 1. Received: "):
        restore(model_of(convolution()), PHOTO, scale=scale)


def test_options_of_opening_are_not_ignored():
    network = open_network(model_of(convolution()), scale=1)
    with pytest.raises(ValueError, match="is open already. Received: dtype='float32', device=None"):
        restore(network, PHOTO, dtype="float32")
    with pytest.raises(ValueError, match="has the scale 1. Received: scale=2"):
        restore(network, PHOTO, scale=2)


class Breaking(keras.Layer):
    broken = False

    def call(self, image):
        if self.broken:
            raise RuntimeError("out of order\nmore of it")
        return image


def test_what_a_model_raises_is_one_sentence():
    model = model_of(Breaking())
    network = open_network(model, scale=1)
    model.layers[-1].broken = True
    with pytest.raises(ValueError, match=r"mine fails on images of \(1, 45, 51, 3\): ") as caught:
        restore(network, PHOTO)
    assert "\n" not in str(caught.value)


def test_a_file_of_a_whole_model_is_told_how_it_is_opened(tmp_path):
    file = tmp_path / "mine.keras"
    model_of(convolution()).save(file)
    with pytest.raises(zoo.WeightsError, match="mine.keras. is neither .* after `import zoo`"):
        restore(file, PHOTO, scale=1)
    found = restore(keras.models.load_model(file), PHOTO, scale=1)
    assert found.shape == PHOTO.shape


@pytest.mark.slow_on_jax
@pytest.mark.parametrize("builder", [zoo.DPHSIR, zoo.EDSR, zoo.MDSR])
def test_builders_with_layers_of_their_own_say_what_to_import(builder):
    model = builder() if builder is not zoo.EDSR else builder(2)
    own = {type(layer).__name__ for layer in model.layers if type(layer).__module__[:4] == "zoo."}
    assert own
    assert "after `import zoo`" in builder.__doc__
    assert all(f"`{name}`" in builder.__doc__ for name in own)


def test_no_image_at_all_is_refused():
    with pytest.raises(ValueError, match=r"at least one pixel. Received: shape=\(0, 4, 4, 3\)"):
        restore("srcnn-955-x2", np.zeros((0, 4, 4, 3), np.uint8))
    assert restore("srcnn-955-x2", []) == []
