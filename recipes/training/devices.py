"""Several devices, and several hosts: who computes which rows of a batch.

The batch of a step is the global one, whatever the number of devices: each computes an equal part,
gradients are added up, and all hold the same weights. So a run on N devices takes the same steps
as on one, up to the rounding of sums, and the learning rate needs no change; who raises `--batch`
with the devices raises `--learning-rate` as for any larger batch.

On JAX the step is one program over all devices (`keras.distribution.DataParallel`). On TensorFlow
each replica of `tf.distribute.MirroredStrategy` runs the step by itself: it is given the whole
batch, draws the noise of the whole batch and keeps its own part, so that no two replicas draw the
same noise, and together they draw what one device draws. Several hosts: JAX alone, since Keras 3
does not run under TensorFlow's MultiWorkerMirroredStrategy.
"""

import os
import platform
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import keras
from keras import ops

from asykeras.types import Tensor
from recipes.training.settings import Machines, TrainingError
from zoo.machine.failures import printable

if TYPE_CHECKING:
    import tensorflow as tf


@dataclass(frozen=True)
class Devices:
    """The devices of this process, and its part of the work."""

    replicas: int  # parts into which each replica of TensorFlow cuts the batch; 1 on JAX
    rows: tuple[
        int, int
    ]  # first row of a batch that this process feeds, and the one after its last
    writes: bool  # this process writes checkpoints and log: the first one does
    strategy: "tf.distribute.Strategy | None"

    def scope(self) -> AbstractContextManager[None]:
        """Return the context in which model and optimizer have to be made."""
        return self.strategy.scope() if self.strategy else nullcontext()

    def act_as_one(self, network: keras.Model, rule: keras.optimizers.Optimizer) -> None:
        """Let replicas take the statistics and clip the gradient of the whole batch."""
        if self.replicas == 1:
            return
        for layer in network.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.synchronized = True
        if rule.global_clipnorm:
            _clip_over_replicas(rule, self.replicas)


@contextmanager
def open_devices(machines: Machines, batch: int) -> Iterator[Devices]:
    """Choose the devices for the block, which share the batch; join the other processes.

    Raises:
        TrainingError: if there are fewer devices than asked for, the batch does not divide by
            them, or the backend cannot do what is asked for.
    """
    backend = keras.backend.backend()
    if machines.processes < 1 or not 0 <= machines.process_id < machines.processes:
        raise TrainingError(
            "--process-id must be from 0 to --processes - 1. "
            f"Received: {machines.process_id} of {machines.processes}"
        )
    if bool(machines.coordinator) != (machines.processes > 1):
        raise TrainingError("--coordinator HOST:PORT and --processes N belong together")
    if machines.processes > 1 and backend != "jax":
        raise TrainingError(f"several processes need KERAS_BACKEND=jax. Received: {backend}")
    if machines.devices == "1" and machines.processes == 1:
        yield Devices(1, (0, batch), True, None)
    elif backend == "jax":
        before = keras.distribution.distribution()
        try:
            yield _open_jax(machines, batch)
        finally:
            keras.distribution.set_distribution(before)
    elif backend == "tensorflow":
        yield _open_tensorflow(machines, batch)
    else:
        raise TrainingError(f"--devices needs TensorFlow or JAX. Received: {backend}")


def _open_jax(machines: Machines, batch: int) -> Devices:
    if machines.processes > 1:
        import jax  # only on the JAX backend

        jax.config.update("jax_cpu_collectives_implementation", "gloo")
        # Else two programs may run at once, and their collectives meet in another order elsewhere.
        jax.config.update("jax_cpu_enable_async_dispatch", False)
        keras.distribution.initialize(machines.coordinator, machines.processes, machines.process_id)
    wanted = "all" if machines.processes > 1 else machines.devices
    names = _chosen(keras.distribution.list_devices(), wanted, batch)
    data_parallel = keras.distribution.DataParallel(devices=names, auto_shard_dataset=False)
    keras.distribution.set_distribution(data_parallel)
    share = batch // machines.processes
    first = machines.process_id * share
    return Devices(1, (first, first + share), machines.process_id == 0, None)


