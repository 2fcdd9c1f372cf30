"""Degradations as layers: noise, blur, bicubic down-scaling, masking.

They turn clean images into what a network has to restore: in front of the network while training
(compiled with the step), eagerly for test images, or in `tf.data.map` on the TensorFlow backend.

All of them share these rules:

- Images are floating point, `(B, H, W, C)`, in [0, 1]; H and W may be unknown. Integer images are
  refused: divide uint8 by 255 first. So are values far outside, by the layers whose result depends
  on the unit (noise, rounding), when they run eagerly.
- They compute in float32, also under a mixed-precision policy: pass `dtype="float64"` for more.
  A narrower dtype is refused, because noise and kernels lose digits in it.
- They always degrade. Unlike regularizers such as `keras.layers.GaussianNoise` they do not look
  at `training`.
- The random ones keep the state of their generator in weight files and `.keras` files, so that a
  resumed run draws the noise that the uninterrupted run would have drawn. In `tf.data` call them
  without `num_parallel_calls`: parallel calls draw in no fixed order.
"""

import math
from collections.abc import Mapping, MutableMapping, Sequence
from numbers import Real
from typing import Unpack

import keras
import numpy as np
from keras import ops
from numpy.typing import ArrayLike

from asykeras.configured import ConfiguredLayer, not_negative, positive
from asykeras.eager import check_range
from asykeras.layout import check_channels_last, may_be_equal
from asykeras.poisson import poisson
from asykeras.resize import bicubic_resize, bicubic_resize_8bit, mirror_border, repeat_border
from asykeras.types import Config, LayerOptions, Shape, Tensor


class _Degradation(ConfiguredLayer):
    """What the degradations share: float32 by default, and the check of the images."""

    def __init__(self, **options: Unpack[LayerOptions]):
        super().__init__(**{"dtype": "float32", **options})
        dtype = self.compute_dtype
        if dtype not in ("float32", "float64"):
            raise ValueError(f"dtype must be float32 or float64. Received: {dtype=}")

    def compute_output_shape(self, input_shape: Shape) -> Shape | tuple[Shape, Shape]:
        """Return the shape of the images unchanged."""
        return tuple(input_shape)

    def _check_images(self, images: Tensor, unit: bool = False) -> None:
        """Refuse images other than `(B, H, W, C)` in floating point, and, eager, another unit."""
        dtype = keras.backend.standardize_dtype(images.dtype)
        shape = tuple(images.shape)
        if len(shape) != 4:
            raise ValueError(f"images must have shape (B, H, W, C). Received: {shape=}")
        if "float" not in dtype:
            raise TypeError(f"images must be floating point in [0, 1]. Received: {dtype=}")
        check_channels_last(shape)
        if unit:
            check_range(images, 0, 1, "images must lie in [0, 1]: divide 8-bit images by 255")


class RandomDegradation(_Degradation):
    """A degradation that draws; keeps the state of its generator in weight files."""

    def __init__(self, *, seed: int | None, **options: Unpack[LayerOptions]):
        super().__init__(**options)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def save_own_variables(self, store: MutableMapping[str, np.ndarray]) -> None:
        """Write the state of the generator, which Keras leaves out of weight files."""
        store["seed_state"] = ops.convert_to_numpy(self.seed_generator.state.value)

    def load_own_variables(self, store: Mapping[str, np.ndarray]) -> None:
        """Read the state of the generator; refuse a file that was written without it."""
        if "seed_state" not in store:
            raise ValueError(
                "the weight file was saved from a model without this random layer: it must hold "
                f"'seed_state' for {self.name}. Received: keys={list(store.keys())}"
            )
        self.seed_generator.state.assign(np.array(store["seed_state"]))

    def _draw(self, images: Tensor, low: float, high: float, axes: int = 4) -> Tensor:
        """Return a number between the two for each image, `(B, 1, 1, 1)` or with more axes."""
        shape, dtype = (ops.shape(images)[0], *(1,) * (axes - 1)), self.compute_dtype
        return keras.random.uniform(shape, low, high, dtype=dtype, seed=self.seed_generator)


