"""Cards: what a file says comes back, and what it cannot say is refused in one sentence."""

import json

import pytest

from tests.zoo.examples import card_of
from zoo.store import card as cards
from zoo.store.card import Card, Use, WeightsError, read_card
from zoo.store.weight import list_weights, published_card


def test_every_published_card_says_how_its_network_is_used():
    for name in list_weights():
        card = published_card(name)
        assert card.use.scale == card.arguments.get("scale", 1)
        assert card.use.colours
        of_jpeg = card.use.scale == 1 and card.use.jpeg_below > 0
        assert [card.use.scale > 1, card.use.levels is not None, of_jpeg].count(True) == 1


def test_what_a_network_for_noise_is():
    """One that is told the level or is for levels; not one that enlarges, or for JPEG."""
    assert Use(takes_sigma=True).denoises
    assert Use(levels=(0.0, 0.1)).denoises
    assert not Use(2).denoises
    assert not Use(jpeg_below=100).denoises


def test_what_a_use_says():
    assert Use.from_json({"scale": 3, "enlarge_first": True}) == Use(3, enlarge_first=True)
    said = {"takes_sigma": True, "levels": [0, 50], "colours": ["rgb"]}
    expected = Use(takes_sigma=True, levels=(0.0, 50 / 255), colours=("rgb",))
    assert Use.from_json(said) == expected
    assert Use.from_json({}) == Use()
    one = Use.from_json({"levels": [20, 50], "level": 25})
    assert one == Use(levels=(20 / 255, 50 / 255), level=25 / 255)
    jpegs = Use.from_json({"scale": 2, "jpeg_below": 90})
    assert jpegs == Use(2, jpeg_below=90)
    light = Use.from_json({"linear": True})
    assert light == Use(linear=True)
    for use in (expected, one, Use(4), jpegs, light):
        assert Use.from_json(json.loads(json.dumps(use.to_json()))) == use
    assert one.to_json() == {"levels": [20, 50], "level": 25}


@pytest.mark.parametrize(
    "use",
    [
        *(
            {"scale": 0},
            {"scale": 10**9},
            {"scale": "2"},
            {"scale": 2.0},
            {"scale": True},
            {"enlarge_first": "yes"},
        ),
        *({"levels": 25}, {"levels": [30, 20]}, {"levels": [0, 1e999]}, {"levels": ["a", "b"]}),
        *({"levels": [1]}, {"levels": [0, 10**400]}, {"level": 25}),
        *({"level": 60, "levels": [20, 50]}, {"level": 25, "levels": [0, 50]}),
        *({"level": 0, "levels": [20, 50]}, {"colours": 3}, {"colours": ["pink"]}),
        *(
            {"takes_sigma": []},
            {"jpeg_below": 101},
            {"jpeg_below": -1},
            {"jpeg_below": "90"},
            {"linear": 1},
        ),
    ],
)
def test_what_a_use_cannot_say(use):
    reasons = "a network cannot be used so|no network enlarges by more than 64|it lacks '.*"
    with pytest.raises(WeightsError, match=f"({reasons}). Received"):
        Use.from_json(use)


def test_a_whole_card_comes_back(tmp_path):
    said = {
        "builder": "SRCNN",
        "arguments": {"scale": 3, "variant": "9-5-5", "weights": None},
        "use": {"scale": 3, "enlarge_first": True},
        "training": {"settings": {"steps": 5}, "seconds": 3},
        "file": "a.weights.h5",
        "sha256": "12",
        "bytes": 34,
        "parameters": 56,
        "url": "https://example.org/a",
        "licence": "Apache-2.0",
        "tests": [{"data": "set5", "task": "x3", "psnr": 32.5, "images": 5, "published": 32}],
    }
    card = Card.from_json(said)
    assert card.more == {"licence": "Apache-2.0"}
    assert card.tests == (cards.Test("set5", "x3", 32.5, images=5, published=32.0),)
    card.write(tmp_path / "a.json")
    assert json.loads((tmp_path / "a.json").read_text()) == said
    assert read_card(tmp_path / "a.json") == card


def test_published_cards_are_written_as_they_are_read():
    for name in list_weights():
        card = published_card(name)
        assert Card.from_json(card.to_json()) == card


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"use": None}, "it lacks 'use', a value of the type dict. Received: use=None"),
        ({"use": ["scale"]}, "it lacks 'use', a value of the type dict"),
        ({"builder": ["SRCNN"]}, r"it lacks 'builder', .* str. Received: builder=\['SRCNN'\]"),
        ({"arguments": [2]}, "it lacks 'arguments', a value of the type dict"),
        ({"arguments": {"scale": [2]}}, r"an argument is one value. Received: scale=\[2\]"),
        ({"sha256": 5}, "it lacks 'sha256', a value of the type str. Received: sha256=5"),
        ({"tests": [5]}, "it lacks '0', a value of the type dict. Received: 0=5"),
        ({"tests": [{"data": "set5", "psnr": 3}]}, "it lacks 'task', a value of the type str"),
        ({"bytes": True}, "it lacks 'bytes', a value of the type int. Received: bytes=True"),
    ],
)
def test_cards_that_are_refused(said, message):
    with pytest.raises(WeightsError, match=message):
        card_of({"builder": "SRCNN", "arguments": {}, **said})


def test_a_test_stands_beside_the_literature():
    test = cards.Test("set5", "x3", 32.6, images=5, published=32.75, published_note="by others")
    assert str(test) == "set5 (5), x3"
    assert test.beside() == "32.75 (by others)"
    assert cards.Test("set5", "x3", 32.6).beside() == ""
