"""What comes in and what does not: depth, sign, range; false claims; files that change."""

import io
import itertools
import os
import struct
import sys
import time
import warnings
import zlib

import numpy as np
import pytest
from PIL import ExifTags, Image

from tests.zoo.examples import (
    as_image,
    chunk,
    grey_tags,
    network,
    pixels,
    write_png_16,
    write_tiff,
)
from zoo.app.cli import main
from zoo.app.folder import Job, restore_file
from zoo.machine import memory
from zoo.pictures import jpeg, writers
from zoo.pictures.images import ImageError, read_image
from zoo.pictures.photos import read_header
from zoo.pictures.rows import open_rows
from zoo.restoring.bands import Settings

tifffile = pytest.importorskip("tifffile")


def restored(path, scale=1):
    """Restore a file; return the new one and the remark."""
    target = path.with_name("new") / path.name
    return target, restore_file(Job(path, target), lambda colour: network(scale), Settings())


def refused(path, match):
    """Say that neither `restore` nor `read_image` takes a file, in the same sentence."""
    for read in (restored, read_image):
        with pytest.raises(ImageError, match=match) as error:
            read(path)
        assert str(error.value).startswith(str(path))
        assert len(str(error.value).splitlines()) == 1
    assert not list(path.parent.glob("new/*"))


def restored_or_refused(path, scale=1):
    """Return the new file, None where the old one is refused, in one sentence."""
    try:
        return restored(path, scale)[0]
    except ImageError as error:
        sentence = str(error)
    assert len(sentence.splitlines()) == 1
    return None


# ---- what a number means


def write_grey_12(path, values):
    """Write 12 bit grey, two values in three bytes, rows from whole bytes."""
    height, width = values.shape
    bits = (values[..., None] >> np.arange(11, -1, -1) & 1).reshape(height, -1).astype(np.uint8)
    write_tiff(path, np.packbits(bits, axis=1).tobytes(), grey_tags(height, width, 12))


@pytest.mark.parametrize("width", [4, 5])
def test_12_bit_grey_is_as_bright_in_16_bit(width, tmp_path):
    path = tmp_path / "old.tif"
    values = np.array([[0, 1, 2048, 4095, 2047][:width], [5, 4094, 819, 3, 9][:width]])
    write_grey_12(path, values)
    new, remark = restored(path)
    expected = np.floor(values / 4095 * 65535 + 0.5)
    np.testing.assert_array_equal(tifffile.imread(new), expected)
    assert remark == f"{path} has 12 bit, and is written with 16"
    np.testing.assert_array_equal(read_image(path, "file")[..., 0], expected)
    np.testing.assert_array_equal(read_image(path)[..., 0], np.floor(expected / 257 + 0.5))


@pytest.mark.parametrize("bits", [10, 14, 24])
def test_other_depths_are_refused(bits, tmp_path):
    path = tmp_path / "old.tif"
    write_tiff(path, bytes(200), grey_tags(4, 5, bits))
    refused(path, f"old.tif holds 1 channels of {bits} bit: a kind that is not read")


@pytest.mark.parametrize("tag", [256, 259, 277, 278])
def test_a_tag_that_holds_several_numbers_is_refused(tag, tmp_path):
    """libtiff reads black where it is the compression."""
    path = tmp_path / "old.tif"
    tags = grey_tags(4, 5)
    kind, (value,) = tags[tag]
    write_tiff(path, bytes(20), tags | {tag: (kind, [value] * 255)})
    refused(path, "old.tif is damaged: a tag of one number holds none or several")


