"""Curves: from linear light, counts or CT numbers to the scale on which a difference is judged.

A curve has a call, an inverse and a slope. A loss takes its error after a curve
(`AsymmetricLoss(domain=SRGB())`), weighs by its slope (`Slope(SRGB())`), and `psnr(curve=SRGB())`
scores after it.

All of them share these rules:

- They rise everywhere and have a finite slope everywhere. A curve that is infinitely steep at black
  is followed down to its `toe`; below that, and below black, it is a straight line, so a prediction
  that is black or negative has a finite error that pulls it up again.
- Images are floating point, of any shape, and are computed in float32, or in float64 where they are
  and the backend keeps it; float16 and bfloat16 come back as float32. NaN stays NaN.
- They are saved as their arguments, and equal where these are.

- What is brighter than 1e18, or as far below black, counts as that.

How exact: in float64 `inverse(curve(x))` is x to 1e-9 (relative above 1), up to the `limit` that a
curve states. In float32, with a unit roundoff of u = 2^-24, it is x to `u (k |x| + m / g'(x))`,
where g' is the slope, and `rounding` holds k and m: k counts the roundings that stay relative to x,
m those of the value, in units of the value, which the inverse magnifies where the curve is flat.

Each curve derives its own, to first order in u, by these rules:

- `+ - * /` round by 1 u, relative to the result; so does a constant that becomes float32, unless
  the inverse undoes it with the same one.
- A power, a logarithm and an exponential are exact to `POWER` u, `log1p` and `expm1` to `LOG1P` u.
- An error of e u relative to z is one of p e u relative to `z^p`. An exponent that becomes float32
  is wrong by 1 u, and the power by `|ln(z^p)|` u.
- The straight line needs 4 at most: a product, a sum, a difference and a quotient.
"""

import math

import keras
from keras import ops

from asykeras.configured import Configured, not_negative, positive
from asykeras.types import Config, Tensor

HUGE = 1e18  # so large that no image has it, and so small that no slope, as 1 / x^2, underflows
POWER = 4.0  # in units of the roundoff, 2^-24: TensorFlow and XLA stay below it
LOG1P = 8.0


class Curve(Configured):
    """Base of the curves.

    Subclasses implement `rise`, `fall` (its inverse) and `steepness` (its derivative) where they
    are exact, from the toe up, for tensors and for Python's floats.

    Attributes:
        toe: Where the straight line ends and `rise` begins.
        rounding: k and m of the bound in float32, up to `limit`: see the top. Nothing needs it.
        limit: Up to where the inverse is exact to 1e-9 in float64.

    Example:
        >>> @keras.saving.register_keras_serializable(package="mine")
        ... class Root(Curve):
        ...     toe = 0.01
        ...
        ...     def rise(self, x):
        ...         return x**0.5
        ...
        ...     def fall(self, value):
        ...         return value**2
        ...
        ...     def steepness(self, x):
        ...         return 0.5 * x**-0.5
    """

    toe: float = 0.0
    rounding: tuple[float, float]
    limit: float = 1e4

    def __call__(self, images: Tensor) -> Tensor:
        """Return the values of the curve: float32 or float64, of images of any shape.

        Raises:
            TypeError: for integers.
        """
        x = _floating(images)
        black, slope = self._line()
        # Both branches are computed: what `rise` gets must be where it is exact, or the gradient
        # of the branch that is not taken is NaN. The toe itself is on the line: JAX halves the
        # gradient of a clip at its ends.
        line = black + slope * ops.maximum(x, -HUGE)
        return ops.where(x <= self.toe, line, self.rise(ops.clip(x, self.toe, HUGE)))

    def inverse(self, values: Tensor) -> Tensor:
        """Return the images that have these values; infinity for values that none has.

        Shapes, dtypes and errors as in a call.
        """
        value = _floating(values)
        black, slope = self._line()
        bent = black + slope * self.toe
        line = (value - black) / slope
        return ops.where(value <= bent, line, self.fall(ops.maximum(value, bent)))

    def slope(self, images: Tensor) -> Tensor:
        """Return the derivative of the curve, positive and finite; beyond 1e18 that at 1e18.

        Shapes, dtypes and errors as in a call.
        """
        x = _floating(images)
        _, slope = self._line()
        return ops.where(x <= self.toe, slope, self.steepness(ops.clip(x, self.toe, HUGE)))

    @property
    def span(self) -> float:
        """What PSNR after this curve counts as the peak: from black to white, 1."""
        black = self._line()[0] if self.toe > 0 else self.rise(0.0)
        return self.rise(1.0) - black

    def rise(self, x: Tensor) -> Tensor:
        """Return the values of x from the toe up."""
        raise NotImplementedError

    def fall(self, value: Tensor) -> Tensor:
        """Return x, from the toe up, of its values."""
        raise NotImplementedError

    def steepness(self, x: Tensor) -> Tensor:
        """Return the derivative of `rise`."""
        raise NotImplementedError

    def _line(self) -> tuple[float, float]:
        """Return the value at black and the slope of the straight line, which meets the toe.

        Above black it is the chord from black; where the toe is black, the tangent.
        """
        if self.toe > 0:
            black = self._black()
            return black, (self.rise(self.toe) - black) / self.toe
        slope = self.steepness(self.toe)
        return self.rise(self.toe) - slope * self.toe, slope

    def _black(self) -> float:
        return 0.0

    def _largest_log(self) -> float:
        """Return |ln x| at most, from the toe to the limit."""
        return max(abs(math.log(self.toe)), math.log(self.limit))


