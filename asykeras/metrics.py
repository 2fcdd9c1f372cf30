"""Image quality, one value per image: PSNR, SSIM, RMSE and NRMSE.

The functions return one value per image; the metric classes average them over images, however the
images are split into batches. (`keras.ops.psnr` takes one error over the whole batch instead.)

How the images are prepared decides about tenths of a decibel. All take these options, by name, and
apply them in this order:

1. `quantize`: clip to [0, max_val] and round, half up, to the 256 levels of 8 bit;
2. `luma`: replace RGB by the studio-range luma Y of BT.601; one channel stays as it is;
3. `round_luma`: round Y to 8 bit too, as older MATLAB code does by keeping Y as uint8;
4. `border`: drop that many pixels on each of the four sides.

PSNR knows two more, which come last: `band` leaves only the pixels of some grey values of the
reference, and `curve` compares the images after a curve, as PSNR-mu and PU21-PSNR of HDR images do.

Super-resolution tables use `quantize=True, luma=True, border=scale`, denoising tables
`quantize=True` alone.

All is computed in float32, or in float64 where an input is float64 and the backend keeps it, under
every precision policy. A NaN or an infinite pixel gives NaN for that image only. What can be told
of the values alone (references above `max_val`, negative weights, black references) is checked when
running eagerly; compiled code has no values that could be checked.
"""

import inspect
import math
import warnings
from collections.abc import Callable, Sequence
from typing import ClassVar, Self, TypedDict, Unpack

import keras
import numpy as np
from keras import ops

from asykeras import color
from asykeras.curves import Curve
from asykeras.eager import MARGIN, eager_values
from asykeras.layout import known_shape, may_be_equal, shifted, standardize_data_format
from asykeras.types import Config, DType, Tensor

_K1, _K2 = 0.01, 0.03  # Wang et al. 2004, Sec. III-C
_GAUSSIAN_SIZE, _GAUSSIAN_SIGMA = 11, 1.5  # Wang et al. 2004, Sec. III-C
_UNIFORM_SIZE = 7  # the default of scikit-image


class Preparation(TypedDict, total=False):
    """How two images are prepared before they are compared: see the top of this module."""

    max_val: float
    border: int
    luma: bool
    quantize: bool
    round_luma: bool
    data_format: str | None


class MetricOptions(Preparation, total=False):
    """What every metric class takes: see `PSNR`."""

    name: str | None
    dtype: DType


class _Arguments(Preparation, total=False):
    """What a metric class gives to its function."""

    window: str  # SSIM's alone
    curve: Curve | None  # PSNR's alone
    band: tuple[float, float] | None


def psnr(
    y_true: Tensor,
    y_pred: Tensor,
    *,
    curve: Curve | None = None,
    band: tuple[float, float] | None = None,
    **preparation: Unpack[Preparation],
) -> Tensor:
    """Return the peak signal-to-noise ratio of each image, in dB.

    `psnr = 10 log10(max_val^2 / mse)`, mse over height, width and channels of ONE image. Identical
    images give +inf, as in scikit-image.

    Args:
        y_true: Reference, `(batch, height, width, channels)`. Integers are taken as they are.
        y_pred: Image to score, same shape.
        curve: Compare the images, divided by `max_val`, after this curve; `max_val` then is what
            has the value 1 for it. The peak is the curve's `span`: from black to `max_val`, and 256
            for PU21, as its authors count.
        band: `(low, high)`: only pixels whose grey value in the reference (see `grey`) is at least
            low and less than high, in the units of the images. NaN for an image that has none.
        max_val: Largest possible value: 1 for images in [0, 1], 255 for uint8. It is never guessed
            from the dtype.
        border: Pixels dropped on each side.
        luma: Score the luma Y of RGB images, times `max_val`, and grey images on their own values.
        quantize: Clip both images to [0, max_val] and round them to 256 levels first.
        round_luma: Round Y to 256 levels as well; needs `luma=True`.
        data_format: `"channels_last"`, or `"channels_first"` for `(batch, channels, height,
            width)`; `keras.config.image_data_format()` by default.

    Returns:
        `(batch,)`, float32 or float64.

    Raises:
        ValueError: the shapes differ, are not of rank 4, leave nothing inside the border, or have
            neither 1 nor 3 channels with `luma=True`; an option is out of range; the reference
            goes beyond 1.5 `max_val`, as 8-bit values do where [0, 1] is meant. Sizes that are
            unknown while tracing a graph are not checked.
        TypeError: the images are neither floating point nor integer.

    Example:
        an error of 0.1 in every pixel, max_val 1  ->  mse 0.01  ->  20 dB

        >>> psnr(true, restored, curve=MuLaw(5000))  # PSNR-mu
        >>> psnr(true, restored, curve=SRGB(), band=(0, 0.05))  # linear light, the dark

    Reference: the paper's Eq. 6 with MAX = `max_val`; equals scikit-image's
    `peak_signal_noise_ratio` of each image.
    """
    options = _checked(**preparation)
    limits = None if band is None else _checked_band(band)
    true, pred = _prepared(y_true, y_pred, options)
    _check_reference(y_true, options["max_val"])
    inside = None if limits is None else _inside(true, limits, options["max_val"])
    if curve is not None:
        true, pred = (ops.cast(curve(each), each.dtype) / curve.span for each in (true, pred))
    squared = ops.square(true - pred)
    if inside is None:
        return -10.0 * ops.log10(_mean_per_image(squared))
    # A NaN outside the band is no concern of its pixels.
    errors = ops.where(inside > 0, squared, ops.zeros_like(squared))
    share = _mean_per_image(inside)
    return -10.0 * ops.log10(ops.where(share > 0, _mean_per_image(errors) / share, math.nan))


