"""Files of photographs: the one gate through which all pictures come in.

PNG, JPEG, WebP, BMP and TIFF; grey, colour, palette and inks, with and without alpha; 8 bit, 12 bit
(grey TIFF, written with 16), 16 bit and floating point of 32 bit. Depth is decided by the file's
type, never by the values; what cannot be kept is refused. What a file claims is compared with what
a file of its length can hold before anything is unpacked.
"""

import os
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from zoo.pictures import tiff as tiffs
from zoo.pictures.claims import BMP_RUNS, BOXES, WEBP_LOSSLESS, WEBP_LOSSY, check_length
from zoo.pictures.directory import Tags, number, numbers, read_directories
from zoo.pictures.errors import ImageError, refusing
from zoo.pictures.exif import TURNS, reset_orientation, upright
from zoo.pictures.formats import avif_bits, kind_in_boxes
from zoo.pictures.jpeg import LONGEST, jpeg_parts
from zoo.pictures.picture import Picture
from zoo.pictures.png import SIGNATURE, PngParts, png_parts
from zoo.pictures.webp import webp_size

# Pillow's own limit against files that are small on disk and huge in memory.
MEGAPIXELS = 2 * (Image.MAX_IMAGE_PIXELS or 89_478_485) / 1e6

# Modes of Pillow: colour, alpha, dtype, and the mode that they are read as.
MODES = {
    "1": ("grey", False, "uint8", "L"),
    "L": ("grey", False, "uint8", "L"),
    "LA": ("grey", True, "uint8", "LA"),
    "La": ("grey", True, "uint8", "LA"),
    "P": ("rgb", False, "uint8", "RGB"),
    "PA": ("rgb", True, "uint8", "RGBA"),
    "RGB": ("rgb", False, "uint8", "RGB"),
    "RGBA": ("rgb", True, "uint8", "RGBA"),
    "RGBa": ("rgb", True, "uint8", "RGBA"),
    "CMYK": ("cmyk", False, "uint8", "CMYK"),
    "YCbCr": ("rgb", False, "uint8", "RGB"),
    "I;16": ("grey", False, "uint16", "I;16"),
    "I;16B": ("grey", False, "uint16", "I;16B"),
    "F": ("grey", False, "float32", "F"),
}
_STORED = {"1": "bilevel", "P": "palette"}
_COUNT = {"grey": 1, "rgb": 3, "cmyk": 4}
# Kinds of TIFF that are read: bits and sample format. Of 8 bit and less Pillow has its own list.
_DEEP = {(16, 1): "uint16", (32, 3): "float32"}


@dataclass(frozen=True)
class Photo:
    """What the header of a file says.

    Attributes:
        path: Of the file.
        format: `"PNG"`, `"JPEG"`, `"WEBP"`, `"BMP"`, `"TIFF"`, `"HEIF"` or `"AVIF"`.
        picture: Size (upright), channels and depth.
        stamp: What changes when the file does.
        stored: `"palette"` or `"bilevel"` where the file holds those, else nothing.
        orientation: EXIF's, 1 to 8; the picture is the upright one.
        deep: Whether Pillow alone would drop half of every value, or not read it at all.
        bits: Per channel in the file.
        inverted: Whether 0 is white in what is read.
        associated: Whether alpha is multiplied into the colours of the file.
        exif: EXIF with the orientation reset, empty where there is none.
        dpi: Pixels per inch of the columns and the rows, where Pillow, which writes them, says it.
        profile: Of the colours, likewise.
        xmp: Metadata, likewise.
        progressive: Whether JPEG comes in scans of growing detail.
        png: Of a PNG file, what its chunks say.
        segments: Of a JPEG file, the descriptive ones.
        tiff: Of a TIFF file, what goes into the new one.
        lossless: Whether a WebP file is lossless.
        remark: What a user should know about the file, or nothing.
    """

    path: Path
    format: str
    picture: Picture
    stamp: tuple[int, ...] = ()
    stored: str = ""
    orientation: int = 1
    deep: bool = False
    bits: int = 8
    inverted: bool = False
    associated: bool = False
    exif: Image.Exif = field(default_factory=Image.Exif)
    dpi: tuple[float, float] | None = None
    profile: bytes | None = None
    xmp: bytes | None = None
    progressive: bool = False
    png: PngParts = field(default_factory=PngParts)
    segments: list[tuple[int, bytes]] = field(default_factory=list)
    tiff: tiffs.TiffMetadata = field(default_factory=tiffs.TiffMetadata)
    lossless: bool = False
    remark: str = ""

    def check_unchanged(self) -> None:
        """Refuse the file if another is in its place, or its size or time has changed."""
        if _stamp(self.path) != self.stamp:
            raise ImageError(f"{self.path} has changed while it was read")


