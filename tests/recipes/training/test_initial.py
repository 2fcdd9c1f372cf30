"""The weights that a run starts from: across scales, and what a card calls them."""

import hashlib
import json
import shutil
from dataclasses import replace

import keras
import numpy as np
import pytest
from keras.ops import convert_to_numpy
from PIL import Image

import zoo
from recipes import dncnn
from recipes.data.patches import Patches
from recipes.training.devices import open_devices
from recipes.training.initial import origin, start_from
from recipes.training.run import compiled
from zoo.networks.dncnn import fold_batch_norm
from zoo.store.card import Card, Use, WeightsError
from zoo.store.weight import PUBLISHED, save

SMALL = {"blocks": 1, "filters": 4}
SHARED = ("head", "block1_conv1", "block1_conv2", "body_conv", "tail")


def edsr(scale, seed):
    keras.utils.set_random_seed(seed)
    card = Card("EDSR", {"scale": scale, **SMALL}, Use(scale=scale))
    return zoo.EDSR(scale, **SMALL), card


@pytest.fixture
def trained(tmp_path):
    """A finished run of EDSR x2."""
    (tmp_path / "x2").mkdir()
    network, card = edsr(2, seed=1)
    card = replace(card, training={"settings": {"steps": 43000}})
    save(network, tmp_path / "x2/network.weights.h5", card)
    return tmp_path / "x2", network


def weights(network, name):
    return network.get_layer(name).get_weights()


def same(first, second):
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_scale_4_starts_from_scale_2_with_its_upsampler_twice(trained):
    folder, two = trained
    four, card = edsr(4, seed=2)
    assert not same(weights(four, "head"), weights(two, "head"))
    said = start_from(four, str(folder), card)
    for name in SHARED:
        assert same(weights(four, name), weights(two, name)), name
    for name in ("upsample1_conv", "upsample2_conv"):
        assert same(weights(four, name), weights(two, "upsample1_conv")), name
    # 112 + 2 * 148 + 148 + 2 * 592 + 111
    assert said.endswith("of scale 2: 1,851 of 1,851 parameters; no layer is new")


def test_scale_3_starts_from_scale_2_with_an_upsampler_of_its_own(trained):
    folder, two = trained
    three, card = edsr(3, seed=2)
    before = weights(three, "upsample1_conv")
    said = start_from(three, str(folder), card)
    for name in SHARED:
        assert same(weights(three, name), weights(two, name)), name
    assert same(weights(three, "upsample1_conv"), before)
    assert said.endswith("of scale 2: 667 of 1,999 parameters; upsample1_conv is new")


def test_span_starts_from_another_scale_with_a_tail_of_its_own(tmp_path):
    two, four = (zoo.SPAN(scale, channels=28) for scale in (2, 4))
    cards = [
        Card("SPAN", {"scale": scale, "channels": 28}, Use(scale=scale), training={})
        for scale in (2, 4)
    ]
    save(two, tmp_path / "network.weights.h5", cards[0])
    said = start_from(four, str(tmp_path / "network.weights.h5"), cards[1])
    for layer in two.layers:
        if layer.weights and layer.name != "tail":
            assert same(layer.get_weights(), weights(four, layer.name)), layer.name
    assert said.endswith("of scale 2: 138,544 of 150,688 parameters; tail is new")


def test_the_same_scale_is_loaded_whole(trained):
    folder, two = trained
    again, card = edsr(2, seed=2)
    start_from(again, str(folder), card)
    assert same(again.get_weights(), two.get_weights())


@pytest.mark.slow
def test_a_run_goes_on_from_the_form_that_another_was_trained_in(tmp_path):
    """What DnCNN publishes has lost its batch normalisation."""
    (tmp_path / "photos").mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (20, 24), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "photos/one.png")
    few = ["--data", str(tmp_path / "photos"), "--depth", "3", "--filters", "4", "--patch", "16"]
    few += ["--batch", "2", "--steps", "2", "--every", "2", "--quiet"]
    first, second = (str(tmp_path / name) for name in ("first", "second"))
    assert dncnn.main([*few, "--workdir", first]) == 0
    assert dncnn.main([*few, "--workdir", second, "--init", first]) == 0
    begun = json.loads((tmp_path / "second/network.json").read_text())["training"]["settings"]
    assert begun["init"].startswith("trained.weights.h5, SHA-256 ")
    assert begun["init"].endswith(", 2 steps")
    assert len(zoo.load(first).weights) < len(zoo.load(f"{first}/trained.weights.h5").weights)