@pytest.mark.parametrize(
    ("tags", "match"),
    [
        ({284: (1, [1])}, "its tag 284 can be read in two ways"),  # a byte, and no short number
        ({258: (3, [8, 1])}, "its tag 258 can be read in two ways"),
        ({339: (3, [1, 3])}, "its tag 339 can be read in two ways"),
        ({262: (3, [3]), 320: (1, [7] * 768)}, "its tag 320 can be read in two ways"),
        ({277: (4, [2**31 - 1])}, "it claims to have 2147483647 channels"),
        ({277: (3, [0])}, "it claims to have 0 channels"),
    ],
)
def test_tags_of_the_layout_that_are_not_as_they_must_be_are_refused(tags, match, tmp_path):
    path, begun = tmp_path / "old.tif", time.process_time()
    write_tiff(path, bytes(20), {**grey_tags(4, 5), **tags})
    refused(path, f"old.tif is damaged: {match}")
    assert time.process_time() - begun < 2


def test_equal_bits_of_more_channels_than_there_are_are_read(tmp_path):
    path, values = tmp_path / "old.tif", pixels("L", 4, 5)
    write_tiff(path, values.tobytes(), {**grey_tags(4, 5), 258: (3, [8, 8, 8])})
    np.testing.assert_array_equal(read_image(path), values)


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "uint32", "float16", "float64"])
@pytest.mark.parametrize("channels", [1, 3])
def test_signed_and_wide_numbers_are_refused_everywhere(dtype, channels, tmp_path):
    path = tmp_path / "old.tif"
    values = np.ones((9, 5, channels)[: 2 + (channels > 1)], dtype)
    tifffile.imwrite(path, values, photometric="rgb" if channels == 3 else "minisblack")
    refused(path, f"holds {channels} channels of {8 * values.itemsize} bit.*a kind that is not")


def test_floating_point_has_white_at_1(tmp_path):
    path = tmp_path / "old.tif"
    values = np.array([[0, 0.25, 0.5, 1, 1.01, -0.01]], np.float32)
    tifffile.imwrite(path, values)
    np.testing.assert_array_equal(read_image(path)[0, :, 0], [0, 64, 128, 255, 255, 0])
    deep = read_image(path, "file")
    assert deep.dtype == np.float32
    np.testing.assert_array_equal(deep[..., 0], values)  # as it is
    assert read_header(path).picture.dtype == np.float32


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 3)])
def test_floating_point_beyond_white_is_remarked(shape, tmp_path):
    path = tmp_path / "old.tif"
    values = np.linspace(-3, 4095, np.prod(shape), dtype=np.float32).reshape(shape)
    tifffile.imwrite(path, values, photometric="rgb" if len(shape) == 3 else "minisblack")
    sentence = (
        f"{path} has values of -3 to 4095, and white is 1.0 in floating point (65535 in 16 bit)"
    )
    assert restored(path)[1] == sentence
    with pytest.raises(ImageError) as error:
        read_image(path)
    assert str(error.value) == sentence


def test_help_says_what_white_is(capsys):
    with pytest.raises(SystemExit):
        main(["restore", "--help"])
    assert "white is 1.0 (65535 in 16 bit)" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(value, tmp_path):
    path = tmp_path / "old.tif"
    tifffile.imwrite(path, np.array([[0, value]], np.float32))
    refused(path, "old.tif has values that are not finite")


