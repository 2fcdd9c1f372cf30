"""The iterations of plug-and-play against the same loop in NumPy."""

import keras
import numpy as np
import pytest
from keras import ops

import zoo
from zoo.plug_and_play import (
    Blur,
    Denoising,
    Inpainting,
    Schedule,
    Solver,
    SuperResolution,
    denoiser_of,
    plug_and_play,
)
from zoo.plug_and_play.denoisers import turned

rng = np.random.default_rng(0)
BOX = np.full((3, 3), 1 / 9)
SHORT = Schedule(first=30 / 255, last=15 / 255, iterations=9, lam=0.4, noise=0.05)

# The authors' lam would leave the equations so nearly singular that float32 cannot solve them.
EXACT = Schedule(first=30 / 255, last=15 / 255, iterations=9, lam=1000)


def shrink(pictures, sigma):
    """Pull pictures towards a slope: a denoiser that is no symmetric one."""
    slope = np.linspace(0, 1, pictures.shape[2], dtype=np.float32)[None, None, :, None]
    return (pictures + sigma * slope) / (1 + sigma)


def in_numpy(task, y, start, schedule, method, augment=False):
    """Return x and v after each iteration, the step to the data by the dense normal equations."""
    shape = start.shape
    units = np.eye(start[0].size, dtype=np.float32)
    columns = [ops.convert_to_numpy(task.forward(u.reshape(1, *shape[1:]))).ravel() for u in units]
    matrix = np.stack(columns, axis=1).astype(np.float64)
    v, u, found = start.astype(np.float64), np.zeros(shape), []
    noise = max(schedule.noise, 0.001)
    levels = schedule.levels().astype(np.float64)
    for k, level in enumerate(levels):
        rho = schedule.lam * noise**2 / level**2
        normal = matrix.T @ matrix + rho * np.eye(matrix.shape[1])
        right = matrix.T @ y.ravel() + rho * (v - u).ravel()
        x = np.linalg.solve(normal, right).reshape(shape)
        seen = x + u
        down, right = (1, -1)[augment and k % 2 > 0], (1, -1)[augment and k % 4 > 1]
        seen = seen[:, ::down, ::right]
        if augment and k % 8 > 3:
            v = shrink(seen.swapaxes(1, 2), level).swapaxes(1, 2)
        else:
            v = shrink(seen, level)
        v = v[:, ::down, ::right]
        u = u + x - v if method == "admm" else u
        found.append((x, v))
    return found


@pytest.mark.parametrize(
    ("method", "schedule"),
    [("admm", SHORT), ("hqs", SHORT), ("admm", EXACT), ("hqs", EXACT)],
    ids=["admm", "hqs", "admm-without-noise", "hqs-without-noise"],
)
@pytest.mark.parametrize("augment", [False, True])
@pytest.mark.parametrize("task", [Blur(BOX), SuperResolution(BOX, 2)], ids=["blur", "x2"])
def test_iterations_equal_those_in_numpy(task, method, schedule, augment):
    clean = rng.random((1, 6, 8, 1)).astype("float32")
    y = ops.convert_to_numpy(task.forward(clean))
    start = rng.random(clean.shape).astype("float32")
    found = plug_and_play(
        task, y, shrink, schedule, method=method, augment=augment, start=start, truth=clean
    )
    x, v = zip(*in_numpy(task, y, start, schedule, method, augment), strict=True)
    expected = x if method == "admm" and schedule is EXACT else v
    np.testing.assert_allclose(found.pictures, expected[-1], rtol=0, atol=1e-5)
    steps = np.diff([start, *v], axis=0)
    changes = np.sqrt((steps**2).mean(axis=(1, 2, 3, 4)))
    np.testing.assert_allclose(found.changes, changes, atol=1e-5)
    errors = ((np.array(expected) - clean) ** 2).mean(axis=(1, 2, 3, 4))
    np.testing.assert_allclose(found.psnr, -10 * np.log10(errors), atol=1e-3)


def test_the_schedule_is_that_of_the_paper():
    schedule = Schedule(30 / 255, 15 / 255, iterations=24)
    levels = schedule.levels() * 255
    assert levels[0] == pytest.approx(30)
    assert levels[-1] == pytest.approx(15)
    np.testing.assert_allclose(np.diff(np.log(levels)), np.log(0.5) / 23, rtol=1e-4)
    # lam 0.23, sigma 0.255 / 255 at sigma_k = 30 / 255
    assert schedule.weights()[0] == pytest.approx(0.23 * 0.001**2 / (30 / 255) ** 2)
    assert Schedule(noise=0.1).weights()[0] == pytest.approx(0.23 * 0.01 / (35 / 255) ** 2)


