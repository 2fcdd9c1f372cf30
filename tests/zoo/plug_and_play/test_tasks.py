"""Tasks of plug-and-play against dense linear algebra in NumPy."""

import keras
import numpy as np
import pytest
from scipy.ndimage import convolve

from asykeras import bicubic_resize
from zoo.plug_and_play import (
    BicubicSuperResolution,
    Blur,
    CompressedSensing,
    Denoising,
    Inpainting,
    LinearTask,
    SpectralResponse,
    SuperResolution,
    Task,
    pad_borders,
)

rng = np.random.default_rng(0)


def kernel(rows, columns):
    values = rng.random((rows, columns)) + 0.1
    return values / values.sum()


def numpy(values):
    return np.asarray(keras.ops.convert_to_numpy(values), np.float64)


# A task, and the shape of its pictures: odd and even sizes of kernels and pictures.
TASKS = {
    "denoising": (Denoising(), (2, 3, 5, 2)),
    "mask": (Inpainting(rng.random((5, 4)) < 0.5), (1, 5, 4, 3)),
    "mask of bands": (Inpainting(rng.random((4, 5, 3)).round(1)), (2, 4, 5, 3)),
    "CASSI": (CompressedSensing(rng.random((4, 5)), 3), (2, 4, 5, 3)),
    "CASSI, step 1": (CompressedSensing(rng.random((3, 6)) > 0.4, 4, step=1), (1, 3, 6, 4)),
    "response": (SpectralResponse(rng.random((5, 3))), (1, 3, 4, 5)),
    "blur, odd": (Blur(kernel(3, 5)), (1, 7, 9, 2)),
    "blur, even": (Blur(kernel(4, 2)), (2, 8, 6, 1)),
    "blur, as large as the picture": (Blur(kernel(5, 6)), (1, 5, 6, 1)),
    "x2": (SuperResolution(kernel(3, 3), 2), (1, 6, 8, 2)),
    "x2, even kernel": (SuperResolution(kernel(4, 4), 2), (2, 10, 6, 1)),
    "x3": (SuperResolution(kernel(3, 2), 3), (1, 9, 6, 1)),
    "x4": (SuperResolution(kernel(5, 5), 4), (1, 8, 12, 1)),
    "bicubic x2": (BicubicSuperResolution((8, 6), 2), (1, 8, 6, 2)),
    "bicubic x3": (BicubicSuperResolution((9, 15), 3), (2, 9, 15, 1)),
    "bicubic x4": (BicubicSuperResolution((12, 8), 4), (1, 12, 8, 1)),
}
EVERY_TASK = pytest.mark.parametrize("name", TASKS)


def dense(task, shape):
    """Return A as a matrix, column by column, for one picture."""
    single = (1, *shape[1:])
    units = np.eye(int(np.prod(single)), dtype=np.float32)
    return np.stack([numpy(task.forward(unit.reshape(single))).ravel() for unit in units], axis=1)


@pytest.mark.slow_on_jax
@EVERY_TASK
def test_adjoints_pass_the_inner_product_test(name):
    task, shape = TASKS[name]
    x = rng.standard_normal(shape).astype("float32")
    forward = numpy(task.forward(x))
    y = rng.standard_normal(forward.shape).astype("float32")
    back = numpy(task.adjoint(y))
    assert back.shape == shape
    assert task.picture_shape(forward.shape) == shape
    scale = np.linalg.norm(forward) * np.linalg.norm(y)
    assert abs(np.sum(forward * y) - np.sum(x * back)) < 1e-6 * scale


@pytest.mark.slow_on_jax
@EVERY_TASK
@pytest.mark.parametrize("rho", [2.0, 0.05, 1e-4])
def test_steps_equal_the_dense_solution(name, rho):
    task, shape = TASKS[name]
    matrix = dense(task, shape)
    x, v = (rng.random(shape).astype("float32") for _ in range(2))
    y = numpy(task.forward(x)) + 0.01 * rng.standard_normal(numpy(task.forward(x)).shape)
    found = numpy(task.prox(y.astype("float32"), v, rho))
    normal = matrix.T @ matrix + rho * np.eye(matrix.shape[1])
    for number in range(shape[0]):
        right = matrix.T @ y[number].ravel() + rho * v[number].ravel()
        expected = np.linalg.solve(normal, right).reshape(shape[1:])
        np.testing.assert_allclose(found[number], expected, rtol=0, atol=bound(matrix, rho, y))


def bound(matrix, rho, y):
    """Return 1e-5, or what float32 rounds the residual by, divided by the least of A A' + rho."""
    gram = matrix @ matrix.T
    least = np.linalg.eigvalsh(gram).min() + rho
    largest = np.linalg.norm(matrix, 2)
    return max(1e-5, 4 * np.finfo(np.float32).eps * np.abs(y).max() * largest / least)


@EVERY_TASK
@pytest.mark.parametrize("rho", [0.5, 0.01])
def test_closed_forms_equal_conjugate_gradients(name, rho):
    task, shape = TASKS[name]
    v = rng.random(shape).astype("float32")
    y = numpy(task.forward(rng.random(shape).astype("float32"))).astype("float32")
    general = LinearTask(task.forward, task.adjoint, task.picture_shape, 500, 1e-7)
    assert type(general).solve is Task.solve
    found, expected = numpy(task.prox(y, v, rho)), numpy(general.prox(y, v, rho))
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-5)