def test_a_signalling_nan_whose_white_is_0_is_refused_without_a_warning(tmp_path):
    pytest.importorskip("pyvips")
    path, values = tmp_path / "old.tif", np.zeros((4, 5, 2), np.float32)
    values.view(np.uint32)[0, 0] = 0x7FA00000
    tifffile.imwrite(path, values, photometric="miniswhite", extrasamples=["unassalpha"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        refused(path, "old.tif has values that are not finite")


def test_more_bands_than_colours_are_refused(tmp_path):
    path = tmp_path / "old.tif"
    options = {"photometric": "minisblack", "planarconfig": "contig"}
    tifffile.imwrite(path, pixels("RGBA", 9, 5).repeat(2, -1)[..., :5], **options)
    refused(path, "holds 5 channels of 8 bit: a kind that is not read")


@pytest.mark.parametrize("mode", ["LA", "LA;16", "RGBA", "RGBA;16"])
def test_alpha_that_is_multiplied_into_the_colours_is_taken_out(mode, tmp_path):
    pytest.importorskip("pyvips")
    path, values = tmp_path / "old.tif", pixels(mode, 9, 5)
    values[..., -1] |= 1
    values[..., :-1] = np.minimum(values[..., :-1], values[..., -1:])
    photometric = "rgb" if mode.startswith("RGB") else "minisblack"
    options = {"photometric": photometric, "extrasamples": ["assocalpha"]}
    tifffile.imwrite(path, values, planarconfig="contig", **options)
    with tifffile.TiffFile(restored(path)[0]) as file:
        new = file.asarray()
        assert [int(each) for each in file.pages[0].extrasamples] == [2]
    white = np.iinfo(values.dtype).max
    expected = values[..., :-1] / values[..., -1:] * white
    np.testing.assert_allclose(new[..., :-1], expected, atol=1)
    np.testing.assert_array_equal(new[..., -1], values[..., -1])


@pytest.mark.parametrize("mode", ["LA", "RGB", "RGBA", "LA;16", "RGB;16", "RGBA;16", "RGB;F"])
@pytest.mark.parametrize(
    "tile", [{}, {"tile": (16, 16)}, {"compression": "zlib", "rowsperstrip": 4}]
)
def test_planes_are_read_or_refused(mode, tile, tmp_path):
    pytest.importorskip("pyvips")
    path, values = tmp_path / "old.tif", pixels(mode, 19, 27)
    photometric = "rgb" if mode.startswith("RGB") else "minisblack"
    extra = ["unassalpha"] if mode.partition(";")[0].endswith("A") else []
    options = {"photometric": photometric, "extrasamples": extra, "planarconfig": "separate"}
    tifffile.imwrite(path, np.moveaxis(values, -1, 0), metadata=None, **options, **tile)
    if mode.startswith("LA") or (";" in mode and "tile" in tile):
        refused(path, "holds its channels in planes of a kind that is not read")
    else:
        np.testing.assert_array_equal(tifffile.imread(restored(path)[0]), values)


def test_colours_that_are_neither_colour_nor_alpha_are_left_out_and_said(tmp_path):
    pytest.importorskip("pyvips")
    for mode in ("RGBA", "RGBA;16"):
        path, values = tmp_path / "old.tif", pixels(mode, 9, 5)
        tifffile.imwrite(path, values, photometric="rgb", extrasamples=["unspecified"])
        new, remark = restored(path)
        np.testing.assert_array_equal(tifffile.imread(new), values[..., :3])
        assert remark == f"of {path} only RGB is kept, not its other channels"


def test_what_orientation_says_is_heeded_by_every_reader(tmp_path):
    path, values = tmp_path / "old.png", pixels("RGB", 9, 5)
    exif = Image.Exif()
    exif[274] = 6
    as_image("RGB", values).save(path, exif=exif)
    np.testing.assert_array_equal(read_image(path), np.rot90(values, -1))


# ---- false claims


def jpeg_of(width, height, progressive=False):
    file = io_bytes(as_image("RGB", pixels("RGB", 8, 8)), "JPEG", progressive=progressive)
    start = file.index(b"\xff\xc2" if progressive else b"\xff\xc0")
    return file[: start + 5] + struct.pack(">HH", height, width) + file[start + 9 :]


def io_bytes(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def forged(kind, width, height):
    """Return a small file that claims to be large."""
    small = as_image("RGB", pixels("RGB", 8, 8))
    if kind in ("jpg", "progressive"):
        return jpeg_of(width, height, kind == "progressive")
    if kind in ("png", "png16"):
        depth = 16 if kind == "png16" else 8
        header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, 2, 0, 0, 0))
        data = chunk(b"IDAT", zlib.compress(bytes(200)))
        return b"\x89PNG\r\n\x1a\n" + header + data + chunk(b"IEND", b"")
    if kind == "bmp":
        content = io_bytes(small, "BMP")
        return content[:18] + struct.pack("<ii", width, height) + content[26:]
    if kind == "webp":
        content = io_bytes(small, "WEBP")
        return content[:26] + struct.pack("<HH", width & 0x3FFF, height & 0x3FFF) + content[30:]
    if kind == "lossless":
        content = io_bytes(small, "WEBP", lossless=True)
        bits = (width - 1) & 0x3FFF | ((height - 1) & 0x3FFF) << 14
        return content[:21] + struct.pack("<I", bits) + content[25:]
    content = io_bytes(small, "TIFF", compression="tiff_lzw" if kind == "lzw" else None)
    for tag, value in ((256, width), (257, height), (278, height)):
        at = next(at for kind in (3, 4) if (at := content.find(struct.pack("<HH", tag, kind))) > 0)
        content = content[:at] + struct.pack("<HHII", tag, 4, 1, value) + content[at + 12 :]
    return content


KINDS = ["jpg", "progressive", "png", "png16", "bmp", "webp", "lossless", "tif", "lzw"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(13_000, 13_000), (1000, 65_000)])
def test_claims_beyond_what_the_file_can_hold_are_refused_at_once(kind, size, tmp_path):
    suffix = {"png16": "png", "progressive": "jpg", "lossless": "webp", "lzw": "tif"}.get(
        kind, kind
    )
    path = tmp_path / f"old.{suffix}"
    path.write_bytes(forged(kind, *size))
    start = time.process_time()
    with pytest.raises(ImageError, match="cut short") as error:
        read_header(path)
    assert time.process_time() - start < 1
    assert len(str(error.value).splitlines()) == 1
    refused(path, "cut short")


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "bmp", "tif"])
@pytest.mark.parametrize("size", [(2000, 1500), (300, 4000)])
def test_blank_pictures_hold_what_they_claim(suffix, size, tmp_path):
    if suffix == "tif":
        pytest.importorskip("pyvips")
    options = {"webp": {"lossless": True}, "tif": {"compression": "group4"}}.get(suffix, {})
    mode = "1" if suffix in ("png", "tif") else "L" if suffix == "jpg" else "RGB"
    path = tmp_path / f"old.{suffix}"
    Image.new(mode, size).save(path, **options)
    assert read_image(path).shape[:2] == size[::-1]


