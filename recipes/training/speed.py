"""How fast the compiled step is: how many steps fit into a time, and where the time of one goes.

Both run the very step of the training, on its own batches, and throw away what it learns.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import keras

from recipes.training.batches import Batches
from recipes.training.settings import TrainingError

WARM = 2  # calls of the device before time is taken: both backends may compile twice
ENDLESS = 2**30  # steps, more than are ever taken
FINISH = 6.0  # seconds to write the network, its card and the curves
SPARE = 0.05  # of the time, for a machine that is not always as fast
SHOWN = 25  # kernels of a profile
THREADS = ("tf_XLAPjRtCpuClient", "tf_XLAEigen", "tf_Compute")  # of the CPU, that compute
INTERNAL = ("::", "end: ", "$")  # what the CPU's profiler notes besides kernels


Enough = Callable[[list[float]], bool]  # when the calls so far have ended -> whether to stop


@dataclass(frozen=True)
class Speed:
    """Seconds before the first step that counts, and steps per second from there on."""

    compiling: float
    rate: float


def measure(model: keras.Model, batches: Batches, seconds: float) -> Speed:
    """Train for some seconds after compiling, on `ENDLESS` batches; return how fast that was.

    Two calls of the device at least are taken. The model is of no use afterwards.
    """

    def enough(ends: list[float]) -> bool:
        return len(ends) > WARM + 2 and ends[-1] - ends[WARM] >= seconds

    ends = _run(model, batches, enough)
    calls = len(ends) - 1 - WARM
    rate = calls * model.steps_per_execution / (ends[-1] - ends[WARM])
    compiling = ends[WARM] - ends[0] - WARM * model.steps_per_execution / rate
    return Speed(max(0.0, compiling), rate)


def _run(model: keras.Model, batches: Batches, enough: Enough) -> list[float]:
    """Train until it is enough; return when that began and when each call of the device ended."""
    ends = [time.monotonic()]

    def note(batch: int, logs: dict[str, float]) -> None:
        float(logs["loss"])  # waits for the device: the loss is there when the step is done
        ends.append(time.monotonic())
        model.stop_training = enough(ends)

    watch = keras.callbacks.LambdaCallback(on_train_batch_end=note)
    model.fit(batches, steps_per_epoch=ENDLESS, shuffle=False, callbacks=[watch], verbose=0)
    return ends


def fitting_steps(seconds: float, speed: Speed, every: int, between: float) -> int:
    """Return how many steps end within some seconds, compiling and finishing included.

    They are pieces of `every` steps, with `between` seconds for the checkpoint and the validation
    after each.

    Raises:
        TrainingError: if not even one piece fits.
    """
    left = (seconds - speed.compiling - FINISH) * (1 - SPARE)
    pieces = int(left / (every / speed.rate + between))
    if pieces < 1:
        raise TrainingError(
            f"not one piece of --every {every} steps ends in the {max(0.0, seconds):.0f} s left of "
            f"--minutes: {speed.rate:.2f} steps a second, {speed.compiling + FINISH:.0f} s to "
            "compile and to finish"
        )
    return pieces * every


def profile(model: keras.Model, batches: Batches, steps: int, folder: Path) -> str:
    """Trace some steps of `ENDLESS`; return where the device's time went, one line per kernel.

    They are rounded up to whole calls of the device; the model is of no use afterwards. The folder
    is for the trace, which TensorBoard shows, too.
    """
    calls = -(-steps // model.steps_per_execution)
    begin, end, read = _tracer()

    def enough(ends: list[float]) -> bool:
        if len(ends) == 1 + WARM:
            begin(str(folder))
            ends[-1] = time.monotonic()
        done = len(ends) == 1 + WARM + calls
        if done:
            end()  # before Keras closes the epoch
        return done

    ends = _run(model, batches, enough)
    steps = calls * model.steps_per_execution
    newest = max(folder.rglob("*.xplane.pb"), key=lambda path: path.stat().st_mtime)
    device, kernels = kernel_times(read(newest))
    busy, wall = sum(kernels.values()), 1e3 * (ends[-1] - ends[WARM])
    lines = [f"{device} busy {busy / steps:.3f} ms a step of {wall / steps:.3f} ms, traced"]
    for name, milliseconds in sorted(kernels.items(), key=lambda item: -item[1])[:SHOWN]:
        lines.append(f"{milliseconds / steps:9.3f} ms  {name[:150]}")
    return "\n".join(lines)


Event = tuple[str, str, str, float]  # plane, line, name, milliseconds
Tracer = tuple[Callable[[str], None], Callable[[], None], Callable[[Path], Iterator[Event]]]


def kernel_times(events: Iterator[Event]) -> tuple[str, dict[str, float]]:
    """Return what computed, and the milliseconds of each kernel on it.

    A GPU's streams or a TPU's operations where there are any, else the threads of the CPU, summed.
    """
    device, threads = dict[str, float](), dict[str, float]()
    for plane, line, name, milliseconds in events:
        if ("GPU" in plane and "Stream" in line) or ("TPU" in plane and line == "XLA Ops"):
            device[name] = device.get(name, 0.0) + milliseconds
        elif line.startswith(THREADS) and not any(mark in name for mark in INTERNAL):
            threads[name] = threads.get(name, 0.0) + milliseconds
    return ("device", device) if device else ("CPU threads", threads)


def _tracer() -> Tracer:
    """Return what begins, ends and reads a trace of this backend.

    Raises:
        TrainingError: for a backend without one.
    """
    backend = keras.backend.backend()
    if backend == "jax":
        import jax  # only on the JAX backend

        return jax.profiler.start_trace, jax.profiler.stop_trace, _read_by_jax
    if backend == "tensorflow":
        import tensorflow as tf  # only on the TensorFlow backend

        return tf.profiler.experimental.start, tf.profiler.experimental.stop, _read_by_tensorflow
    raise TrainingError(f"--profile needs JAX or TensorFlow. Received: {backend}")


def _read_by_jax(path: Path) -> Iterator[Event]:
    import jax

    for plane in jax.profiler.ProfileData.from_file(str(path)).planes:
        for line in plane.lines:
            for event in line.events:
                yield plane.name, line.name, event.name, event.duration_ns / 1e6


def _read_by_tensorflow(path: Path) -> Iterator[Event]:
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    for plane in xplane_pb2.XSpace.FromString(path.read_bytes()).planes:
        names = {key: metadata.name for key, metadata in plane.event_metadata.items()}
        for line in plane.lines:
            for event in line.events:
                yield plane.name, line.name, names[event.metadata_id], event.duration_ps / 1e9
