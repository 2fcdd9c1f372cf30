"""Training patches: batches that are pure functions of (seed, step), cut from decoded images.

Sample `n` is one crop, flipped and turned, of one image. Which one follows from a hash of the seed
and of `n` alone, so a run that is killed continues with exactly the samples it would have seen, and
the tf.data pipeline and the NumPy source (for machines with JAX and no TensorFlow) give the same
bytes, from memory and from a mapped file. Every position of every image is equally likely. In
tf.data a batch is one gather from one flat array of pixels: crop, flips and turns are arithmetic on
the indices.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from asykeras.types import Tensor
from recipes.data.image_set import ALIGNED, ImageSet
from recipes.data.jpeg import Artefacts
from recipes.data.sources import Channels, open_images
from zoo.pictures.images import DEEP, ImageError

if TYPE_CHECKING:
    import tensorflow as tf

WORD = 2**32  # the hashes are 32-bit words, held in int64 so that no product overflows
WORKERS = min(8, max(2, os.cpu_count() or 1))  # that prepare batches in tf.data
EVERYTHING = 2**62

Batch: TypeAlias = np.ndarray | tuple[np.ndarray, ...]  # clean, or (clean, degraded)
# Of each patch: where the topmost row of its image begins, first column, width of the image, turn.
Places: TypeAlias = tuple[Tensor, Tensor, Tensor, Tensor]


def load_images(source: str, channels: Channels) -> list[np.ndarray]:
    """Decode all training images into memory: arrays `(height, width, channels)`.

    They are of 8 bit, or floating point where the files are.

    Arguments and errors as in `recipes.data.sources.open_images`.
    """
    images = list(open_images(source, channels, memory=EVERYTHING))
    if images[0].dtype != np.uint16:
        return images
    return [((image.astype(np.int32) + 128) // DEEP).astype(np.uint8) for image in images]


@dataclass(frozen=True)
class Patches:
    """Random square patches of a set of images.

    Make it with `Patches.of`. A batch is an array `(batch, size, size, channels)`, uint8, uint16 or
    float32 as the images are. With degraded partners, or JPEG artefacts, it is a pair (clean,
    degraded).
    """

    images: ImageSet  # those that are no smaller than a patch
    degraded: ImageSet | None  # their partners, `ratio` times smaller
    ratio: int  # corners of patches are multiples of it
    bounds: np.ndarray  # upper bound of the hash word that selects each image
    size: int
    batch: int
    seed: int
    rows: tuple[int, int]  # first row of every batch, and the one after the last
    artefacts: Artefacts | None  # of JPEG
    left_out: int  # images that are smaller than a patch

    @classmethod
    def of(
        cls,
        images: ImageSet | Sequence[np.ndarray],
        size: int,
        batch: int,
        seed: int,
        degraded: ImageSet | None = None,
        rows: tuple[int, int] | None = None,
        artefacts: Artefacts | None = None,
    ) -> "Patches":
        """Lay out the images for sampling.

        Args:
            images: Decoded images, or arrays `(height, width, channels)`, which are copied.
            size: Side of a clean patch in pixels.
            batch: Patches per batch.
            seed: Any integer; another seed gives another order, other crops and other turns.
            degraded: Partners of the images in their order, smaller by one whole number, as
                `recipes.data.sources.open_pairs` returns them.
            rows: Yield only the rows `first` to `stop - 1` of every batch: what one of several
                hosts trains on.
            artefacts: Of JPEG, on a copy of each patch. The quality of a sample follows from the
                seed and its number.

        Raises:
            ImageError: if no image is as large as a patch, if it is no multiple where there are
                partners, or if artefacts are asked for where they cannot be made.
            ValueError: for rows or qualities out of range.

        Example:
            >>> patches = Patches.of(open_images("photos", "rgb"), 96, 16, seed=0)
            >>> patches.numpy_batch(0).shape
            (16, 96, 96, 3)
        """
        images = images if isinstance(images, ImageSet) else ImageSet.of(images)
        rows = (0, batch) if rows is None else rows
        if not 0 <= rows[0] < rows[1] <= batch:
            raise ValueError(f"rows must lie within a batch of {batch}. Received: {rows}")
        if artefacts:
            artefacts.check(images)
        if artefacts and degraded:
            raise ImageError("JPEG artefacts are made from clean images, which have no partners")
        ratio = int(images.heights[0] // degraded.heights[0]) if degraded else 1
        if size % ratio:
            raise ImageError(
                f"a patch of {size} pixels cannot be cut where the clean images are {ratio} times "
                "as large as the degraded ones: take a multiple"
            )
        fitting = np.flatnonzero(np.minimum(images.heights, images.widths) >= size)
        if not len(fitting):
            largest = np.minimum(images.heights, images.widths).max(initial=0)
            raise ImageError(
                f"every image is smaller than the patch of {size} pixels: the shorter side of the "
                f"largest has {largest}"
            )
        left_out = len(images) - len(fitting)
        images, degraded = images.at(fitting), degraded and degraded.at(fitting)
        positions = ((images.heights - size) // ratio + 1) * ((images.widths - size) // ratio + 1)
        bounds = np.floor(np.cumsum(positions) / positions.sum() * WORD).astype(np.int64)
        return cls(images, degraded, ratio, bounds, size, batch, seed, rows, artefacts, left_out)

    def numpy_batch(self, step: int) -> Batch:
        """Return the batch of one step, with NumPy alone."""
        samples = self._samples(step)
        cuts = zip(self.sources, self._numpy_places(samples), strict=True)
        clean, *degraded = (_cut(pixels, places, size) for (pixels, size), places in cuts)
        if self.artefacts:
            return clean, self.artefacts.compressor()(clean, self._qualities(samples))
        return (clean, *degraded) if degraded else clean

    def numpy_places(self, step: int) -> Batch:
        """Return where the patches of one step are cut, for images that lie on the device.

        Returns:
            An int32 array `(batch, 3)`: index in `pixels` of the corner of each patch, width of its
            image, and turn. With partners it is a pair of them, one for each of `sources`.
        """
        places = self._numpy_places(self._samples(step))
        cut = [np.stack([row + left, *more], axis=-1) for row, left, *more in places]
        whole = tuple(part.astype(np.int32) for part in cut)
        return whole if len(whole) > 1 else whole[0]

    @property
    def sources(self) -> list[tuple[np.ndarray, int]]:
        """Pixels and side of a patch: of the clean images and, where there are some, partners."""
        sources = [(self.images.pixels, self.size)]
        if self.degraded:
            sources.append((self.degraded.pixels, self.size // self.ratio))
        return sources

    def _samples(self, step: int) -> np.ndarray:
        first, stop = self.rows
        return np.arange(step * self.batch + first, step * self.batch + stop, dtype=np.int64)

    def _numpy_places(self, samples: np.ndarray) -> list[Places]:
        return self._places(samples, partial(np.searchsorted, self.bounds, side="right"), np.take)

    def dataset(self, start: int, stop: int, on_device: bool = False) -> "tf.data.Dataset":
        """Return the same batches as a `tf.data.Dataset`, prepared ahead of the training step.

        Args:
            start: The first step.
            stop: The one after the last.
            on_device: Return what `numpy_places` returns, for images that lie on the device.

        Raises:
            ImageError: for artefacts of KerasCV where that is not installed.
        """
        import tensorflow as tf  # not there on machines that train with JAX

        first, last = self.rows
        bounds = tf.constant(self.bounds)
        choose = partial(tf.searchsorted, bounds, side="right", out_type=tf.int64)
        cuts = [] if on_device else [_tensor_cut(pixels, size) for pixels, size in self.sources]
        compress = self.artefacts.compressor() if self.artefacts else None

        def batch(step: "tf.Tensor") -> "tf.Tensor | tuple[tf.Tensor, ...]":
            samples = step * self.batch + tf.range(first, last, dtype=tf.int64)
            places = self._places(samples, choose, tf.gather)
            if on_device:
                cut = (tf.stack([row + left, *more], -1) for row, left, *more in places)
                whole = tuple(tf.cast(part, tf.int32) for part in cut)
                return whole if len(whole) > 1 else whole[0]
            clean, *degraded = (cut(where) for cut, where in zip(cuts, places, strict=True))
            if compress:
                given = (clean, self._qualities(samples))
                return clean, tf.ensure_shape(
                    tf.numpy_function(compress, given, tf.uint8, stateful=False), clean.shape
                )
            return (clean, *degraded) if degraded else clean

        steps = tf.data.Dataset.range(start, stop)
        batches = steps.map(batch, num_parallel_calls=WORKERS, deterministic=True).prefetch(4)
        options = tf.data.Options()
        # Both write the graph down, and with it a copy of all pixels.
        options.experimental_optimization.apply_default_optimizations = False
        sharding = options.experimental_distribute
        sharding.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
        return batches.with_options(options)

    def _places(
        self,
        samples: Tensor,
        choose: Callable[[Tensor], Tensor],
        take: Callable[[np.ndarray, Tensor], Tensor],
    ) -> list[Places]:
        """Return where each sample is cut from each of `sources`, for NumPy or TensorFlow."""
        image, top, left, turn = (_words(self.seed, samples, stream) for stream in range(4))
        image, turn = choose(image), turn * 8 // WORD
        width = take(self.images.widths, image)
        rows = (take(self.images.heights, image) - self.size) // self.ratio + 1
        columns = (width - self.size) // self.ratio + 1
        top, left = top * rows // WORD, left * columns // WORD  # in pixels of the partners
        small = width // self.ratio
        whole = top * self.ratio, left * self.ratio
        places = [(take(self.images.starts, image) + whole[0] * width, whole[1], width, turn)]
        if self.degraded:
            places.append((take(self.degraded.starts, image) + top * small, left, small, turn))
        return places

    def _qualities(self, samples: Tensor) -> Tensor:
        """Return the quality of JPEG of each sample, for NumPy or TensorFlow."""
        artefacts = self.artefacts or Artefacts(100, 100)
        # a seed that is far from any other, so that its words are used for nothing else
        words = _words(self.seed + WORD // 8, samples, 0)
        return artefacts.low + words * (artefacts.high - artefacts.low + 1) // WORD


def _cut(pixels: np.ndarray, places: Places, size: int) -> np.ndarray:
    """Return square patches of a side, cut from the pixels of all images."""
    batch = np.empty((len(places[0]), size, size, pixels.shape[1]), pixels.dtype)
    each = zip(*(part.tolist() for part in places), strict=True)
    for n, (row, left, width, turn) in enumerate(each):
        band = pixels[row : row + size * width].reshape(size, width, -1)
        batch[n] = turned(band[:, left : left + size], turn)
    return batch


def _tensor_cut(pixels: np.ndarray, size: int) -> Callable[[Places], Tensor]:
    """Return `_cut` for TensorFlow: a gather from pixels that stay where they are."""
    import tensorflow as tf

    # Without a copy where TensorFlow can take the array over.
    if pixels.ctypes.data % ALIGNED == 0 and pixels.flags.writeable:
        tensor = tf.experimental.dlpack.from_dlpack(pixels.__dlpack__())
    else:
        with tf.device("CPU"):
            tensor = tf.constant(pixels)
    rows, columns = np.indices((size, size), dtype=np.int64)
    turned_rows = tf.constant(np.stack([turned(rows, turn) for turn in range(8)]))
    turned_columns = tf.constant(np.stack([turned(columns, turn) for turn in range(8)]))

    def cut(places: Places) -> Tensor:
        row, left, width, turn = places
        rows, columns = tf.gather(turned_rows, turn), tf.gather(turned_columns, turn)
        at = (row + left)[:, None, None] + rows * width[:, None, None] + columns
        return tf.ensure_shape(tf.gather(tensor, at), (None, size, size, pixels.shape[1]))

    return cut


def _words(seed: int, samples: Tensor, stream: int) -> Tensor:
    """Return one 32-bit hash word per sample number; streams are independent of each other."""
    key = _mix(np.int64((seed * 4 + stream) % WORD))
    return _mix((samples % WORD) ^ int(key))


def _mix(x: Tensor) -> Tensor:
    """Mix the bits of 32-bit words held in int64 ("lowbias32", Wellons' hash prospector).

    Division stands for the right shift, so that NumPy arrays and tensors take the same code; both
    multipliers are below 2^31, so no product overflows.
    """
    x = ((x ^ (x // 2**16)) * 0x21F0AAAD) % WORD
    x = ((x ^ (x // 2**15)) * 0x735A2D97) % WORD
    return x ^ (x // 2**15)


def turned(patch: np.ndarray, turn: int) -> np.ndarray:
    """Return one of the 8 flips and quarter turns of a square patch, as a view."""
    if turn & 4:
        patch = patch.swapaxes(0, 1)
    return patch[:: -1 if turn & 1 else 1, :: -1 if turn & 2 else 1]
