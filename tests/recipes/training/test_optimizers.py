"""The rules of the steps: the slow layers of SRCNN, Muon for kernels, and the average."""

import keras
import numpy as np
import pytest
from keras import layers

from recipes.training.optimizers import KernelMuon, LayerwiseSGD, ema_momentum, optimizer
from recipes.training.settings import OPTIMIZERS, Descent


def test_slow_layers_and_biases_take_a_tenth_of_the_step():
    image = keras.Input((4, 4, 1))
    model = keras.Model(image, layers.Conv2D(1, 1, name="last")(layers.Conv2D(1, 1)(image)))
    before = model.get_weights()
    rule = optimizer(Descent(optimizer="sgd", ema=0, clip=0, milestones="9:1"), ["last"])
    assert isinstance(rule, LayerwiseSGD)
    rule.build(model.trainable_variables)
    for _ in range(2):  # momentum 0.9: the steps are 1 and 1.9 times the rate
        rule.apply([keras.ops.ones(v.shape) for v in model.trainable_variables])
    steps = [float(b.sum() - a.sum()) for a, b in zip(model.get_weights(), before, strict=True)]
    assert steps == pytest.approx([2.9e-3, 2.9e-4, 2.9e-4, 2.9e-4], rel=1e-3)


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
    descent = Descent(ema=ema, steps=steps)
    assert ema_momentum(descent) == pytest.approx(momentum)
    rule = optimizer(descent)
    assert rule.use_ema is (ema > 0)
    assert not ema or rule.ema_momentum == pytest.approx(momentum)


def one_step(rule, values, gradients):
    """Return how far each array goes in one step of an optimizer."""
    variables = [keras.Variable(value) for value in values]
    rule.build(variables)
    rule.apply([keras.ops.convert_to_tensor(each) for each in gradients], variables)
    now = [keras.ops.convert_to_numpy(each) for each in variables]
    return [after - before for after, before in zip(now, values, strict=True)]


def orthogonal(gradient):
    """Return five steps of Newton and Schulz on the singular values of a matrix."""
    left, values, right = np.linalg.svd(gradient, full_matrices=False)
    values = values / np.linalg.norm(values)
    for _ in range(5):
        values = 3.4445 * values - 4.7750 * values**3 + 2.0315 * values**5
    return (left * values) @ right


def constant(kind, **options):
    descent = Descent(optimizer=kind, schedule="constant", learning_rate=0.01, clip=0, **options)
    return optimizer(descent)


@pytest.mark.parametrize("shape", [(3, 3, 16, 24), (1, 1, 20, 64), (40, 20)])
def test_muon_turns_a_kernel_as_the_matrix_of_its_patches(shape):
    rng = np.random.default_rng(0)
    kernel, gradient = rng.normal(size=(2, *shape)).astype("float32")
    (step,) = one_step(constant("muon"), [kernel], [gradient])
    rows, columns = int(np.prod(shape[:-1])), shape[-1]
    turned = orthogonal(gradient.reshape(rows, columns).astype("float64"))
    length = 0.01 * 0.2 * np.sqrt(max(rows, columns))
    np.testing.assert_allclose(
        step.reshape(rows, columns), -length * turned, rtol=2e-3, atol=2e-3 * length
    )


@pytest.mark.parametrize("shape", [(24,), (3, 3, 3, 64), (3, 3, 64, 3), (15, 64)])
def test_muon_leaves_vectors_and_the_layers_of_images_to_adam(shape):
    rng = np.random.default_rng(0)
    value, gradient = rng.normal(size=(2, *shape)).astype("float32")
    (step,) = one_step(constant("muon"), [value], [gradient])
    (by_adam,) = one_step(constant("adam"), [value], [gradient])
    np.testing.assert_allclose(step, by_adam, rtol=1e-3, atol=1e-8)


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_no_rule_decays_the_weights_and_each_clips_and_averages(kind):
    rule = optimizer(Descent(optimizer=kind, ema=0.9, clip=0.5, steps=10_000))
    assert not rule.weight_decay
    assert (rule.global_clipnorm, rule.use_ema, rule.ema_momentum) == (0.5, True, 0.9)
    value = np.full((3, 3, 16, 16), 0.5, "float32")
    (step,) = one_step(rule, [value], [np.zeros_like(value)])
    assert not step.any()
    assert isinstance(rule, {"sgd": LayerwiseSGD, "muon": KernelMuon}.get(kind, object))
