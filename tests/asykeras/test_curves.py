"""The curves against other implementations and published tables, their inverses and slopes."""

import keras
import numpy as np
import pytest
import scipy.stats
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
from asykeras.curves import LOG1P, POWER
from tests.asykeras.gradients import gradient

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

# cd/m^2 and value, by cvvdp 0.5.7, which needs PyTorch (`pip install --group hdr`):
# python -c "import numpy; from pycvvdp.utils import PU; x = numpy.array([0.005, 0.01, 0.1, 1, 5,
#   10, 50, 100, 200, 500, 1000, 4000, 10000]); print(PU().encode(x))"
PU21_BY_CVVDP = """
0.005 0.0000000005  0.01 0.3722322097  0.1 5.7170738397  1 36.5439111394  5 91.5290124593
10 123.6474835538  50 212.7872792077  100 256.3838973127  200 302.7743290009
500 368.0802597550  1000 420.0969213492  4000 527.4939005367  10000 595.3939200201
"""
# ITU-R BT.2408, Table of PQ signal levels: cd/m^2 and value to two digits; ST 2084's own ends.
PQ_BY_BT2408 = {0.0: 0.0, 100: 0.51, 203: 0.58, 1000: 0.75, 4000: 0.90, 10000: 1.0}

# Light and value: the example that colour-hdri 0.2.6 prints for `tonemapping_operator_simple`.
REINHARD_BY_COLOUR_HDRI = """
0.48046875 0.3245382 0.35156256 0.2601156 0.23632812 0.1911532 1.39843753 0.5830618
0.55468757 0.3567839 0.39062594 0.2808993 4.40625388 0.8150290 2.15625895 0.6831692
1.34375372 0.5733340 6.59375023 0.8683127 3.43751395 0.7746486 2.21875829 0.6893211
"""
# Grey values and `gen_anscombe_forward(values, gauss_std=3, poisson_multi=2)` of
# crikit.preprocess.algorithms.anscombe in CRIkit2 0.4.4, a translation of Foi and Makitalo's MATLAB
# code, too heavy for the test group.
ANSCOMBE_BY_CRIKIT = """
0 3.240370349204  1 3.535533905933  5 4.527692569069  20 7.106335201776
100 14.508618128547  250 22.594247055390  1000 44.838599442891
"""
# The functions that the bounds in float32 count, the exact ones, decades of x, and how exact.
EXACT = [
    (lambda x: x ** (1 / 2.4), lambda x: x ** np.longdouble(np.float32(1 / 2.4)), (-7, 5), POWER),
    (lambda x: x**2.4, lambda x: x ** np.longdouble(np.float32(2.4)), (-7, 5), POWER),
    (lambda x: x**4.0, lambda x: x**4, (-7, 5), POWER),
    (lambda x: x**78.84375, lambda x: x ** np.longdouble(78.84375), (-0.3, 0.3), POWER),
    (ops.log, np.log, (-7, 5), POWER),
    (ops.exp, np.exp, (-7, 1.3), POWER),
    (ops.log1p, np.log1p, (-7, 8), LOG1P),
    (ops.expm1, np.expm1, (-7, 1.3), LOG1P),
]


def of(function, values, dtype="float64"):
    return np.asarray(ops.convert_to_numpy(function(np.asarray(values, dtype))), np.float64)


def close(curve, x, expected, tolerance=1e-7):
    tolerance = tolerance if FLOAT64 else max(tolerance, 1e-4)
    np.testing.assert_allclose(of(curve, x), expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("function", "exact", "decades", "bound"), EXACT)
def test_functions_are_as_exact_as_the_bounds_in_float32_suppose(function, exact, decades, bound):
    x = (10 ** np.random.default_rng(0).uniform(*decades, 100_000)).astype("float32")
    expected = exact(x.astype("longdouble"))
    error = np.abs(of(function, x, "float32") - expected) / np.abs(expected)
    assert error.max() < bound * 2.0**-24


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


@pytest.mark.once
def test_the_numbers_of_cvvdp_are_its_own():
    utils = pytest.importorskip("pycvvdp.utils")
    light = np.logspace(np.log10(0.005), 4, 300)
    close(PU21(10000), light / 1e4, utils.PU().encode(light), 1e-8)


def test_gamma_and_one_of_the_logarithms_are_those_of_scikit_image():
    x = X[X > 0.003]
    close(Gamma(2.2), x, exposure.adjust_gamma(x, 1 / 2.2), 1e-12)
    close(MuLaw(1), X, exposure.adjust_log(X), 1e-12)  # log2(1 + x)


def test_gamma_below_the_toe_is_the_chord_to_that_of_scikit_image():
    toe = exposure.adjust_gamma(np.array([0.003]), 1 / 2.2)
    x = np.array([-1, -0.003, 0, 1e-4, 0.0015, 0.003])
    close(Gamma(2.2), x, np.sign(x) * np.interp(np.abs(x), [0, 0.003, 1], [0, *toe, *toe / 0.003]))


@pytest.mark.parametrize(
    ("curve", "constants"),
    [
        (MuLaw(5000), {"base": 5001, "lin_side_slope": 5000, "lin_side_offset": 1}),
        (MuLaw(255), {"base": 256, "lin_side_slope": 255, "lin_side_offset": 1}),
        (Log(0.01), {"base": np.e, "lin_side_offset": 0.01}),
        (Log(1e-4), {"base": np.e, "lin_side_offset": 1e-4}),
    ],
)
def test_logarithms_are_those_of_colour_science(curve, constants):
    log = pytest.importorskip("colour.models.rgb.transfer_functions.log")
    expected = log.logarithmic_function_quasilog(X, "linToLog", **constants)
    close(curve, X, expected, 1e-12)
    back = log.logarithmic_function_quasilog(expected, "logToLin", **constants)
    close(curve.inverse, expected, back, 1e-9)


