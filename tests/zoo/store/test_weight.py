"""Weights: what is saved comes back, and what cannot be trusted is refused in one sentence."""

import dataclasses
import json
import subprocess
import sys

import h5py
import keras
import numpy as np
import pytest

import zoo
from tests.zoo.examples import card_of
from zoo.machine.files import sha256
from zoo.networks.families import FAMILIES
from zoo.networks.mdsr import MDSR, at_scale
from zoo.store.card import read_card
from zoo.store.weight import find, load_into, published_card, save

CARD = {"builder": "SRCNN", "arguments": {"scale": 2, "variant": "9-1-5"}}


@pytest.fixture
def network():
    return zoo.SRCNN(2, variant="9-1-5")


@pytest.fixture
def saved(network, tmp_path):
    save(network, tmp_path / "network.weights.h5", card_of(CARD))
    return tmp_path


def equal(first, second):
    return all(np.array_equal(a, b) for a, b in zip(first.weights, second.weights, strict=True))


@pytest.mark.parametrize("name", [".", "network.weights.h5"])
def test_a_folder_and_a_file_come_back_as_the_network(saved, network, name):
    assert equal(zoo.load(str(saved / name)), network)


def test_the_card_says_what_the_file_is(saved, network):
    card = read_card(saved / "network.json")
    assert card.parameters == network.count_params() == 8129
    assert card.bytes == (saved / "network.weights.h5").stat().st_size
    assert sorted(path.name for path in saved.iterdir()) == ["network.json", "network.weights.h5"]


def test_a_builder_takes_a_file(saved, network):
    again = zoo.SRCNN(
        2, variant="9-1-5", padding="valid", weights=str(saved / "network.weights.h5")
    )
    assert equal(again, network)


def test_a_builder_takes_a_work_folder(saved, network):
    assert equal(zoo.SRCNN(3, variant="9-1-5", weights=str(saved)), network)


def test_other_arguments_than_the_card_s_are_taken(saved, network):
    padded = zoo.load(str(saved), padding="valid")
    assert padded.get_layer("mapping").padding == "valid"
    assert equal(padded, network)
    with pytest.raises(zoo.WeightsError, match="these arguments do not fit SRCNN: scale must be"):
        zoo.load(str(saved), scale=9)
    with pytest.raises(zoo.WeightsError, match="network.weights.h5 does not fit"):
        zoo.load(str(saved), variant="9-5-5")


def test_a_changed_file_is_refused(saved):
    path = saved / "network.weights.h5"
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(zoo.WeightsError, match="is not the file of its card: SHA-256"):
        zoo.load(str(path))


def test_a_truncated_file_is_refused(saved, network):
    path = saved / "network.weights.h5"
    path.write_bytes(path.read_bytes()[:4000])
    before = [variable.numpy() for variable in network.weights]
    with pytest.raises(zoo.WeightsError, match="cannot be read: .*truncated file"):
        load_into(network, str(path))
    for old, new in zip(before, network.weights, strict=True):
        np.testing.assert_array_equal(old, new)


def test_weights_of_another_variant_are_refused_with_the_first_layer_that_differs(saved):
    message = "does not fit srcnn_955_x2: the first layer that differs is 'mapping', .*5, 5.*1, 1"
    with pytest.raises(zoo.WeightsError, match=message):
        zoo.SRCNN(2, variant="9-5-5", weights=str(saved / "network.weights.h5"))


def test_weights_of_another_builder_are_refused_with_the_first_layer_that_differs(tmp_path):
    zoo.DnCNN(depth=4).save_weights(tmp_path / "dncnn.weights.h5")
    with pytest.raises(zoo.WeightsError, match="first layer that differs is 'patch_extraction'"):
        zoo.SRCNN(2, weights=str(tmp_path / "dncnn.weights.h5"))


