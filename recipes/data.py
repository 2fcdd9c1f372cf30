"""Training patches: decoded images in memory, and batches that are pure functions of (seed, step).

Sample `n` is one crop, flipped and turned, of one image. Which one follows from a hash of the seed
and of `n` alone, so a run that is killed continues with exactly the samples it would have seen, and
the tf.data pipeline and the NumPy source (for machines with JAX and no TensorFlow) give the same
bytes. Every position of every image is equally likely. In tf.data a batch is one gather from one
flat array of pixels: crop, flips and turns are arithmetic on the indices.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zoo.images import ImageError, find_images, read_image, to_channels

WORD = 2**32  # the hashes are 32-bit words, held in int64 so that no product overflows


def load_images(source: str, channels: str) -> list[np.ndarray]:
    """Decode all training images.

    Args:
        source: A folder (searched recursively) or several, separated by commas; or
            `tfds:NAME:SPLIT`, a TensorFlow Datasets builder whose examples hold an `image` or `hr`.
        channels: `"luma"`, `"grey"` or `"rgb"`; see `zoo.images.to_channels`.

    Returns:
        uint8 arrays `(height, width, 1 or 3)`.

    Raises:
        ImageError: for a folder without images and for any file that cannot be read.
    """
    if source.startswith("tfds:"):
        return [to_channels(image, channels) for image in _tfds_images(source)]
    paths = [path for folder in source.split(",") for path in find_images(folder)]
    return [to_channels(read_image(path), channels) for path in paths]


def _tfds_images(source: str) -> Iterator[np.ndarray]:
    import tensorflow_datasets as tfds  # an extra; folders need no TensorFlow

    parts = source.split(":")
    if len(parts) != 3:
        raise ImageError(f"a TensorFlow Datasets source is tfds:NAME:SPLIT. Received: {source}")
    for example in tfds.as_numpy(tfds.load(parts[1], split=parts[2])):
        key = next((key for key in ("image", "hr") if key in example), None)
        if key is None:
            raise ImageError(f"{source} has neither 'image' nor 'hr', only {sorted(example)}")
        image = example[key]
        yield image if image.ndim == 3 else image[..., None]


@dataclass(frozen=True)
class Patches:
    """Random square patches of a set of images.

    Make it with `Patches.of`. Batches are uint8, `(batch, size, size, channels)`.
    """

    pixels: np.ndarray  # (all pixels, channels), the images one after the other
    starts: np.ndarray  # first pixel of each image
    heights: np.ndarray
    widths: np.ndarray
    bounds: np.ndarray  # upper bound of the hash word that selects each image
    size: int
    batch: int
    seed: int
    left_out: int  # images that are smaller than a patch

    @classmethod
    def of(cls, images: Sequence[np.ndarray], size: int, batch: int, seed: int) -> "Patches":
        """Lay out the images for sampling.

        Args:
            images: uint8 arrays `(height, width, channels)`.
            size: Side of a patch in pixels.
            batch: Patches per batch.
            seed: Any integer; another seed gives another order, other crops and other turns.

        Raises:
            ImageError: if no image is as large as a patch.
        """
        fitting = [image for image in images if min(image.shape[:2]) >= size]
        if not fitting:
            largest = max((min(image.shape[:2]) for image in images), default=0)
            raise ImageError(
                f"every image is smaller than the patch of {size} pixels: the shorter side of the "
                f"largest has {largest}"
            )
        heights, widths = np.array([image.shape[:2] for image in fitting], dtype=np.int64).T
        positions = (heights - size + 1) * (widths - size + 1)
        bounds = np.floor(np.cumsum(positions) / positions.sum() * WORD).astype(np.int64)
        starts = np.concatenate([[0], np.cumsum(heights * widths)[:-1]])
        pixels = np.concatenate([image.reshape(-1, image.shape[-1]) for image in fitting])
        return cls(
            pixels, starts, heights, widths, bounds, size, batch, seed, len(images) - len(fitting)
        )

    def numpy_batch(self, step: int) -> np.ndarray:
        """Return the batch of one step, with NumPy alone."""
        samples = np.arange(step * self.batch, (step + 1) * self.batch, dtype=np.int64)

        def choose(words: np.ndarray) -> np.ndarray:
            return np.searchsorted(self.bounds, words, side="right")

        plan = self._plan(samples, choose, lambda table, at: table[at])
        size, channels = self.size, self.pixels.shape[1]
        batch = np.empty((self.batch, size, size, channels), np.uint8)
        for n, (image, top, left, turn) in enumerate(zip(*plan, strict=True)):
            start, height, width = self.starts[image], self.heights[image], self.widths[image]
            pixels = self.pixels[start : start + height * width].reshape(height, width, channels)
            batch[n] = _turned(pixels[top : top + size, left : left + size], turn)
        return batch

    def numpy_batches(self, start: int, stop: int) -> Iterator[np.ndarray]:
        """Yield the batches of the steps `start` to `stop - 1`."""
        return map(self.numpy_batch, range(start, stop))

    def dataset(self, start: int, stop: int) -> Any:
        """Return the same batches as a `tf.data.Dataset`, prepared ahead of the training step."""
        import tensorflow as tf  # not there on machines that train with JAX

        pixels, bounds = tf.constant(self.pixels), tf.constant(self.bounds)
        rows, columns = np.indices((self.size, self.size), dtype=np.int64)
        turned_rows = tf.constant(np.stack([_turned(rows, turn) for turn in range(8)]))
        turned_columns = tf.constant(np.stack([_turned(columns, turn) for turn in range(8)]))

        def choose(words: Any) -> Any:
            return tf.searchsorted(bounds, words, side="right", out_type=tf.int64)

        def batch(step: Any) -> Any:
            samples = step * self.batch + tf.range(self.batch, dtype=tf.int64)
            image, top, left, turn = self._plan(samples, choose, tf.gather)
            width = tf.gather(self.widths, image)[:, None, None]
            corner = tf.gather(self.starts, image)[:, None, None] + top[:, None, None] * width
            rows, columns = tf.gather(turned_rows, turn), tf.gather(turned_columns, turn)
            patches = tf.gather(pixels, corner + rows * width + left[:, None, None] + columns)
            return tf.ensure_shape(
                patches, (self.batch, self.size, self.size, self.pixels.shape[1])
            )

        steps = tf.data.Dataset.range(start, stop)
        return steps.map(batch, num_parallel_calls=2, deterministic=True).prefetch(4)

    def _plan(
        self, samples: Any, choose: Callable[[Any], Any], take: Callable[[Any, Any], Any]
    ) -> tuple[Any, Any, Any, Any]:
        """Return image, top, left and turn (0 to 7) of each sample, for NumPy or TensorFlow."""
        image, top, left, turn = (_words(self.seed, samples, stream) for stream in range(4))
        image = choose(image)
        top = top * (take(self.heights, image) - self.size + 1) // WORD
        left = left * (take(self.widths, image) - self.size + 1) // WORD
        return image, top, left, turn * 8 // WORD


def _words(seed: int, samples: Any, stream: int) -> Any:
    """Return one 32-bit hash word per sample number; streams are independent of each other."""
    key = _mix(np.int64((seed * 4 + stream) % WORD))
    return _mix((samples % WORD) ^ int(key))


def _mix(x: Any) -> Any:
    """Mix the bits of 32-bit words held in int64 ("lowbias32", Wellons' hash prospector).

    Division stands for the right shift, so that NumPy arrays and tensors take the same code; both
    multipliers are below 2^31, so no product overflows.
    """
    x = ((x ^ (x // 2**16)) * 0x21F0AAAD) % WORD
    x = ((x ^ (x // 2**15)) * 0x735A2D97) % WORD
    return x ^ (x // 2**15)


def _turned(patch: np.ndarray, turn: int) -> np.ndarray:
    """Return one of the 8 flips and quarter turns of a square patch, as a view."""
    if turn & 4:
        patch = patch.swapaxes(0, 1)
    return patch[:: -1 if turn & 1 else 1, :: -1 if turn & 2 else 1]


def folder_name(source: str) -> str:
    """Return a short name of a data source for tables and cards, without the path."""
    if source.startswith("tfds:"):
        return source
    return "+".join(Path(folder).name for folder in source.split(","))