def _floating(values: Tensor) -> Tensor:
    """Return a tensor in float32, or in float64 where it is; refuse integers."""
    values = ops.convert_to_tensor(values)
    dtype = keras.backend.standardize_dtype(values.dtype)
    if "float" not in dtype:
        raise TypeError(f"a curve takes floating-point images. Received: {dtype=}")
    return ops.cast(values, "float64" if dtype == "float64" else "float32")


@keras.saving.register_keras_serializable(package="asykeras")
class Gamma(Curve):
    """The power law of a display, `x^(1 / gamma)`.

    Args:
        gamma: > 1; 2.2 of many displays.
        toe: Below it the curve is the straight line through black; > 0. The slope is at most
            `toe^(1 / gamma - 1)`: 23.7 by default.

    Raises:
        ValueError: if `gamma` is not above 1 or `toe` not positive.

    Example:
        Gamma(2.2)(0.5) -> 0.5^(1 / 2.2) = 0.72974

    Reference: as scikit-image's `adjust_gamma(x, 1 / gamma)` from the toe up.
    """

    def __init__(self, gamma: float = 2.2, *, toe: float = 0.003):
        if not 1 < gamma < math.inf:
            raise ValueError(f"gamma must be a number above 1. Received: {gamma=}")
        self.gamma = float(gamma)
        self.toe = positive("toe", toe)
        # Two powers, the first of which is magnified by gamma, and their two exponents.
        self.rounding = ((self.gamma + 1) * POWER + 2 * self._largest_log(), 0.0)

    def rise(self, x: Tensor) -> Tensor:
        """Return x^(1 / gamma)."""
        return x ** (1 / self.gamma)

    def fall(self, value: Tensor) -> Tensor:
        """Return value^gamma."""
        return value**self.gamma

    def steepness(self, x: Tensor) -> Tensor:
        """Return x^(1 / gamma - 1) / gamma."""
        return x ** (1 / self.gamma - 1) / self.gamma


