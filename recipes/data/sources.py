"""Sources of training images: folders, TensorFlow Datasets, hyperspectral cubes, and pairs of them.

A source is a text. Its parts are separated by commas; each is

    DIR or FILE                      images (png, jpg, bmp, tif, webp, heic, avif; 8 and 16 bit, or
                                     floating point, also exr and hdr), or cubes (npy, mat) where
                                     bands are asked for; a folder with all below it
    tfds:NAME[/CONFIG]:SPLIT[:KEY]   a builder of TensorFlow Datasets or one of recipes.datasets;
                                     KEY is the image of an example: `image` or `hr` unless named
"""

import os
import re
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, TypeAlias

import keras
import numpy as np

from recipes.data import radiance
from recipes.data.cubes import Windows, cube_part
from recipes.data.image_set import CHANNELS, Found, ImageSet, Part, collect, stamp
from zoo.machine.failures import printable
from zoo.machine.memory import available_memory
from zoo.pictures.formats import COMMON, SUFFIXES
from zoo.pictures.images import (
    Header,
    ImageError,
    encoded_size,
    find_files,
    read_header,
    read_image,
)

if TYPE_CHECKING:
    import tensorflow_datasets as tfds

RATIOS = range(1, 9)  # how much larger than its degraded partner a clean image may be
UNKNOWN = 4 * 2**30  # bytes of memory that are taken to be left where the system does not tell
THREADS = 4  # that decode; each holds one image
TFDS = re.compile(r"tfds:([^:]+):((?:[^:\[]|\[[^]]*\])+)(?::(\w+))?")  # train[:10] is a split

Channels: TypeAlias = str | Windows  # of `CHANNELS`; or cubes, cut into windows


def open_images(
    source: str,
    channels: Channels,
    *,
    memory: int | None = None,
    scratch: str | os.PathLike[str] | None = None,
    quiet: bool = True,
) -> ImageSet:
    """Decode the images of a source, into memory if they fit and into a mapped file if they do not.

    The file keeps the name of what it was made of (paths, sizes and times), so that a resumed run
    finds it. A source with any 16-bit image is 16 bit throughout, its 8-bit values times 257. One
    of floating point is float32, its values as they are.

    Args:
        source: See the top of this file.
        channels: `"luma"`, `"grey"` or `"rgb"` (see `zoo.pictures.images.to_channels`), or
            `Windows(31)`: cubes, cut into windows of 31 bands, stretched to 16 bit.
        memory: Bytes of memory that the decoded images may take; default: half of what is left.
        scratch: Folder for the file of images that take more.
        quiet: Print no progress.

    Raises:
        ImageError: if a part of the source cannot be used or a file cannot be read, or if the
            images fit neither into memory nor into `scratch`.

    Example:
        >>> images = open_images("photos,t91", "rgb", scratch="runs/scratch")
        >>> print(images.describe())
        132 images, 0.01 to 3.24 megapixels, 233 MiB decoded, kept in memory
    """
    parts, count = _parts(source, channels, quiet), channel_count(channels)
    return collect(parts, str(channels), count, _allowed(memory), scratch, quiet)


def open_pairs(
    clean: str,
    degraded: str,
    channels: Channels,
    *,
    memory: int | None = None,
    scratch: str | os.PathLike[str] | None = None,
    quiet: bool = True,
) -> tuple[ImageSet, ImageSet]:
    """Decode clean images and their degraded partners, which have the same names.

    A degraded image may be smaller by a whole number, and may say so at the end of its name: the
    partner of `0001.png` is `0001.png`, or `0001x2.png` if it is half as large. Endings may differ.
    Both sets come in the order of the clean ones. Arguments are those of `open_images`, without
    cubes; the memory is for both sets together.

    Raises:
        ImageError: before anything is decoded, if an image has no partner or their sizes do not
            fit; and as in `open_images`.

    Example:
        >>> clean, degraded = open_pairs("DIV2K/HR", "DIV2K/LR_bicubic/X2", "rgb")
    """
    # each cube is stretched by its own values, which parts a pair
    if isinstance(channels, Windows) or channels not in CHANNELS:
        raise ImageError(
            f"pairs come in one of the channels {(*CHANNELS,)}. Received: {channels!r}"
        )
    both = [_parts(source, channels, quiet) for source in (clean, degraded)]
    order = pair_order(*([image for part in parts for image in part.found] for parts in both))
    allowed, count = _allowed(memory), CHANNELS[channels]
    first = collect(both[0], channels, count, allowed, scratch, quiet)
    if first.kept == "kept in memory":
        allowed -= first.pixels.nbytes
    return first, collect(both[1], channels, count, allowed, scratch, quiet).at(order)


