"""Random numbers of Poisson, which `keras.random` lacks, on each backend."""

import keras

from asykeras.types import Tensor


def poisson(rate: Tensor, seed: Tensor) -> Tensor:
    """Return one count for each rate, its mean, in the same shape and dtype, float32 or float64.

    The seed is what `keras.random.SeedGenerator.next` returned.
    """
    backend = keras.backend.backend()
    dtype = keras.backend.standardize_dtype(rate.dtype)
    if backend == "tensorflow":
        import tensorflow as tf  # only on this backend, as those below

        seed = tf.cast(seed, "int32")
        return tf.random.stateless_poisson(tf.shape(rate), seed, rate, dtype=dtype)
    if backend == "jax":
        import jax

        return jax.random.poisson(seed, rate).astype(dtype)
    import torch

    generator = torch.Generator(device=rate.device)
    generator.manual_seed(int(seed[0]) * 2**32 + int(seed[1]))
    return torch.poisson(rate, generator=generator)