def _inside(true: Tensor, band: tuple[float, float], max_val: float) -> Tensor:
    """Return 1 for the pixels of a band and 0 for others, `(batch, height, width, 1)`."""
    low, high = (limit / max_val for limit in band)
    values = color.grey(true)
    return ops.cast(ops.logical_and(values >= low, values < high), true.dtype)


def _checked_band(band: tuple[float, float]) -> tuple[float, float]:
    """Return the limits of a band as numbers."""
    low, high = (float(limit) for limit in band)
    if not low < high:
        raise ValueError(f"band must be two rising grey values. Received: {band=}")
    return low, high


def rmse(y_true: Tensor, y_pred: Tensor, **preparation: Unpack[Preparation]) -> Tensor:
    """Return the root-mean-square error of each image, in the units of the image.

    `rmse = sqrt(mean of (y_true - y_pred)^2)` over height, width and channels of one image.
    `max_val` matters for `luma` and `quantize` only.

    Arguments, shapes and errors as in `psnr`.

    Returns:
        `(batch,)`, in [0, max_val] for images in that range.

    Example:
        pixels 0.0, 0.5 against 0.3, 0.9  ->  sqrt((0.09 + 0.16) / 2) = 0.3536

    Reference: Eq. 9 of the paper. The columns "RMSE" of its tables hold `nrmse` instead.
    """
    options = _checked(**preparation)
    true, pred = _prepared(y_true, y_pred, options)
    return options["max_val"] * ops.sqrt(_mean_per_image(ops.square(true - pred)))


def nrmse(y_true: Tensor, y_pred: Tensor, **preparation: Unpack[Preparation]) -> Tensor:
    """Return the error of each image relative to its reference, `||y_true - y_pred|| / ||y_true||`.

    Norms are Frobenius norms over height, width and channels of one image. A black reference has
    norm zero, and no relative error means anything: the value is then +inf, or 0 if the image is
    black too, with a RuntimeWarning. `max_val` matters for `luma` and `quantize` only.

    Arguments, shapes and errors as in `psnr`.

    Returns:
        `(batch,)`, without unit, >= 0.

    Example:
        pixels 0.6, 0.8 against 0.6, 0.3  ->  0.5 / 1 = 0.5

    Reference: scikit-image's `normalized_root_mse` with its default normalisation. It is what the
    columns "RMSE" of the paper's tables hold: for images in [0, 1],
    `psnr = -20 log10(nrmse * rms(y_true))`.
    """
    true, pred = _prepared(y_true, y_pred, _checked(**preparation))
    error = ops.sqrt(_mean_per_image(ops.square(true - pred)))
    norm = ops.sqrt(_mean_per_image(ops.square(true)))
    _warn_of_black(norm)
    return ops.where(error == 0, ops.zeros_like(error), error / norm)


