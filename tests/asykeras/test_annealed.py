"""Weights that fade: their step is state, saved, restored and the same however steps are run."""

import keras
import numpy as np
import pytest
from keras import ops

from asykeras import Annealed, AsyMSE, Power

IMAGES = np.random.default_rng(0).uniform(size=(12, 4, 4, 1)).astype("float32")
INNER = Power(1, epsilon=0.05)


def trainer(steps=10, per_execution=1, reference="prediction"):
    """Return a small network behind which its steps are counted, and the weighting."""
    keras.utils.set_random_seed(0)
    weighting = Annealed(INNER, steps=steps)
    layer = keras.layers.Conv2D(1, 3, padding="same")
    model = keras.Sequential([keras.Input((4, 4, 1)), layer, weighting.counter])
    model.compile(
        keras.optimizers.SGD(1e-2, momentum=0.9),
        AsyMSE(weighting, reference=reference),
        steps_per_execution=per_execution,
    )
    return model, weighting


def fit(model, epochs=1, first=0, callbacks=()):
    model.fit(
        IMAGES, IMAGES, batch_size=2, epochs=epochs, initial_epoch=first, shuffle=False,
        verbose=0, callbacks=[*callbacks],
    )  # fmt: skip


def count(weighting):
    return int(ops.convert_to_numpy(weighting.counter.steps.value))


def weights(weighting, label=0.2):
    return float(ops.convert_to_numpy(weighting(np.full((1, 1), label, "float32")))[0, 0])


def test_weights_fade_to_one():
    weighting = Annealed(INNER, steps=4)
    found = []
    for _ in range(6):
        found.append(weights(weighting))
        weighting.counter(IMAGES, training=True)
    np.testing.assert_allclose(found, [4, 3.25, 2.5, 1.75, 1, 1], rtol=1e-6)
    weighting.counter(IMAGES)  # not while it is used
    assert count(weighting) == 6


def test_the_first_step_is_the_one_after_which_a_step_is_counted():
    """SGD by hand: the loss of step n has the weights of step n."""
    keras.utils.set_random_seed(0)
    weighting = Annealed(lambda y: ops.full_like(y, 5.0), steps=2)
    scale = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")
    model = keras.Sequential([keras.Input((1,)), scale, weighting.counter])
    model.compile(keras.optimizers.SGD(0.01), AsyMSE(weighting))
    model.fit(np.ones((3, 1)), 0 * np.ones((3, 1)), batch_size=1, epochs=1, verbose=0)
    gain = 1.0
    for weight in (3, 1, 1):
        gain -= 0.01 * weight * 2 * gain
    assert float(scale.get_weights()[0][0, 0]) == pytest.approx(gain, rel=1e-6)


def test_many_steps_in_one_execution_count_each():
    one, first = trainer()
    three, second = trainer(per_execution=3)
    fit(one)
    fit(three)
    assert (count(first), count(second)) == (6, 6)
    for a, b in zip(one.get_weights(), three.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_evaluation_counts_nothing():
    model, weighting = trainer()
    fit(model)
    before = model.evaluate(IMAGES, IMAGES, verbose=0)
    assert count(weighting) == 6
    assert model.evaluate(IMAGES, IMAGES, verbose=0) == before


def test_weights_files_and_resumed_runs_keep_the_step(tmp_path):
    whole, _ = trainer(steps=20)
    fit(whole, epochs=3)
    path = tmp_path / "run"
    cut, _ = trainer(steps=20)
    cut(IMAGES)
    cut.optimizer.build(cut.trainable_variables)

    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    backup = keras.callbacks.BackupAndRestore(path)
    with pytest.raises(KeyboardInterrupt):
        fit(cut, epochs=3, callbacks=[backup, Stop()])
    again, weighting = trainer(steps=20)
    again(IMAGES)
    again.optimizer.build(again.trainable_variables)
    fit(again, epochs=3, callbacks=[keras.callbacks.BackupAndRestore(path)])
    assert count(weighting) == 18
    for a, b in zip(whole.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    whole.save_weights(tmp_path / "a.weights.h5")
    other, weighting = trainer(steps=20)
    other.load_weights(tmp_path / "a.weights.h5")
    assert count(weighting) == 18


def test_a_loaded_model_goes_on_as_the_saved_one(tmp_path):
    model, weighting = trainer()
    fit(model)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    revived = loaded.loss.weighting
    assert revived.counter is loaded.layers[-1]
    assert revived.counter is not weighting.counter
    assert (revived.steps, revived.weighting, count(revived)) == (10, INNER, 6)
    fit(model)
    fit(loaded)
    for a, b in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_two_losses_may_share_a_counter():
    first = Annealed(INNER, steps=4)
    second = Annealed(Power(2), steps=8, counter=first.counter)
    first.counter(IMAGES, training=True)
    assert count(second) == 1


def test_without_a_counting_model_nothing_is_compiled():
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Conv2D(1, 3, padding="same")])
    model.compile("sgd", AsyMSE(Annealed(INNER, steps=4)))
    with pytest.raises(ValueError, match="Annealed needs a model that counts its steps"):
        model.fit(IMAGES, IMAGES, verbose=0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Annealed("power", steps=2), r"weighting must be one such as Power\(\)"),
        (
            lambda: Annealed(INNER, steps=0),
            "steps must be a whole number above 0. Received: st",
        ),
        (lambda: Annealed(INNER, steps=1.5), "steps must be a whole number above 0"),
        (lambda: Annealed(INNER, steps=True), "steps must be a whole number above 0"),
    ],
)
def test_refusals(make, message):
    with pytest.raises(ValueError, match=message):
        make()