@EVERY_TASK
def test_there_is_a_picture_to_begin_with(name):
    task, shape = TASKS[name]
    start = numpy(task.start(numpy(task.forward(np.full(shape, 0.5, "float32"))).astype("float32")))
    assert start.shape == shape
    assert np.isfinite(start).all()


def test_blur_is_a_convolution_with_circular_borders():
    picture, k = rng.random((1, 8, 9, 2)).astype("float32"), kernel(3, 5)
    found = numpy(Blur(k).forward(picture))
    for band in range(2):
        expected = convolve(picture[0, :, :, band].astype(np.float64), k, mode="wrap")
        np.testing.assert_allclose(found[0, :, :, band], expected, rtol=0, atol=1e-6)


def test_super_resolution_keeps_every_second_pixel_of_the_blur():
    picture, k = rng.random((1, 8, 6, 1)).astype("float32"), kernel(3, 3)
    blurred = numpy(Blur(k).forward(picture))
    found = numpy(SuperResolution(k, 2).forward(picture))
    np.testing.assert_allclose(found, blurred[:, ::2, ::2], rtol=0, atol=1e-6)


def test_the_start_of_super_resolution_lies_where_the_picture_does():
    ramp = np.broadcast_to(np.arange(24, dtype=np.float32)[None, :, None, None], (1, 24, 24, 1))
    task = SuperResolution(np.ones((1, 1)), 3)  # x2 and x4 lie half a pixel aside
    start = numpy(task.start(task.forward(ramp)))
    np.testing.assert_allclose(start[0, 6:16, 8], ramp[0, 6:16, 8], atol=1e-4)


def test_bicubic_super_resolution_shrinks_as_bicubic_resize():
    picture = rng.random((2, 12, 8, 3)).astype("float32")
    for scale in (2, 4):
        found = numpy(BicubicSuperResolution((12, 8), scale).forward(picture))
        expected = numpy(bicubic_resize(picture, 1 / scale))
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_the_sensor_of_cassi_by_hand():
    mask = np.array([[1.0, 0.5]])
    picture = np.array([[[[1.0, 10.0], [2.0, 20.0]]]], np.float32)
    found = numpy(CompressedSensing(mask, 2, step=1).forward(picture))
    # band 0: 1, 1; band 1: 10, 10, one column to the right
    np.testing.assert_allclose(found[0, 0, :, 0], [1.0, 1.0 + 10.0, 10.0])


def test_mirrored_borders_are_cut_again():
    measurement = rng.random((1, 6, 7, 1)).astype("float32")
    padded, inner = pad_borders(measurement, kernel(3, 2))
    assert padded.shape == (1, 6 + 12, 7 + 8, 1)
    np.testing.assert_array_equal(padded[inner], measurement)
    np.testing.assert_array_equal(padded[0, 5, 4:11, 0], measurement[0, 0, :, 0])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Blur([[0.5, 0.2]]), r"kernel must sum to one\. Received: kernel\.sum\(\)=0\.7"),
        (lambda: Blur([[np.nan, 1.0]]), "kernel must be finite"),
        (lambda: Blur([1.0]), r"kernel must be \(rows, columns\)\. Received: kernel\.shape=\(1,\)"),
        (
            lambda: SuperResolution([[1.0]], 1),
            "scale must be an int of 2 or more. Received: scale=1",
        ),
        (lambda: BicubicSuperResolution((9, 8), 2), "scale must be 2, 3 or 4 and divide height"),
        (
            lambda: Inpainting(np.zeros((3, 4))),
            "mask must be above 0 somewhere. Received: no known",
        ),
        (
            lambda: Inpainting(np.full((3, 4), 1.5)),
            r"mask must be in \[0, 1\]\. Received: values from 1\.5",
        ),
        (lambda: Inpainting(np.full((3, 4), np.inf)), "mask must be finite"),
        (lambda: CompressedSensing(np.zeros((3, 4)), 3), "above 0 somewhere. Received: no light"),
        (lambda: CompressedSensing(np.ones((3, 4)), 0), "bands must be 1 or more, step 0 or more"),
        (lambda: SpectralResponse(np.zeros((5, 3))), "response must be other than 0 somewhere"),
        (lambda: SpectralResponse(np.ones(5)), r"response must be \(bands, channels\)"),
    ],
)
def test_bad_tasks_are_one_sentence(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("task", "shape", "message"),
    [
        (
            Blur(np.full((5, 5), 0.04)),
            (1, 4, 9, 1),
            r"picture of \(4, 9\)\. Received: kernel\.shape=\(5, 5\)",
        ),
        (Inpainting(np.ones((3, 4))), (1, 4, 3, 1), r"Received: mask\.shape=\(3, 4, 1\)"),
        (Inpainting(np.ones((3, 4, 2))), (1, 3, 4, 3), r"mask must fit pictures of \(3, 4, 3\)"),
        (
            CompressedSensing(np.ones((3, 4)), 2),
            (1, 3, 4, 1),
            r"must be of the sensor.s \(3, 6, 1\)",
        ),
        (
            SpectralResponse(np.ones((5, 3))),
            (1, 3, 4, 5),
            "must have the 3 channels of the response",
        ),
        (BicubicSuperResolution((8, 6), 2), (1, 4, 4, 1), r"the picture, which is of \(8, 6\)"),
    ],
)
def test_measurements_that_do_not_fit_are_one_sentence(task, shape, message):
    with pytest.raises(ValueError, match=message):
        task.picture_shape(shape)
