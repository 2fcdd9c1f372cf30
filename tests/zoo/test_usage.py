"""How networks are used, from their cards."""

import re

import pytest

from zoo.usage import Usage, check_sigma, usage
from zoo.weights import WeightsError, card, list_weights


def made(builder, arguments=None, **settings):
    return {
        "builder": builder,
        "arguments": arguments or {},
        "training": {"settings": settings},
    }


def test_every_published_card_says_how_its_network_is_used():
    for name in list_weights():
        found = usage(card(name))
        assert found.scale == card(name)["arguments"].get("scale", 1)


def test_builders():
    assert usage(made("SRCNN", {"scale": 3})) == Usage(3, enlarge_first=True)
    assert usage(made("EDSR", {"scale": 4})) == Usage(4)
    assert usage(made("DnCNN", sigma=25.0, sigma_min=-1.0)) == Usage(levels=(25.0, 25.0))
    assert usage(made("DnCNN", sigma=55.0, sigma_min=0.0)) == Usage(levels=(0.0, 55.0))
    assert usage({"builder": "DnCNN", "arguments": {}}) == Usage()
    assert usage(made("DPHSIR", sigma=70.0)) == Usage(takes_sigma=True, levels=(0.0, 70.0))
    with pytest.raises(WeightsError, match="networks of Unet are used"):
        usage(made("Unet"))


@pytest.mark.parametrize(
    ("used", "sigma", "remark"),
    [
        (Usage(levels=(25.0, 25.0)), 25.0, None),
        (Usage(levels=(25.0, 25.0)), None, None),
        (
            Usage(levels=(25.0, 25.0)),
            50.0,
            "trained for noise of 25 grey levels of 255, not for 50",
        ),
        (Usage(levels=(0.0, 55.0)), 50.0, None),
        (Usage(levels=(0.0, 55.0)), 60.5, "trained for noise from 0 to 55 .* not for 60.5"),
        (Usage(), 25.0, "takes no noise level, and its card does not say"),
        (Usage(takes_sigma=True), 25.0, None),
        (Usage(takes_sigma=True, levels=(0.0, 70.0)), 90.0, "from 0 to 70 .* not for 90"),
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
