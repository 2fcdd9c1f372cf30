"""Batch normalisation that trains fast on a CPU with TensorFlow.

Keras writes batch normalisation as a dozen passes over the activations, in float32 under every
policy. XLA makes few of them on a GPU, but the CPU runs each one. TensorFlow has one kernel forward
and one backward for all of it, and oneDNN takes the ReLU that follows with them. A recipe builds
its network `with_fast_normalization`; what is published is merged and holds no normalisation.
"""

import keras

from asykeras.types import Tensor
from recipes.training.devices import accelerated

FUSED_DTYPES = ("float32", "bfloat16", "float16")


def with_fast_normalization(network: keras.Model) -> keras.Model:
    """Return a network whose normalisation trains fastest here; it shares all other layers.

    That is the network itself, but for TensorFlow on a CPU.
    """
    if keras.backend.backend() != "tensorflow" or accelerated():
        return network
    return keras.models.clone_model(network, clone_function=_fused)


def _fused(layer: keras.Layer) -> keras.Layer:
    if type(layer) is keras.layers.BatchNormalization:
        return BatchNormalization.from_config(layer.get_config())
    return layer


@keras.saving.register_keras_serializable(package="asykeras")
class BatchNormalization(keras.layers.BatchNormalization):
    """Batch normalisation of images by TensorFlow's fused kernels while training.

    Same arguments, weights and results as `keras.layers.BatchNormalization`, up to the rounding of
    sums, and the same name, by which Keras finds its weights in a file: either layer reads the
    files of the other. Under a mixed-precision policy the kernels read and write the activations in
    half precision and compute in float32 in between. Whatever they do not know (statistics over
    several devices, masks, other axes or ranks, inference) Keras' own layer computes.
    """

    def call(self, inputs: Tensor, training: bool | None = None, mask: Tensor = None) -> Tensor:
        """Return the normalised activations; move the statistics while training."""
        if not (training and self.trainable and mask is None and self._fits(inputs)):
            return super().call(inputs, training=training, mask=mask)
        import tensorflow as tf  # only on the TensorFlow backend

        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            inputs,
            tf.convert_to_tensor(self.gamma),
            tf.convert_to_tensor(self.beta),
            epsilon=self.epsilon,
        )
        # The kernel returns the unbiased variance, divided by n - 1; Keras averages the biased one.
        number = tf.cast(tf.size(inputs) // tf.size(mean), variance.dtype)
        variance *= tf.maximum(number - 1, 1) / number
        self._move(self.moving_mean, mean)
        self._move(self.moving_variance, variance)
        return outputs

    def _move(self, average: keras.Variable, value: Tensor) -> None:
        average.assign(average * self.momentum + value * (1.0 - self.momentum))

    def _fits(self, inputs: Tensor) -> bool:
        """Whether the kernels compute what the layer is asked for."""
        return (
            keras.backend.backend() == "tensorflow"
            and len(inputs.shape) == 4
            and self.axis in (-1, 3)
            and keras.backend.standardize_dtype(inputs.dtype) in FUSED_DTYPES
            and self.scale
            and self.center
            and not (self.renorm or self.synchronized)
        )