def test_weights_of_a_deeper_network_are_refused(tmp_path):
    zoo.DnCNN(depth=6, batch_norm=False).save_weights(tmp_path / "deep.weights.h5")
    shallow = zoo.DnCNN(depth=5, batch_norm=False)
    before = shallow.get_weights()
    with pytest.raises(zoo.WeightsError, match="first layer that differs is 'conv5'"):
        load_into(shallow, str(tmp_path / "deep.weights.h5"))
    for old, new in zip(before, shallow.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_file_that_lacks_a_layer_is_refused(saved, network):
    with h5py.File(saved / "network.weights.h5", "a") as file:
        del file["layers/conv2d_2"]
    with pytest.raises(zoo.WeightsError, match="differs is 'reconstruction'.* in the file \\[\\]"):
        load_into(network, str(saved / "network.weights.h5"))


def test_a_file_with_a_layer_more_is_refused(saved, network):
    with h5py.File(saved / "network.weights.h5", "a") as file:
        file["layers/conv2d_3/vars/0"] = np.zeros(3, "float32")
    with pytest.raises(zoo.WeightsError, match="the file has a layer more, 'conv2d_3'"):
        load_into(network, str(saved / "network.weights.h5"))


def test_a_fault_in_the_last_layer_leaves_the_first_as_it_is(saved):
    path, network = saved / "network.weights.h5", zoo.SRCNN(2, variant="9-1-5")
    before = network.get_weights()
    with h5py.File(path, "a") as file:
        file.move("layers/conv2d_2/vars", "layers/conv2d_2/others")
    with pytest.raises(zoo.WeightsError, match="network.weights.h5 cannot be read: "):
        load_into(network, str(path))
    assert all(map(np.array_equal, before, network.get_weights()))


def test_no_file_is_refused(tmp_path):
    with pytest.raises(zoo.WeightsError, match="absent.weights.h5' is neither a published weight"):
        zoo.SRCNN(2, weights=str(tmp_path / "absent.weights.h5"))
    with pytest.raises(zoo.WeightsError, match="'absent' is neither a published weight"):
        zoo.load("absent")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"builder": "os.system"},
            "its card names an unknown builder. Received: builder='os.system'",
        ),
        ({"arguments": {"scale": 9}}, "its card does not fit SRCNN: scale must be 2, 3 or 4"),
        ({"arguments": {"size": 9}}, "its card does not fit SRCNN: .* argument 'size'"),
        ({"arguments": {"scale": [2]}}, r"an argument is one value. Received: scale=\[2\]"),
        ({"sha256": 5}, "network.json cannot be used: it lacks 'sha256', a value of the type str"),
        ({"arguments": "\x1b[2J\n"}, r"lacks 'arguments', .* Received: arguments='\\x1b\[2J\\n'"),
        ({"sha256": "a\n" + "b" * 10**5}, r"SHA-256 a\\nb{62} expected, \w{64} found$"),
        ({"builder": "x" * 10**5}, "unknown builder. Received: builder='x{80}'$"),
    ],
)
def test_a_card_that_does_not_fit_is_refused(saved, change, message):
    card = json.loads((saved / "network.json").read_text())
    (saved / "network.json").write_text(json.dumps({**card, **change}))
    with pytest.raises(zoo.WeightsError, match=message):
        zoo.load(str(saved))


@pytest.mark.parametrize(
    ("use", "message"),
    [
        ({"scale": 1}, "enlarges by 2, and its card says by 1"),
        ({"scale": 2, "takes_sigma": True}, "its card says that it takes sigma, which is not so"),
    ],
)
def test_a_card_that_says_another_use_is_refused(use, message, tmp_path):
    arguments = {"scale": 2, "blocks": 1, "filters": 4}
    card = {"builder": "EDSR", "arguments": arguments, "use": use}
    save(zoo.EDSR(**arguments), tmp_path / "a.weights.h5", card_of(card))
    with pytest.raises(zoo.WeightsError, match=f"a.weights.h5:? {message}"):
        zoo.open_network(tmp_path / "a.weights.h5")


@pytest.mark.parametrize("key", ["weights", "name"])
def test_a_card_names_no_other_file_and_no_model(saved, key):
    card = json.loads((saved / "network.json").read_text())
    arguments = {"arguments": card["arguments"] | {key: str(saved / "network.weights.h5")}}
    (saved / "network.json").write_text(json.dumps({**card, **arguments}))
    with pytest.raises(zoo.WeightsError, match=f"{key} is no argument of a card"):
        zoo.load(str(saved))


