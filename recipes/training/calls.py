"""Many steps in one call of the device.

Keras' own loop on JAX calls the device for every step: some hundred arrays are handed over and
back, which takes the host longer than a small network takes a fast device. On TensorFlow Keras
loops inside the call already. Keras 3.16 scans over the steps itself (keras pull request 23527):
with that as the least version this module can go.
"""

from collections.abc import Callable, Iterator
from typing import TypeAlias

import keras

from asykeras.types import Tensor
from recipes.training.devices import accelerated

Logs: TypeAlias = dict[str, Tensor]
State: TypeAlias = tuple[list[Tensor], ...]
Data: TypeAlias = tuple[Tensor, ...]
Call: TypeAlias = Callable[[State, Iterator[Data]], tuple[Logs, State]]


def many_steps(model: keras.Model) -> Call | None:
    """Return a `train_function` that loops over `steps_per_execution` steps on the device.

    Its logs are those of the call before (the first one's are its own): who reads them waits for
    that one alone, and prepares the next call while the device computes this one.

    Nothing is returned where Keras' own loop does as well or better: on TensorFlow; for single
    steps; where a batch is distributed over devices; and on a CPU, where XLA runs the convolutions
    inside a loop many times slower than those outside.
    """
    distributed = keras.distribution.distribution() is not None
    fast = keras.backend.backend() == "jax" and accelerated()
    if not fast or model.steps_per_execution == 1 or distributed:
        return None
    import jax  # only on the JAX backend

    def step(state: State, data: Data) -> tuple[State, Logs]:
        logs, state = model.train_step(state, data)
        return state, logs

    def steps(state: State, data: list[Data]) -> tuple[Logs, State]:
        stacked = jax.tree.map(lambda *parts: jax.numpy.stack(parts), *data)
        state, logs = jax.lax.scan(step, state, stacked)
        return {name: values[-1] for name, values in logs.items()}, state

    compiled = jax.jit(steps, donate_argnums=0)
    before: Logs = {}

    def call(state: State, iterator: Iterator[Data]) -> tuple[Logs, State]:
        nonlocal before
        logs, state = compiled(state, [next(iterator) for _ in range(model.steps_per_execution)])
        told, before = before or logs, logs
        return told, state

    return call
