"""What a file claims to hold, compared with its length and with the memory that is there."""

from pathlib import Path

from zoo.machine.memory import too_much
from zoo.pictures.errors import ImageError

DEFLATE = 1032  # bytes that one byte of deflate can hold, at most
# Pixels that one byte can hold at most: a macroblock of 256 pixels takes 2.9 bits in lossy WebP;
# lossless WebP may take none at all for a pixel, but libwebp's own blank pictures have 26,000; a
# pair of bytes in run-length encoded BMP is a run of 255.
# HEIC and AVIF can say of large blocks that they are blank.
WEBP_LOSSY, WEBP_LOSSLESS, BMP_RUNS, BOXES = 1024, 2**15, 128, 2**17


def check_length(path: Path, size: tuple[int, int], most: float) -> None:
    """Refuse a file that claims no pixels, or more than a file of its length can hold."""
    width, height = size
    if width < 1 or height < 1:
        raise ImageError(f"{path} is damaged: it claims to have {width} x {height} pixels")
    if width * height > most:
        raise ImageError(
            f"{path} is cut short or damaged: it claims to have {width} x {height} pixels, more "
            "than a file of its length can hold"
        )


def check_memory(path: Path, needed: int) -> None:
    """Refuse a file whose picture does not fit into the memory that is left."""
    if reason := too_much(needed):
        raise ImageError(f"{path} {reason}")
