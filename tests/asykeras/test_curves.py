"""The curves against other implementations and published tables, their inverses and slopes."""

import keras
import numpy as np
import pytest
from keras import ops
from skimage import exposure

import asykeras
from asykeras import (
    PQ,
    PU21,
    SRGB,
    Anscombe,
    Curve,
    Gamma,
    Log,
    MuLaw,
    Reinhard,
    Window,
)

CURVES = [
    Gamma(2.2),
    Gamma(4, toe=0.01),
    SRGB(),
    MuLaw(5000),
    MuLaw(100),
    Log(0.01),
    Log(1e-4),
    Reinhard(),
    PQ(10000),
    PQ(100, toe=0.01),
    PU21(10000),
    PU21(100),
    Anscombe(0.01, read_noise=0.02),
    Anscombe(1),
    Window(40, width=400),
    Window(0.4, width=0.3, outside=1),
]
NAMES = [repr(curve) for curve in CURVES]
FLOAT64 = keras.backend.backend() != "jax"  # which computes in float32 unless it is told otherwise
X = np.concatenate([[0.0], np.logspace(-7, 0, 200), [1.5, 8]])

# pycvvdp 0.5.7 (which needs PyTorch), class PU, "banding_glare": cd/m^2 and value.
PU21_BY_CVVDP = """
0.005 0.0000000005  0.01 0.3722322097  0.1 5.7170738397  1 36.5439111394  5 91.5290124593
10 123.6474835538  50 212.7872792077  100 256.3838973127  200 302.7743290009
500 368.0802597550  1000 420.0969213492  4000 527.4939005367  10000 595.3939200201
"""
# ITU-R BT.2408, Table of PQ signal levels: cd/m^2 and value to two digits; ST 2084's own ends.
PQ_BY_BT2408 = {0.0: 0.0, 100: 0.51, 203: 0.58, 1000: 0.75, 4000: 0.90, 10000: 1.0}


def of(function, values, dtype="float64"):
    return np.asarray(ops.convert_to_numpy(function(np.asarray(values, dtype))), np.float64)


def close(curve, x, expected, tolerance=1e-7):
    tolerance = tolerance if FLOAT64 else max(tolerance, 1e-4)
    np.testing.assert_allclose(of(curve, x), expected, rtol=tolerance, atol=tolerance)


def test_srgb_is_that_of_colour_science():
    models = pytest.importorskip("colour.models")
    close(SRGB(), X, models.eotf_inverse_sRGB(X))
    np.testing.assert_allclose(of(SRGB().inverse, X), models.eotf_sRGB(X), rtol=1e-5, atol=1e-7)


def test_pq_is_that_of_colour_science():
    models = pytest.importorskip("colour.models")
    light = np.logspace(np.log10(0.005), 4, 300)
    close(PQ(10000), light / 1e4, models.eotf_inverse_ST2084(light), 1e-10)
    close(PQ(400), light / 400, models.eotf_inverse_ST2084(light), 1e-10)


@pytest.mark.parametrize(("light", "value"), PQ_BY_BT2408.items())
def test_pq_by_the_table_of_bt2408(light, value):
    assert of(PQ(), light / 1e4) == pytest.approx(value, abs=0.005)


def test_pu21_is_that_of_cvvdp():
    numbers = np.array(PU21_BY_CVVDP.split(), float)
    light, expected = numbers[::2], numbers[1::2]
    for peak in (100, 10000):
        close(PU21(peak), light / peak, expected, 1e-8)
    assert PU21(100).span == pytest.approx(256, abs=0.5)


def test_gamma_and_one_of_the_logarithms_are_those_of_scikit_image():
    x = X[X > 0.003]
    close(Gamma(2.2), x, exposure.adjust_gamma(x, 1 / 2.2), 1e-12)
    close(MuLaw(1), X, exposure.adjust_log(X), 1e-12)  # log2(1 + x)


def test_window_is_that_of_scikit_image():
    x = np.linspace(-160, 240, 81)
    scaled = exposure.rescale_intensity(x, (-160, 240), (0, 1))
    close(Window(40, width=400), x, scaled, 1e-12)


