"""The batches of a run, as `fit` takes them on each backend."""

from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeAlias

import keras

from recipes.data.patches import WORKERS, Batch, Patches
from recipes.training.devices import Devices

if TYPE_CHECKING:
    import tensorflow as tf

Batches: TypeAlias = "keras.utils.PyDataset | tf.data.Dataset"


def batches(
    patches: Patches, start: int, stop: int, devices: Devices, on_device: bool = False
) -> Batches:
    """Return the batches of the steps `start` to `stop - 1`.

    With `on_device` they are the places of the patches, which the device cuts.
    """
    if keras.backend.backend() != "tensorflow":
        return Steps(patches, start, stop, on_device)
    import tensorflow as tf  # only on the TensorFlow backend

    # Keras cuts a batch into one part per replica; each replica is to see all of it. And it takes
    # a pair for image and label, where here the pair is the image.
    def whole(*batch: tf.Tensor) -> tuple[tf.Tensor, ...]:
        if devices.replicas > 1:
            copies = devices.replicas
            batch = tuple(tf.tile(part, [copies, *[1] * (part.ndim - 1)]) for part in batch)
        return (batch,) if len(batch) == 2 else batch

    return patches.dataset(start, stop, on_device).map(whole)


class Steps(keras.utils.PyDataset):
    """The batches of some steps for backends other than TensorFlow, prepared ahead in threads.

    Keras' own worker threads (`workers=2`) are no use here: `fit` reads one batch to build the
    model, starts over, and its queue then goes on with the second batch.
    """

    AHEAD = 3 * WORKERS

    def __init__(self, patches: Patches, start: int, stop: int, on_device: bool = False):
        super().__init__()
        self.prepare = patches.numpy_places if on_device else patches.numpy_batch
        self.start, self.stop = start, stop
        self.threads = ThreadPoolExecutor(WORKERS)
        self.prepared: dict[int, Future[Batch]] = {}

    def __len__(self) -> int:
        return self.stop - self.start

    def __getitem__(self, index: int) -> tuple[Batch]:
        for later in range(index, min(index + self.AHEAD, len(self))):
            if later not in self.prepared:
                step = self.start + later
                self.prepared[later] = self.threads.submit(self.prepare, step)
        return (self.prepared.pop(index).result(),)