def ssim(
    y_true: Tensor, y_pred: Tensor, *, window: str = "gaussian", **preparation: Unpack[Preparation]
) -> Tensor:
    """Return the structural similarity of each image.

    The mean, over channels and over the pixels whose window lies inside the image, of

        (2 m_x m_y + C1) (2 s_xy + C2) / ((m_x^2 + m_y^2 + C1) (s_x^2 + s_y^2 + C2))

    with local means m, variances s^2 and covariance s_xy, C1 = (0.01 max_val)^2 and
    C2 = (0.03 max_val)^2. Identical images give exactly 1.

    Args:
        y_true: Reference, `(batch, height, width, channels)`.
        y_pred: Image to score, same shape.
        window: "gaussian", the paper's 11x11 Gaussian of sigma 1.5 with population covariances; or
            "uniform", scikit-image's default, 7x7 equal weights with sample covariances (N - 1).
        max_val: As in `psnr`, and so are the options after it.

    Returns:
        `(batch,)`, in [-1, 1].

    Raises:
        ValueError: as in `psnr`; the image without its border is smaller than the window; the
            window is unknown.
        TypeError: as in `psnr`.

    Example:
        constant images 0.4 and 0.6  ->  (0.48 + 0.0001) / (0.52 + 0.0001) = 0.9231

    Reference: Wang, Bovik, Sheikh and Simoncelli, 2004, doi:10.1109/TIP.2003.819861. Equals
    scikit-image's `structural_similarity(gaussian_weights=True, sigma=1.5,
    use_sample_covariance=False)` and its default. Without the down-sampling of the authors' later
    MATLAB script.
    """
    weights, covariance_factor = _window(window)
    options = _checked(**preparation)
    true, pred = _prepared(y_true, y_pred, options)
    _check_reference(y_true, options["max_val"])
    _check_size(true.shape, len(weights), "The SSIM window does not fit into the image")
    return 1.0 - _mean_per_image(_dissimilarity(true, pred, weights, covariance_factor))


def _dissimilarity(
    true: Tensor, pred: Tensor, weights: Sequence[float], covariance_factor: float
) -> Tensor:
    """Return 1 - SSIM of every pixel whose window lies inside the image, for max_val 1.

    With e = y - x:  2 m_x m_y = m_x^2 + m_y^2 - m_e^2  and  2 s_xy = s_x^2 + s_y^2 - s_e^2. Each
    factor of SSIM is then 1 minus a part that vanishes with the error, and so do its rounding
    errors in float32.
    """
    images = ops.concatenate([true, pred, pred - true], axis=-1)
    means, variances = _local_moments(images, weights)
    true_mean, pred_mean, error_mean = ops.split(means, 3, axis=-1)
    covariances = ops.split(covariance_factor * variances, 3, axis=-1)
    true_variance, pred_variance, error_variance = covariances
    squares = ops.square(true_mean) + ops.square(pred_mean)
    luminance_loss = ops.square(error_mean) / (squares + _K1**2)
    structure_loss = error_variance / (true_variance + pred_variance + _K2**2)
    return luminance_loss + structure_loss - luminance_loss * structure_loss


def _local_moments(images: Tensor, weights: Sequence[float]) -> tuple[Tensor, Tensor]:
    """Return mean and variance under the window around each pixel, without padding.

    Along height, then along width, by the law of total variance: the variance of the whole is the
    mean of the variances plus the variance of the means. E[x^2] - m^2, the usual way, cancels: in
    float32 it would put errors of 7e-6 into the SSIM of images with flat parts.
    """
    # Shifted copies, not a convolution: recent GPUs run that in TF32, with 10 bits of mantissa.
    mean, variance, count = images, ops.zeros_like(images), len(weights)
    for axis in (1, 2):
        outer = sum(w * part for w, part in zip(weights, shifted(mean, axis, count), strict=True))
        moments = (shifted(each, axis, count) for each in (mean, variance))
        parts = zip(weights, *moments, strict=True)
        variance = sum(w * (inner + ops.square(part - outer)) for w, part, inner in parts)
        mean = outer
    return mean, variance