@pytest.mark.parametrize(
    ("builder", "arguments"),
    [
        ("EDSR", {"scale": 2, "blocks": 10**9, "filters": 1}),
        ("EDSR", {"scale": 2, "blocks": 1, "filters": 10**6}),
        ("EDSR", {"scale": 2, "variant": "full"}),
        ("DnCNN", {"depth": 10**9}),
        ("DnCNN", {"depth": 100}),
    ],
)
def test_a_network_that_its_file_cannot_hold_is_not_built(saved, builder, arguments, monkeypatch):
    family = dataclasses.replace(FAMILIES[builder], build=lambda **_: pytest.fail("it was built"))
    monkeypatch.setitem(FAMILIES, builder, family)
    card = json.loads((saved / "network.json").read_text())
    (saved / "network.json").write_text(
        json.dumps({**card, "builder": builder, "arguments": arguments})
    )
    with pytest.raises(zoo.WeightsError, match="cannot hold the weights of so many layers"):
        zoo.load(str(saved))


def test_a_network_that_is_damaged_before_it_is_built_cannot_be_read(saved):
    """With a card that says the right sum of what is damaged."""
    file = saved / "network.weights.h5"
    file.write_bytes(file.read_bytes()[:-200])
    card = json.loads((saved / "network.json").read_text())
    (saved / "network.json").write_text(json.dumps({**card, "sha256": sha256(file)}))
    with pytest.raises(zoo.WeightsError, match=r"network.weights.h5 cannot be read: .*truncated"):
        zoo.load(str(saved))


@pytest.mark.parametrize("name", ["edsr", "dncnn"])
def test_a_network_that_its_file_just_holds_is_built(name, tmp_path):
    network = {
        "edsr": lambda: zoo.EDSR(2, blocks=2, filters=4),
        "dncnn": lambda: zoo.DnCNN(depth=3),
    }
    arguments = {"edsr": {"scale": 2, "blocks": 2, "filters": 4}, "dncnn": {"depth": 3}}[name]
    builder = {"edsr": "EDSR", "dncnn": "DnCNN"}[name]
    save(
        network[name](),
        tmp_path / "a.weights.h5",
        card_of({"builder": builder, "arguments": arguments}),
    )
    assert zoo.load(str(tmp_path / "a.weights.h5")).count_params() > 0