@keras.saving.register_keras_serializable(package="asykeras")
class SRGB(Curve):
    """The curve of sRGB images, from linear light to their values in [0, 1].

    `12.92 x` up to about 0.00313, above it `1.055 x^(1 / 2.4) - 0.055`. The pieces meet at
    0.0031306684, where the standard rounds to 0.0031308 and leaves a step of 3e-8. The arguments of
    a call and of its inverse are those of every curve; there are none to choose.

    Example:
        SRGB()(0.5) -> 1.055 * 0.5^(1 / 2.4) - 0.055 = 0.73536

        >>> linear = SRGB().inverse(photograph / 255.0)

    Reference: IEC 61966-2-1.
    """

    toe = 0.0031306684425005883

    def __init__(self) -> None:
        # value + 0.055: a power, a product, a difference, a sum and a quotient, all to the power of
        # 2.4; then that power; and the two exponents.
        self.rounding = (2.4 * (POWER + 4) + POWER + 2 * self._largest_log(), 0.0)

    def rise(self, x: Tensor) -> Tensor:
        """Return 1.055 x^(1 / 2.4) - 0.055."""
        return 1.055 * x ** (1 / 2.4) - 0.055

    def fall(self, value: Tensor) -> Tensor:
        """Return ((value + 0.055) / 1.055)^2.4."""
        return ((value + 0.055) / 1.055) ** 2.4

    def steepness(self, x: Tensor) -> Tensor:
        """Return 1.055 / 2.4 x^(1 / 2.4 - 1)."""
        return (1.055 / 2.4) * x ** (1 / 2.4 - 1)


@keras.saving.register_keras_serializable(package="asykeras")
class MuLaw(Curve):
    """The tone curve in which HDR images are merged and scored, `log(1 + mu x) / log(1 + mu)`.

    Args:
        mu: How strongly the dark is lifted; > 0. Images are in [0, 1], 1 the brightest.

    Raises:
        ValueError: if `mu` is not positive.

    Example:
        MuLaw(5000)(0.01) -> log(51) / log(5001) = 0.46163

    Reference: Kalantari and Ramamoorthi, "Deep high dynamic range imaging of dynamic scenes", 2017.
    """

    def __init__(self, mu: float = 5000.0):
        self.mu = positive("mu", mu)
        # Of x: mu x, expm1, the quotient. Of the value: log1p, then two products, each with a
        # constant of its own.
        self.rounding = (LOG1P + 2, (LOG1P + 4) * self.rise(self.limit))

    def rise(self, x: Tensor) -> Tensor:
        """Return log(1 + mu x) / log(1 + mu)."""
        if isinstance(x, float):
            return math.log1p(self.mu * x) / math.log1p(self.mu)
        return ops.log1p(self.mu * x) * (1 / math.log1p(self.mu))

    def fall(self, value: Tensor) -> Tensor:
        """Return ((1 + mu)^value - 1) / mu."""
        return ops.expm1(value * math.log1p(self.mu)) / self.mu

    def steepness(self, x: Tensor) -> Tensor:
        """Return mu / ((1 + mu x) log(1 + mu))."""
        return (1 / math.log1p(self.mu)) / (x + 1 / self.mu)


@keras.saving.register_keras_serializable(package="asykeras")
class Log(Curve):
    """The logarithm, in which a difference is a ratio of light, `log(x + epsilon)`.

    Args:
        epsilon: Added against black, whose logarithm is not finite; > 0.

    Raises:
        ValueError: if `epsilon` is not positive.

    Example:
        Log(0.01)(0.99) -> log(1) = 0
    """

    def __init__(self, epsilon: float = 1e-2):
        self.epsilon = positive("epsilon", epsilon)
        # 1 / g' is x + epsilon: the sum, the exponential and the logarithm, which is not relative.
        largest = max(abs(math.log(self.epsilon)), self.rise(self.limit))
        self.rounding = (4.0, 1 + POWER + POWER * largest)

    def rise(self, x: Tensor) -> Tensor:
        """Return log(x + epsilon)."""
        return math.log(x + self.epsilon) if isinstance(x, float) else ops.log(x + self.epsilon)

    def fall(self, value: Tensor) -> Tensor:
        """Return exp(value) - epsilon."""
        return ops.exp(value) - self.epsilon

    def steepness(self, x: Tensor) -> Tensor:
        """Return 1 / (x + epsilon)."""
        return 1.0 / (x + self.epsilon)