def _prepared(y_true: Tensor, y_pred: Tensor, options: Preparation) -> tuple[Tensor, Tensor]:
    """Return both images as they are compared, channels last, divided by `max_val`."""
    max_val, border, luma = options["max_val"], options["border"], options["luma"]
    y_true, y_pred = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)
    _check_images(y_true, y_pred)
    if options["data_format"] == "channels_first":
        y_true, y_pred = ops.moveaxis(y_true, 1, -1), ops.moveaxis(y_pred, 1, -1)
    channels = y_true.shape[-1]
    if luma and channels not in (1, 3):
        raise ValueError(f"luma=True needs 1 or 3 channels. Received: {channels=}")
    _check_size(y_true.shape, 2 * border + 1, f"A border of {border} pixels leaves nothing")
    dtype = keras.backend.result_type(y_true.dtype, y_pred.dtype, "float32")

    def prepare_one(image: Tensor) -> Tensor:
        image = ops.cast(image, dtype)
        # In 8-bit units first: halves of 8-bit values stay exact, and round up.
        unit = 255.0 / max_val
        image = _quantized(image * unit) if options["quantize"] else image / max_val
        if luma and image.shape[-1] == 3:
            image = color.rgb_to_luma(image)
            if options["round_luma"]:
                image = _quantized(image * 255.0)
        return image[:, border:-border, border:-border, :] if border else image

    return prepare_one(y_true), prepare_one(y_pred)


def _quantized(levels: Tensor) -> Tensor:
    """Return values in 8-bit units clipped, rounded and divided by 255."""
    # Half up, as MATLAB; `ops.round` rounds half to even.
    return ops.floor(ops.clip(levels, 0.0, 255.0) + 0.5) / 255.0


def _mean_per_image(values: Tensor) -> Tensor:
    """Return the mean over height, width and channels, exact to a few units in the last place.

    A plain float32 mean over 8 million values was 2.5 % off on TensorFlow with XLA for CPU, which
    adds one value after the other. Means of rows shorten the sums; the mean of what is left around
    that first mean then corrects it.
    """
    first = _mean_of_row_means(values)
    return first + _mean_of_row_means(values - ops.reshape(first, (-1, 1, 1, 1)))


def _mean_of_row_means(values: Tensor) -> Tensor:
    return ops.mean(ops.mean(values, axis=(2, 3)), axis=1)


def _window(name: str) -> tuple[list[float], float]:
    """Return the window along one axis and the factor from population to wanted covariance."""
    if name == "gaussian":
        offset = np.arange(_GAUSSIAN_SIZE) - _GAUSSIAN_SIZE // 2
        weights = np.exp(-0.5 * (offset / _GAUSSIAN_SIGMA) ** 2)
        return [float(weight) for weight in weights / weights.sum()], 1.0
    if name == "uniform":
        pixels = _UNIFORM_SIZE**2
        return [1.0 / _UNIFORM_SIZE] * _UNIFORM_SIZE, pixels / (pixels - 1)
    raise ValueError(f"The window must be 'gaussian' or 'uniform'. Received: window={name!r}")


def _checked(
    *,
    max_val: float = 1.0,
    border: int = 0,
    luma: bool = False,
    quantize: bool = False,
    round_luma: bool = False,
    data_format: str | None = None,
) -> _Arguments:
    """Return how images are prepared, checked and filled in."""
    if not (math.isfinite(max_val) and max_val > 0):
        raise ValueError(f"max_val must be a finite number above 0. Received: {max_val=}")
    if isinstance(border, bool) or not isinstance(border, int | np.integer) or border < 0:
        raise ValueError(f"border must be a whole number of pixels, 0 or more. Received: {border=}")
    if round_luma and not luma:
        raise ValueError(f"round_luma=True needs luma=True. Received: {luma=}")
    return {
        "max_val": float(max_val),
        "border": int(border),
        "luma": bool(luma),
        "quantize": bool(quantize),
        "round_luma": bool(round_luma),
        "data_format": standardize_data_format(data_format),
    }


def _check_reference(y_true: Tensor, max_val: float) -> None:
    """Refuse references that show, when running eagerly, that `max_val` is not their unit's."""
    values = eager_values(y_true)
    if values is None:
        return
    largest = values.max(where=np.isfinite(values), initial=0)
    if largest > (1 + MARGIN) * max_val:
        raise ValueError(
            "max_val must be the largest value that a reference can have: 1 for images in [0, 1], "
            f"255 for 8-bit ones. Received: {max_val=:g}, {largest=:g}"
        )


def _warn_of_black(norm: Tensor) -> None:
    values = eager_values(norm)
    black = 0 if values is None else np.count_nonzero(values == 0)
    if black:
        warnings.warn(
            f"nrmse: {black} references of {len(norm)} have norm zero; the value there is inf, or "
            "0 where the image is black too",
            RuntimeWarning,
            stacklevel=3,
        )


