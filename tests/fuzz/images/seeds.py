"""Whole files of every kind that is read, to be changed: made in code, the same each time."""

import importlib
import io
import itertools
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import tifffile
from PIL import ExifTags, Image, ImageCms, features

from tests.zoo.examples import as_image, chunk, grey_tags, pixels, write_tiff

SIZE = (19, 27)
PHOTOMETRIC = {"L": "minisblack", "LA": "minisblack", "CMYK": "separated"}
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a tiff:Orientation="3" dc:title="osprey"/></x:xmpmeta>'
ADAM7 = [
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
]


def seeds() -> dict[str, bytes]:
    """Return files by names that begin with their format."""
    return {
        f"{name}": content
        for part in (_png, _jpeg, _webp, _bmp, _boxes, _tiff)
        for name, content in part()
    }


def exif(orientation: int = 6) -> Image.Exif:
    """Return EXIF with a directory of its own and one of GPS."""
    tags = Image.Exif()
    tags[ExifTags.Base.Orientation], tags[ExifTags.Base.Artist] = orientation, "Zoe"
    directories = {
        ExifTags.IFD.Exif: {ExifTags.Base.ExposureTime: 0.25, ExifTags.Base.ExifImageWidth: 27},
        ExifTags.IFD.GPSInfo: {1: "N", 2: (47.0, 3.0, 1.5)},
    }
    for name, values in directories.items():
        tags.get_ifd(name).update(values)
        tags[name] = values  # where TIFF looks for it
    return tags


