"""The rate over the steps, the published protocols, and the settings of a run."""

import argparse
from typing import get_type_hints

import keras
import numpy as np
import pytest

from recipes import dncnn, dphsir, edsr, srcnn
from recipes.training.objective import make_loss, schedule
from recipes.training.optimizers import optimizer
from recipes.training.settings import Descent, Samples, TrainingError, add_options, chosen


def parsed(module, words):
    """Return the settings that the command line of a recipe gives."""
    kind = get_type_hints(module.recipe)["settings"]
    parser = argparse.ArgumentParser()
    add_options(parser, kind())
    return chosen(kind, module.PUBLISHED, parser.parse_args(words))


def test_the_cosine_rises_and_falls():
    rate = schedule(Descent(steps=1000, learning_rate=1e-3))
    assert float(rate(0)) == pytest.approx(1e-5)
    assert float(rate(20)) == pytest.approx(1e-3)
    middle = 1e-3 * (0.99 * 0.5 * (1 + np.cos(np.pi * 490 / 980)) + 0.01)
    assert float(rate(510)) == pytest.approx(middle, rel=1e-5)
    assert float(rate(1000)) == pytest.approx(1e-5)


def test_the_rest_of_a_schedule_begins_with_a_warm_up():
    whole = schedule(Descent(steps=1000, learning_rate=1e-3))
    rest = schedule(Descent(steps=1000, learning_rate=1e-3, first_step=400))
    assert float(rest(400)) == pytest.approx(float(whole(400)) / 200)
    assert float(rest(499)) == pytest.approx(float(whole(499)) / 2)
    assert float(rest(599)) == pytest.approx(float(whole(599)))
    assert float(rest(900)) == pytest.approx(float(whole(900)))
    constant = schedule(Descent(learning_rate=0.5, schedule="constant", first_step=10))
    assert float(constant(109)) == pytest.approx(0.25)


def test_milestones_multiply_the_first_rate():
    rate = schedule(Descent(learning_rate=0.5, milestones="10:0.5,20:0.1"))
    assert [float(rate(step)) for step in (0, 10, 11, 20, 21)] == pytest.approx(
        [0.5, 0.5, 0.25, 0.25, 0.05]
    )


@pytest.mark.parametrize("text", ["10", "a:1", "20:0.5,10:0.1", "0:0.5", "10:0.5,10:0.1"])
def test_wrong_milestones_are_one_sentence(text):
    with pytest.raises(ValueError, match="--milestones must be STEP:FACTOR.* Received: "):
        schedule(Descent(milestones=text))


def test_the_published_preset_gives_defaults_that_options_override():
    words = ["--data", "a", "--workdir", "b", "--preset", "published", "--batch", "32"]
    found = parsed(edsr, words)
    assert (found.descent.learning_rate, found.descent.milestones) == (1e-4, "200000:0.5")
    assert found.samples.batch == 32
    assert parsed(edsr, words[:4]).descent.learning_rate == 2e-4


@pytest.mark.parametrize(
    ("module", "kind"),
    [
        (srcnn, srcnn.SrcnnSettings),
        (edsr, edsr.EdsrSettings),
        (dncnn, dncnn.DncnnSettings),
        (dphsir, dphsir.DphsirSettings),
    ],
)
def test_each_published_protocol_is_a_run_that_can_start(module, kind):
    found = kind.of(data="-", workdir="-", **module.PUBLISHED)
    slow_layers = module.recipe(found).slow_layers
    assert slow_layers == (("reconstruction",) if module is srcnn else ())
    assert isinstance(make_loss(found.objective), keras.losses.Loss)
    assert optimizer(found.descent, slow_layers).use_ema is False
    assert found.descent.steps % found.descent.every == 0


def test_slow_layers_need_gradient_descent():
    with pytest.raises(TrainingError, match="--slow-layers needs --optimizer sgd. Received: adam"):
        srcnn.recipe(srcnn.SrcnnSettings(slow_layers="reconstruction"))


# The keys of run.json: what earlier runs wrote, so that they go on.
IDENTITY = """data degraded loss weighting quantile apply_to normalize balanced steps batch patch
optimizer learning_rate schedule milestones ema clip precision init seed every""".split()
LATER = "linear label_noise reference domain first_step".split()  # their defaults change nothing


@pytest.mark.parametrize(
    ("kind", "own"),
    [
        (srcnn.SrcnnSettings, "scale variant slow_layers"),
        (edsr.EdsrSettings, "scale variant"),
        (
            dncnn.DncnnSettings,
            "variant sigma sigma_min depth filters folded noise_model jpeg jpeg_encoder",
        ),
        (dphsir.DphsirSettings, "variant bands sigma bands_axis variable"),
    ],
)
def test_the_identity_of_a_run_leaves_out_how_it_goes_and_where(kind, own):
    assert sorted(kind().identity()) == sorted([*IDENTITY, *LATER, *own.split()])


def test_settings_are_changed_by_their_names_whatever_their_subject():
    found = srcnn.SrcnnSettings.of(data="a", seed=3).having(steps=7, scale=2)
    assert found.samples == Samples(data="a", batch=32, patch=88)
    assert (found.start.seed, found.descent.steps, found.scale) == (3, 7, 2)
    with pytest.raises(TypeError, match="there is no setting 'stepps'"):
        found.having(stepps=7)
