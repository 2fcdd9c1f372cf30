"""The rate over the steps, the slow layers of SRCNN, and the published protocols."""

import keras
import numpy as np
import pytest
from keras import layers

from recipes import dncnn, dphsir, edsr, srcnn
from recipes.training.objective import LayerwiseSGD, ema_momentum, make_loss, optimizer, schedule
from recipes.training.settings import Settings, parse


def settings(**changes):
    return Settings(data="-", workdir="-", **changes)


def test_the_cosine_rises_and_falls():
    rate = schedule(settings(steps=1000, learning_rate=1e-3))
    assert float(rate(0)) == pytest.approx(1e-5)
    assert float(rate(20)) == pytest.approx(1e-3)
    middle = 1e-3 * (0.99 * 0.5 * (1 + np.cos(np.pi * 490 / 980)) + 0.01)
    assert float(rate(510)) == pytest.approx(middle, rel=1e-5)
    assert float(rate(1000)) == pytest.approx(1e-5)


def test_milestones_multiply_the_first_rate():
    rate = schedule(settings(learning_rate=0.5, milestones="10:0.5,20:0.1"))
    assert [float(rate(step)) for step in (0, 10, 11, 20, 21)] == pytest.approx(
        [0.5, 0.5, 0.25, 0.25, 0.05]
    )


@pytest.mark.parametrize("text", ["10", "a:1", "20:0.5,10:0.1", "0:0.5", "10:0.5,10:0.1"])
def test_wrong_milestones_are_one_sentence(text):
    with pytest.raises(ValueError, match="--milestones must be STEP:FACTOR.* Received: "):
        schedule(settings(milestones=text))


def test_slow_layers_and_biases_take_a_tenth_of_the_step():
    image = keras.Input((4, 4, 1))
    model = keras.Model(image, layers.Conv2D(1, 1, name="last")(layers.Conv2D(1, 1)(image)))
    before = model.get_weights()
    rule = optimizer(settings(optimizer="sgd", slow_layers="last", ema=0, clip=0, milestones="9:1"))
    assert isinstance(rule, LayerwiseSGD)
    rule.build(model.trainable_variables)
    for _ in range(2):  # momentum 0.9: the steps are 1 and 1.9 times the rate
        rule.apply([keras.ops.ones(v.shape) for v in model.trainable_variables])
    steps = [float(b.sum() - a.sum()) for a, b in zip(model.get_weights(), before, strict=True)]
    assert steps == pytest.approx([2.9e-3, 2.9e-4, 2.9e-4, 2.9e-4], rel=1e-3)


def test_the_published_preset_gives_defaults_that_options_override():
    words = ["--data", "a", "--workdir", "b", "--preset", "published", "--batch", "32"]
    chosen = parse(edsr.EdsrSettings, None, edsr.PUBLISHED, words)
    assert (chosen.learning_rate, chosen.milestones, chosen.batch) == (1e-4, "200000:0.5", 32)
    assert parse(edsr.EdsrSettings, None, edsr.PUBLISHED, words[:4]).learning_rate == 2e-4


@pytest.mark.parametrize(
    ("ema", "steps", "momentum"),
    [
        (0.999, 200_000, 0.999),
        (0.999, 2500, 0.99),
        (0.9, 2500, 0.9),
        (0.999, 10, 0.5),
        (0, 99, 0.0),
    ],
)
def test_the_average_spans_at_most_the_last_steps(ema, steps, momentum):
    chosen = srcnn.SrcnnSettings(data="-", workdir="-", ema=ema, steps=steps)
    assert ema_momentum(chosen) == pytest.approx(momentum)
    rule = optimizer(chosen)
    assert rule.use_ema is (ema > 0)
    assert not ema or rule.ema_momentum == pytest.approx(momentum)


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
    chosen = kind(data="-", workdir="-", **module.PUBLISHED)
    module.recipe(chosen)
    assert isinstance(make_loss(chosen), keras.losses.Loss)
    assert optimizer(chosen).use_ema is False
    assert chosen.steps % chosen.every == 0