def pair_order(clean: Sequence[Found], degraded: Sequence[Found]) -> list[int]:
    """Return which degraded image belongs to each clean one; refuse what does not fit."""
    there = {image.name: n for n, image in enumerate(degraded)}
    partners = [_partner(image, there) for image in clean]
    for n, partner in enumerate(partners):
        if partner in partners[:n]:
            raise ImageError(f"several clean images have the degraded partner of {clean[n].name}")
    left = set(range(len(degraded))) - set(partners)
    if left:
        raise ImageError(f"the degraded image {degraded[min(left)].name} has no clean partner")
    first = _ratio(clean[0], degraded[partners[0]])
    for image, partner in zip(clean, partners, strict=True):
        if (ratio := _ratio(image, degraded[partner])) != first:
            raise ImageError(
                f"the clean image {image.name} is {ratio} times as large as its degraded partner, "
                f"but {clean[0].name} is {first} times as large"
            )
    return partners


def _partner(image: Found, there: dict[str, int]) -> int:
    for name in (image.name, *(f"{image.name}x{ratio}" for ratio in RATIOS)):
        if name in there:
            return there[name]
    raise ImageError(f"the clean image {image.name} has no degraded partner of that name")


def _ratio(clean: Found, degraded: Found) -> int:
    for ratio in RATIOS:
        if (clean.height, clean.width) == (degraded.height * ratio, degraded.width * ratio):
            return ratio
    raise ImageError(
        f"the clean image {clean.name} has {clean.width}x{clean.height} pixels, which is not 1 to "
        f"8 times the {degraded.width}x{degraded.height} of its degraded partner"
    )


def folder_name(source: str) -> str:
    """Return a short name of a source for tables and cards, without the paths."""
    parts = source.split(",")
    return "+".join(part if part.startswith("tfds:") else Path(part).name for part in parts)


def channel_count(channels: Channels) -> int:
    """Return how many channels an image has then."""
    return channels.bands if isinstance(channels, Windows) else CHANNELS[channels]


def _allowed(memory: int | None) -> int:
    return (available_memory() or UNKNOWN) // 2 if memory is None else memory


def _parts(source: str, channels: Channels, quiet: bool) -> list[Part]:
    """Look at every part of a source; if there are several, names begin with their number."""
    if not isinstance(channels, Windows) and channels not in CHANNELS:
        raise ImageError(
            f"channels must be one of {(*CHANNELS,)} or windows of cubes. Received: {channels!r}"
        )
    parts = []
    for name in source.split(","):
        if isinstance(channels, Windows):
            parts.append(cube_part(name, channels))
        elif name.startswith("tfds:"):
            parts.append(_tfds_part(name))
        else:
            parts.append(_folder_part(name, quiet))
    if len(parts) == 1:
        return parts
    return [_numbered(part, number) for number, part in enumerate(parts, 1)]


def _numbered(part: Part, number: int) -> Part:
    found = [image._replace(name=f"{number}/{image.name}") for image in part.found]
    return Part(found, part.identity, part.read)


def _folder_part(folder: str, quiet: bool) -> Part:
    suffixes, names = (*SUFFIXES, *radiance.SUFFIXES), f"{COMMON}, exr, hdr"
    tell = (lambda remark: None) if quiet else (lambda remark: print(printable(remark)))
    paths = find_files(folder, suffixes, "image", names, tell)
    root = Path(folder) if Path(folder).is_dir() else Path(folder).parent
    stems = [path.relative_to(root).with_suffix("").as_posix() for path in paths]
    found = [Found(name, *_header(path)) for name, path in zip(stems, paths, strict=True)]
    return Part(found, repr([stamp(path) for path in paths]), lambda: _decoded(paths))