@keras.saving.register_keras_serializable(package="asykeras")
class Reinhard(Curve):
    """The global tone curve of Reinhard, `x / (1 + x)`, which brings any light below 1.

    There are no arguments. Infinity is the inverse of 1 and more. In float32 light above 1e3 is
    told apart to less than four digits.

    Example:
        Reinhard()(3.0) -> 0.75

    Reference: Reinhard et al., "Photographic tone reproduction for digital images", 2002, Eq. 3.
    """

    # Of x: 1 - value and a quotient. Of the value, at most 1: 1 + x and a quotient.
    rounding = (2.0, 2.0)

    def rise(self, x: Tensor) -> Tensor:
        """Return x / (1 + x)."""
        return x / (1.0 + x)

    def fall(self, value: Tensor) -> Tensor:
        """Return value / (1 - value)."""
        return _quotient(value, 1.0 - value)

    def steepness(self, x: Tensor) -> Tensor:
        """Return 1 / (1 + x)^2."""
        return (1.0 / (1.0 + x)) ** 2


@keras.saving.register_keras_serializable(package="asykeras")
class PQ(Curve):
    """The perceptual quantizer of HDR video, which takes light of up to 10,000 cd/m^2 to [0, 1].

    Args:
        peak: Light of an image's 1, in cd/m^2; > 0.
        toe: Light in cd/m^2 below which the curve is a straight line; > 0. By default the darkest
            that PU21 knows.

    Raises:
        ValueError: if `peak` or `toe` is not positive.

    Example:
        PQ(10000)(0.01) -> 100 cd/m^2 -> 0.50808

    Reference: SMPTE ST 2084, ITU-R BT.2100.
    """

    def __init__(self, peak: float = 10000.0, *, toe: float = 0.005):
        self.peak = positive("peak", peak)
        self.darkest = positive("toe", toe)
        self.toe = self.darkest / self.peak
        self.limit = 1e4 / self.peak  # where the standard ends, at the value 1
        # Of x: two products with their constants; a power to 1 / m1, two differences and a quotient
        # to 1 / m1; the power to 1 / m1 itself and its exponent. The others are exact in float32.
        of_x = 4 + (POWER + 3) / _M1 + POWER + abs(math.log(self.darkest / 1e4))
        # Of the value: two products, two sums and a quotient to m2; that power; the root, and the
        # product with c3 after it, both to m2; the root's exponent, v |ln v| < 1.
        self.rounding = (of_x, _M2 * (5 + POWER + 1) + POWER + 1)

    def rise(self, x: Tensor) -> Tensor:
        """Return the value of peak * x cd/m^2."""
        power = (x * (self.peak / 1e4)) ** _M1
        return ((_C1 + _C2 * power) / (1.0 + _C3 * power)) ** _M2

    def fall(self, value: Tensor) -> Tensor:
        """Return the light of a value over the peak."""
        root = value ** (1 / _M2)
        power = _quotient(ops.maximum(root - _C1, 0.0), _C2 - _C3 * root)
        return power ** (1 / _M1) * (1e4 / self.peak)

    def steepness(self, x: Tensor) -> Tensor:
        """Return the derivative of `rise`."""
        power = (x * (self.peak / 1e4)) ** _M1
        below = 1.0 + _C3 * power
        inner = (_C1 + _C2 * power) / below
        return (_M1 * _M2 * (_C2 - _C1 * _C3)) * inner ** (_M2 - 1) * (power / x) / below**2

    def get_config(self) -> Config:
        """Return the constructor's arguments."""
        return {"peak": self.peak, "toe": self.darkest}

    def _black(self) -> float:
        return _C1**_M2


# SMPTE ST 2084
_M1, _M2, _C1, _C2, _C3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875


