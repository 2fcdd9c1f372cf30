"""The gradient of a loss by one parameter, on TensorFlow and JAX."""

import keras
import numpy as np


def gradient(function, parameter):
    """Return the derivative of a scalar function at float32 parameters, in NumPy."""
    return derivative(function)(parameter)


def derivative(function):
    """Return the derivative of a scalar function as a function of float32 parameters, in NumPy."""
    if keras.backend.backend() == "jax":
        import jax

        compiled = jax.jit(jax.grad(function))  # not traced again at each call
        return lambda at: np.asarray(compiled(np.asarray(at, "float32")), np.float64)
    import tensorflow as tf

    def of(parameter):
        variable = tf.constant(np.asarray(parameter, "float32"))
        with tf.GradientTape() as tape:
            tape.watch(variable)
            value = function(variable)
        return tape.gradient(value, variable).numpy().astype(np.float64)

    return of


def stationary(function, low, high, steps=30):
    """Return where the derivatives, which rise, are 0, by bisection; one for each parameter.

    It is found to `(high - low) / 2^31`, and rounded to float32 at each step.
    """
    slope = derivative(function)
    low, high = (np.asarray(limit, np.float64) for limit in (low, high))
    for _ in range(steps):
        middle = (low + high) / 2
        rising = slope(middle) > 0
        low, high = np.where(rising, low, middle), np.where(rising, middle, high)
    return (low + high) / 2