@pytest.mark.parametrize(
    "compression", ["packbits", "tiff_lzw", "tiff_adobe_deflate", "jpeg", None]
)
def test_blank_tiff_of_every_compression(compression, tmp_path):
    path = tmp_path / "old.tif"
    Image.new("RGB", (700, 900)).save(path, compression=compression)
    assert not read_image(path).any()


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "bmp", "tif"])
def test_a_picture_that_does_not_fit_into_the_memory_is_refused(suffix, tmp_path, monkeypatch):
    path = tmp_path / f"old.{suffix}"
    Image.new("RGB", (300, 400)).save(path)
    monkeypatch.setattr(memory, "available_memory", lambda: 100_000)
    refused(path, "GB of memory, and 0.00 GB are left")


def test_a_result_that_does_not_fit_into_the_memory_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "old.jpg"
    Image.new("RGB", (300, 400)).save(path)
    monkeypatch.setattr(memory, "available_memory", lambda: 4_000_000)
    restored(path)
    with pytest.raises(ImageError, match="takes 0.01 GB of memory, and 0.00 GB are left"):
        restored(path, scale=4)


def test_jpeg_that_is_unpacked_again_and_again_is_refused(tmp_path):
    path = tmp_path / "old.jpg"
    content = io_bytes(as_image("L", pixels("L", 9, 5)), "JPEG", progressive=True)
    scan = content[content.index(b"\xff\xda") : -2]
    path.write_bytes(content[:-2] + scan * 1001 + content[-2:])
    refused(path, "old.jpg has more than 1000 scans, and is not read")