FEW = {"variant": "C", "depth": 4, "filters": 4}


def normalised(folder, seed=0):
    """Write a DnCNN with batch normalisation whose statistics and factors are no beginner's."""
    keras.utils.set_random_seed(seed)
    network, rng = zoo.DnCNN(**FEW), np.random.default_rng(seed)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 2, w.shape) for w in layer.weights])
    card = Card("DnCNN", FEW, Use(levels=(0, 0.2)), training={"reached": "7 of 9 steps"})
    save(network, folder / "kept.weights.h5", card)
    return network


def dncnn_run(tmp_path, **changes):
    settings = dncnn.DncnnSettings.of(**FEW, patch=8, batch=2, workdir=str(tmp_path), **changes)
    return settings, dncnn.recipe(settings)


def test_a_network_without_batch_normalisation_starts_from_one_with_it(tmp_path, capsys):
    """As the run begins it: before the first step it restores what the kept one restores."""
    kept = normalised(tmp_path)
    file = str(tmp_path / "kept.weights.h5")
    settings, recipe = dncnn_run(tmp_path, folded=True, init=file, precision="float32")
    noise = np.random.default_rng(1).integers(0, 256, (12, 14, 3), dtype=np.uint8)
    patches = Patches.of([noise], 8, 2, seed=0)
    with open_devices(settings.machines, 2) as devices:
        model = compiled(settings, recipe, devices, patches)
    picture = np.random.default_rng(2).uniform(size=(1, 9, 11, 3)).astype("float32")
    restored, expected = (convert_to_numpy(each(picture)) for each in (model.network, kept))
    assert np.abs(expected - picture).max() > 0.1
    np.testing.assert_allclose(restored, expected, rtol=0, atol=64 * 2**-24)
    assert capsys.readouterr().out.endswith(
        ", 7 of 9 steps, its batch normalisation folded into the convolutions\n"
    )


@pytest.mark.parametrize("merged", [False, True], ids=["normalised", "merged"])
def test_a_network_for_grey_images_starts_from_the_mean_of_one_for_colour(tmp_path, merged):
    kept = normalised(tmp_path)
    if merged:
        kept = fold_batch_norm(kept)
        save(kept, tmp_path / "kept.weights.h5", Card("DnCNN", {**FEW, "batch_norm": False}, Use()))
    few = {**FEW, "variant": "B", "batch_norm": False}
    grey = zoo.DnCNN(**few)
    said = start_from(grey, str(tmp_path / "kept.weights.h5"), Card("DnCNN", few, Use()))
    picture = np.random.default_rng(2).uniform(size=(1, 9, 11, 1)).astype("float32")
    expected = convert_to_numpy(kept(np.repeat(picture, 3, axis=-1))).mean(axis=-1, keepdims=True)
    assert np.abs(expected - picture).max() > 0.1
    np.testing.assert_allclose(convert_to_numpy(grey(picture)), expected, atol=64 * 2**-24)
    assert said.endswith(", as the mean over its colours")
    assert ("folded into the convolutions" in said) is not merged


def test_a_network_for_colour_does_not_start_from_one_for_grey_images(tmp_path):
    few = {**FEW, "batch_norm": False}
    card = Card("DnCNN", {**few, "variant": "B"}, Use())
    save(zoo.DnCNN(**card.arguments), tmp_path / "grey.weights.h5", card)
    with pytest.raises(WeightsError, match=r"the first layer that differs is 'conv1'"):
        start_from(zoo.DnCNN(**few), str(tmp_path / "grey.weights.h5"), Card("DnCNN", few, Use()))


def test_a_file_that_fits_neither_form_is_refused_by_what_was_asked_for(tmp_path):
    normalised(tmp_path)
    deeper = zoo.DnCNN(variant="C", depth=5, filters=4, batch_norm=False)
    card = Card("DnCNN", {**FEW, "depth": 5, "batch_norm": False}, Use())
    before = deeper.get_weights()
    with pytest.raises(WeightsError, match=r"the first layer that differs is 'conv2', .*\(4,\)"):
        start_from(deeper, str(tmp_path / "kept.weights.h5"), card)
    assert same(deeper.get_weights(), before)