@keras.saving.register_keras_serializable(package="asykeras")
class GaussianNoise(RandomDegradation):
    """Layer that adds white Gaussian noise.

    `noisy = clean + sigma * n`, n drawn from N(0, 1) for each pixel and channel. The result is
    neither clipped nor quantised. A pair of levels draws one sigma per image, uniformly.

    Args:
        sigma: Standard deviation in image units: `25 / 255` is the literature's "sigma 25". A
            number >= 0, or a pair (low, high) for a blind network.
        seed: Whole number; `None` draws one.
        return_sigma: Return `(noisy, sigma)` for networks that take the level as an input.
        **options: `name`, `dtype` and `trainable`, as in `keras.Layer`.

    Call: `(B, H, W, C)` in [0, 1]  ->  the same shape, and sigma `(B, 1, 1, 1)` if asked for.

    Raises:
        ValueError: A sigma that is negative or not finite, or a pair with low > high.

    Example:
        GaussianNoise(25 / 255, seed=0)(images)
        GaussianNoise((0, 55 / 255), return_sigma=True)(images)  # as DnCNN-B was trained

    Differs from `keras.layers.GaussianNoise`: adds noise in every call, whatever `training` is.
    """

    def __init__(
        self,
        sigma: float | Sequence[float],
        *,
        seed: int | None = None,
        return_sigma: bool = False,
        **options: Unpack[LayerOptions],
    ):
        super().__init__(seed=seed, **options)
        self.low, self.high = noise_levels(sigma)
        self.sigma = self.low if isinstance(sigma, Real) else [self.low, self.high]
        self.return_sigma = return_sigma

    def call(self, images: Tensor) -> Tensor:
        """Return the noisy images, or `(noisy, sigma)`."""
        self._check_images(images, unit=True)
        shape = ops.shape(images)
        if self.low < self.high:
            sigma = self._draw(images, self.low, self.high)
        else:
            sigma = ops.full((shape[0], 1, 1, 1), self.low, dtype=self.compute_dtype)
        noise = keras.random.normal(shape, dtype=self.compute_dtype, seed=self.seed_generator)
        noisy = images + sigma * noise
        return (noisy, sigma) if self.return_sigma else noisy

    def compute_output_shape(self, input_shape: Shape) -> Shape | tuple[Shape, Shape]:
        """Return the shape of the images, and of sigma if it is returned."""
        shape = tuple(input_shape)
        return (shape, (shape[0], 1, 1, 1)) if self.return_sigma else shape


@keras.saving.register_keras_serializable(package="asykeras")
class PoissonGaussianNoise(RandomDegradation):
    """Layer that adds the noise of a sensor: that of the light, and that of reading it out.

    `noisy = gain * Poisson(clean / gain) + read_noise * n`, n drawn from N(0, 1) for each pixel and
    channel, so that the variance is `gain * clean + read_noise^2`. The result is neither clipped
    nor quantised. Light is what is counted, so images belong in linear light; darker than 0 counts
    as 0.

    Args:
        gain: What one electron adds, in image units; > 0. `1 / gain` electrons are white.
        read_noise: Deviation of the noise of black, in image units; >= 0.
        seed: Whole number; `None` draws one.
        **options: `name`, `dtype` and `trainable`, as in `keras.Layer`.

    Call: `(B, H, W, C)` in [0, 1]  ->  the same shape.

    Raises:
        ValueError: A gain that is not positive, a read noise that is negative, or not finite.

    Example:
        PoissonGaussianNoise(1 / 50, read_noise=2 / 255, seed=0)(images)  # at most 50 electrons

    Reference: Foi et al., "Practical Poissonian-Gaussian noise modeling and fitting for
    single-image raw-data", 2008. The counts are those of the backend, so one seed gives other
    counts on another backend.
    """

    def __init__(
        self,
        gain: float,
        *,
        read_noise: float = 0.0,
        seed: int | None = None,
        **options: Unpack[LayerOptions],
    ):
        super().__init__(seed=seed, **options)
        self.gain = positive("gain", gain)
        self.read_noise = not_negative("read_noise", read_noise)

    def call(self, images: Tensor) -> Tensor:
        """Return the noisy images."""
        self._check_images(images, unit=True)
        rate = ops.maximum(images, 0.0) * (1 / self.gain)
        counts = poisson(rate, self.seed_generator.next())
        shape, dtype = ops.shape(images), self.compute_dtype
        noise = keras.random.normal(shape, dtype=dtype, seed=self.seed_generator)
        return self.gain * ops.cast(counts, dtype) + self.read_noise * noise

    def compute_output_spec(self, images: keras.KerasTensor) -> keras.KerasTensor:
        """Return shape and dtype, without drawing."""
        return keras.KerasTensor(images.shape, dtype=self.compute_dtype)


