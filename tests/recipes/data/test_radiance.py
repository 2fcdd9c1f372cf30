"""OpenEXR and Radiance files, written here by their specifications, byte by byte."""

import importlib
import struct
from types import SimpleNamespace

import numpy as np
import pytest

from recipes.data import radiance
from recipes.data.sources import open_images
from zoo.pictures.images import ImageError

LIGHT = np.array([[[0.5, 0.25, 8.0], [0.0, 1.0, 2.0]], [[4.0, 3.0, 1.5], [1 / 64, 0.125, 1.0]]])
try:
    pyvips = importlib.import_module("pyvips")
    LOADERS = {
        name for name in ("openexrload", "radload") if pyvips.type_find("VipsOperation", name)
    }
except (ImportError, OSError):
    LOADERS = set()


def needs(loader):
    return pytest.mark.skipif(loader not in LOADERS, reason="this libvips does not read it")


def exr(path, values):
    """Write OpenEXR in rows of half precision, without compression (OpenEXR File Layout)."""

    def attribute(name, kind, content):
        return (
            name.encode()
            + b"\0"
            + kind.encode()
            + b"\0"
            + struct.pack("<i", len(content))
            + content
        )

    height, width, _ = values.shape
    box = struct.pack("<4i", 0, 0, width - 1, height - 1)
    channels = b"".join(c + b"\0" + struct.pack("<iB3xii", 1, 0, 1, 1) for c in (b"B", b"G", b"R"))
    head = b"\x76\x2f\x31\x01" + struct.pack("<i", 2) + b"".join(
        (
            attribute("channels", "chlist", channels + b"\0"),
            attribute("compression", "compression", b"\0"),
            attribute("dataWindow", "box2i", box),
            attribute("displayWindow", "box2i", box),
            attribute("lineOrder", "lineOrder", b"\0"),
            attribute("pixelAspectRatio", "float", struct.pack("<f", 1)),
            attribute("screenWindowCenter", "v2f", struct.pack("<2f", 0, 0)),
            attribute("screenWindowWidth", "float", struct.pack("<f", 1)),
            b"\0",
        )
    )  # fmt: skip
    size = 2 * 3 * width
    first, line = len(head) + 8 * height, 8 + size
    table = b"".join(struct.pack("<Q", first + n * line) for n in range(height))
    rows = b"".join(
        struct.pack("<ii", n, size) + row.T[::-1].astype("<f2").tobytes()
        for n, row in enumerate(values)
    )
    path.write_bytes(head + table + rows)
    return path


def rgbe(path, values):
    """Write a Radiance file without compression: three mantissas and an exponent per pixel."""
    height, width, _ = values.shape
    pixels = bytearray()
    for pixel in values.reshape(-1, 3):
        _, exponent = np.frexp(pixel.max())
        pixels += bytes(int(value * 2.0 ** (8 - exponent)) for value in pixel)
        pixels.append(int(exponent) + 128)
    head = f"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y {height} +X {width}\n"
    path.write_bytes(head.encode() + pixels)
    return path


@needs("openexrload")
def test_openexr_is_read(tmp_path):
    path = exr(tmp_path / "light.exr", LIGHT)
    assert radiance.read_header(path) == (2, 2, np.float32)
    np.testing.assert_array_equal(radiance.read_light(path), LIGHT)  # halves keep these
    (image,) = open_images(str(tmp_path), "rgb")
    np.testing.assert_array_equal(image, LIGHT)


@needs("radload")
def test_radiance_is_read(tmp_path):
    path = rgbe(tmp_path / "light.hdr", LIGHT)
    assert radiance.read_header(path) == (2, 2, np.float32)
    step = 2.0 ** (np.frexp(LIGHT.max(axis=-1, keepdims=True))[1] - 8)  # of the mantissa
    assert (np.abs(radiance.read_light(path) - LIGHT) <= step).all()


@needs("openexrload")
@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_what_is_not_finite_is_refused(tmp_path, value):
    values = LIGHT.copy()
    values[1, 0, 2] = value
    with pytest.raises(ImageError, match="light.exr has values that are not finite"):
        radiance.read_light(exr(tmp_path / "light.exr", values))


@needs("openexrload")
def test_a_file_that_is_cut_short_is_refused(tmp_path):
    path = exr(tmp_path / "light.exr", np.ones((64, 64, 3)))
    path.write_bytes(path.read_bytes()[:9000])
    with pytest.raises(ImageError, match="light.exr cannot be read"):
        radiance.read_light(path)


@needs("radload")
def test_a_claim_beyond_the_limit_is_refused(tmp_path):
    path = tmp_path / "huge.hdr"
    path.write_bytes(b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 30000 +X 30000\n")
    with pytest.raises(ImageError, match="huge.hdr has 900 megapixels, more than the limit"):
        radiance.read_header(path)


@pytest.mark.parametrize("content", [b"", b"<svg/>", b"\x89PNG\r\n\x1a\n" + bytes(20)])
def test_another_kind_of_file_is_refused_whatever_libvips_makes_of_it(tmp_path, content):
    path = tmp_path / "light.exr"
    path.write_bytes(content)
    with pytest.raises(ImageError, match="light.exr is not an OpenEXR or Radiance image"):
        radiance.read_header(path)


def test_without_the_loader_one_sentence_says_so(tmp_path, monkeypatch):
    path = rgbe(tmp_path / "light.hdr", LIGHT)
    monkeypatch.setattr(radiance, "libvips", lambda: SimpleNamespace(type_find=lambda *_: 0))
    with pytest.raises(ImageError, match="light.hdr is Radiance, which this libvips does not read"):
        open_images(str(tmp_path), "rgb")
    monkeypatch.setattr(radiance, "libvips", lambda: None)
    with pytest.raises(ImageError, match="light.hdr is Radiance, which needs pyvips and libvips"):
        radiance.read_header(path)