def test_it_stops_where_nothing_changes():
    y = np.full((1, 4, 4, 1), 0.5, np.float32)
    still = lambda pictures, sigma: pictures  # noqa: E731
    found = plug_and_play(Denoising(), y, still, SHORT, tolerance=1e-4)
    assert len(found.changes) == 1
    assert found.changes[0] < 1e-4
    assert found.psnr.size == 0
    np.testing.assert_allclose(found.pictures, y, atol=1e-6)
    assert len(plug_and_play(Denoising(), y, still, SHORT).changes) == SHORT.iterations


def test_a_solver_is_compiled_once_and_takes_other_sizes():
    seen = []

    def denoise(pictures, sigma):
        seen.append(tuple(pictures.shape))  # while it is traced
        return shrink(pictures, sigma)

    solver = Solver(Denoising(), denoise, SHORT)
    small, large = (rng.random((1, side, 5, 1)).astype("float32") for side in (4, 6))
    first = solver(small).pictures
    traced = len(seen)
    np.testing.assert_array_equal(solver(small).pictures, first)
    assert len(seen) == traced
    assert solver(large).pictures.shape == large.shape


@pytest.mark.slow_on_jax
def test_a_warm_start_goes_on():
    task = Blur(BOX)
    y = ops.convert_to_numpy(task.forward(rng.random((1, 6, 6, 1)).astype("float32")))
    both = Schedule(20 / 255, 20 / 255, iterations=6, noise=0.05)
    half = Schedule(20 / 255, 20 / 255, iterations=3, noise=0.05)
    first = plug_and_play(task, y, shrink, half, method="hqs").pictures
    second = plug_and_play(task, y, shrink, half, method="hqs", start=first).pictures
    whole = plug_and_play(task, y, shrink, both, method="hqs").pictures
    np.testing.assert_allclose(second, whole, rtol=0, atol=1e-6)


@pytest.mark.parametrize("augment", [False, True])
def test_networks_of_the_zoo_are_denoisers(augment):
    y = rng.random((1, 16, 20, 3)).astype("float32")
    mask = rng.random((16, 20)) < 0.5
    network = zoo.DnCNN(depth=3, batch_norm=False)
    two = Schedule(iterations=2)
    task = Inpainting(mask)
    found = plug_and_play(task, y * mask[..., None], network, two, augment=augment).pictures
    assert found.shape == y.shape
    assert np.isfinite(found).all()


@pytest.mark.slow
def test_grunet_is_a_denoiser_in_the_compiled_loop():
    y = rng.random((1, 16, 20, 5)).astype("float32")
    network = zoo.DPHSIR()
    found = plug_and_play(Denoising(), y, network, Schedule(iterations=1), group=2).v
    run = denoiser_of(network)
    x = ops.convert_to_numpy(Denoising().prox(y, y, Schedule(iterations=1).weights()[0]))
    parts = [run(ops.convert_to_tensor(x[..., a:b]), 35 / 255) for a, b in ((0, 2), (2, 4), (3, 5))]
    expected = np.concatenate([*parts[:2], parts[2][..., 1:]], axis=-1)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


@pytest.mark.slow_on_jax
def test_ffdnet_is_a_denoiser_in_the_compiled_loop():
    y = rng.random((1, 15, 20, 5)).astype("float32")
    network, once = zoo.FFDNet(), Schedule(iterations=1)
    found = plug_and_play(Denoising(), y, network, once).v
    x = ops.convert_to_tensor(Denoising().prox(y, y, once.weights()[0]))
    expected = ops.convert_to_numpy(denoiser_of(network)(x, 35 / 255))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_a_network_of_one_channel_restores_band_by_band():
    network = zoo.DnCNN(depth=3, batch_norm=False)
    pictures = rng.random((2, 9, 8, 4)).astype("float32")
    found = ops.convert_to_numpy(denoiser_of(network)(ops.convert_to_tensor(pictures), 0.1))
    for band in range(4):
        alone = ops.convert_to_numpy(network(pictures[..., band : band + 1]))
        np.testing.assert_allclose(found[..., band : band + 1], alone, rtol=0, atol=1e-6)