@keras.saving.register_keras_serializable(package="asykeras")
class PU21(Curve):
    """The perceptually uniform encoding of light, in which PSNR and SSIM of HDR are taken.

    The variant "banding and glare". From 0.005 to 10,000 cd/m^2 it goes from 0 to 595; 100 cd/m^2,
    the white of a plain display, has 256, which is the peak of PSNR (`span`), as its authors count.

    Args:
        peak: Light of an image's 1, in cd/m^2; > 0.

    Raises:
        ValueError: if `peak` is not positive.

    Example:
        PU21(100)(1.0) -> 256

        >>> psnr(true, restored, curve=PU21(1000))  # PU21-PSNR

    Reference: Mantiuk and Azimi, "PU21: A novel perceptually uniform encoding for adapting existing
    quality metrics for HDR", 2021; constants of gfxdisp/pu21. Below 0.005 cd/m^2, where its authors
    clip, a straight line leads to black.
    """

    span = 256.0

    def __init__(self, peak: float = 10000.0):
        self.peak = positive("peak", peak)
        self.toe = 0.005 / self.peak
        self.limit = 1e4 / self.peak  # where its authors end, at 595
        # Of x: a product and a quotient; a power to 1 / p4, two differences and a quotient to
        # 1 / p4; the power to 1 / p4 itself; the exponents, each by |ln light|.
        of_x = 2 + (POWER + 3) / _P[3] + POWER + 2 * math.log(1e4)
        # Of w = value / p7 + p6: two products, two sums and a quotient to p5; that power; the root
        # and a product after it, both to p5; the two exponents; the sum itself.
        w = 596 / _P[6] + _P[5]
        of_w = _P[4] * (5 + POWER + 1) + POWER + 2 * math.log(w) + 1
        # Of the value, 596 at most: a difference, a product and a quotient.
        self.rounding = (of_x, _P[6] * w * of_w + 3 * 596)

    def rise(self, x: Tensor) -> Tensor:
        """Return the value of peak * x cd/m^2."""
        power = (x * self.peak) ** _P[3]
        return _P[6] * (((_P[0] + _P[1] * power) / (1.0 + _P[2] * power)) ** _P[4] - _P[5])

    def fall(self, value: Tensor) -> Tensor:
        """Return the light of a value over the peak."""
        root = (value / _P[6] + _P[5]) ** (1 / _P[4])
        power = _quotient(ops.maximum(root - _P[0], 0.0), _P[1] - _P[2] * root)
        return power ** (1 / _P[3]) / self.peak

    def steepness(self, x: Tensor) -> Tensor:
        """Return the derivative of `rise`."""
        power = (x * self.peak) ** _P[3]
        below = 1.0 + _P[2] * power
        inner = (_P[0] + _P[1] * power) / below
        factor = _P[6] * _P[4] * _P[3] * (_P[1] - _P[0] * _P[2])
        return factor * inner ** (_P[4] - 1) * (power / x) / below**2

    def _black(self) -> float:
        return _P[6] * (_P[0] ** _P[4] - _P[5])


# gfxdisp/pu21, "banding_glare"
_P = (
    *(0.353487901, 0.3734658629, 8.277049286e-5, 0.9062562627),
    *(0.09150303166, 0.9099517204, 596.3148142),
)


