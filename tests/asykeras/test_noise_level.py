"""The level of the noise in one picture: flat, textured and cut-off ones of known noise."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import stats

import zoo
from asykeras import noise_level
from asykeras.noise_level import estimate_noise, noise_of_rows

SAMPLES = Path(zoo.__file__).parent / "samples/test"
GREY = 1 / 255


def noise(shape, level, seed=0):
    return np.random.default_rng(seed).normal(0, level * GREY, shape)


def sample(name="perched-osprey", crop=slice(None)):
    with Image.open(SAMPLES / f"{name}.jpg") as image:
        return (np.asarray(image, np.float64) / 255)[crop, crop]


def in_8_bit(values):
    return np.floor(np.clip(values, 0, 1) * 255 + 0.5).astype(np.uint8)


@pytest.mark.parametrize("side", [32, 128])
@pytest.mark.parametrize("level", [1, 10, 50])
def test_noise_alone(side, level):
    found = [estimate_noise(0.5 + noise((side, side), level, seed)) for seed in range(6)]
    # Of the smallest pictures the mean is right, where single ones are up to a fifth off.
    assert np.mean(found) == pytest.approx(level * GREY, rel=0.05 if side < 64 else 0.03)


@pytest.mark.slow
def test_noise_on_photographs():
    image = sample("casa-mila", slice(300))
    assert estimate_noise(image) < 2 * GREY
    for level, allowed in ((5, 1.5), (25, 2.5)):
        found = estimate_noise(image + noise(image.shape, level)) / GREY
        assert abs(found - level) < allowed


def test_every_dtype_gives_the_same():
    noisy = np.clip(sample(crop=slice(128)) + noise((128, 128, 3), 20), 0, 1)
    expected = estimate_noise(noisy)
    assert estimate_noise(noisy.astype(np.float32)) == pytest.approx(expected, rel=1e-3)
    assert estimate_noise(noisy.astype(np.float16)) == pytest.approx(expected, rel=1e-2)
    deep = np.floor(noisy * 65535 + 0.5).astype(np.uint16)
    assert estimate_noise(deep) == pytest.approx(expected, rel=1e-2)
    assert estimate_noise(in_8_bit(noisy)) == pytest.approx(expected, rel=2e-2)


def test_channels_are_measured_each():
    levels = np.array([5, 10, 20])
    image = 0.5 + noise((128, 128, 3), levels)
    expected = np.sqrt(np.mean(levels**2)) * GREY
    assert estimate_noise(image) == pytest.approx(expected, rel=0.03)
    assert estimate_noise(image[..., 1]) == pytest.approx(10 * GREY, rel=0.05)
    bands = 0.5 + noise((100, 100, 31), 10)
    assert estimate_noise(bands) == pytest.approx(10 * GREY, rel=0.03)


def test_what_is_cut_off_is_left_out():
    """Half of it is white sky and black border, where 8 bit hold no noise or half of it."""
    image = np.full((192, 192), 0.5)
    image[:64], image[64:96] = 0.99, 0.0
    assert estimate_noise(in_8_bit(image + noise(image.shape, 10))) == pytest.approx(
        10 * GREY, rel=0.05
    )


def test_a_border_of_one_colour_is_left_out():
    image = in_8_bit(0.5 + noise((192, 192), 10))
    image[:64] = 77
    assert estimate_noise(image) == pytest.approx(10 * GREY, rel=0.05)


def test_drawings_are_clean():
    drawing = np.full((128, 128, 3), 200, np.uint8)
    drawing[40:60, 20:100] = (10, 200, 30)
    for clean in (drawing, np.zeros_like(drawing), drawing / 255, np.full((40, 40), 255, np.uint8)):
        assert estimate_noise(clean) == 0
    ramp = np.tile(np.arange(256, dtype=np.uint8), (128, 1))
    assert estimate_noise(ramp) < 0.5 * GREY


def test_the_bound_of_the_texture_is_the_quantile():
    """The matrix of all central differences of a patch, from their definition."""
    differences = []
    for row in range(noise_level.SIDE):
        for column in range(noise_level.SIDE - 2):
            across = np.zeros((noise_level.SIDE, noise_level.SIDE))
            across[row, column], across[row, column + 2] = -0.5, 0.5
            differences += [across.ravel(), across.T.ravel()]
    matrix = np.array(differences)
    rank, trace = np.linalg.matrix_rank(matrix), np.sum(matrix**2)
    quantile = stats.gamma.ppf(1 - 1e-6, rank / 2, scale=2 * trace / rank)
    assert quantile == pytest.approx(noise_level.ONLY_NOISE, abs=0.01)
    patches = np.random.default_rng(0).normal(size=(5, noise_level.SIDE, noise_level.SIDE))
    expected = np.sum((patches.reshape(5, -1) @ matrix.T) ** 2, axis=1)
    np.testing.assert_allclose(noise_level._texture(patches), expected)


def test_large_pictures_are_read_by_rows_and_in_part():
    """100 megapixels of three channels that never exist as a whole: calls go down the picture."""
    asked, pool = [], (0.5 + noise((64, 10_000, 3), 10)).astype(np.float32)

    def rows(top, end):
        asked.append((top, end))
        first = top * 11 % 57
        return pool[first : first + end - top]

    found = noise_of_rows(rows, (10_000, 10_000, 3), 1.0)
    assert found == pytest.approx(10 * GREY, rel=0.05)
    assert asked == sorted(asked)
    assert max(end for _, end in asked) <= 10_000
    assert 200 < len(asked) < 400


@pytest.mark.parametrize(
    ("image", "error", "match"),
    [
        ([[0.0]], TypeError, "image must be a NumPy array. Received: type=<class 'list'>"),
        (np.zeros((40, 40), int), TypeError, "uint8, uint16 or floating point. Received: dtype="),
        (np.zeros((40, 40), bool), TypeError, "Received: dtype=dtype\\('bool'\\)"),
        (np.zeros(40), ValueError, r"must be \(H, W\) or \(H, W, C\). Received: shape=\(40,\)"),
        (np.zeros((1, 40, 40, 1)), ValueError, r"Received: shape=\(1, 40, 40, 1\)"),
        (np.zeros((40, 40, 0)), ValueError, r"Received: shape=\(40, 40, 0\)"),
        (
            np.zeros((31, 400)),
            ValueError,
            "at least 32 x 32 pixels. Received: height=31, width=400",
        ),
        (np.full((40, 40), np.nan), ValueError, "finite values. Received: lowest=nan, highest=nan"),
        (
            np.where(np.eye(40), np.inf, 0.1),
            ValueError,
            "finite values. Received: lowest=0.1, highest=inf",
        ),
    ],
)
def test_what_is_refused(image, error, match):
    with pytest.raises(error, match=match):
        estimate_noise(image)
