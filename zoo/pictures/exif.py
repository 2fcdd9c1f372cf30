"""What files say about a picture beside its pixels: which side is up, and how large it is."""

import re
from collections.abc import Container

from PIL import ExifTags, Image

from zoo.pictures.picture import Picture

TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_XMP = re.compile(rb'(tiff:Orientation(?:="|>))[2-8]')


def upright_xmp(data: bytes) -> bytes:
    """Return XMP metadata that say that the picture is upright, of the same length."""
    return _XMP.sub(rb"\g<1>1", data)


def reset_orientation(exif: Image.Exif) -> int:
    """Return the orientation of EXIF and set it to upright."""
    orientation = exif.get(ExifTags.Base.Orientation, 1)
    if ExifTags.Base.Orientation in exif:
        exif[ExifTags.Base.Orientation] = 1
    return orientation if orientation in TURNS else 1


def upright(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """Return width and height of the upright picture; 5 to 8 are turned by a quarter."""
    return (size[1], size[0]) if orientation >= 5 else size


def new_sizes(exif: Container[int], picture: Picture, scale: int) -> dict[int, int]:
    """Return the new size, by the tags of EXIF that have the old one."""
    sizes = {
        ExifTags.Base.ExifImageWidth: scale * picture.width,
        ExifTags.Base.ExifImageHeight: scale * picture.height,
    }
    return {tag: side for tag, side in sizes.items() if tag in exif}