@pytest.mark.parametrize(
    ("curve", "formula"),
    [
        (MuLaw(5000), lambda x: np.log(1 + 5000 * x) / np.log(5001)),
        (Log(0.01), lambda x: np.log(x + 0.01)),
        (Reinhard(), lambda x: 1 - 1 / (1 + x)),
        (
            Anscombe(0.01, read_noise=0.02),
            lambda x: 200 * np.sqrt(np.maximum(0.01 * x + 0.375e-4 + 4e-4, 0)),
        ),
    ],
)
def test_curves_by_their_formulas(curve, formula):
    close(curve, X, formula(X), 1e-12)


def test_hand_worked_values():
    assert of(Gamma(2.2), 0.5) == pytest.approx(0.72974, abs=5e-6)
    assert of(SRGB(), 0.5) == pytest.approx(0.73536, abs=5e-6)
    assert of(MuLaw(5000), 0.01) == pytest.approx(np.log(51) / np.log(5001), rel=1e-6)
    assert of(PQ(10000), 0.01) == pytest.approx(0.50808, abs=5e-6)
    assert of(Window(40, width=400), 140.0) == 0.75
    assert of(Reinhard(), 3.0) == 0.75


@pytest.mark.skipif(not FLOAT64, reason="this backend has no float64")
@pytest.mark.parametrize("curve", CURVES, ids=NAMES)
def test_the_inverse_is_exact_in_float64(curve):
    x = np.concatenate([[-65504, -8, -1, -1e-6, 0], np.logspace(-8, 4, 3000)])
    x = np.sort(np.append(x, [curve.toe, np.nextafter(curve.toe, 9)]))
    x = x[np.isfinite(x) & (x <= curve.limit)]
    back = of(curve.inverse, of(curve, x))
    assert np.max(np.abs(back - x) / np.maximum(1, np.abs(x))) < 1e-9


@pytest.mark.parametrize("curve", CURVES, ids=NAMES)
def test_the_inverse_keeps_its_bound_in_float32(curve):
    random = np.random.default_rng(0)
    x = np.concatenate([[-1, -1e-3, 0], 10 ** random.uniform(-7, 4, 20_000)])
    x = x[x <= curve.limit].astype("float32").astype(float)
    back = of(curve.inverse, of(curve, x, "float32"), "float32")
    relative, absolute = curve.rounding
    bound = 2.0**-24 * (relative * np.abs(x) + absolute / of(curve.slope, x))
    used = np.abs(back - x) / (bound + 1e-45)
    assert used.max() <= 1
    assert used.max() > 0.05  # the bound says something


@pytest.mark.skipif(not FLOAT64, reason="this backend has no float64")
@pytest.mark.parametrize("curve", CURVES, ids=NAMES)
def test_the_slope_is_that_of_finite_differences(curve):
    x = np.concatenate([[-8, -1, -0.01], np.logspace(-6, 0, 200) * min(curve.limit, 100)])
    step = 1e-6 * np.abs(x)
    bends = [curve.toe]
    if isinstance(curve, Window):
        bends = [curve.centre - curve.width / 2, curve.centre + curve.width / 2]
    x = x[np.all([np.abs(x - bend) > 2 * step for bend in bends], axis=0)]
    step = 1e-6 * np.abs(x)
    differences = (of(curve, x + step) - of(curve, x - step)) / (2 * step)
    np.testing.assert_allclose(of(curve.slope, x), differences, rtol=1e-4)


@pytest.mark.parametrize("curve", CURVES, ids=NAMES)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_black_negative_and_huge_values_stay_finite(curve, dtype):
    largest = 65504.0 if dtype == "float16" else 3e38
    x = ops.cast(np.array([-65504.0, -1, -1e-4, 0, 1e-4, 1, 65504, largest]), dtype)
    values, slopes = curve(x), curve.slope(x)
    for found in (values, slopes):
        assert keras.backend.standardize_dtype(found.dtype) == "float32"
    values, slopes = (np.asarray(ops.convert_to_numpy(found)) for found in (values, slopes))
    finite = slice(None) if not isinstance(curve, Window) else slice(7)  # it goes on as a line
    assert np.isfinite(values[finite]).all()
    assert np.isfinite(slopes).all()
    assert (slopes[:6] > 0).all()
    assert (np.diff(values[:6]) > 0).all()