def _saved(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def _smooth(mode: str) -> Image.Image:
    """Return a picture that lossy formats keep well."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    count = {"L": 1, "RGB": 3, "RGBA": 4, "CMYK": 4}[mode]
    values = np.stack([(9 * x + 5 * number * y) % 256 for number in range(count)], axis=-1)
    return as_image(mode, values.astype(np.uint8))


# ---- PNG


def png(
    values: np.ndarray, depth: int, kind: int, adam7: bool = False, before: bytes = b""
) -> bytes:
    """Return PNG; `before` are chunks that stand before the pixels."""
    height, width = values.shape[:2]
    lines = b""
    for left, top, across, down in ADAM7 if adam7 else [(0, 0, 1, 1)]:
        part = values[top::down, left::across]
        if not part.size:
            continue
        if depth == 16:
            rows = part.astype(">u2").reshape(len(part), -1).view(np.uint8)
        elif depth == 8:
            rows = part.astype(np.uint8).reshape(len(part), -1)
        else:
            bits = part.reshape(len(part), -1, 1) >> np.arange(depth - 1, -1, -1) & 1
            rows = np.packbits(bits.reshape(len(part), -1).astype(np.uint8), axis=1)
        lines += np.pad(rows, [(0, 0), (1, 0)]).tobytes()
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, adam7)
    data = zlib.compress(lines)
    halves = chunk(b"IDAT", data[: len(data) // 2]) + chunk(b"IDAT", data[len(data) // 2 :])
    end = chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + before + halves + end


def _png() -> Iterator[tuple[str, bytes]]:
    depths = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
    rng = np.random.default_rng(0)
    for kind, adam7 in itertools.product(depths, (False, True)):
        for depth in depths[kind]:
            values = rng.integers(0, 2**depth, (*SIZE, channels[kind]))
            before = chunk(b"PLTE", rng.bytes(3 * 2**depth)) if kind == 3 else b""
            yield f"png {kind} {depth} {adam7}", png(values, depth, kind, adam7, before)
            key = {0: struct.pack(">H", 1), 2: struct.pack(">3H", 1, 2, 3), 3: b"\0\x80"}.get(kind)
            if key:
                before += chunk(b"tRNS", key)
                yield f"png key {kind} {depth} {adam7}", png(values, depth, kind, adam7, before)
    values = pixels("RGB", *SIZE)
    texts = chunk(b"tEXt", b"Title\0osprey") + chunk(
        b"zTXt", b"Story\0\0" + zlib.compress(b"x" * 2000)
    )
    texts += chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP) + chunk(
        b"gAMA", struct.pack(">I", 45455)
    )
    texts += chunk(b"iTXt", b"Note\0\1\0de\0Notiz\0" + zlib.compress(b"y" * 2000))
    texts += chunk(b"iCCP", b"profile\0\0" + zlib.compress(ICC)) + chunk(
        b"pHYs", struct.pack(">IIB", 9, 9, 1)
    )
    yield "png texts", png(values, 8, 2, before=texts)
    yield "png exif", png(values, 8, 2, before=chunk(b"eXIf", exif().tobytes()[6:]))
    deep = pixels("RGBA;16", *SIZE)
    yield "png deep exif", png(deep, 16, 6, before=chunk(b"eXIf", exif(7).tobytes()[6:]) + texts)
    frames = [as_image("RGB", pixels("RGB", *SIZE, seed)) for seed in (1, 2)]
    yield "png animated", _saved(frames[0], "PNG", save_all=True, append_images=frames[1:])
    yield "png pillow", _saved(as_image("RGBA", pixels("RGBA", *SIZE)), "PNG", icc_profile=ICC)
    yield "png large", _saved(Image.new("1", (900, 700)), "PNG")


# ---- JPEG, WebP, BMP, AVIF and HEIC


def _jpeg() -> Iterator[tuple[str, bytes]]:
    for mode, progressive in itertools.product(("L", "RGB", "CMYK"), (False, True)):
        for extra in (
            {},
            {"subsampling": "4:2:0"},
            {"restart_marker_blocks": 2},
            {"optimize": True},
        ):
            content = _saved(_smooth(mode), "JPEG", progressive=progressive, **extra)
            yield f"jpeg {mode} {progressive} {next(iter(extra), '')}", content
    more = {"exif": exif(), "icc_profile": ICC, "xmp": XMP, "comment": b"osprey", "dpi": (72, 96)}
    yield "jpeg metadata", _saved(_smooth("RGB"), "JPEG", **more)
    content = _saved(_smooth("RGB"), "JPEG")
    app13 = struct.pack(">BBH", 0xFF, 0xED, 16) + b"Photoshop 3.0\0"
    yield "jpeg segments", content[:20] + app13 + content[20:]
    frames = [_smooth("RGB"), _smooth("RGB")]
    yield "jpeg several", _saved(frames[0], "MPO", save_all=True, append_images=frames[1:])
    yield "jpeg large", _saved(Image.new("L", (900, 700)), "JPEG", progressive=True)


def _webp() -> Iterator[tuple[str, bytes]]:
    for mode, lossless in itertools.product(("RGB", "RGBA"), (False, True)):
        yield (
            f"webp {mode} {lossless}",
            _saved(_smooth(mode), "WEBP", lossless=lossless, exact=True),
        )
    more = {"exif": exif(), "icc_profile": ICC, "xmp": XMP}
    yield "webp metadata", _saved(_smooth("RGBA"), "WEBP", lossless=True, **more)
    frames = [_smooth("RGB"), as_image("RGB", pixels("RGB", *SIZE))]
    yield "webp animated", _saved(frames[0], "WEBP", save_all=True, append_images=frames[1:])
    yield "webp large", _saved(Image.new("RGB", (900, 700)), "WEBP", lossless=True)


def _bmp() -> Iterator[tuple[str, bytes]]:
    for mode in ("1", "L", "P", "RGB", "RGBA"):
        yield f"bmp {mode}", _saved(as_image(mode, pixels(mode, *SIZE)), "BMP", dpi=(72, 72))
    palette = bytes(range(256)) * 4
    rows = b"".join(bytes([27, row % 5]) + b"\0\0" for row in range(19)) + b"\0\1"
    sizes = struct.pack("<IiiHHIIiiII", 40, 27, 19, 1, 8, 1, len(rows), 0, 0, 256, 0)
    head = struct.pack("<2sIII", b"BM", 54 + 1024 + len(rows), 0, 54 + 1024)
    yield "bmp runs", head + sizes + palette + rows
    flat = pixels("RGB", 19, 26).tobytes()  # 78 bytes a row, and 2 to fill
    rows = b"".join(flat[start : start + 78] + b"\0\0" for start in range(0, len(flat), 78))
    yield (
        "bmp old",
        struct.pack("<2sIIIIHHHH", b"BM", 26 + len(rows), 0, 26, 12, 26, 19, 1, 24) + rows,
    )
    values = struct.pack("<IiiHHIIiiII", 40, 26, -19, 1, 16, 0, 0, 0, 0, 0, 0)
    rows = np.random.default_rng(0).bytes(26 * 2 * 19)
    yield "bmp 16", struct.pack("<2sIII", b"BM", 54 + len(rows), 0, 54) + values + rows


def _boxes() -> Iterator[tuple[str, bytes]]:
    kinds = ["AVIF"] if features.check("avif") else []
    with suppress(ImportError):
        importlib.import_module("pillow_heif").register_heif_opener()
        kinds.append("HEIF")
    for kind, mode in itertools.product(kinds, ("RGB", "RGBA")):
        yield f"{kind.lower()} {mode}", _saved(_smooth(mode), kind, quality=90)
        more = {"exif": exif().tobytes(), "icc_profile": ICC, "xmp": XMP}
        yield f"{kind.lower()} {mode} metadata", _saved(_smooth(mode), kind, quality=90, **more)
    if "AVIF" in kinds:
        frames = [_smooth("RGB"), as_image("RGB", pixels("RGB", *SIZE))]
        yield "avif animated", _saved(frames[0], "AVIF", save_all=True, append_images=frames[1:])


# ---- TIFF


def _tiff() -> Iterator[tuple[str, bytes]]:
    compressions = [None, "packbits", "tiff_lzw", "tiff_adobe_deflate"]
    compressions += ["zstd", "lzma"] if features.check("libtiff") else []
    for mode, compression in itertools.product(
        ("L", "LA", "P", "RGB", "RGBA", "CMYK"), compressions
    ):
        image = as_image(mode, pixels(mode, *SIZE))
        try:
            yield f"tiff {mode} {compression}", _saved(image, "TIFF", compression=compression)
        except (OSError, ValueError):  # a libtiff without it
            continue
    yield "tiff jpeg", _saved(_smooth("RGB"), "TIFF", compression="jpeg")
    for compression in (None, "group3", "group4", "tiff_ccitt"):
        bilevel = as_image("1", pixels("1", *SIZE))
        yield f"tiff 1 {compression}", _saved(bilevel, "TIFF", compression=compression)
    more = {"exif": exif(), "icc_profile": ICC, "dpi": (72, 96)}
    yield "tiff metadata", _saved(_smooth("RGB"), "TIFF", **more)
    modes = ["L", "LA", "RGB", "RGBA", "CMYK"]
    modes += [f"{mode};16" for mode in modes] + ["L;F", "LA;F", "RGB;F", "RGBA;F"]
    for mode in modes:
        yield from _tifffile(mode)
    yield from _odd_tiff()


def _tifffile(mode: str) -> Iterator[tuple[str, bytes]]:
    name = mode.partition(";")[0]
    values = pixels(mode, *SIZE)
    kinds = [{}, {"byteorder": ">"}, {"bigtiff": True}, {"compression": "zlib"}]
    kinds += [{"tile": (16, 16)}, {"rowsperstrip": 4}]
    kinds += [{"compression": "zlib", "predictor": True}] if values.dtype.kind == "u" else []
    kinds += [{"planarconfig": "separate"}] if values.shape[-1] > 1 else []
    for options in kinds:
        extra = ["unassalpha"] if name.endswith("A") else []
        flat = values[..., 0] if values.shape[-1] == 1 else values
        if options.get("planarconfig"):
            flat = np.moveaxis(flat, -1, 0)
        merged = {"planarconfig": "contig", **options, "photometric": PHOTOMETRIC.get(name, "rgb")}
        file = io.BytesIO()
        tifffile.imwrite(file, flat, metadata=None, extrasamples=extra, **merged)
        yield f"tiff {mode} {' '.join(options)}", file.getvalue()


def _odd_tiff() -> Iterator[tuple[str, bytes]]:
    def written(values: np.ndarray, **options: object) -> bytes:
        file = io.BytesIO()
        tifffile.imwrite(file, values, metadata=None, **options)
        return file.getvalue()

    geo = [(33550, 12, 3, (10.0, 10.0, 0.0), True), (33922, 12, 6, (0.0,) * 6, True)]
    geo += [(34735, 3, 8, (1, 1, 0, 1, 1025, 0, 1, 2), True)]
    rgb, rgba = pixels("RGB", *SIZE), pixels("RGBA", *SIZE)
    yield "tiff map", written(rgb, photometric="rgb", extratags=geo)
    yield "tiff white is 0", written(pixels("L;16", *SIZE)[..., 0], photometric="miniswhite")
    for mode in ("LA", "LA;16", "LA;F"):
        options = {"photometric": "miniswhite", "extrasamples": ["unassalpha"]}
        yield (
            f"tiff white is 0 {mode}",
            written(pixels(mode, *SIZE), planarconfig="contig", **options),
        )
    yield "tiff associated", written(rgba, photometric="rgb", extrasamples=["assocalpha"])
    yield "tiff unspecified", written(rgba, photometric="rgb", extrasamples=["unspecified"])
    yield "tiff signed", written(pixels("L;16", *SIZE)[..., 0].view(np.int16))
    yield "tiff several", written(np.stack([rgb, rgb]), photometric="rgb")
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(rgb, photometric="rgb", tile=(16, 16), metadata=None)
        writer.write(rgb[::2, ::2], photometric="rgb", tile=(16, 16), subfiletype=1, metadata=None)
    yield "tiff overview", file.getvalue()
    with TemporaryDirectory() as folder:
        path = Path(folder, "12.tif")
        row = -(-SIZE[1] * 12 // 8)
        write_tiff(path, np.random.default_rng(0).bytes(row * SIZE[0]), grey_tags(*SIZE, 12))
        yield "tiff 12", path.read_bytes()
        for bits in (2, 4):
            row = -(-SIZE[1] * bits // 8)
            write_tiff(path, np.random.default_rng(0).bytes(row * SIZE[0]), grey_tags(*SIZE, bits))
            yield f"tiff {bits}", path.read_bytes()