def test_another_network_is_refused_and_changes_nothing(trained):
    wider = zoo.EDSR(4, blocks=1, filters=8)
    before = wider.get_weights()
    card = Card("EDSR", {"scale": 4, "blocks": 1, "filters": 8}, Use(scale=4))
    with pytest.raises(WeightsError, match=r"network.weights.h5 does not fit"):
        start_from(wider, str(trained[0]), card)
    assert same(wider.get_weights(), before)


def test_a_file_without_a_card_is_loaded_where_it_fits(trained, tmp_path):
    folder, two = trained
    shutil.copy(folder / "network.weights.h5", tmp_path / "alone.weights.h5")
    again, card = edsr(2, seed=2)
    assert start_from(again, str(tmp_path / "alone.weights.h5"), card).startswith("started from")
    assert same(again.get_weights(), two.get_weights())


def test_a_published_weight_is_called_by_its_name_wherever_its_file_is(tmp_path):
    assert origin("srcnn-955-x2") == "srcnn-955-x2"
    shutil.copy(PUBLISHED / "srcnn-955-x2.weights.h5", tmp_path / "mine.weights.h5")
    assert origin(str(tmp_path / "mine.weights.h5")) == "srcnn-955-x2"
    (tmp_path / "run").mkdir()
    shutil.copy(PUBLISHED / "srcnn-955-x2.weights.h5", tmp_path / "run/network.weights.h5")
    shutil.copy(PUBLISHED / "srcnn-955-x2.json", tmp_path / "run/network.json")
    assert origin(str(tmp_path / "run")) == "srcnn-955-x2"


def test_other_weights_are_called_by_file_hash_and_steps(trained, tmp_path):
    file = trained[0] / "network.weights.h5"
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    named = f"network.weights.h5, SHA-256 {digest}"
    assert origin(str(trained[0])) == f"{named}, 43,000 steps"
    for name, facts in (("bare", None), ("logged", {"settings": {"steps": 300}})):
        (tmp_path / name).mkdir()
        shutil.copy(file, tmp_path / name)
        if facts:
            (tmp_path / name / "run.json").write_text(json.dumps(facts))
    assert origin(str(tmp_path / "bare/network.weights.h5")) == named
    assert origin(str(tmp_path / "logged/network.weights.h5")) == f"{named}, 300 steps"


def test_what_an_unfinished_run_reached_is_told(trained, tmp_path):
    network, card = edsr(2, seed=1)
    card = replace(card, training={"settings": {"steps": 900}, "reached": "300 of 900 steps"})
    save(network, tmp_path / "start.weights.h5", card)
    assert origin(str(tmp_path / "start.weights.h5")).endswith(", 300 of 900 steps")


@pytest.mark.parametrize("told", ["1\n\x1b[2J" + "x" * 10**5, "[" * 10**5])
def test_what_a_file_tells_of_its_steps_is_a_few_printable_letters(told, trained, tmp_path):
    shutil.copy(trained[0] / "network.weights.h5", tmp_path)
    text = told if told[0] == "[" else json.dumps({"reached": told})
    (tmp_path / "run.json").write_text(text)
    said = origin(str(tmp_path / "network.weights.h5"))
    assert said.isprintable()
    assert len(said) < 250


@pytest.mark.parametrize("scale", ["2", 1e400])
def test_a_card_of_no_scale_is_no_other_scale(scale, trained):
    folder, two = trained
    card = json.loads((folder / "network.json").read_text())
    card["arguments"]["scale"] = scale
    (folder / "network.json").write_text(json.dumps(card))
    network, its_card = edsr(2, seed=3)
    start_from(network, str(folder / "network.weights.h5"), its_card)
    assert same(network.get_weights(), two.get_weights())


def test_no_weights_have_no_origin_and_unknown_ones_are_refused():
    assert origin("") == ""
    with pytest.raises(WeightsError, match="'absent' is neither a published weight"):
        origin("absent")