@keras.saving.register_keras_serializable(package="asykeras")
class BicubicDownscale(_Degradation):
    """Layer that shrinks images by a whole number, as MATLAB's bicubic `imresize(image, 1/scale)`.

    Args:
        scale: Whole number >= 2.
        quantize: False: MATLAB's floating-point rule; the result is not rounded and may leave
            [0, 1] a little. True: the uint8 rule of `bicubic_resize`, in floating point; the images
            are taken for 8-bit values / 255, and the result is again 8-bit values / 255. These are
            the low-resolution images of the literature (float32 arithmetic differs from float64 in
            none of the pixels of Set14 at x2, x3, x4).
        **options: `name`, `dtype` and `trainable`, as in `keras.Layer`.

    Call: `(B, H, W, C)` in [0, 1]  ->  `(B, ceil(H / scale), ceil(W / scale), C)`.

    Raises:
        ValueError: A scale that is not a whole number >= 2.

    Example:
        BicubicDownscale(3)(images)  # (16, 144, 144, 3)  ->  (16, 48, 48, 3)
    """

    def __init__(self, scale: int, *, quantize: bool = False, **options: Unpack[LayerOptions]):
        super().__init__(**options)
        if not isinstance(scale, int) or isinstance(scale, bool) or scale < 2:
            raise ValueError(f"scale must be a whole number from 2 up. Received: {scale=}")
        self.scale = scale
        self.quantize = quantize

    def call(self, images: Tensor) -> Tensor:
        """Return the small images."""
        self._check_images(images, unit=self.quantize)
        if self.quantize:
            return bicubic_resize_8bit(to_8bit(images), 1 / self.scale) / 255.0
        return bicubic_resize(images, 1 / self.scale)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the shape of the small images."""
        batch, height, width, channels = input_shape
        small = [None if n is None else -(-n // self.scale) for n in (height, width)]
        return (batch, *small, channels)


@keras.saving.register_keras_serializable(package="asykeras")
class BicubicDegrade(BicubicDownscale):
    """Layer that shrinks images and enlarges them again: the input of SRCNN.

    The result has exactly the size of the input, and no shift, also where `scale` does not divide
    it: `ceil(H / scale)` rows are enlarged by `scale` and the rows too many at the end left out.

    Args:
        scale: Whole number >= 2.
        quantize: As in `BicubicDownscale`; True rounds to 8 bit on the way up, too. SRCNN's
            released code corresponds to False.
        **options: `name`, `dtype` and `trainable`, as in `keras.Layer`.

    Call: `(B, H, W, C)` in [0, 1]  ->  the same shape.

    Raises:
        ValueError: A scale that is not a whole number >= 2.

    Example:
        BicubicDegrade(3)(images)  # (128, 33, 33, 1)  ->  (128, 33, 33, 1)

    Reference: Dong et al., "Image super-resolution using deep convolutional networks", 2015,
    arXiv:1501.00092, section 4.
    """

    def call(self, images: Tensor) -> Tensor:
        """Return the degraded images."""
        small = super().call(images)
        size = ops.shape(images)[1:3]
        if self.quantize:
            return bicubic_resize_8bit(to_8bit(small), self.scale, size=size) / 255.0
        return bicubic_resize(small, self.scale, size=size)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the shape of the images unchanged."""
        return tuple(input_shape)