def _check_images(y_true: Tensor, y_pred: Tensor) -> None:
    true_shape, pred_shape = known_shape(y_true), known_shape(y_pred)
    for shape in (true_shape, pred_shape):
        if len(shape) != 4:
            raise ValueError(
                "Images must have four axes, (batch, height, width, channels) by default; add a "
                f"batch axis to a single image. Received: {shape=}"
            )
    if not may_be_equal(true_shape, pred_shape):
        raise ValueError(
            "y_true and y_pred must have the same shape. "
            f"Received: y_true.shape={true_shape}, y_pred.shape={pred_shape}"
        )
    for image in (y_true, y_pred):
        dtype = keras.backend.standardize_dtype(image.dtype)
        if not (keras.backend.is_float_dtype(dtype) or keras.backend.is_int_dtype(dtype)):
            raise TypeError(f"Images must be floating point or integer. Received: {dtype=}")


def _check_size(shape: Sequence[int | None], smallest: int, problem: str) -> None:
    if any(isinstance(size, int) and size < smallest for size in shape[1:3]):
        raise ValueError(
            f"{problem}: height and width must be at least {smallest}. "
            f"Received: shape={tuple(shape)}"
        )


class _MeanOverImages(keras.metrics.Metric):
    """Mean over images of a function that returns one value per image."""

    _function: ClassVar[Callable[..., Tensor]]

    def __init__(
        self, *, name: str | None = None, dtype: DType = None, **preparation: Unpack[Preparation]
    ):
        super().__init__(name=name or self._function.__name__, dtype=dtype)
        self._arguments = _checked(**preparation)
        # In float32 whatever the policy: a sum over many images does not fit into half precision.
        self.total = self.add_variable((), "zeros", dtype="float32", name="total")
        self.count = self.add_variable((), "zeros", dtype="float32", name="count")

    def update_state(
        self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None
    ) -> None:
        """Add the images of one batch.

        Args:
            y_true: Reference, `(batch, height, width, channels)`.
            y_pred: Images to score, same shape.
            sample_weight: Weight of each image, `(batch,)` or `(batch, 1)`, or one for all; not
                negative. A weight of 0 leaves the image out, even if its value is infinite or NaN.

        Raises:
            ValueError: for weights of another shape and, when running eagerly, for weights that are
                negative or not finite.
        """
        values = ops.cast(self._function(y_true, y_pred, **self._arguments), "float32")
        weights = _image_weights(sample_weight, values)
        band = self._arguments.get("band")
        if band is not None:
            true, _ = _prepared(y_true, y_true, self._arguments)
            inside = _inside(true, band, self._arguments["max_val"])
            weights = ops.cast(ops.max(inside, axis=(1, 2, 3)), "float32") * weights
        weighted = ops.where(weights == 0, ops.zeros_like(values), weights * values)
        self.total.assign(self.total + ops.sum(weighted))
        self.count.assign(self.count + ops.sum(weights))

    def result(self) -> Tensor:
        """Return the mean over all images since the last reset; NaN before the first image."""
        return ops.cast(self.total / self.count, self.dtype)

    def get_config(self) -> Config:
        """Return the arguments of the constructor."""
        return {**super().get_config(), **self._arguments}


def _image_weights(sample_weight: Tensor | None, values: Tensor) -> Tensor:
    """Return one float32 weight per image."""
    # Not `ones_like`: of a known shape it is a constant, and TensorFlow counts a constant once more
    # in the step which finds that a generator has ended.
    ones = ops.cast(ops.logical_or(values == values, values != values), "float32")
    if sample_weight is None:
        return ones
    weights = ops.convert_to_tensor(sample_weight, "float32")
    shape, (images,) = known_shape(weights), tuple(values.shape)
    if shape and not (may_be_equal(shape[:1], (images,)) and set(shape[1:]) <= {1}):
        raise ValueError(
            f"sample_weight must be a number or one weight per image: of shape () or ({images},). "
            f"Received: sample_weight.shape={shape}"
        )
    found = eager_values(weights)
    bad = [] if found is None else found[~(np.isfinite(found) & (found >= 0))]
    if len(bad):
        raise ValueError(
            f"sample_weight must be finite and not negative. Received: weight={bad[0]:g}"
        )
    return ops.reshape(weights, (-1,)) * ones


