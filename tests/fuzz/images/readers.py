"""Other readers' opinion on the pixels of a file: libvips, tifffile, and two written by hand.

Pillow reads what has 8 bit for us, libvips the rest; here it is the other way round.
"""

import io
import logging
import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pyvips
import tifffile

from tests.fuzz.images.seeds import ADAM7
from zoo.pictures.exif import TURNS
from zoo.pictures.photos import Photo
from zoo.pictures.rows import _QUARTERS


def opinion(photo: Photo) -> np.ndarray | None:
    """Return the pixels of a file as another program reads them, None where none does.

    Returns:
        `(height, width, channels)`, upright, of the picture's dtype.
    """
    for read in _READERS.get(
        "deep PNG" if photo.format == "PNG" and photo.deep else photo.format, []
    ):
        try:
            values = read(photo)
        except Exception:  # whatever it is: then there is no opinion
            continue
        if values is None:
            continue
        if photo.orientation in TURNS:
            quarters, mirrored = _QUARTERS[photo.orientation]
            values = np.rot90(values, -quarters)[:, :: -1 if mirrored else 1]
        return _as_picture(photo, values)
    return None


def _as_picture(photo: Photo, values: np.ndarray) -> np.ndarray | None:
    """Return values with the channels of a picture, None where they are of another kind."""
    picture = photo.picture
    if values.ndim == 2:
        values = values[..., None]
    colours, count = picture.channels - picture.alpha, values.shape[-1]
    if picture.colour == "rgb" and count <= 2:  # palettes of grey
        values = np.concatenate([values[..., :1]] * 3 + [values[..., 1:]], axis=-1)
    elif picture.colour == "grey" and count >= 3:
        if (values[..., :1] != values[..., :3]).any():
            return None
        values = np.concatenate([values[..., :1], values[..., 3:]], axis=-1)
    if picture.alpha and values.shape[-1] == colours:
        white = np.full((*values.shape[:2], 1), picture.white, values.dtype)
        values = np.concatenate([values, white], axis=-1)
    return values[..., : picture.channels]


def _by_vips(photo: Photo) -> np.ndarray | None:
    if photo.deep:  # as it was read by ourselves
        return None
    content = photo.path.read_bytes()
    if photo.format == "TIFF":
        with tifffile.TiffFile(io.BytesIO(content)) as file:
            if 1 in file.pages[0].extrasamples:  # it cuts off what is left of dividing by alpha
                return None
    with _quiet():
        options = {"fail_on": "error", "access": "sequential"}
        image = pyvips.Image.new_from_buffer(content, "", **options)
        return image.numpy()


