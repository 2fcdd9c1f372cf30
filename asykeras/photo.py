"""What becomes of a scene on its way into a small photograph: blur, fewer pixels, noise, JPEG."""

from collections.abc import Sequence
from typing import Unpack

import keras
from keras import ops

from asykeras.degradations import RandomDegradation, noise_levels, pad
from asykeras.jpeg import JpegCompression
from asykeras.layout import shifted
from asykeras.resize import bicubic_resize
from asykeras.types import Config, LayerOptions, Shape, Tensor

WIDTHS = 3  # standard deviations of a blur to each side


@keras.saving.register_keras_serializable(package="asykeras")
class PhotoDownscale(RandomDegradation):
    """Layer that makes small photographs, as cameras and web sites leave them, of large clean ones.

    A Gaussian blur; MATLAB's bicubic by 1 / scale; white Gaussian noise; JPEG with halved colours.
    Each image draws its own blur, level of noise and quality, uniformly.

    Args:
        scale: Whole number >= 2; 1 keeps the size.
        blur: Standard deviation of the blur in pixels of the large image, a pair (low, high).
        noise: Standard deviation of the noise in image units, likewise.
        quality: Of JPEG, likewise; see `JpegCompression`.
        seed: Whole number; `None` draws one.
        **options: `name`, `dtype` and `trainable`, as in `keras.Layer`.

    Call: `(B, H, W, 1 or 3)` in [0, 1]  ->  `(B, ceil(H / scale), ceil(W / scale), C)`, of 8-bit
    values / 255.

    Raises:
        ValueError: A scale that is not a whole number >= 1; a pair that is negative or has
            low > high; a quality that `JpegCompression` refuses.

    Example:
        PhotoDownscale(2, seed=0)(images)  # (16, 96, 96, 3)  ->  (16, 48, 48, 3)

    Simpler than what Real-ESRGAN is trained on (Wang et al., 2021, arXiv:2107.10833): one pass, and
    nothing that a photograph at its original size does not have.
    """

    def __init__(
        self,
        scale: int,
        *,
        blur: Sequence[float] = (0.0, 1.5),
        noise: Sequence[float] = (0.0, 10 / 255),
        quality: Sequence[int] = (40, 95),
        seed: int | None = None,
        **options: Unpack[LayerOptions],
    ):
        super().__init__(seed=seed, **options)
        if not isinstance(scale, int) or isinstance(scale, bool) or scale < 1:
            raise ValueError(f"scale must be a whole number from 1 up. Received: {scale=}")
        self.scale = scale
        self.blur, self.noise = noise_levels(blur, "blur"), noise_levels(noise, "noise")
        # with the same seed the quality would follow the blur
        other = None if seed is None else seed + 1
        self.compress = JpegCompression(quality, seed=other, dtype=self.compute_dtype)
        self.quality = self.compress.quality

    def call(self, images: Tensor) -> Tensor:
        """Return the small photographs."""
        self._check_images(images, unit=True)
        blurred = _blurred(images, self._draw(images, *self.blur), self.blur[1])
        small = bicubic_resize(blurred, 1 / self.scale) if self.scale > 1 else blurred
        noise = keras.random.normal(
            ops.shape(small), dtype=self.compute_dtype, seed=self.seed_generator
        )
        noisy = small + self._draw(images, *self.noise) * noise
        return self.compress(ops.clip(noisy, 0.0, 1.0))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the shape of the small images."""
        batch, height, width, channels = input_shape
        small = [None if n is None else -(-n // self.scale) for n in (height, width)]
        return (batch, *small, channels)

    def get_config(self) -> Config:
        """Return the arguments."""
        return {**super().get_config(), "blur": list(self.blur), "noise": list(self.noise)}


def _blurred(images: Tensor, sigma: Tensor, largest: float) -> Tensor:
    """Return images under a Gaussian of their own width, mirrored at the border.

    `sigma`, `(B, 1, 1, 1)`, is in pixels, 0 changes nothing; the sum reaches as far as `largest`.
    """
    reach = -int(-WIDTHS * largest // 1)
    narrow = ops.maximum(sigma, 1e-3)  # the neighbours' weights are then 0 exactly
    weights = [ops.exp(-0.5 * ops.square(n / narrow)) for n in range(-reach, reach + 1)]
    total = sum(weights)
    for axis in (1, 2):
        parts = shifted(pad(images, axis, reach, reach, "symmetric"), axis, len(weights))
        images = sum(weight / total * part for weight, part in zip(weights, parts, strict=True))
    return images
