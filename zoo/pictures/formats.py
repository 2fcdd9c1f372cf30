"""Kinds of picture files: by which endings they are found, and what to do about others."""

import importlib
from pathlib import Path

from PIL import features

from zoo.pictures.errors import ImageError

# Ending -> format, by Pillow's name.
FORMAT_OF = {
    **dict.fromkeys((".png", ".apng"), "PNG"),
    **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".mpo"), "JPEG"),
    **dict.fromkeys((".bmp", ".dib"), "BMP"),
    **dict.fromkeys((".tif", ".tiff"), "TIFF"),
    ".webp": "WEBP",
    **dict.fromkeys((".heic", ".heif", ".hif"), "HEIF"),
    ".avif": "AVIF",
}
SUFFIXES = tuple(FORMAT_OF)
COMMON = "png, jpg, bmp, tif, webp, heic, avif"  # what messages name of them
# Of cameras' own files, which hold what the sensor saw; some are TIFF files with a small preview.
RAW = frozenset(
    ".3fr .arw .cr2 .cr3 .crw .dcr .dng .erf .iiq .kdc .mef .mos .mrw .nef .nrw .orf .pef .raf "
    ".raw .rw2 .rwl .sr2 .srf .srw .x3f".split()
)
EXTRA = "pip install 'asykeras[heic]'"
# Brands of the container that HEIC and AVIF share, at byte 8 after the word `ftyp`.
_HEIF = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_AVIF = (b"avif", b"avis")
_HEAD = 2**16  # bytes in which the boxes before the pixels are looked for


def kind_in_boxes(path: Path, head: bytes) -> str:
    """Return `"HEIF"` or `"AVIF"`, by the first 12 bytes of a file, or nothing; let Pillow read it.

    Refused are raw files of cameras, by their endings, and what nothing installed reads.
    """
    if path.suffix.lower() in RAW:
        raise ImageError(
            f"{path} is a raw file of a camera: develop it first, in darktable, RawTherapee or the "
            "camera's own program, and save it as TIFF of 16 bit"
        )
    brand = head[8:] if head[4:8] == b"ftyp" else b""
    if brand in _HEIF:
        try:
            importlib.import_module("pillow_heif").register_heif_opener()
        except ImportError:
            raise ImageError(f"{path} is HEIC, which needs pillow-heif: {EXTRA}") from None
        return "HEIF"
    if brand in _AVIF:
        if not features.check("avif"):
            raise ImageError(f"{path} is AVIF, which this build of Pillow cannot read")
        return "AVIF"
    return ""


def avif_bits(path: Path) -> int:
    """Return the bits per channel that an AVIF file holds; Pillow keeps 8, and says nothing.

    Reference: AOM, "AV1 Codec ISO Media File Format Binding", Sec. 2.3.3 (the box `av1C`: marker
    and version, profile and level, then flags, of which the second is for 10 bit, the third 12).
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    flags = head[head.find(b"av1C\x81") :][6:7] if b"av1C\x81" in head else b"\0"
    return {0x40: 10, 0x60: 12}.get(flags[0] & 0x60, 8) if flags else 8