@keras.saving.register_keras_serializable(package="asykeras")
class Anscombe(Curve):
    """The curve after which Poisson-Gaussian noise has the same deviation everywhere: 1.

    `h(y) = 2 / a sqrt(a y + 3/8 a^2 + s^2)` for noise of the variance `a y + s^2`. Where the root's
    argument falls below a quarter of that of black, at negative values, the tangent goes on.

    Args:
        gain: a, in image units: the light of one electron; > 0.
        read_noise: s, the deviation of the noise of black, in image units; >= 0.

    Raises:
        ValueError: if `gain` is not positive or `read_noise` negative.

    Example:
        Anscombe(0.01)(0.5) -> 200 sqrt(0.005 + 0.0000375) = 14.1951

    Reference: Starck, Murtagh and Bijaoui, 1998. `inverse` is the algebraic one, which is biased on
    denoised images; `zoo.stabilized` has the one that is not.
    """

    def __init__(self, gain: float, *, read_noise: float = 0.0):
        self.gain = positive("gain", gain)
        self.read_noise = not_negative("read_noise", read_noise)
        self.offset = 0.375 * self.gain**2 + self.read_noise**2
        self.toe = -0.75 * self.offset / self.gain
        # The square, and twice: the root, two products with their constants; once the sum. It is
        # relative to x + offset / gain. Then of x: a product, a difference and a quotient.
        square = POWER + 2 * (POWER + 4) + 1
        self.rounding = (square + 3, square * self.offset**0.5 / self.gain)

    def rise(self, x: Tensor) -> Tensor:
        """Return 2 / a sqrt(a y + 3/8 a^2 + s^2)."""
        return (2 / self.gain) * (self.gain * x + self.offset) ** 0.5

    def fall(self, value: Tensor) -> Tensor:
        """Return ((a value / 2)^2 - 3/8 a^2 - s^2) / a."""
        return ((self.gain / 2 * value) ** 2 - self.offset) / self.gain

    def steepness(self, x: Tensor) -> Tensor:
        """Return 1 / sqrt(a y + 3/8 a^2 + s^2)."""
        return (self.gain * x + self.offset) ** -0.5


@keras.saving.register_keras_serializable(package="asykeras")
class Window(Curve):
    """The window in which CT images are read: a part of the range fills the display.

    `(x - centre) / width + 1/2` inside, which is 0 to 1; outside it goes on less steeply, so that
    what lies there still counts a little and is told apart.

    Args:
        centre: Middle of the window, in the units of the images.
        width: > 0.
        outside: Slope outside over the slope inside, in (0, 1].

    Raises:
        ValueError: if `width` is not positive or `outside` not in (0, 1].

    Example:
        Window(40, width=400)(140.0) -> 100 / 400 + 0.5 = 0.75

    Reference: DICOM PS3.3 C.11.2.1.3.2, LINEAR_EXACT, inside the window.
    """

    span = 1.0

    def __init__(self, centre: float, *, width: float, outside: float = 0.1):
        if not math.isfinite(centre):
            raise ValueError(f"centre must be a finite number. Received: {centre=}")
        if not 0 < outside <= 1:
            raise ValueError(f"outside must be in (0, 1]. Received: {outside=}")
        self.centre, self.width = float(centre), positive("width", width)
        self.outside = float(outside)
        self.low = self.centre - self.width / 2
        # Relative to |x| + |low|: the place by 2 roundings, its value by 3, and back by 3, 1 and 1.
        # Outside, the sum of the value is relative to its bend, 1.
        self.rounding = (10.0, 10 * abs(self.low) / self.width + 1)

    def __call__(self, images: Tensor) -> Tensor:
        """Return the place in the window, 0 to 1 inside."""
        place = (ops.clip(_floating(images), -HUGE, HUGE) - self.low) / self.width
        inside = ops.clip(place, 0.0, 1.0)
        return inside + self.outside * (place - inside)

    def inverse(self, values: Tensor) -> Tensor:
        """Return the images that have these places."""
        value = _floating(values)
        inside = ops.clip(value, 0.0, 1.0)
        place = inside + (value - inside) / self.outside
        return place * self.width + self.low

    def slope(self, images: Tensor) -> Tensor:
        """Return 1 / width inside, `outside` of it elsewhere."""
        x = _floating(images)
        inside = ops.abs(x - self.centre) <= self.width / 2
        return (self.outside + (1 - self.outside) * ops.cast(inside, x.dtype)) / self.width


def _quotient(above: Tensor, below: Tensor) -> Tensor:
    """Return a quotient, infinite where the divisor is not above 0."""
    there = below > 0
    return ops.where(there, above / ops.where(there, below, 1.0), math.inf)
