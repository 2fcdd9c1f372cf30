"""JPEG artefacts for training, as DnCNN-3 removes them: compressed at a quality per patch.

Pillow makes them, or the layer `RandomJpegQuality` of KerasCV, with the qualities that it is given
in place of its own random ones. Both have the same tables of quality and the same halved colours,
but Pillow an exact cosine transform where TensorFlow's, behind KerasCV, is a fast one. Measured on
192 patches of Kodak24, 50x50, qualities 5 to 99: the two differ by 0.6 to 1.3 grey levels of 255 on
average in colour, 0.2 to 0.9 in grey, where the compression itself changes the patches by 12.5
(quality 5) to 1.0 (quality 99). Single values differ by up to 5 below quality 95, and by up to 19
from there on, where the fast transform costs more than the rest of JPEG: 40.4 dB instead of 43.4 at
quality 99 in colour, 44.5 instead of 54.6 in grey.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from recipes.data.image_set import ImageSet
from zoo.pictures.images import ImageError
from zoo.scoring.tasks import through_jpeg

ENCODERS = ("pillow", "keras_cv")
Encode = Callable[[np.ndarray, int], np.ndarray]


@dataclass(frozen=True)
class Artefacts:
    """Which artefacts the patches get.

    Attributes:
        low: Lowest quality.
        high: Highest quality.
        encoder: Of `ENCODERS`.
    """

    low: int
    high: int
    encoder: str = "pillow"

    def check(self, images: ImageSet) -> None:
        """Refuse qualities that are none, and images that they cannot be made of."""
        if not 1 <= self.low <= self.high <= 100:
            raise ValueError(
                f"qualities must lie between 1 and 100. Received: {(self.low, self.high)}"
            )
        if images.pixels.dtype != np.uint8 or images.pixels.shape[1] not in (1, 3):
            raise ImageError(
                "JPEG artefacts are made of 8-bit images with 1 or 3 channels. "
                f"Received: {images.pixels.dtype} with {images.pixels.shape[1]} channels"
            )

    def compressor(self) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
        """Return what compresses patches `(batch, height, width, 1 or 3)`, each at its quality.

        Raises:
            ImageError: where KerasCV is asked for and not installed.
        """
        encode = through_jpeg if self.encoder == "pillow" else _keras_cv()

        def compress(patches: np.ndarray, qualities: np.ndarray) -> np.ndarray:
            degraded = np.empty_like(patches)
            for n, quality in enumerate(qualities):
                degraded[n] = encode(patches[n], int(quality))
            return degraded

        return compress


@cache
def _keras_cv() -> Encode:
    try:
        from keras_cv.layers import RandomJpegQuality  # an extra
    except ImportError as error:
        raise ImageError(
            "JPEG artefacts of KerasCV need it: pip install keras-cv==0.9.0 "
            f"({error.name} is missing)"
        ) from None
    layer = RandomJpegQuality((0, 100))
    return lambda patch, quality: np.asarray(layer.augment_image(patch, transformation=quality))