def test_a_network_of_three_channels_restores_three_bands_at_a_time():
    image = keras.Input((None, None, 3))
    network = keras.Model(image, keras.layers.Conv2D(3, 1)(image))  # every band from all three
    run = denoiser_of(network)
    five = ops.convert_to_tensor(rng.random((2, 4, 5, 5)).astype("float32"))
    found = ops.convert_to_numpy(run(five, 0.1))
    first, last = (ops.convert_to_numpy(network(five[..., a : a + 3])) for a in (0, 2))
    np.testing.assert_allclose(found[..., :3], first, rtol=0, atol=1e-6)
    np.testing.assert_allclose(found[..., 3:], last[..., 1:], rtol=0, atol=1e-6)
    grey = ops.repeat(five[..., :1], 3, axis=-1)
    alone = ops.convert_to_numpy(network(grey))[..., :1]
    found = ops.convert_to_numpy(run(five[..., :1], 0.1))
    np.testing.assert_allclose(found, alone, rtol=0, atol=1e-6)


def test_a_network_for_one_level_sees_that_level():
    image = keras.Input((None, None, 1))
    network = keras.Model(image, keras.layers.Rescaling(1.0, offset=1.0)(image))
    pictures = np.zeros((1, 2, 2, 1), np.float32)
    found = denoiser_of(network, level=0.1)(pictures, 0.2)
    # half the contrast there and twice back, so what the network adds counts twice
    np.testing.assert_allclose(ops.convert_to_numpy(found), 2.0)


@pytest.mark.slow_on_jax
def test_every_turn_is_undone():
    for width in (3, 5):
        pictures = rng.random((1, 3, width, 2)).astype("float32")
        for turn in range(8):
            same = turned(lambda x, sigma: x, ops.convert_to_tensor(turn))(pictures, 0.1)
            np.testing.assert_array_equal(ops.convert_to_numpy(same), pictures)


@pytest.mark.parametrize("augment", [False, True])
def test_square_pictures_are_turned_as_in_numpy(augment):
    task, schedule = Blur(BOX), SHORT
    y, start = rng.random((2, 1, 6, 6, 1)).astype("float32")
    found = plug_and_play(task, y, shrink, schedule, augment=augment, start=start)
    x, v = in_numpy(task, y, start, schedule, "admm", augment)[-1]
    np.testing.assert_allclose(found.x, x, rtol=0, atol=1e-5)
    np.testing.assert_allclose(found.v, v, rtol=0, atol=1e-5)


def test_a_call_takes_another_schedule_without_another_trace():
    seen = []

    def denoise(pictures, sigma):
        seen.append(1)  # while it is traced
        return shrink(pictures, sigma)

    task = Blur(BOX)
    y, start = rng.random((2, 1, 6, 8, 1)).astype("float32")
    solver, traced = Solver(task, denoise), []
    for schedule in (SHORT, Schedule(40 / 255, 10 / 255, iterations=9, lam=2, noise=0.03)):
        found = solver(y, start, schedule=schedule)
        expected = plug_and_play(task, y, shrink, schedule, start=start)
        np.testing.assert_allclose(found.pictures, expected.pictures, rtol=0, atol=1e-6)
        traced.append(len(seen))
    assert traced[0] == traced[1]
    # Without noise x is the picture, with it v.
    for noise, picture in ((0.0, "x"), (0.05, "v")):
        found = solver(y, start, schedule=Schedule(30 / 255, 15 / 255, iterations=9, noise=noise))
        np.testing.assert_array_equal(found.pictures, getattr(found, picture))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "pnp"}, "method must be one of admm, hqs. Received: method='pnp'"),
        ({"measurement": np.full((1, 4, 4, 1), np.nan)}, "measurement must be finite"),
        ({"measurement": np.ones((4, 4, 1))}, r"measurement must be \(batch, height, width, chan"),
        ({"start": np.ones((1, 4, 5, 1))}, r"start must have the shape \(1, 4, 4, 1\)\. Received"),
        ({"truth": np.ones((1, 4, 4, 2))}, r"truth must have the shape \(1, 4, 4, 1\)\. Received"),
        ({"start": np.full((1, 4, 4, 1), np.inf)}, "start must be finite"),
        ({"group": 0}, "group must be 1 or more. Received: group=0"),
    ],
)
def test_bad_input_is_one_sentence(options, message):
    given = {"measurement": np.ones((1, 4, 4, 1)), **options}
    with pytest.raises(ValueError, match=message):
        plug_and_play(Denoising(), denoiser=shrink, **given)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"first": 0}, "first must be above 0. Received: first=0"),
        ({"last": float("nan")}, "last must be above 0. Received: last=nan"),
        ({"iterations": 0}, "iterations must be above 0"),
        ({"lam": -1}, "lam must be above 0"),
        ({"noise": -0.1}, "noise must be 0 or more. Received: noise=-0.1"),
    ],
)
def test_bad_schedules_are_one_sentence(options, message):
    with pytest.raises(ValueError, match=message):
        Schedule(**options)
