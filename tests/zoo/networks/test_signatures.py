"""One shape of signature for all builders."""

import inspect

import pytest

import zoo

pytestmark = pytest.mark.once

BUILDERS = [zoo.SRCNN, zoo.EDSR, zoo.MDSR, zoo.SPAN, zoo.DnCNN, zoo.DPHSIR, zoo.FFDNet]
WITH_SCALE = (zoo.SRCNN, zoo.EDSR, zoo.SPAN)


@pytest.mark.parametrize("builder", BUILDERS)
def test_the_scale_is_positional_and_all_else_by_keyword(builder):
    parameters = inspect.signature(builder).parameters
    positional = [each.name for each in parameters.values() if each.kind is not each.KEYWORD_ONLY]
    assert positional == (["scale"] if builder in WITH_SCALE else [])
    assert {"channels", "weights", "name"} <= set(parameters)


@pytest.mark.parametrize("builder", BUILDERS)
def test_a_model_has_the_name_that_it_is_given(builder):
    scale = (2,) if builder in WITH_SCALE else ()
    small = {zoo.EDSR: {"blocks": 1, "filters": 4}, zoo.DPHSIR: {"channels": 1}}.get(builder, {})
    assert builder(*scale, name="mine", **small).name == "mine"