@pytest.mark.parametrize("curve", CURVES, ids=NAMES)
def test_curves_rise_and_keep_what_is_no_number(curve):
    x = np.linspace(-1, min(curve.limit, 8), 4001)
    assert (np.diff(of(curve, x)) > 0).all()
    assert np.isnan(of(curve, np.nan))
    with pytest.raises(TypeError, match="takes floating-point images. Received: dtype='uint8'"):
        curve(np.zeros((1, 2, 2, 1), "uint8"))


@pytest.mark.parametrize("curve", [c for c in CURVES if not isinstance(c, Log | Anscombe | Window)])
def test_black_stays_black_and_the_span_is_that_of_white(curve):
    black = of(curve, 0.0)
    assert black == pytest.approx(0, abs=0.43)  # PU21: the rest below 0.005 cd/m^2
    if not isinstance(curve, PU21):
        assert curve.span == pytest.approx(float(of(curve, 1.0) - black), rel=1e-5)


@pytest.mark.parametrize("curve", [Reinhard(), PQ(), PU21()])
def test_what_no_image_has_is_infinite(curve):
    assert of(curve.inverse, 1e4) == np.inf


@pytest.mark.parametrize("curve", CURVES, ids=NAMES)
def test_curves_are_saved_and_equal(curve):
    stored = keras.saving.serialize_keras_object(curve)
    assert stored["registered_name"] == f"asykeras>{type(curve).__name__}"
    again = keras.saving.deserialize_keras_object(stored)
    assert again == curve
    assert hash(again) == hash(curve)
    assert repr(again) == repr(curve)
    assert again != Log(7.0)


def test_a_curve_of_ones_own():
    class Root(Curve):
        toe = 0.01

        def rise(self, x):
            return x**0.5

        def fall(self, value):
            return value**2

        def steepness(self, x):
            return 0.5 * x**-0.5

        def get_config(self):
            return {}

    np.testing.assert_allclose(of(Root(), [-0.01, 0, 0.005, 0.25]), [-0.1, 0, 0.05, 0.5], rtol=1e-6)
    np.testing.assert_allclose(of(Root().slope, [0.001, 0.25]), [10, 1], rtol=1e-6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Gamma(1), "gamma must be a number above 1. Received: gamma=1"),
        (lambda: Gamma(2, toe=0), "toe must be a positive number. Received: toe=0"),
        (lambda: MuLaw(-1), "mu must be a positive number. Received: mu=-1"),
        (lambda: Log(np.nan), "epsilon must be a positive number. Received: epsilon=nan"),
        (lambda: PQ(0), "peak must be a positive number. Received: peak=0"),
        (lambda: PU21(np.inf), "peak must be a positive number. Received: peak=inf"),
        (lambda: Anscombe(0), "gain must be a positive number. Received: gain=0"),
        (
            lambda: Anscombe(1, read_noise=-1),
            "read_noise must be a number of 0 or more. Received: read_noise=-1",
        ),
        (lambda: Window(0, width=0), "width must be a positive number. Received: width=0"),
        (lambda: Window(np.nan, width=1), "centre must be a finite number. Received: centre=nan"),
        (
            lambda: Window(0, width=1, outside=0),
            r"outside must be in \(0, 1\]. Received: outside=0",
        ),
    ],
)
def test_refusals(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_every_curve_is_public_and_tested_here():
    public = {
        name
        for name in asykeras.__all__
        if isinstance(getattr(asykeras, name), type) and issubclass(getattr(asykeras, name), Curve)
    }
    assert public - {"Curve"} == {type(curve).__name__ for curve in CURVES}
