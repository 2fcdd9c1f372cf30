"""Imported first: where Keras has nothing to compute with, this says so in one sentence."""

BACKENDS = ("tensorflow", "jax", "torch")

try:
    import keras  # noqa: F401
except ModuleNotFoundError as error:
    if error.name not in BACKENDS:
        raise
    raise ImportError(
        f"Keras has no {error.name} to compute with: pip install tensorflow, or pip install jax "
        "and set KERAS_BACKEND=jax"
    ) from None
