"""JPEG artefacts for training, as DnCNN-3 removes them: compressed at a quality per patch.

Under TensorFlow the layer `RandomJpegQuality` of KerasCV does it, with the qualities that it is
given in place of its own random ones. Elsewhere Pillow does, with the same tables of quality and
the same halved colours, but an exact cosine transform where TensorFlow's is a fast one. Measured on
192 patches of Kodak24, 50x50, qualities 5 to 99: the two differ by 0.6 to 1.3 grey levels of 255 on
average in colour, 0.2 to 0.9 in grey, where the compression itself changes the patches by 12.5
(quality 5) to 1.0 (quality 99). Single values differ by up to 5 below quality 95, and by up to 19
from there on, where the fast transform costs more than the rest of JPEG: 40.4 dB instead of 43.4 at
quality 99 in colour, 44.5 instead of 54.6 in grey.
"""

import io
from typing import Any

import numpy as np
from PIL import Image

from zoo.pictures.images import ImageError


def compress(patches: np.ndarray, qualities: np.ndarray) -> np.ndarray:
    """Return patches after compression by Pillow.

    Args:
        patches: uint8, `(batch, height, width, 1 or 3)`.
        qualities: Integers from 1 to 100, one per patch.
    """
    degraded = np.empty_like(patches)
    for n, (patch, quality) in enumerate(zip(patches, qualities, strict=True)):
        file = io.BytesIO()
        image = Image.fromarray(patch[..., 0] if patch.shape[-1] == 1 else patch)
        image.save(file, "JPEG", quality=int(quality), subsampling="4:2:0")
        with Image.open(file) as decoded:
            degraded[n] = np.asarray(decoded).reshape(patch.shape)
    return degraded


def keras_cv_layer() -> Any:
    """Return KerasCV's `RandomJpegQuality`.

    Raises:
        ImageError: without KerasCV.
    """
    try:
        from keras_cv.layers import RandomJpegQuality  # an extra
    except ImportError as error:
        raise ImageError(
            "JPEG artefacts under TensorFlow need KerasCV: pip install keras-cv==0.9.0 "
            f"({error.name} is missing)"
        ) from None
    return RandomJpegQuality((0, 100))


def compress_tensor(layer: Any, patches: Any, qualities: Any) -> Any:
    """Return patches after compression by KerasCV's layer, in a graph of TensorFlow.

    Args:
        layer: From `keras_cv_layer`.
        patches: uint8 tensor, `(batch, height, width, 1 or 3)`, of known shape.
        qualities: int32 tensor, `(batch,)`.
    """
    import tensorflow as tf

    def one(pair: tuple[Any, Any]) -> Any:
        return layer.augment_image(pair[0], transformation=pair[1])

    degraded = tf.map_fn(one, (patches, qualities), fn_output_signature=tf.uint8)
    return tf.ensure_shape(degraded, patches.shape)