HOSTILE = {
    "nan": np.full((9, 9, 1, 64), np.nan, "f4"),
    "inf": np.full((9, 9, 1, 64), -np.inf, "f4"),
    "inf in float16": np.full((9, 9, 1, 64), np.inf, "f2"),
    "1e38": np.full((9, 9, 1, 64), 1e38, "f4"),
    "complex": np.ones((9, 9, 1, 64), "c8"),
    "int8": np.ones((9, 9, 1, 64), "i1"),
    "bool": np.ones((9, 9, 1, 64), "?"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_values_that_no_network_can_mean_are_refused(kind, saved, network):
    path, before = saved / "network.weights.h5", network.get_weights()
    with h5py.File(path, "a") as file:
        del file["layers/conv2d/vars/0"]
        file["layers/conv2d/vars/0"] = HOSTILE[kind]
    with pytest.raises(
        zoo.WeightsError, match="cannot be read: it holds weights (of the kind|from)"
    ):
        load_into(network, str(path))
    assert all(map(np.array_equal, before, network.get_weights()))


def test_a_negative_variance_is_refused(tmp_path):
    network = zoo.DnCNN(depth=3)
    network.save_weights(tmp_path / "a.weights.h5")
    with h5py.File(tmp_path / "a.weights.h5", "a") as file:
        file["layers/batch_normalization/vars/3"][0] = -1
    with pytest.raises(zoo.WeightsError, match="the variance in bn2 is negative"):
        load_into(network, str(tmp_path / "a.weights.h5"))


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_other_floats_are_taken(dtype, saved, network):
    with h5py.File(saved / "network.weights.h5", "a") as file:
        values = file["layers/conv2d/vars/0"][()].astype(dtype)
        del file["layers/conv2d/vars/0"]
        file["layers/conv2d/vars/0"] = values
    load_into(network, str(saved / "network.weights.h5"))
    np.testing.assert_allclose(network.get_weights()[0], values, rtol=1e-6)


def test_bfloat16_is_taken(tmp_path):
    image = keras.Input((None, None, 1))
    network = keras.Model(image, keras.layers.Conv2D(2, 3, dtype="bfloat16")(image))
    network.save_weights(tmp_path / "a.weights.h5")
    load_into(network, str(tmp_path / "a.weights.h5"))
    network.set_weights([np.full((3, 3, 1, 2), np.nan), np.zeros(2)])
    network.save_weights(tmp_path / "a.weights.h5")
    with pytest.raises(zoo.WeightsError, match="it holds weights from nan to nan"):
        load_into(network, str(tmp_path / "a.weights.h5"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read"),
        ("[]", "it lacks 'card', a value of the type dict"),
        ("[" * 10**5, "cannot be read: RecursionError"),
        (" " * 2**20 + "{}", "cannot be read: it has more than 1048576 bytes"),
        ('{"a": ' + "9" * 5000 + "}", "cannot be read: Exceeds the limit"),
    ],
    ids=["cut", "a list", "nested", "long", "a long number"],
)
def test_a_damaged_card_is_refused(saved, text, message):
    (saved / "network.json").write_text(text)
    with pytest.raises(zoo.WeightsError, match=message):
        zoo.load(str(saved))


def test_the_file_holds_plain_arrays(saved):
    kinds = set()
    with h5py.File(saved / "network.weights.h5") as file:
        file.visititems(lambda _, item: kinds.add(getattr(item, "dtype", None)))
    assert kinds == {None, np.dtype("float32")}  # groups and arrays: nothing to unpickle


def test_an_unknown_name_lists_the_known():
    with pytest.raises(
        zoo.WeightsError, match="there is no weight of that name, but .* Received: name='edsr'"
    ):
        published_card("edsr")


@pytest.mark.slow
def test_networks_for_several_scales_share_a_file(tmp_path):
    model = MDSR(channels=1)
    for scale in (2, 3):
        use = {"scale": scale}
        card = card_of({"builder": "MDSR", "arguments": {"channels": 1}, "use": use})
        weight = save(model, tmp_path / "mdsr.weights.h5", card)
        network = zoo.load(weight.file)
        assert equal(network, at_scale(model, scale))
        assert find(weight.file).card.use.scale == scale


class Bomb(keras.layers.Layer):
    """What a stranger's `.keras` file may hold: code that runs when the file is read."""

    def call(self, x):
        return x

    @classmethod
    def from_config(cls, config):
        raise AssertionError("the object of the stranger was made")


def test_a_keras_file_is_never_opened(tmp_path, network):
    path = tmp_path / "stranger.keras"
    image = keras.Input((None, None, 1))
    keras.Model(image, Bomb()(image)).save(path)
    card_of(CARD).write(tmp_path / "stranger.json")
    for load in (zoo.load, lambda name: zoo.SRCNN(2, weights=name)):
        with pytest.raises(zoo.WeightsError, match="stranger.keras' is neither a published weight"):
            load(str(path))


def test_a_keras_file_under_another_name_is_refused(tmp_path, network):
    image = keras.Input((None, None, 1))
    keras.Model(image, Bomb()(image)).save(tmp_path / "stranger.keras")
    (tmp_path / "stranger.keras").rename(tmp_path / "stranger.weights.h5")
    with pytest.raises(zoo.WeightsError, match="stranger.weights.h5 cannot be read: .*signature"):
        load_into(network, str(tmp_path / "stranger.weights.h5"))


@pytest.mark.slow
def test_two_processes_may_load_the_same_weight_at_once(saved):
    code = "import sys, zoo; zoo.load(sys.argv[1])"
    both = [subprocess.Popen([sys.executable, "-c", code, str(saved)]) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