def _header(path: Path) -> Header:
    light = path.suffix.lower() in radiance.SUFFIXES
    return radiance.read_header(path) if light else read_header(path)


def _read(path: Path) -> np.ndarray:
    light = path.suffix.lower() in radiance.SUFFIXES
    return radiance.read_light(path) if light else read_image(path, "file")


def _decoded(paths: Sequence[Path]) -> Iterator[np.ndarray]:
    """Decode files in a few threads, and no more than a few ahead."""
    ahead: deque[Future[np.ndarray]] = deque()
    with ThreadPoolExecutor(min(THREADS, os.cpu_count() or 1)) as pool:
        for path in paths:
            ahead.append(pool.submit(_read, path))
            if len(ahead) == THREADS:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


def _tfds_part(source: str) -> Part:
    if not (fields := TFDS.fullmatch(source)):
        raise ImageError(
            "a TensorFlow Datasets source is tfds:NAME:SPLIT or tfds:NAME:SPLIT:KEY. Received: "
            f"{source}"
        )
    name, split, wanted = fields.groups()
    tfds = _tfds(source)
    builder = _tfds_prepared(tfds, source, name)
    features = builder.info.features
    images = [name for name in features if isinstance(features[name], tfds.features.Image)]
    key = wanted or next((key for key in ("image", "hr") if key in images), "")
    if key not in images:
        raise ImageError(f"{source} has no {wanted or 'image or hr'}; its images are {images}")
    dtype = np.dtype(features[key].np_dtype)
    try:
        examples = builder.info.splits[split].num_examples
    except (KeyError, ValueError):
        splits = sorted(builder.info.splits)
        raise ImageError(f"{source} has no split {split}, only {splits}") from None
    if not examples:
        raise ImageError(f"{source} has no example")
    found = []
    for number, (label, encoded) in enumerate(_tfds_encoded(tfds, builder, split, key)):
        height, width = encoded_size(encoded)
        found.append(Found(label or f"{number:06d}", height, width, dtype))
    stamps = [
        (str(path), path.stat().length, path.stat().mtime)
        for path in sorted(builder.data_path.iterdir())
    ]

    def read() -> Iterator[np.ndarray]:
        decoders = tfds.decode.PartialDecoding({key: True})
        for example in tfds.as_numpy(builder.as_dataset(split=split, decoders=decoders)):
            yield example[key]

    return Part(found, repr((source, stamps)), read)


def _tfds(source: str) -> ModuleType:
    """Return the package `tensorflow_datasets`, with our own builders registered."""
    try:
        import tensorflow as tf  # an extra, as the next one; folders need neither
        import tensorflow_datasets as tfds

        import recipes.datasets  # noqa: F401  registers them
    except ImportError as error:
        raise ImageError(f"{source} cannot be read without {error.name}: pip install it") from None
    if keras.backend.backend() != "tensorflow":
        with suppress(RuntimeError):  # already at work: then it has what it wants
            tf.config.set_visible_devices([], "GPU")  # or TensorFlow takes the memory of the GPU
    return tfds


def _tfds_prepared(tfds: ModuleType, source: str, name: str) -> "tfds.core.DatasetBuilder":
    """Return a builder whose data are prepared; downloads them if need be."""
    try:
        builder = tfds.builder(name)
        builder.download_and_prepare()
    except Exception as error:  # of many kinds: unknown name, network, disk, a missing folder
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ImageError(f"{source} cannot be prepared: {reason}") from error
    return builder


def _tfds_encoded(
    tfds: ModuleType, builder: "tfds.core.DatasetBuilder", split: str, key: str
) -> Iterator[tuple[str, bytes]]:
    """Yield name and file of each image; to read their sizes takes no decoding."""
    wanted = {key: True} | ({"name": True} if "name" in builder.info.features else {})
    decoders = tfds.decode.PartialDecoding(wanted, decoders={key: tfds.decode.SkipDecoding()})
    for example in tfds.as_numpy(builder.as_dataset(split=split, decoders=decoders)):
        yield example.get("name", b"").decode(), example[key]