def _open_tensorflow(machines: Machines, batch: int) -> Devices:
    import tensorflow as tf  # only on the TensorFlow backend

    kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
    there = [device.name for device in tf.config.list_logical_devices(kind)]
    names = _chosen(there, machines.devices, batch)
    return Devices(len(names), (0, batch), True, tf.distribute.MirroredStrategy(names))


def accelerated() -> bool:
    """Return whether a GPU or TPU is there."""
    return bool(_accelerators())


def jit(replicas: int = 1) -> str | bool:
    """Return whether XLA compiles the step.

    Not for TensorFlow on a CPU, where it is slower, nor on several devices, where it fails.
    """
    if keras.backend.backend() != "tensorflow":
        return "auto"
    return "auto" if accelerated() and replicas == 1 else False


def hardware(machines: Machines) -> str:
    """Return what a run computes on: `1 x NVIDIA H100 80GB HBM3`, `AMD EPYC 9R14, 2 CPU cores`."""
    kinds = _accelerators()
    if machines.devices != "all" and machines.processes == 1:
        kinds = kinds[: int(machines.devices)]
    if not kinds:
        return f"{processor()}, {os.cpu_count()} CPU cores"
    return ", ".join(f"{count} x {kind}" for kind, count in Counter(kinds).items())


def processor(facts: Path = Path("/proc/cpuinfo")) -> str:
    """Return the name of the processor as Linux tells it, elsewhere its kind (`arm64`)."""
    try:
        lines = facts.read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return printable(next(names, "")) or platform.machine()


def _accelerators() -> list[str]:
    """Return the kind of each GPU and TPU, as the backend names it."""
    backend = keras.backend.backend()
    if backend == "jax":
        import jax  # only on the JAX backend

        return [device.device_kind for device in jax.devices() if device.platform != "cpu"]
    if backend == "tensorflow":
        import tensorflow as tf  # only on the TensorFlow backend

        details = tf.config.experimental.get_device_details
        gpus = [
            details(gpu).get("device_name", "GPU") for gpu in tf.config.list_physical_devices("GPU")
        ]
        return gpus + ["TPU" for _ in tf.config.list_physical_devices("TPU")]
    import torch  # only on the PyTorch backend

    return [torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count())]


@contextmanager
def alone() -> Iterator[None]:
    """Make models of this process alone in the block, whatever the step is distributed over."""
    chosen = keras.distribution.distribution()
    keras.distribution.set_distribution(None)
    try:
        yield
    finally:
        keras.distribution.set_distribution(chosen)


def _chosen(names: Sequence[str], wanted: str, batch: int) -> Sequence[str]:
    if wanted != "all":
        if not wanted.isdecimal() or int(wanted) < 1:
            raise TrainingError(f"--devices must be a number or all. Received: {wanted!r}")
        if int(wanted) > len(names):
            raise TrainingError(f"--devices {wanted} asks for more than the {len(names)} there are")
        names = names[: int(wanted)]
    if batch % len(names):
        said = f"--batch must be a multiple of the {len(names)} devices"
        raise TrainingError(f"{said}. Received: {batch}")
    return names


def own_part(values: Tensor, replicas: int) -> Tensor:
    """Return the rows of a global batch that this replica of TensorFlow computes.

    All of them outside a replica: while a model is built.
    """
    if replicas == 1:
        return values
    import tensorflow as tf  # only on the TensorFlow backend

    context = tf.distribute.get_replica_context()
    if context is None:
        return values
    share = ops.shape(values)[0] // replicas
    first = context.replica_id_in_sync_group * share
    return values[first : first + share]


def _clip_over_replicas(optimizer: keras.optimizers.Optimizer, replicas: int) -> None:
    """Clip the gradient of the whole batch; Keras clips what each replica has, which is another."""
    import tensorflow as tf  # only on the TensorFlow backend

    apply, norm = optimizer.apply, optimizer.global_clipnorm
    optimizer.global_clipnorm = None

    def apply_clipped(
        gradients: list[Tensor], variables: list[keras.Variable] | None = None
    ) -> Tensor:
        context = tf.distribute.get_replica_context()
        total = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
        total, _ = tf.clip_by_global_norm(total, norm)
        return apply([gradient / replicas for gradient in total], variables)  # added up again

    optimizer.apply = apply_clipped
