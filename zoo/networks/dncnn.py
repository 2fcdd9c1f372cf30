"""DnCNN: convolutions that predict the noise of an image, which is then subtracted."""

import keras
import numpy as np
from keras import layers

from asykeras.types import Tensor
from zoo.networks.building import OUTPUT_DTYPE, one_of, whole_number, with_weights
from zoo.networks.layers import convolution

# Convolutions and channels of the published networks.
VARIANTS = {"S": (17, 1), "B": (20, 1), "C": (20, 3), "3": (20, 1)}
FILTERS = 64
# Where gamma begins. From 1, as Keras has it, the last convolution gets features so large that each
# step of Adam throws its sum about, and 400 steps end 3 to 4 dB lower (recipes/TRAINING.md).
GAMMA = 0.025


def DnCNN(
    *,
    variant: str = "S",
    depth: int | None = None,
    channels: int | None = None,
    filters: int = FILTERS,
    batch_norm: bool = True,
    weights: str | None = None,
    name: str | None = None,
) -> keras.Model:
    """Build DnCNN, a residual denoiser.

    restored = image - residual;  residual: conv + ReLU -> (conv + batch norm + ReLU) x (depth - 2)
    -> conv;  3x3 kernels, 64 filters, zero padding

    | variant | for | depth | channels | parameters merged | trainable | with moving statistics |
    |---|---|---|---|---|---|---|
    | `"S"` | one noise level | 17 | 1 | 555,137 | 556,097 | 558,017 |
    | `"B"` | unknown noise level | 20 | 1 | 665,921 | 667,073 | 669,377 |
    | `"C"` | the same, colour (CDnCNN-B) | 20 | 3 | 668,227 | 669,379 | 671,683 |
    | `"3"` | noise, super-resolution, JPEG | 20 | 1 | as `"B"` | | |

    Args:
        variant: `"S"`, `"B"`, `"C"` or `"3"`; sets depth and channels.
        depth: Number of convolutions, at least 3, where it is not the variant's.
        channels: 1 or 3, where it is not the variant's.
        filters: Channels between the convolutions; 64 as published.
        batch_norm: True, with batch normalisation, to train; False, the merged network: the
            convolutions in between have a bias instead (see `fold_batch_norm`). Published weights
            are merged.
        weights: Path of a `.weights.h5` file, the name of a published weight, or None for random
            ones (He normal).
        name: Of the model; by default the variant's.

    Returns:
        Functional model `(None, None, None, channels)` in [0, 1] -> the same shape, unclipped
        float32. Any height and width from 1 pixel. Noisy images should not be clipped before.

    Raises:
        ValueError: for any other argument; for weights that do not fit.

    Differs from the authors' code: the epsilon of the batch normalisation is theirs (1e-4), but the
    moving statistics have momentum 0.9, where theirs are those of the last batch; gamma begins at
    0.025, the least of theirs, which are Gaussian numbers, and the moving variance at 1, theirs at
    0.01. Under a mixed-precision policy the normalisation computes in float32 and its variables are
    float32.

    Example:
        >>> model = zoo.DnCNN(variant="S")
        >>> restored = model(noisy)  # (1, 40, 40, 1) -> (1, 40, 40, 1)

    Reference: Zhang et al., "Beyond a Gaussian Denoiser: Residual Learning of Deep CNN for Image
    Denoising", TIP 2017, arXiv:1608.03981.
    """
    one_of("variant", variant, VARIANTS)
    depth = whole_number("depth", VARIANTS[variant][0] if depth is None else depth, least=3)
    channels = VARIANTS[variant][1] if channels is None else channels
    one_of("channels", channels, (1, 3))
    filters = whole_number("filters", filters, least=1)
    model = _network(depth, channels, filters, batch_norm, name or f"dncnn_{variant.lower()}")
    return with_weights(model, weights)


def fold_batch_norm(model: keras.Model) -> keras.Model:
    """Return the merged network: the same output at inference, fewer operations.

    gamma * (conv(x) - mean) / sqrt(variance + epsilon) + beta is one convolution with kernel
    `kernel * gamma / sqrt(variance + epsilon)` and bias `beta - mean * gamma / sqrt(...)`.

    Args:
        model: What `DnCNN(batch_norm=True)` returned, trained; it is left as it is.

    Returns:
        What `DnCNN(batch_norm=False)` returns, with weights.

    Raises:
        ValueError: if the model has no batch normalisation, or is no DnCNN.

    Example:
        >>> merged = fold_batch_norm(model)
        >>> merged.count_params()
        555137
    """
    convolutions = [layer for layer in model.layers if isinstance(layer, layers.Conv2D)]
    norms = {
        layer.name: layer for layer in model.layers if isinstance(layer, layers.BatchNormalization)
    }
    depth = len(convolutions)
    if not norms or set(norms) != {f"bn{number}" for number in range(2, depth)}:
        raise ValueError(
            f"model must be a DnCNN with batch normalisation. Received: model={model.name!r}"
        )
    merged = _network(depth, model.input_shape[-1], convolutions[0].filters, False, model.name)
    for number, layer in enumerate(convolutions, start=1):
        arrays = layer.get_weights()
        if number not in (1, depth):
            arrays = _fold(arrays[0], norms[f"bn{number}"])
        merged.get_layer(f"conv{number}").set_weights(arrays)
    return merged


def _network(depth: int, channels: int, filters: int, batch_norm: bool, name: str) -> keras.Model:
    image = keras.Input((None, None, channels), name="image")
    x = convolution(filters, 3, name="conv1", activation="relu")(image)
    for number in range(2, depth):
        x = _middle(x, number, filters, batch_norm)
    residual = convolution(channels, 3, name=f"conv{depth}", dtype=OUTPUT_DTYPE)(x)
    restored = layers.Subtract(name="restored", dtype=OUTPUT_DTYPE)([image, residual])
    return keras.Model(image, restored, name=name)


def _middle(x: Tensor, number: int, filters: int, batch_norm: bool) -> Tensor:
    if not batch_norm:
        return convolution(filters, 3, name=f"conv{number}", activation="relu")(x)
    x = convolution(filters, 3, name=f"conv{number}", use_bias=False)(x)
    small = keras.initializers.Constant(GAMMA)
    x = layers.BatchNormalization(
        momentum=0.9, epsilon=1e-4, gamma_initializer=small, name=f"bn{number}"
    )(x)
    return layers.ReLU(name=f"relu{number}")(x)


def _fold(kernel: np.ndarray, norm: keras.layers.Layer) -> list[np.ndarray]:
    """Return kernel and bias of a convolution followed by its normalisation, in float64."""
    gamma, beta, mean, variance = (array.astype(np.float64) for array in norm.get_weights())
    factor = gamma / np.sqrt(variance + norm.epsilon)
    return [kernel * factor, beta - mean * factor]