def test_reinhard_is_that_of_colour_hdri():
    numbers = np.array(REINHARD_BY_COLOUR_HDRI.split(), float)
    assert of(Reinhard(), numbers[::2]) == pytest.approx(
        numbers[1::2], abs=2e-7
    )  # cut, not rounded
    hdri = pytest.importorskip("colour_hdri")
    close(Reinhard(), X, hdri.tonemapping_operator_simple(X), 1e-12)


def test_anscombe_is_that_of_crikit():
    numbers = np.array(ANSCOMBE_BY_CRIKIT.split(), float)
    grey, expected = numbers[::2], numbers[1::2]
    close(Anscombe(2, read_noise=3), grey, expected, 1e-11)
    close(Anscombe(2 / 255, read_noise=3 / 255), grey / 255, expected, 1e-11)


@pytest.mark.parametrize("mean", [10, 20, 50])
def test_anscombe_stabilises_as_its_author_found(mean):
    """Anscombe, 1948: the variance is 1 + 1 / (16 mean^2); without 3/8, 1 + 3 / (8 mean)."""
    counts = np.arange(400.0)
    values, share = of(Anscombe(1), counts), scipy.stats.poisson(mean).pmf(counts)
    variance = share @ (values - share @ values) ** 2
    assert variance == pytest.approx(1 + 1 / (16 * mean**2), abs=1 / mean**3)


def test_window_is_that_of_scikit_image():
    x = np.linspace(-160, 240, 81)
    scaled = exposure.rescale_intensity(x, (-160, 240), (0, 1))
    close(Window(40, width=400), x, scaled, 1e-12)


def test_window_outside_is_that_of_scikit_image_over_the_wider_range():
    """A tenth as steep: 4,000 below and above fill 1 each."""
    for low, shift in ((-4160, -1), (240, 1)):
        x = np.linspace(low, low + 4000, 81)
        scaled = exposure.rescale_intensity(x, (low, low + 4000), (0, 1))
        close(Window(40, width=400), x, scaled + shift, 1e-12)


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
    x = np.append(x[np.isfinite(x) & (x <= curve.limit)], curve.limit)
    back = of(curve.inverse, of(curve, x))
    assert np.max(np.abs(back - x) / np.maximum(1, np.abs(x))) < 1e-9


def test_the_limits_of_light_are_those_of_the_definitions():
    assert [PQ(100).limit, PQ().limit, PU21(100).limit, PU21().limit] == [100, 1, 100, 1]
    assert {curve.limit for curve in CURVES if not isinstance(curve, PQ | PU21)} == {1e4}


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
    assert used.max() > 0.1  # the bound says something


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
    x = np.array([-largest, -60000, -1, -1e-4, 0, 1e-4, 1, 60000, largest])
    x = ops.cast(x, dtype)
    values, slopes = curve(x), curve.slope(x)
    for found in (values, slopes):
        assert keras.backend.standardize_dtype(found.dtype) == "float32"
    values, slopes = (np.asarray(ops.convert_to_numpy(found)) for found in (values, slopes))
    assert np.isfinite(values).all()
    assert np.isfinite(slopes).all()
    assert (slopes > 0).all()
    assert (np.diff(values[:7]) > 0).all()
    assert (np.diff(values) >= 0).all()
    gradients = gradient(lambda x: ops.sum(curve(x)), x)
    assert np.isfinite(gradients).all()


@pytest.mark.parametrize("curve", CURVES, ids=NAMES)
def test_what_is_beyond_1e18_counts_as_1e18(curve):
    for sign in (1, -1):
        x = sign * np.array([1e18, 1e30, 3e38, np.inf])
        for function in (curve, curve.slope):
            found = of(function, x, "float32")
            assert np.isfinite(found).all()
            np.testing.assert_array_equal(found, found[0])


@pytest.mark.parametrize("curve", CURVES, ids=NAMES)
def test_the_slope_is_the_gradient_of_the_backend(curve):
    """Black and the toe too, where a clip may halve it."""
    x = np.array([-8, -0.5, -1e-4, 0, curve.toe, 1e-4, 0.45, 1, 8], "float32")
    found = gradient(lambda x: ops.sum(curve(x)), x)
    np.testing.assert_allclose(found, of(curve.slope, x, "float32"), rtol=1e-4)


@pytest.mark.parametrize("curve", CURVES, ids=NAMES)
def test_curves_rise_and_keep_what_is_no_number(curve):
    x = np.linspace(-1, min(curve.limit, 8), 4001)
    assert (np.diff(of(curve, x)) > 0).all()
    assert np.isnan(of(curve, np.nan))
    with pytest.raises(TypeError, match="takes floating-point images. Received: dtype='uint8'"):
        curve(np.zeros((1, 2, 2, 1), "uint8"))


@pytest.mark.parametrize("curve", [c for c in CURVES if not isinstance(c, Log | Anscombe | Window)])
def test_black_stays_black(curve):
    assert of(curve, 0.0) == pytest.approx(0, abs=0.43)  # PU21: the rest below 0.005 cd/m^2


# PU21 and Window have spans of their own.
@pytest.mark.parametrize("curve", [c for c in CURVES if not isinstance(c, PU21 | Window)])
def test_the_span_is_from_black_to_white(curve):
    assert curve.span == pytest.approx(float(of(curve, 1.0) - of(curve, 0.0)), rel=1e-5)


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