@keras.saving.register_keras_serializable(package="asykeras")
class PSNR(_MeanOverImages):
    """Mean over images of the peak signal-to-noise ratio, in dB.

    Each image has its own ratio; the ratios are averaged. The result does not depend on the batch
    size. One image that equals its reference makes the mean +inf.

    Args:
        curve: As in `psnr`.
        band: As in `psnr`; images without a pixel in it are left out.
        name: Name of the metric; "psnr" by default.
        dtype: Dtype of the result. The images are compared and summed up in at least float32.
        max_val: As in `psnr`, and so are the options after it.

    Raises:
        ValueError: an option is out of range; the images do not fit, as in `psnr`.

    Example:
        ```python
        model.compile(loss=AsyMSE(), metrics=[PSNR(border=2, luma=True, quantize=True)])
        ```

    Reference: see `psnr`.
    """

    _function = staticmethod(psnr)
    _direction = "up"  # for callbacks with mode="auto"

    def __init__(
        self,
        *,
        curve: Curve | None = None,
        band: tuple[float, float] | None = None,
        **options: Unpack[MetricOptions],
    ):
        super().__init__(**options)
        if curve is not None:
            self._arguments["curve"] = curve
        if band is not None:
            self._arguments["band"] = _checked_band(band)

    def get_config(self) -> Config:
        """Return the arguments of the constructor."""
        config = super().get_config()
        if "curve" in config:
            config["curve"] = keras.saving.serialize_keras_object(config["curve"])
        return config

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """Build the metric from the arguments that `get_config` returned."""
        curve = keras.saving.deserialize_keras_object(config.get("curve"))
        return super().from_config({**config, **({"curve": curve} if curve else {})})


@keras.saving.register_keras_serializable(package="asykeras")
class RMSE(_MeanOverImages):
    """Mean over images of the root-mean-square error, in the units of the images.

    Not the root of the mean over all pixels, as in `keras.metrics.RootMeanSquaredError`: each image
    has its own root. Arguments as in `PSNR`.

    Example:
        images with errors 0.1 and 0.3 in every pixel  ->  0.2

    Reference: Eq. 9 of the paper, see `rmse`.
    """

    _function = staticmethod(rmse)
    _direction = "down"


@keras.saving.register_keras_serializable(package="asykeras")
class NRMSE(_MeanOverImages):
    """Mean over images of the relative error `||y_true - y_pred|| / ||y_true||`.

    A black reference makes the mean +inf unless the image is black too. Arguments as in `PSNR`.

    Example:
        references of 0.5, images of 0.4 and 0.8  ->  mean of 0.2 and 0.6 = 0.4

    Reference: the columns "RMSE" of the paper's tables, see `nrmse`.
    """

    _function = staticmethod(nrmse)
    _direction = "down"


@keras.saving.register_keras_serializable(package="asykeras")
class SSIM(_MeanOverImages):
    """Mean over images of the structural similarity.

    Args:
        window: "gaussian" (11x11, sigma 1.5) or "uniform" (7x7).
        name: As in `PSNR`, and so are the options after it; "ssim" by default.

    Raises:
        ValueError: an option is out of range; the images do not fit, as in `ssim`.

    Example:
        ```python
        model.compile(loss=AsyMSE(), metrics=[SSIM(window="uniform", quantize=True)])
        ```

    Reference: Wang et al., 2004, see `ssim`.
    """

    _function = staticmethod(ssim)
    _direction = "up"

    def __init__(self, *, window: str = "gaussian", **options: Unpack[MetricOptions]):
        super().__init__(**options)
        _window(window)  # raises for an unknown name
        self._arguments["window"] = window


def _spell_out(function: Callable[..., Tensor], source: Callable[..., Tensor]) -> None:
    """Let help() show the options of `source` one by one in the signature of a function."""
    every = [each for f in (function, source) for each in inspect.signature(f).parameters.values()]
    named = {each.name: each for each in every if each.kind != each.VAR_KEYWORD}
    function.__dict__["__signature__"] = inspect.Signature(list(named.values()))


for _each in (psnr, rmse, nrmse, ssim, _MeanOverImages.__init__):
    _spell_out(_each, _checked)
for _init in (PSNR.__init__, SSIM.__init__):
    _spell_out(_init, _MeanOverImages.__init__)