def read_header(path: Path, megapixels: float = MEGAPIXELS) -> Photo:
    """Return what the header of a file says; its pixels are not read.

    Refused is what is no picture of the known formats, larger than the limit or than a file of its
    length can hold, several pictures, and a kind of pixels that is not read.
    """
    Image.init()  # Pillow knows no format by name before
    with refusing(path):
        stamp = _stamp(path)
        kind = _format(path)
        photo = _READERS[kind](path)
        photo = replace(photo, stamp=stamp)
        photo.check_unchanged()
    pixels = photo.picture.height * photo.picture.width / 1e6
    if pixels > megapixels:
        raise ImageError(
            f"{path} has {pixels:.5g} megapixels, more than the limit of {megapixels:.5g} "
            "(--megapixels of `restore` raises it)"
        )
    return photo


_LOCK = threading.RLock()


@contextmanager
def lenient() -> Iterator[None]:
    """Lift Pillow's limit on the size of pictures, for which this module has its own.

    Limit and warnings are of the whole process: one thread at a time, and not for long.
    """
    with _LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of damaged metadata, which are not ours to mend
        before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = before


def _stamp(path: Path) -> tuple[int, ...]:
    status = os.stat(path)
    return status.st_size, status.st_mtime_ns, status.st_ino, status.st_dev


def _format(path: Path) -> str:
    """Return the format that the first bytes of a file tell of."""
    with path.open("rb") as file:
        head = file.read(12)
    if not head:
        raise ImageError(f"{path} is empty")
    if kind := kind_in_boxes(path, head):
        return kind
    for start, kind in ((SIGNATURE, "PNG"), (b"\xff\xd8\xff", "JPEG"), (b"BM", "BMP")):
        if head.startswith(start):
            return kind
    if head[:4] == b"RIFF" and head[8:] == b"WEBP":
        return "WEBP"
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "TIFF"
    raise ImageError(f"{path} is not a PNG, JPEG, WebP, BMP or TIFF image")


def _picture(
    path: Path, mode: str, size: tuple[int, int], dtype: str | None = None, keyed: bool = False
) -> Picture:
    """Return the picture that a mode of Pillow stands for; a transparent key becomes alpha."""
    if mode not in MODES:
        raise ImageError(f"{path} holds pixels of the kind {mode}, which are not read")
    colour, alpha, its_dtype, _ = MODES[mode]
    alpha = alpha or keyed
    width, height = size
    return Picture(
        height, width, _COUNT[colour] + alpha, np.dtype(dtype or its_dtype), colour, alpha
    )


def _exif(
    exif_data: bytes | None, xmp: bytes | str | None, longest: float = float("inf")
) -> tuple[Image.Exif, int, list[str]]:
    """Return EXIF that says upright, the orientation that it said, and what of it is not kept.

    XMP, too, may say which side is up; the format has room for `longest` bytes of EXIF.
    """
    bearer = Image.Image()
    given = {"exif": exif_data, "xmp": xmp}
    bearer.info = {name: each for name, each in given.items() if each is not None}
    try:
        with lenient():
            exif = bearer.getexif()
            orientation = reset_orientation(exif)
            exif.get_ifd(ExifTags.IFD.Exif)
            # what cannot be written is better known now than after the work
            size = len(exif.tobytes())
    except Exception:
        return Image.Exif(), 1, ["the damaged EXIF data"]
    if size > longest:
        return Image.Exif(), orientation, [f"the EXIF data of {size} bytes"]
    return exif, orientation, []


def _remark(path: Path, lost: Sequence[str], *more: str) -> str:
    """Return in one sentence what is not kept of a file, and more sentences."""
    sentences = [f"of {path} this is not kept: {', '.join(lost)}"] if lost else []
    return "; ".join(each for each in (*sentences, *more) if each)


def _deepened(path: Path, bits: int) -> str:
    wanted = 16 if bits > 8 else 8
    return "" if bits in (1, 8, 16, 32) else f"{path} has {bits} bit, and is written with {wanted}"


# ---- PNG, JPEG, WebP, BMP


