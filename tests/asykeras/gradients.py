"""The gradient of a loss by one parameter, on TensorFlow and JAX."""

import keras
import numpy as np


def gradient(function, parameter):
    """Return the derivative of a scalar function at float32 parameters, in NumPy."""
    parameter = np.asarray(parameter, "float32")
    if keras.backend.backend() == "jax":
        import jax

        return np.asarray(jax.grad(function)(parameter), np.float64)
    import tensorflow as tf

    variable = tf.constant(parameter)
    with tf.GradientTape() as tape:
        tape.watch(variable)
        value = function(variable)
    return tape.gradient(value, variable).numpy().astype(np.float64)


def stationary(function, low, high, steps=30):
    """Return where the derivatives, which rise, are 0, by bisection; one for each parameter.

    It is found to `(high - low) / 2^31`, and rounded to float32 at each step.
    """
    low, high = (np.asarray(limit, np.float64) for limit in (low, high))
    for _ in range(steps):
        middle = (low + high) / 2
        rising = gradient(function, middle) > 0
        low, high = np.where(rising, low, middle), np.where(rising, middle, high)
    return (low + high) / 2
