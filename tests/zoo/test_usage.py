"""How networks are used, from their cards."""

import re

import pytest

from zoo.usage import Usage, check_colour, check_sigma, contrast, usage
from zoo.weights import WeightsError, card, list_weights


def test_every_published_card_says_how_its_network_is_used():
    for name in list_weights():
        found = usage(card(name))
        assert found.scale == card(name)["arguments"].get("scale", 1)
        assert found.colours
        assert (found.scale > 1) != (found.levels is not None)


def test_what_a_card_says():
    assert usage({"use": {"scale": 3, "enlarge_first": True}}) == Usage(3, enlarge_first=True)
    use = {"takes_sigma": True, "levels": [0, 50], "colours": ["rgb"]}
    expected = Usage(takes_sigma=True, levels=(0.0, 50.0), colours=("rgb",))
    assert usage({"use": use}) == expected
    assert usage({"use": {}}) == Usage()
    one = usage({"use": {"levels": [20, 50], "level": 25}})
    assert one == Usage(levels=(20.0, 50.0), level=25.0)
    found = [contrast(one, sigma) for sigma in (25, 50, 20, 10, 0, None)]
    assert found == [1.0, 0.5, 1.25, 1.25, 1.25, 1.0]
    assert contrast(expected, 50) == 1.0  # it takes the level


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
        *(
            {"level": 25},
            {"level": 60, "levels": [20, 50]},
        ),
        *({"level": 25, "levels": [0, 50]}, {"level": 0, "levels": [20, 50]}),
        *(
            {"colours": 3},
            {"colours": ["pink"]},
            {"colours": [{}]},
            {"level": 10**400},
            {"takes_sigma": []},
        ),
    ],
)
def test_what_a_card_cannot_say(use):
    with pytest.raises(WeightsError, match=r"use cannot be read. Received: \{"):
        usage({"use": use})


@pytest.mark.parametrize("card", [{}, {"use": None}, {"use": ["scale"]}])
def test_a_card_that_says_nothing(card):
    with pytest.raises(WeightsError, match='lacks "use"'):
        usage(card)


@pytest.mark.parametrize("use", [None, {"scale": "x" * 10_000}])
def test_whose_card_it_is_is_said_in_a_short_sentence(use):
    with pytest.raises(WeightsError, match=r"^a\.weights\.h5: its card.{10,120}$"):
        usage({"use": use}, "a.weights.h5")


def test_what_is_said_about_a_kind_of_picture():
    used = Usage(colours=("grey", "cmyk"))
    assert check_colour("it", used, "grey") == check_colour("it", Usage(), "rgb") == ""
    expected = "it is for grey and cmyk pictures: on one that is rgb, expect poor results"
    assert check_colour("it", used, "rgb") == expected


@pytest.mark.parametrize(
    ("used", "sigma", "remark"),
    [
        (Usage(levels=(25.0, 25.0)), 25.0, None),
        (Usage(levels=(25.0, 25.0)), None, None),
        (
            Usage(levels=(25.0, 25.0)),
            50.0,
            "it is for noise of 25 grey levels of 255, not of 50",
        ),
        (Usage(levels=(0.0, 55.0)), 50.0, None),
        (Usage(levels=(0.0, 55.0)), 60.5, "it is for noise from 0 to 55 .* not of 60.5"),
        (Usage(), 25.0, "takes no noise level, and its card does not say"),
        (Usage(takes_sigma=True), 25.0, None),
        (Usage(takes_sigma=True, levels=(0.0, 70.0)), 90.0, "from 0 to 70 .* not of 90"),
        (Usage(scale=2), None, None),
    ],
)
def test_what_is_said_about_a_level(used, sigma, remark):
    found = check_sigma("it", used, sigma)
    if remark is None:
        assert found is None
    else:
        assert re.search(remark, found)


@pytest.mark.parametrize(
    ("used", "sigma", "match"),
    [
        (Usage(takes_sigma=True), None, "it must be given the level of the noise"),
        (Usage(scale=2), 25.0, "it enlarges and takes no noise level. Received: sigma 25"),
        (Usage(), -1.0, "sigma must be 0 or more. Received: -1"),
        (Usage(), float("nan"), "sigma must be 0 or more. Received: nan"),
        (Usage(), float("inf"), "sigma must be 0 or more. Received: inf"),
    ],
)
def test_levels_that_are_refused(used, sigma, match):
    with pytest.raises(ValueError, match=match):
        check_sigma("it", used, sigma)
