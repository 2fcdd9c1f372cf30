"""ENVI files: a header of text, and the values beside it in a file of their own.

Every field of a header is kept as it is written there, known or not.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from zoo.machine.files import replacing, write_atomically
from zoo.pictures.images import ImageError
from zoo.store.claims import check_memory

DATA = ("", ".img", ".dat", ".raw", ".bsq", ".bil", ".bip")  # endings of the values' file
LONGEST = 2**24  # bytes of a header
_DTYPES = {1: "u1", 2: "i2", 3: "i4", 4: "f4", 5: "f8", 12: "u2", 13: "u4", 14: "i8", 15: "u8"}
_AXES = {"bsq": (2, 0, 1), "bil": (0, 2, 1), "bip": (0, 1, 2)}  # of (lines, samples, bands) on disk
# What has an entry for each band, and what counts pixels in a way that is not carried on.
_OF_BANDS = [
    *("wavelength", "fwhm", "bbl", "band names", "data gain values", "data offset values"),
    *("data reflectance gain values", "data reflectance offset values", "default bands"),
]
_OF_PIXELS = ("geo points", "rpc info", "x start", "y start")


@dataclass
class Header:
    """A header.

    Attributes:
        path: Of its file.
        fields: From names in lower case to their text; comments stand as names without text.
    """

    path: Path
    fields: dict[str, str] = field(default_factory=dict)

    def number(self, name: str, default: int | None = None) -> int:
        """Return a whole number from 0; where it is absent or none, that is an ImageError."""
        text = self.fields.get(name, "" if default is None else str(default))
        if not text.isdecimal() or len(text) > 18:
            raise ImageError(
                f"{self.path} must say its {name} as a number. Received: {text[:80]!r}"
            )
        return int(text)

    def listed(self, name: str) -> list[str]:
        """Return the entries of a list, none where it is absent."""
        text = self.fields.get(name, "").strip().strip("{}")
        return [each.strip() for each in text.split(",")] if text.strip() else []

    @property
    def ignored(self) -> float | None:
        """The value of pixels without data, None where the header names none."""
        try:
            return float(self.fields["data ignore value"])
        except KeyError:
            return None
        except ValueError:
            raise ImageError(
                f"{self.path} has no number as data ignore value. Received: "
                f"{self.fields['data ignore value'][:80]!r}"
            ) from None

    @property
    def wavelengths(self) -> tuple[float, ...]:
        """Of the bands, none where the header names none or something else."""
        try:
            return tuple(float(each) for each in self.listed("wavelength"))
        except ValueError:
            return ()


def header_of(path: Path) -> Path | None:
    """Return the header of a file of values, None where it has none."""
    if path.suffix.lower() not in DATA:
        return None
    names = (path.with_suffix(".hdr"), path.with_name(path.name + ".hdr"))
    return next((each for each in names if each.is_file() and each != path), None)


def read_envi(path: Path) -> tuple[Header, np.ndarray]:
    """Read a header and the values beside it, `(lines, samples, bands)`, in their own type.

    Raises:
        ImageError: if it is no header, lacks its values, or claims more than their file holds.
    """
    header = Header(path, dict(_fields(path)))
    kind = header.fields.get("file type", "ENVI Standard")
    if kind.lower() != "envi standard" or header.number("file compression", 0):
        raise ImageError(f"{path} is of the kind {kind[:80]!r} or compressed, which is not read")
    lines, samples, bands = (header.number(name) for name in ("lines", "samples", "bands"))
    interleave, code = header.fields.get("interleave", "bsq").lower(), header.number("data type")
    if interleave not in _AXES or code not in _DTYPES:
        raise ImageError(
            f"{path} has values of the data type {code} interleaved by {interleave[:80]!r}, which "
            "are not read"
        )
    dtype = np.dtype("<>"[min(header.number("byte order", 0), 1)] + _DTYPES[code])
    data, offset = _data(path), header.number("header offset", 0)
    count, length = lines * samples * bands, data.stat().st_size
    if not count or offset + count * dtype.itemsize > length:
        raise ImageError(
            f"{path} claims {lines} x {samples} x {bands} values of {dtype.itemsize} bytes, and "
            f"{data.name} has {length} bytes"
        )
    check_memory(count * dtype.itemsize)
    values = np.fromfile(data, dtype, count, offset=offset)
    axes = _AXES[interleave]
    on_disk = [(lines, samples, bands)[axis] for axis in axes]
    return header, values.reshape(on_disk).transpose(np.argsort(axes))


def write_envi(header: Header, path: Path, values: np.ndarray) -> None:
    """Write values `(lines, samples, bands)` as those of a header from `changed` were.

    The path ends with `.hdr`; the values, in the type of the old ones, go into `.img` beside it.
    """
    fields = dict(header.fields) | {"header offset": "0"}
    for name, length in zip(("lines", "samples", "bands"), values.shape, strict=True):
        fields[name] = str(length)
    fields = {name: text for name, text in fields.items() if name != "file compression"}
    interleave = fields.setdefault("interleave", "bsq").lower()
    lines = [name if name.startswith(";") else f"{name} = {text}" for name, text in fields.items()]
    with replacing(path.with_suffix(".img")) as part:
        np.ascontiguousarray(values.transpose(_AXES[interleave])).tofile(part)
    text = "\n".join(["ENVI", *lines, ""])
    write_atomically(path, text.encode("utf-8", "surrogateescape"))


def changed(header: Header, bands: int, scale: int) -> tuple[Header, list[str]]:
    """Return the header for values of so many bands, `scale` times larger: pixels are smaller.

    Beside it stand the names of the fields that it does not keep.
    """
    fields = dict(header.fields)
    lost = [name for name in _OF_BANDS if name in fields] if bands != header.number("bands") else []
    if scale > 1:
        lost += [name for name in _OF_PIXELS if name in fields]
        for name, sizes, places in (("map info", (5, 6), (1, 2)), ("pixel size", (0, 1), ())):
            entries = header.listed(name)
            try:
                for at in sizes if entries else ():
                    entries[at] = f"{float(entries[at]) / scale:.17g}"
                for at in places if entries else ():  # the corner of the first pixel is 1, 1
                    entries[at] = f"{(float(entries[at]) - 1) * scale + 1:.17g}"
                fields |= {name: "{" + ", ".join(entries) + "}"} if entries else {}
            except (ValueError, IndexError):
                lost.append(name)
    return Header(header.path, {n: text for n, text in fields.items() if n not in lost}), lost


def _fields(path: Path) -> Iterator[tuple[str, str]]:
    """Yield names and texts of a header; text in braces may go over several lines."""
    with path.open("rb") as file:
        content = file.read(LONGEST + 1)
    if not content.startswith(b"ENVI") or len(content) > LONGEST:
        raise ImageError(f"{path} cannot be read: it is no header of an ENVI file")
    lines = iter(content.decode("utf-8", "surrogateescape").splitlines()[1:])
    for line in lines:
        name, equals, text = line.partition("=")
        if line.startswith(";"):
            yield line, ""
        elif equals:
            parts = [text.strip()]
            while parts[0].startswith("{") and "}" not in parts[-1]:
                following = next(lines, None)
                if following is None:
                    raise ImageError(
                        f"{path} cannot be read: the list of {name.strip()[:80]!r} is open"
                    )
                parts.append(following)
            yield name.strip().lower(), "\n".join(parts)


def _data(path: Path) -> Path:
    """Return the file of the values that belongs to a header."""
    names = [path.with_suffix(ending) for ending in DATA]
    found = next((each for each in names if each.is_file() and each != path), None)
    if found is None:
        raise ImageError(
            f"the values of {path} are not beside it: {names[0].name}, {names[1].name}, ..."
        )
    return found