def test_scans_are_counted_across_blocks(tmp_path, monkeypatch):
    path = tmp_path / "old.jpg"
    for scans, block in itertools.product((1000, 1001), (1, 2, 7)):
        monkeypatch.setattr(jpeg, "BLOCK", block)
        path.write_bytes(b"\xff\xda\xff" * scans)
        if scans == 1000:
            jpeg.check_scans(path)
        else:
            with pytest.raises(ImageError, match="more than 1000 scans"):
                jpeg.check_scans(path)


@pytest.mark.parametrize("share", [0.2, 0.6, 0.98])
@pytest.mark.parametrize("progressive", [False, True])
def test_jpeg_cut_before_its_end_is_refused(share, progressive, tmp_path):
    path = tmp_path / "old.jpg"
    content = io_bytes(as_image("RGB", pixels("RGB", 90, 70)), "JPEG", progressive=progressive)
    start = content.index(b"\xff\xda") + 20
    path.write_bytes(content[: start + int(share * (len(content) - start))])
    refused(path, "old.jpg cannot be read")


@pytest.mark.parametrize("progressive", [False, True])
def test_jpeg_that_lacks_what_was_before_its_end_is_refused(progressive, tmp_path):
    pytest.importorskip("pyvips")
    path = tmp_path / "old.jpg"
    content = io_bytes(as_image("RGB", pixels("RGB", 90, 70)), "JPEG", progressive=progressive)
    path.write_bytes(content[: len(content) * 2 // 3] + b"\xff\xd9")
    refused(path, "old.jpg cannot be read: it is cut short")


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_strips_that_are_too_short_are_refused(compression, tmp_path):
    path = tmp_path / "old.tif"
    tifffile.imwrite(path, pixels("RGB", 64, 64), compression=compression, rowsperstrip=16)
    with tifffile.TiffFile(path) as file:
        lengths = file.pages[0].tags[279]
        at, count = lengths.valueoffset, lengths.count
        first = lengths.value[0]
    content = bytearray(path.read_bytes())
    code = "<I" if lengths.dtype == 4 else "<H"
    struct.pack_into(code, content, at, first // (2 if compression is None else 40))
    path.write_bytes(bytes(content))
    assert count == 4
    refused(path, "old.tif cannot be read")


@pytest.mark.parametrize(
    "more",
    [
        {273: (4, [8, 8]), 279: (4, [54, 54])},  # more strips than it takes
        {279: (4, [54, 54])},  # more lengths than strips
        {324: (4, [8])},  # strips and tiles
        {322: (3, [16]), 323: (3, [16])},
        {317: (3, [2])},  # differences, and no compression of which they could be
        {273: (4, [0])},  # where the head of the file is
        {284: (3, [7])},  # neither interleaved nor in planes
    ],
)
def test_tags_that_contradict_each_other_are_refused(more, tmp_path):
    path = tmp_path / "old.tif"
    write_tiff(path, pixels("L", 9, 6).tobytes(), {**grey_tags(9, 6), **more})
    refused(path, "old.tif is damaged: it ")


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_ccitt", "jpeg"])
@pytest.mark.parametrize("damage", ["cut", "noise"])
def test_damage_of_which_libtiff_says_nothing_is_refused(compression, damage, tmp_path):
    pytest.importorskip("pyvips")
    path, mode = tmp_path / "old.tif", "L" if compression == "jpeg" else "1"
    as_image(mode, pixels(mode, 64, 64)).save(path, compression=compression)
    with tifffile.TiffFile(path) as file:
        (start,), (length,) = file.pages[0].dataoffsets, file.pages[0].databytecounts
    assert read_image(path).shape == (64, 64, 1)
    content = bytearray(path.read_bytes())
    middle, end = start + length // 2, start + length
    noise = np.random.default_rng(0).bytes(end - middle)
    content[middle:end] = bytes(end - middle) if damage == "cut" else noise
    path.write_bytes(bytes(content))
    refused(path, "old.tif cannot be read: it is cut short or damaged")


def test_a_fax_is_not_read_without_what_sees_its_damage(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyvips", None)
    as_image("1", pixels("1", 9, 6)).save(tmp_path / "old.tif", compression="group4")
    refused(tmp_path / "old.tif", "old.tif is compressed as a fax; to read it: pip install ")


@pytest.mark.parametrize("offset", [40, 10**6, 2**63, 2**64 - 1])
def test_a_directory_behind_the_end_is_one_sentence(offset, tmp_path):
    path = tmp_path / "old.tif"
    path.write_bytes(struct.pack("<2sHHHQ", b"II", 43, 8, 0, offset) + bytes(20))
    refused(path, "old.tif cannot be read: it is cut short")


def test_a_palette_of_too_few_colours_is_refused(tmp_path):
    path = tmp_path / "old.tif"
    tags = {**grey_tags(9, 6), 262: (3, [3]), 320: (3, [0, 64_000])}
    write_tiff(path, pixels("L", 9, 6).tobytes(), tags)
    refused(path, "old.tif is damaged: its palette has not 256 colours")


def test_a_tag_that_is_there_twice_is_refused(tmp_path):
    path = tmp_path / "old.tif"
    write_tiff(path, pixels("L", 9, 6).tobytes(), {**grey_tags(9, 6), 255: (3, [1])})
    content = path.read_bytes()
    path.write_bytes(
        content.replace(struct.pack("<HHI", 255, 3, 1), struct.pack("<HHI", 256, 3, 1))
    )
    refused(path, "old.tif is damaged: it has the tag 256 twice")


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_a_transparent_grey_of_few_bits(depth, tmp_path):
    path = tmp_path / "old.png"
    values = np.arange(32).reshape(4, 8) % 2**depth
    bits = (values[..., None] >> np.arange(depth - 1, -1, -1) & 1).reshape(4, -1).astype(np.uint8)
    data = zlib.compress(np.pad(np.packbits(bits, axis=1), [(0, 0), (1, 0)]).tobytes())
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 4, depth, 0, 0, 0, 0))
    key = chunk(b"tRNS", struct.pack(">H", 2**depth + 1))  # whose lower bits count
    content = header + key + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + content)
    with Image.open(restored(path)[0]) as new:
        assert new.mode == "LA"
        grey, alpha = np.moveaxis(np.asarray(new), -1, 0)
    np.testing.assert_array_equal(grey, values * (255 // (2**depth - 1)))
    np.testing.assert_array_equal(alpha, np.where(values == 1, 0, 255))


@pytest.mark.parametrize("lengths", [{}, {279: (4, [0])}])
def test_a_strip_whose_length_is_not_told_is_read(lengths, tmp_path):
    path, values = tmp_path / "old.tif", pixels("L", 9, 6)
    write_tiff(path, values.tobytes(), {**grey_tags(9, 6), 279: (4, [0])})
    if not lengths:
        content = path.read_bytes()
        path.write_bytes(
            content.replace(struct.pack("<HHII", 279, 4, 1, 0), struct.pack("<HHII", 280, 4, 1, 0))
        )
    np.testing.assert_array_equal(read_image(path), values)
    np.testing.assert_array_equal(tifffile.imread(restored(path)[0])[..., None], values)


@pytest.mark.parametrize("cut", [1, 12, 20])
def test_png_without_its_end_is_refused(cut, tmp_path):
    path = tmp_path / "old.png"
    as_image("RGB", pixels("RGB", 9, 5)).save(path)
    path.write_bytes(path.read_bytes()[:-cut])
    refused(path, "old.png cannot be read: it is cut short")


def test_png_with_two_headers_is_refused(tmp_path):
    """Of which each program believes another one."""
    path = tmp_path / "old.png"
    as_image("RGB", pixels("RGB", 9, 5)).save(path)
    content = path.read_bytes()
    other = chunk(b"IHDR", content[16:24] + b"\x10\2\0\0\0")
    path.write_bytes(content[:33] + other + content[33:])
    refused(path, "old.png is damaged: its chunk IHDR is there twice or too late")


@pytest.mark.parametrize("place", ["twice", "behind the pixels"])
def test_png_whose_transparent_colour_is_out_of_place_is_refused(place, tmp_path):
    path, key = tmp_path / "old.png", chunk(b"tRNS", bytes(6))
    as_image("RGB", pixels("RGB", 9, 5)).save(path)
    content = path.read_bytes()
    at = 33 if place == "twice" else len(content) - 12
    path.write_bytes(content[:at] + key * (1 + (place == "twice")) + content[at:])
    refused(path, "old.png is damaged: its chunk tRNS is there twice or too late")


def test_png_whose_pixels_fail_their_check_sum_is_refused(tmp_path):
    path = tmp_path / "old.png"
    as_image("RGB", pixels("RGB", 9, 5)).save(path, compress_level=0)
    content = bytearray(path.read_bytes())
    content[60] ^= 1
    path.write_bytes(bytes(content))
    refused(path, "old.png is damaged: its chunk IDAT fails its check sum")


def test_the_name_of_a_damaged_chunk_is_printed_as_it_is(tmp_path):
    path = tmp_path / "old.png"
    as_image("RGB", pixels("RGB", 9, 5)).save(path)
    content = path.read_bytes()
    damaged = bytes(4) + b"ID\x1eT" + bytes(4)  # length, name and a check sum that is none
    path.write_bytes(content[:33] + damaged + content[33:])
    refused(path, r"old.png is damaged: its chunk ID\\x1eT fails its check sum")


# ---- files that change


def swap(path, how):
    """Put something else in the place of a file."""
    if how == "smaller":
        as_image("RGB", pixels("RGB", 4, 4)).save(path.with_name("other" + path.suffix))
        os.replace(path.with_name("other" + path.suffix), path)
    elif how == "truncated":
        os.truncate(path, path.stat().st_size // 2)
    elif how == "same size":
        content = path.read_bytes()
        path.with_name("other").write_bytes(content[:-1] + b"\0")
        os.replace(path.with_name("other"), path)
    elif how == "written":
        path.write_bytes(bytes(path.stat().st_size))
        os.utime(path, (1, 1))


@pytest.mark.parametrize("kind", ["RGB png", "RGB;16 png", "RGB tif", "RGB;16 tif", "RGB jpg"])
@pytest.mark.parametrize("how", ["smaller", "truncated", "same size", "written"])
@pytest.mark.parametrize("when", ["before", "between"])
def test_a_file_that_changes_while_it_is_read_is_noticed(kind, how, when, tmp_path):
    mode, suffix = kind.split()
    if mode == "RGB;16":
        pytest.importorskip("pyvips")
    path = tmp_path / f"old.{suffix}"
    values = pixels(mode, 64, 40)
    if mode == "RGB":
        as_image(mode, values).save(path)
    elif suffix == "png":
        write_png_16(path, values)
    else:
        tifffile.imwrite(path, values, photometric="rgb", rowsperstrip=4)
    photo = read_header(path)
    if when == "before":
        swap(path, how)
        with pytest.raises(ImageError, match="changed while it was read"), open_rows(photo):
            pass
        return
    with open_rows(photo) as rows:
        np.testing.assert_array_equal(rows(0, 8).shape, (8, 40, 3))
        swap(path, how)
        with pytest.raises(ImageError, match="changed while it was read"):
            rows(8, 64)


def test_a_file_that_changes_while_it_is_restored_gives_no_result(tmp_path):
    path = tmp_path / "old.png"
    as_image("RGB", pixels("RGB", 64, 40)).save(path)

    def engine(inputs):
        swap(path, "smaller")
        return inputs[0]

    changing = network()
    object.__setattr__(changing, "engine", engine)
    with pytest.raises(ImageError, match="old.png has changed while it was read"):
        restore_file(
            Job(path, tmp_path / "new/old.png"), lambda colour: changing, Settings(tile=16)
        )
    assert not list(tmp_path.glob("new/*"))


# ---- the library below


@pytest.mark.parametrize(
    "error",
    [
        KeyError(""),
        TypeError("int(b'\\x00')"),
        struct.error("unpack"),
        MemoryError(),
        OSError("-2"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_whatever_a_library_raises_is_one_sentence(error, tmp_path, monkeypatch):
    def fail(*args, **options):
        raise error

    path = tmp_path / "old.bmp"
    as_image("RGB", pixels("RGB", 9, 5)).save(path)
    with monkeypatch.context() as patch:
        patch.setattr("PIL.ImageFile.ImageFile.load", fail)
        refused(
            path, rf"old.bmp cannot be read: {'-2' if str(error) == '-2' else type(error).__name__}"
        )
    with monkeypatch.context() as patch:
        patch.setattr(writers, "save", fail)
        with pytest.raises(ImageError, match="old.bmp cannot be written: ") as caught:
            restored(path)
        assert caught.value.__cause__ is error
    assert not list(tmp_path.glob("new/*"))


@pytest.mark.parametrize(
    "tag", [259, 270, 274, 282, 296, 305, 339, 700, 34665, 34675, 34853, 33550]
)
@pytest.mark.parametrize("kind", [1, 2, 3, 5, 7, 12])
def test_tags_of_an_odd_type_are_kept_or_refused(tag, kind, tmp_path):
    path, values = tmp_path / "old.tif", pixels("L", 9, 6)
    tags = {**grey_tags(9, 6), tag: (kind, [1, 1] if kind == 5 else [1])}
    write_tiff(path, values.tobytes(), tags)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        new = restored_or_refused(path, scale=2)
    if new:
        large = values[..., 0].repeat(2, 0).repeat(2, 1)
        np.testing.assert_array_equal(tifffile.imread(new), large)


@pytest.mark.parametrize("at", range(0, 12))
def test_a_damaged_directory_is_one_sentence(at, tmp_path):
    path = tmp_path / "old.tif"
    write_tiff(path, pixels("L", 9, 6).tobytes(), grey_tags(9, 6))
    content = path.read_bytes()
    for value in (0, 0x7F, 0xFF):
        for start in range(64 + at, len(content), 12):
            path.write_bytes(content[:start] + bytes([value]) + content[start + 1 :])
            restored_or_refused(path)


def test_no_file_stays_open(tmp_path):
    if sys.platform != "linux":
        pytest.skip("files that are open are listed by Linux")
    pytest.importorskip("pyvips")
    open_files = []
    for number in range(12):
        kinds = (("png", "RGB;16"), ("tif", "RGB;16"), ("jpg", "RGB"), ("webp", "RGB"))
        for suffix, mode in (*kinds, ("png", "turned;16")):
            path = tmp_path / f"{number}.{suffix}"
            values = pixels(mode.replace("turned", "RGB"), 64, 64, number)
            if mode == "RGB":
                as_image(mode, values).save(path)
            elif suffix == "png":
                exif = Image.Exif()
                exif[ExifTags.Base.Orientation] = 7 if mode == "turned;16" else 1
                write_png_16(path, values, chunk(b"eXIf", exif.tobytes()[6:]))
            else:
                tifffile.imwrite(path, values, photometric="rgb", compression="zlib")
            content = bytearray(path.read_bytes())
            middle = 29 if mode == "turned;16" else len(content) // 2  # check sum of the header
            content[middle : middle + 4] = bytes(4)
            path.write_bytes(bytes(content))
            restored_or_refused(path)
        open_files.append(len(os.listdir("/proc/self/fd")))
    assert open_files[-1] == open_files[0]
