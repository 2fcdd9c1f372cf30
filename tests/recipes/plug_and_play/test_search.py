"""The search by hand, on scores that are known everywhere."""

import pytest

from recipes.plug_and_play.search import search


def hill(settings):
    x, y = settings["x"] - 4, settings["y"] - 2
    return -(x**2) - y**2 - x * y / 2


LADDERS = {"x": tuple(range(1, 8)), "y": tuple(range(1, 8))}


@pytest.mark.parametrize("begin", [{"x": 1, "y": 7}, {"x": 7, "y": 7}, {"x": 4, "y": 2}])
def test_it_climbs_to_the_top_from_either_side(begin):
    found = search(hill, LADDERS, begin)
    assert found.settings == {"x": 4, "y": 2}
    assert found.score == 0


def test_no_settings_are_scored_twice_nor_more_than_allowed():
    seen = []

    def noted(settings):
        seen.append(tuple(settings.values()))
        return hill(settings)

    found = search(noted, LADDERS, {"x": 1, "y": 1})
    assert len(seen) == len(set(seen)) == found.tried
    seen.clear()
    assert search(noted, LADDERS, {"x": 1, "y": 1}, tries=3).tried == len(seen) == 3


def test_smaller_gains_are_none():
    ladders = {"x": (0, 1, 2)}
    assert search(lambda s: 0.009 * s["x"], ladders, {"x": 0}, least=0.01).settings == {"x": 0}
    assert search(lambda s: 0.011 * s["x"], ladders, {"x": 0}, least=0.01).settings == {"x": 2}


def test_a_method_without_settings_is_scored_once():
    found = search(lambda settings: 3.0, {}, {})
    assert (found.settings, found.score, found.tried) == ({}, 3.0, 1)


def test_it_begins_on_the_ladders():
    with pytest.raises(ValueError, match=r"x must be one of \(1, 2\)\. Received: 3"):
        search(lambda settings: 0.0, {"x": (1, 2)}, {"x": 3})
