"""Networks that do next to nothing, and picture files of every kind, for the tests of `restore`."""

import struct
import zlib
from pathlib import Path

import keras
import numpy as np
from keras import layers
from PIL import Image

from zoo.networks import dphsir
from zoo.networks import layers as ours
from zoo.restoring.network import Network
from zoo.store.card import Card, Use
from zoo.tiling.reach import Reach

TRANSPARENT = 3  # number in the palettes below


def network(scale: int = 1, channels: int | None = None) -> Network:
    """Return a network that repeats every pixel `scale` times."""
    return Network(
        name="repeater",
        use=Use(scale=scale),
        channels=channels,
        engine=lambda inputs: inputs[0].repeat(scale, axis=1).repeat(scale, axis=2),
        reach=Reach(0, scale, 1, placed=False, floats=1.0),
    )


def card_of(said: dict) -> Card:
    """Return a card as its file says it, but for what is always there."""
    return Card.from_json({"use": {}, "sha256": "0", **said})


def small_grunet(channels: int | None) -> keras.Model:
    """Return a network of GRUNet's layers that is quickly built: two levels of four filters."""
    unit = ours.QuasiRecurrentUnit
    image, sigma = keras.Input((None, None, channels)), keras.Input((1,))
    x = dphsir._volume(ours.MirrorToMultiple(4)(image), sigma)
    fine = unit(4, direction="both")(x)
    middle = unit(4, stride=2)(fine)
    coarse = unit(4, stride=2, direction="backward")(middle)
    x = layers.Concatenate()([middle, unit(4)(ours.EnlargeAligned()(coarse))])
    x = layers.Concatenate()([fine, unit(4)(ours.EnlargeAligned()(x))])
    noise = dphsir._bands_last(unit(1, direction="both", use_bias=True)(x))
    restored = layers.Add()([image, ours.CropTo()([noise, image])])
    return keras.Model([image, sigma], restored, name="small_grunet")


def pixels(mode: str, height: int, width: int, seed: int = 0) -> np.ndarray:
    """Return random pixels of a mode: `L`, `LA;16`, `RGB;F`, ...; of `1` and `P`, few values."""
    rng = np.random.default_rng(seed)
    name, _, depth = mode.partition(";")
    channels = {"1": 1, "L": 1, "LA": 2, "P": 1, "RGB": 3, "RGBA": 4, "CMYK": 4}[name]
    shape = (height, width, channels)
    if depth == "F":
        return rng.uniform(-0.1, 1.1, shape).astype(np.float32)
    if depth == "16":
        return rng.integers(0, 65536, shape, dtype=np.uint16)
    if name in ("1", "P"):
        return rng.integers(0, {"1": 2, "P": 6}[name], shape, dtype=np.uint8)
    return rng.integers(0, 256, shape, dtype=np.uint8)


def as_image(mode: str, values: np.ndarray) -> Image.Image:
    """Return pixels of 8 bit as an image of Pillow; palettes have 6 colours, one transparent."""
    flat = values[..., 0] if values.shape[-1] == 1 else values
    if mode == "1":
        return Image.fromarray(flat * 255).convert("1", dither=Image.Dither.NONE)
    if mode.startswith("P"):
        image = Image.fromarray(flat, "P")
        image.putpalette(PALETTE.tobytes())
        return image
    return Image.fromarray(flat, mode)


PALETTE = np.array(
    [[0, 0, 0], [250, 10, 20], [30, 240, 50], [60, 70, 230], [200, 200, 90], [255, 255, 255]],
    np.uint8,
)


def write_png_16(path: Path, values: np.ndarray, before: bytes = b"") -> None:
    """Write PNG of 16 bit, unfiltered; `before` are chunks that stand before the pixels."""
    height, width, channels = values.shape
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    lines = values.astype(">u2").reshape(height, -1).view(np.uint8)
    data = zlib.compress(np.pad(lines, [(0, 0), (1, 0)]).tobytes())
    header = struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)
    body = chunk(b"IHDR", header) + before + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)


def chunk(name: bytes, data: bytes) -> bytes:
    """Return a chunk of PNG."""
    check = zlib.crc32(name + data)
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", check)


def write_tiff(
    path: Path, data: bytes, tags: dict[int, tuple[int, list]], end: bytes = b""
) -> None:
    """Write TIFF with one strip; tags are types and values, of the types 1, 2, 3, 4, 5, 7 or 12."""
    tags = {273: (4, [8]), 279: (4, [len(data)]), **tags}
    codes = {1: "B", 2: "B", 3: "H", 4: "I", 5: "II", 7: "B", 12: "d"}
    data += bytes(len(data) % 2)
    entries, far, behind = b"", b"", 8 + len(data) + 2 + 12 * len(tags) + 4
    for tag, (kind, values) in sorted(tags.items()):
        count = len(values) // len(codes[kind])
        content = struct.pack(f"<{len(values)}{codes[kind][0]}", *values)
        if len(content) > 4:
            content, far = (
                struct.pack("<I", behind + len(far)),
                far + content + bytes(len(content) % 2),
            )
        entries += struct.pack("<HHI", tag, kind, count) + content.ljust(4, b"\0")
    head = b"II*\0" + struct.pack("<I", 8 + len(data)) + data
    path.write_bytes(head + struct.pack("<H", len(tags)) + entries + bytes(4) + far)


def grey_tags(
    height: int, width: int, bits: int = 8, sample: int = 1
) -> dict[int, tuple[int, list]]:
    """Return the tags of grey TIFF whose 0 is black."""
    sizes = {256: (3, [width]), 257: (3, [height]), 258: (3, [bits]), 259: (3, [1])}
    return {**sizes, 262: (3, [1]), 277: (3, [1]), 278: (3, [height]), 339: (3, [sample])}


def abandoned(folder: Path, name: str = ".part-123-0123456789abcdef") -> Path:
    """Make in a folder what a process leaves that is killed while it writes; return its path."""
    part = folder / name
    (part / "content").mkdir(parents=True)
    (part / ".asykeras-part").touch()
    (part / "content/half").write_bytes(b"half")
    return part