@keras.saving.register_keras_serializable(package="asykeras")
class Blur(_Degradation):
    """Layer that convolves every channel with one kernel; the size of the image is kept.

    True convolution, so the kernel is flipped (Keras's `conv` does not flip):
    `out[i, j] = sum over u, v of kernel[u, v] * image[i + kh // 2 - u, j + kw // 2 - v]`.
    The anchor is element `(kh // 2, kw // 2)`: the middle of an odd kernel, the element right
    below the middle of an even one, as in MATLAB's `conv2(..., "same")` and in SciPy.

    Args:
        kernel: `(kh, kw)`, nested list or array of finite numbers. It is not normalised: let it
            sum to 1 to keep the brightness.
        border: What lies outside: "symmetric" (mirrored, the edge pixel included), "edge" (the
            edge pixel repeated), "wrap" (circular, the convolution that an FFT inverts) or "zero".
            Images may be smaller than the kernel. float32 on a recent GPU may mean TF32 here, as
            in every convolution of the backend.
        **options: `name`, `dtype` and `trainable`, as in `keras.Layer`.

    Call: `(B, H, W, C)` in [0, 1]  ->  the same shape.

    Raises:
        ValueError: A kernel that is empty, not 2-D or not finite, or an unknown border.

    Example:
        Blur([[0, 0, 1]], border="zero") moves the image one pixel to the right.
    """

    def __init__(
        self, kernel: ArrayLike, *, border: str = "symmetric", **options: Unpack[LayerOptions]
    ):
        super().__init__(**options)
        self.kernel = _finite_array(kernel, "kernel")
        if self.kernel.ndim != 2:
            raise ValueError(f"kernel must be 2-D. Received: shape={self.kernel.shape}")
        if border not in _BORDERS:
            raise ValueError(f"border must be one of {', '.join(_BORDERS)}. Received: {border=}")
        self.border = border

    def call(self, images: Tensor) -> Tensor:
        """Return the blurred images."""
        self._check_images(images)
        if not isinstance(images.shape[-1], int):
            shape = tuple(images.shape)
            raise ValueError(f"images must have a known number of channels. Received: {shape=}")
        height, width = self.kernel.shape
        images = pad(images, 1, height - 1 - height // 2, height // 2, self.border)
        images = pad(images, 2, width - 1 - width // 2, width // 2, self.border)
        flipped = ops.convert_to_tensor(self.kernel[::-1, ::-1, None, None], self.compute_dtype)
        kernel = ops.repeat(flipped, images.shape[-1], axis=2)
        return ops.depthwise_conv(images, kernel, padding="valid", data_format="channels_last")

    def get_config(self) -> Config:
        """Return the arguments."""
        return {**super().get_config(), "kernel": self.kernel.tolist()}


@keras.saving.register_keras_serializable(package="asykeras")
class Mask(RandomDegradation):
    """Layer that blanks pixels: `masked = mask * clean`.

    Args:
        mask: Fixed mask, `(H, W)`, `(H, W, 1)` or `(H, W, C)` of the images' own H and W; usually
            1 where a pixel is kept and 0 where not.
        keep: Instead of a mask: the share of pixels to keep, in (0, 1]. Each pixel is kept with
            this probability, all channels together, drawn anew for every image and call.
        seed: Whole number for `keep`; `None` draws one.
        **options: `name`, `dtype` and `trainable`, as in `keras.Layer`.

    Call: `(B, H, W, C)` in [0, 1]  ->  the same shape.

    Raises:
        ValueError: Not exactly one of `mask` and `keep`; a mask that is empty, not finite, of the
            wrong rank or not of the images' size; `keep` outside (0, 1].

    Example:
        Mask(keep=0.7, seed=0)(images) sets about 30 % of the pixels to 0.
    """

    def __init__(
        self,
        mask: ArrayLike | None = None,
        *,
        keep: float | None = None,
        seed: int | None = None,
        **options: Unpack[LayerOptions],
    ):
        super().__init__(seed=seed, **options)
        if (mask is None) == (keep is None):
            raise ValueError(f"give either mask or keep. Received: {mask=}, {keep=}")
        if keep is not None and not 0 < keep <= 1:
            raise ValueError(f"keep must be in (0, 1]. Received: {keep=}")
        self.mask = None if mask is None else _finite_array(mask, "mask")
        if self.mask is not None and self.mask.ndim not in (2, 3):
            raise ValueError(f"mask must be 2-D or 3-D. Received: shape={self.mask.shape}")
        self.keep = keep

    def call(self, images: Tensor) -> Tensor:
        """Return the masked images."""
        self._check_images(images)
        if self.mask is None:
            shape = (*ops.shape(images)[:3], 1)
            drawn = keras.random.uniform(shape, dtype=self.compute_dtype, seed=self.seed_generator)
            return images * ops.cast(drawn < self.keep, self.compute_dtype)
        mask = self.mask if self.mask.ndim == 3 else self.mask[:, :, None]
        allowed = [*images.shape[1:3], 1 if mask.shape[2] == 1 else images.shape[3]]
        if not may_be_equal(allowed, mask.shape):
            raise ValueError(
                "mask must have the size of the images. "
                f"Received: {mask.shape=}, images.shape={tuple(images.shape)}"
            )
        return images * ops.convert_to_tensor(mask, self.compute_dtype)

    def get_config(self) -> Config:
        """Return the arguments."""
        mask = None if self.mask is None else self.mask.tolist()
        return {**super().get_config(), "mask": mask}


def noise_levels(sigma: float | Sequence[float], name: str = "sigma") -> tuple[float, float]:
    """Return the lowest and the highest of what may be one level."""
    pair = list(sigma) if isinstance(sigma, Sequence) else [sigma, sigma]
    numbers = [isinstance(each, Real) and not isinstance(each, bool) for each in pair]
    if len(pair) != 2 or not all(numbers) or not 0 <= pair[0] <= pair[1] < math.inf:
        raise ValueError(
            f"{name} must be >= 0, or a pair 0 <= low <= high. Received: {name}={sigma!r}"
        )
    return float(pair[0]), float(pair[1])


def to_8bit(images: Tensor) -> Tensor:
    """Return images in [0, 1] as whole numbers 0..255."""
    # An 8-bit value / 255 * 255 may miss the whole number by a rounding error.
    return ops.clip(ops.round(images * 255.0), 0.0, 255.0)


def _finite_array(values: ArrayLike, name: str) -> np.ndarray:
    """Return the values as a float64 array; refuse empty ones and non-finite entries."""
    array = np.asarray(values, dtype="float64")
    if array.size == 0 or not np.isfinite(array).all():
        raise ValueError(f"{name} must hold one finite number or more. Received: {name}={values!r}")
    return array


# How positions outside the image are brought back inside; zeros come from nowhere.
_BORDERS = {"symmetric": mirror_border, "edge": repeat_border, "wrap": ops.mod, "zero": None}


def pad(images: Tensor, axis: int, before: int, after: int, border: str) -> Tensor:
    """Return the images with pixels added at both ends of one axis.

    `ops.pad` knows no circular border, and no border wider than the image.
    """
    fold = _BORDERS[border]
    if fold is None:
        return ops.pad(images, [(before, after) if i == axis else (0, 0) for i in range(4)])
    length = ops.shape(images)[axis]
    positions = ops.arange(-before, length + after, dtype="int32")
    return ops.take(images, fold(positions, ops.convert_to_tensor(length, "int32")), axis=axis)