def _by_hand_png(photo: Photo) -> np.ndarray | None:
    """Read PNG as the specification says, in plain steps."""
    content, at, data, chunks = photo.path.read_bytes(), 8, b"", {}
    while at + 8 <= len(content) and b"IEND" not in chunks:
        length, name = struct.unpack_from(">I4s", content, at)
        chunks[name] = content[at + 8 : at + 8 + length]
        data += chunks[name] if name == b"IDAT" else b""
        at += 12 + length
    width, height, depth, kind, _, _, adam7 = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    if width * height > 2**14:  # slow
        return None
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[kind]
    lines = zlib.decompressobj().decompress(data)
    values = np.zeros((height, width, channels), np.int64)
    for left, top, across, down in ADAM7 if adam7 else [(0, 0, 1, 1)]:
        part = values[top::down, left::across]
        if part.size:
            size = -(-part.shape[1] * channels * depth // 8)
            rows = _unfiltered(lines, part.shape[0], size, max(1, channels * depth // 8))
            lines = lines[(size + 1) * part.shape[0] :]
            bits = np.unpackbits(rows, axis=1)[:, : part.shape[1] * channels * depth]
            weights = 1 << np.arange(depth - 1, -1, -1)
            part[:] = (bits.reshape(*part.shape, depth) * weights).sum(-1)
    return _png_colours(values, depth, kind, chunks)


def _unfiltered(lines: bytes, count: int, size: int, step: int) -> np.ndarray:
    """Return the rows `(count, size)` of filtered ones, each of which begins with its filter."""
    rows = np.zeros((count + 1, size + step), np.int64)
    for y in range(1, count + 1):
        start = (y - 1) * (size + 1)
        line, above = rows[y], rows[y - 1]
        line[step:] = np.frombuffer(lines[start + 1 : start + 1 + size], np.uint8)
        for x in range(step, size + step):
            a, b, c = line[x - step], above[x], above[x - step]
            near = min((a, b, c), key=lambda each: abs(a + b - c - each))
            line[x] = (line[x] + (0, a, b, (a + b) // 2, near)[lines[start]]) % 256
    return rows[1:, step:].astype(np.uint8)


def _png_colours(values: np.ndarray, depth: int, kind: int, chunks: dict) -> np.ndarray:
    key = chunks.get(b"tRNS")
    if kind == 3:
        table = np.frombuffer(chunks[b"PLTE"], np.uint8).reshape(-1, 3)
        alpha = np.frombuffer(key or b"", np.uint8)[: len(table)]
        alpha = np.pad(alpha, (0, len(table) - len(alpha)), constant_values=255)
        return np.concatenate([table, alpha[:, None]], axis=1)[values[..., 0]]
    white = 65535 if depth == 16 else 255
    result = (values * white // (2**depth - 1)).astype(np.uint16 if depth == 16 else np.uint8)
    if key is None or kind not in (0, 2):
        return result
    wanted = np.frombuffer(key, ">u2", values.shape[-1]) % 2**depth
    shown = np.where((values == wanted).all(-1, keepdims=True), 0, white)
    return np.concatenate([result, shown.astype(result.dtype)], axis=-1)


def _by_hand_bmp(photo: Photo) -> np.ndarray | None:
    """Read plain BMP of 8 bit a channel, or with a palette."""
    content = photo.path.read_bytes()
    start, size, width, height, _, bits, form = struct.unpack_from("<IIiiHHI", content, 10)
    if size < 40 or form or bits not in (1, 4, 8, 24) or width * abs(height) > 2**16:
        return None
    row = -(-width * bits // 32) * 4
    lines = np.frombuffer(content, np.uint8, row * abs(height), start).reshape(abs(height), row)
    lines = lines if height < 0 else lines[::-1]
    if bits == 24:
        return lines[:, : 3 * width].reshape(-1, width, 3)[..., ::-1]
    numbers = np.unpackbits(lines, axis=1).reshape(len(lines), -1, bits)[:, :width]
    numbers = (numbers * (1 << np.arange(bits - 1, -1, -1))).sum(-1)
    colours = struct.unpack_from("<I", content, 46)[0] or 2**bits
    if start < 14 + size + 4 * colours:  # the palette lies in the pixels
        return None
    table = np.frombuffer(content, np.uint8, 4 * min(colours, 2**bits), 14 + size)
    return table.reshape(-1, 4)[numbers][..., 2::-1]


def _by_tifffile(photo: Photo) -> np.ndarray | None:
    with tifffile.TiffFile(io.BytesIO(photo.path.read_bytes())) as file:
        page = file.pages[0]
        if page.photometric not in (0, 1, 2, 5) or page.bitspersample not in (1, 8, 16, 32):
            return None
        if page.fillorder != 1 or 1 in page.extrasamples:
            return None
        if not page.databytecounts or 0 in page.databytecounts:  # it takes them for blank
            return None
        values = page.asarray()
        if page.planarconfig == 2 and values.ndim == 3:
            values = np.moveaxis(values, 0, -1)
    values = values.reshape(page.imagelength, page.imagewidth, -1)
    if values.dtype == bool:
        values = values.astype(np.uint8) * 255
    if page.photometric == 0:
        values = values.copy()
        values[..., 0] = photo.picture.white - values[..., 0]
    return values


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what libraries of C print away."""
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)


logging.getLogger("tifffile").setLevel(logging.CRITICAL)

_READERS = {
    "PNG": [_by_hand_png, _by_vips],
    "deep PNG": [_by_hand_png],
    "JPEG": [_by_vips],
    "WEBP": [_by_vips],
    "BMP": [_by_hand_bmp],
    "TIFF": [_by_tifffile, _by_vips],
}