def _png(path: Path) -> Photo:
    parts = png_parts(path)
    check_length(path, parts.size, parts.most)
    _check_frames(path, parts.frames)
    deep = parts.depth == 16 and parts.colour != 0
    grey = {1: "1", 16: "I;16"}.get(parts.depth, "L")
    mode = {0: grey, 2: "RGB", 3: "P", 4: "LA", 6: "RGBA"}[parts.colour]
    exif, orientation, lost = _exif(parts.exif or None, parts.xmp)
    size, dtype = upright(parts.size, orientation), "uint16" if deep else None
    return Photo(
        path=path,
        format="PNG",
        picture=_picture(path, mode, size, dtype, parts.keyed),
        # A bit has no room for alpha.
        stored="" if parts.keyed and mode == "1" else _STORED.get(mode, ""),
        orientation=orientation,
        deep=deep,
        exif=exif,
        png=parts,
        remark=_remark(
            path, [*parts.lost, *lost], "" if mode == "P" else _deepened(path, parts.depth)
        ),
    )


def _jpeg(path: Path) -> Photo:
    parts = jpeg_parts(path)
    check_length(path, parts.size, parts.most)
    with lenient(), Image.open(path, formats=("JPEG",)) as image:
        remark = f"of {path} only the first picture is kept" if image.format == "MPO" else ""
        photo = _of_pillow(path, "JPEG", image, remark)
    picture = replace(photo.picture, quality=parts.quality)
    return replace(photo, picture=picture, segments=parts.segments)


def _webp(path: Path) -> Photo:
    size, lossless = webp_size(path)
    most = path.stat().st_size * (WEBP_LOSSLESS if lossless else WEBP_LOSSY)
    check_length(path, size, most)
    with lenient(), Image.open(path, formats=("WEBP",)) as image:
        _check_frames(path, getattr(image, "n_frames", 1))
        return replace(_of_pillow(path, "WEBP", image), lossless=lossless)


def _bmp(path: Path) -> Photo:
    with lenient(), Image.open(path, formats=("BMP",)) as image:
        tile, length = image.tile[0], path.stat().st_size
        most: float = length * BMP_RUNS
        if tile.codec_name == "raw" and isinstance(tile.args, tuple):  # else in runs
            most = length / tile.args[1] * image.width  # the bytes of a row are told
        check_length(path, image.size, most)
        with path.open("rb") as file:
            profile = file.read(74)[70:] in (b"DEBM", b"KNIL")  # embedded, linked; in version 5
        return _of_pillow(path, "BMP", image, lost=["the colour profile"] * profile)


def _heif(path: Path) -> Photo:
    """Read the header of a HEIC file, which its decoder turns upright."""
    with lenient(), Image.open(path, formats=("HEIF",)) as image:
        check_length(path, image.size, path.stat().st_size * BOXES)
        several, bits = getattr(image, "n_frames", 1) > 1, int(image.info.get("bit_depth", 8))
        remark = f"of {path} only the first picture is kept" if several else ""
        return replace(_of_pillow(path, "HEIF", image, remark, _beyond_8(bits)), bits=bits)


def _avif(path: Path) -> Photo:
    with lenient(), Image.open(path, formats=("AVIF",)) as image:
        check_length(path, image.size, path.stat().st_size * BOXES)
        _check_frames(path, getattr(image, "n_frames", 1))
        bits = avif_bits(path)
        return replace(_of_pillow(path, "AVIF", image, lost=_beyond_8(bits)), bits=bits)


def _beyond_8(bits: int) -> list[str]:
    """Return what Pillow drops of deeper values, in words."""
    return [f"{bits - 8} of {bits} bit"] if bits > 8 else []


def _of_pillow(
    path: Path, kind: str, image: Image.Image, remark: str = "", lost: Sequence[str] = ()
) -> Photo:
    """Return what Pillow knows of an 8-bit file."""
    longest = LONGEST - 64 if kind == "JPEG" else float("inf")
    info, xmp = image.info, image.info.get("xmp")
    exif, orientation, exif_lost = _exif(info.get("exif"), xmp, longest)
    return Photo(
        path=path,
        format=kind,
        picture=_picture(path, image.mode, upright(image.size, orientation)),
        stored=_STORED.get(image.mode, ""),
        orientation=orientation,
        exif=exif,
        dpi=info.get("dpi"),
        profile=info.get("icc_profile"),
        xmp=xmp if isinstance(xmp, bytes) else None,
        progressive=bool(info.get("progressive")),
        remark=_remark(path, [*exif_lost, *lost], remark),
    )


def _check_frames(path: Path, frames: int) -> None:
    if frames > 1:
        raise ImageError(f"{path} is an animation of {frames} pictures; one is expected")


# ---- TIFF


def _tiff(path: Path) -> Photo:
    pages = read_directories(path)
    tags = next(pages, {})
    size = number(tags, 256, 0), number(tags, 257, 0)
    tiffs.check_segments(path, tags)
    several = any(_is_smaller(path, page, size) for page in pages)
    kind, samples, mode = tiffs.tiff_kind(tags), number(tags, 277, 1), _pillow_mode(path, tags)
    if kind.base == "P" and len(numbers(tags, 320)) != 3 * 2**kind.bits:
        raise ImageError(f"{path} is damaged: its palette has not {2**kind.bits} colours")
    dtype = None if mode and _is_of_pillow(kind, samples) else _tiff_dtype(path, kind, samples)
    deep = dtype is not None
    mode = kind.base + "A" * kind.alpha if deep else mode
    if number(tags, 284, 1) == 2 and samples > 1 and (kind.base == "L" or (deep and 324 in tags)):
        raise ImageError(
            f"{path} holds its channels in planes of a kind that is not read: save it with "
            "interleaved channels"
        )
    orientation = number(tags, 274, 1)
    orientation = orientation if orientation in TURNS else 1
    metadata, lost = tiffs.tiff_metadata(path, tags, orientation)
    picture = _picture(path, mode, upright(size, orientation), dtype)
    gap = tiffs.no_data(tags, picture.dtype)
    remarks = (
        f"of {path} only the first picture is kept" if several else "",
        f"of {path} only {mode} is kept, not its other channels" if kind.others > 0 else "",
        "" if mode == "P" else _deepened(path, kind.bits),
        f"{path} has a value for no data, {gap}, which is restored like any other" if gap else "",
    )
    return Photo(
        path=path,
        format="TIFF",
        picture=picture,
        stored=_STORED.get(mode, ""),
        orientation=orientation,
        deep=deep,
        bits=kind.bits,
        # Pillow inverts grey of 8 bit whose 0 is white, and libvips all of integers.
        inverted=kind.inverted and (not deep or dtype == "float32") and kind.bits > 8,
        associated=deep and kind.alpha and kind.associated,
        tiff=metadata,
        remark=_remark(path, lost, *remarks),
    )


def _is_of_pillow(kind: tiffs.TiffKind, samples: int) -> bool:
    """Whether Pillow, which knows the mode, keeps all of every value."""
    if kind.sample == 1 and 0 < kind.bits <= 8:
        return True
    form = (kind.bits, kind.sample)
    return kind.base == "L" and samples == 1 and (form in _DEEP or form == (12, 1))


def _tiff_dtype(path: Path, kind: tiffs.TiffKind, samples: int) -> str:
    """Return the dtype of pixels that are read without Pillow, or by it in two passes."""
    dtype = "uint8" if (kind.bits, kind.sample) == (8, 1) else _DEEP.get((kind.bits, kind.sample))
    known = kind.base in ("RGB", "CMYK") or (kind.base == "L" and not kind.others)
    # libvips takes alpha out of the colours as if white were 255
    known = known and not (kind.alpha and kind.associated and dtype == "float32")
    if dtype is None or not known or kind.base + "A" * kind.alpha not in MODES:
        form = {2: ", signed", 3: ", floating point"}.get(kind.sample, "")
        raise ImageError(
            f"{path} holds {samples} channels of {kind.bits or 'different'} bit{form}: a kind "
            "that is not read"
        )
    return dtype


def _pillow_mode(path: Path, tags: Tags) -> str:
    """Return the mode that Pillow reads a TIFF file as, nothing where it does not.

    Pillow stops at the first damaged tag: a file of which it knows others than we do is refused.
    """
    try:
        with lenient(), Image.open(path, formats=("TIFF",)) as image:
            mode, theirs = image.mode, dict(getattr(image, "tag_v2", {}))
    except UnidentifiedImageError:
        return ""
    for tag in tiffs.LAYOUT:
        values = theirs.get(tag, ())
        if numbers(tags, tag) != (values if isinstance(values, tuple) else (values,)):
            raise ImageError(f"{path} is damaged: its tag {tag} can be read in two ways")
    return mode


def _is_smaller(path: Path, page: Tags, size: tuple[int, int]) -> bool:
    """Return True for a page that is the picture once more, smaller, or its mask; refuse others."""
    half = all(
        2 * number(page, tag, 0) <= side + 1 for tag, side in zip((256, 257), size, strict=True)
    )
    if number(page, 254, 0) & 5 or half:
        return True
    raise ImageError(f"{path} holds several pictures; one is expected")


_READERS = {
    **{"PNG": _png, "JPEG": _jpeg, "WEBP": _webp, "BMP": _bmp, "TIFF": _tiff},
    **{"HEIF": _heif, "AVIF": _avif},
}
