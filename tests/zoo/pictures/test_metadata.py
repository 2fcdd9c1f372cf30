"""What stands beside the pixels: kept, or said to be lost, whatever its size."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms, features

from tests.zoo.examples import as_image, chunk, grey_tags, network, pixels, write_tiff
from zoo.app.folder import Job, restore_file
from zoo.pictures.images import ImageError, read_image
from zoo.restoring.bands import Settings

tifffile = pytest.importorskip("tifffile")

ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
VALUES = pixels("RGB", 9, 5)


def restored(path, scale=1):
    """Restore a file; return the new one and the remark."""
    target = path.with_name("new") / path.name
    return target, restore_file(Job(path, target), lambda colour: network(scale), Settings())


def encoded(kind, **options):
    file = io.BytesIO()
    as_image("RGB", VALUES).save(file, kind, **options)
    return file.getvalue()


def png_with(tmp_path, *chunks):
    """Write PNG with chunks in front of the pixels; return its path."""
    path, content = tmp_path / "old.png", encoded("PNG")
    path.write_bytes(content[:33] + b"".join(chunks) + content[33:])
    return path


def names(path):
    """Return the names of the chunks of PNG."""
    content, at, found = path.read_bytes(), 8, []
    while at < len(content):
        found.append(content[at + 4 : at + 8].decode())
        at += 12 + int.from_bytes(content[at : at + 4], "big")
    return found


def reads(path):
    """Return the pixels and what Pillow knows of a file."""
    with Image.open(path) as image:
        image.load()
        return np.asarray(image), image.info


# ---- PNG


@pytest.mark.parametrize("end", [bytes(500), b"trailing text that is no chunk", b"\0"])
def test_what_stands_behind_the_end_is_no_part_of_png(end, tmp_path):
    path = tmp_path / "old.png"
    path.write_bytes(encoded("PNG") + end)
    new, remark = restored(path)
    assert remark == ""
    np.testing.assert_array_equal(reads(new)[0], VALUES)
    np.testing.assert_array_equal(read_image(path), VALUES)


@pytest.mark.parametrize("kind", ["zTXt", "iTXt"])
def test_more_than_a_megabyte_of_text_is_kept_and_can_be_read(kind, tmp_path):
    text = b"osprey " * 300_000
    head = {"zTXt": b"Story\0\0", "iTXt": b"Story\0\1\0en\0Geschichte\0"}[kind]
    path = png_with(tmp_path, chunk(kind.encode(), head + zlib.compress(text)))
    with pytest.raises(ValueError, match="too large"):
        Image.open(path)
    np.testing.assert_array_equal(read_image(path), VALUES)
    new, remark = restored(path)
    values, info = reads(new)
    assert remark == ""
    assert info["Story"] == text.decode()
    np.testing.assert_array_equal(values, VALUES)


def test_text_without_end_is_left_out_and_said(tmp_path):
    text = zlib.compress(bytes(2**26))
    path = png_with(tmp_path, chunk(b"zTXt", b"Story\0\0" + text), chunk(b"tEXt", b"Title\0osprey"))
    new, remark = restored(path)
    assert (
        remark
        == f"of {path} this is not kept: the text 'Story', which is damaged or has more than 32 MB"
    )
    assert reads(new)[1]["Title"] == "osprey"


def test_a_profile_that_others_cannot_read_is_left_out_and_said(tmp_path):
    profile = np.random.default_rng(0).bytes(1_500_000)
    path = png_with(tmp_path, chunk(b"iCCP", b"large\0\0" + zlib.compress(profile)))
    new, remark = restored(path)
    lost = "the colour profile, which is damaged or has more than 1 MB"
    assert remark == f"of {path} this is not kept: {lost}"
    np.testing.assert_array_equal(reads(new)[0], VALUES)
    np.testing.assert_array_equal(read_image(path), VALUES)
    path = png_with(tmp_path, chunk(b"iCCP", b"small\0\0" + zlib.compress(profile[: 2**20])))
    new, remark = restored(path)
    assert remark == ""
    assert reads(new)[1]["icc_profile"] == profile[: 2**20]


@pytest.mark.parametrize("data", [b"", b"n", b"name\0\0", b"name\0\0" + zlib.compress(ICC)[:-9]])
def test_a_profile_that_is_cut_short_is_left_out_and_said(data, tmp_path):
    new, remark = restored(png_with(tmp_path, chunk(b"iCCP", data)))
    assert "this is not kept: the colour profile, which is damaged" in remark
    np.testing.assert_array_equal(reads(new)[0], VALUES)


def test_a_damaged_text_or_chunk_is_left_out_and_said(tmp_path):
    bad = chunk(b"tEXt", b"Title\0osprey")[:-1] + b"?"
    path = png_with(tmp_path, bad, chunk(b"zTXt", b"Story\0\0no deflate"))
    new, remark = restored(path)
    lost = "the damaged chunk tEXt, the text 'Story', which is damaged or has more than 32 MB"
    assert remark == f"of {path} this is not kept: {lost}"
    np.testing.assert_array_equal(reads(new)[0], VALUES)


@pytest.mark.parametrize(
    ("kind", "length"),
    [("gAMA", 4), ("cHRM", 32), ("sRGB", 1), ("pHYs", 9), ("cICP", 4), ("bKGD", 6)],
)
def test_a_chunk_of_the_wrong_length_is_left_out_and_said(kind, length, tmp_path):
    """Readers refuse files with one: a result with it could not be opened."""
    for wrong in (0, length - 1, length + 1):
        path = png_with(tmp_path, chunk(kind.encode(), bytes(wrong)))
        new, remark = restored(path)
        assert remark == f"of {path} this is not kept: the damaged chunk {kind}"
        assert kind not in names(new)
        np.testing.assert_array_equal(reads(new)[0], VALUES)


def test_chunks_that_are_bound_to_the_old_pixels_are_not_copied(tmp_path):
    texts = [chunk(b"iDOT", bytes(28)), chunk(b"gAMA", struct.pack(">I", 45455))]
    new, _ = restored(png_with(tmp_path, *texts, chunk(b"vpAg", bytes(9))))
    assert names(new) == ["IHDR", "gAMA", "vpAg", "IDAT", "IDAT", "IEND"]


def test_compressed_xmp_is_turned_with_its_picture(tmp_path):
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a tiff:Orientation="6"/></x:xmpmeta>'
    path = png_with(tmp_path, chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(xmp)))
    for _ in range(2):
        path, _ = restored(path)
        values, info = reads(path)
        np.testing.assert_array_equal(values, np.rot90(VALUES, -1))
        assert 'tiff:Orientation="1"' in info["XML:com.adobe.xmp"]


def test_exif_of_old_programs_turns_the_picture(tmp_path):
    exif = Image.Exif()
    exif[274] = 6
    data = exif.tobytes().hex()
    lines = f"Raw profile type exif\0\nexif\n{len(data) // 2:8}\n{data}\n"
    new, _ = restored(png_with(tmp_path, chunk(b"tEXt", lines.encode())))
    np.testing.assert_array_equal(reads(new)[0], np.rot90(VALUES, -1))


@pytest.mark.parametrize(("mode", "size"), [("L", 1), ("RGB", 3), ("RGBA", 3)])
def test_the_colour_of_the_background_is_kept(mode, size, tmp_path):
    path, ground = tmp_path / "old.png", chunk(b"bKGD", struct.pack(f">{size}H", *range(size)))
    as_image(mode, pixels(mode, 9, 5)).save(path)
    content = path.read_bytes()
    path.write_bytes(content[:33] + ground + content[33:])
    new, remark = restored(path)
    assert (remark, ground in new.read_bytes()) == ("", True)
    as_image("P", pixels("P", 9, 5)).save(path)  # a number of a palette that is made anew
    content = path.read_bytes()
    at = content.index(b"IDAT") - 4
    path.write_bytes(content[:at] + chunk(b"bKGD", b"\1") + content[at:])
    assert "bKGD" not in names(restored(path)[0])


def test_a_profile_of_bmp_is_said_to_be_lost(tmp_path):
    path, content = tmp_path / "old.bmp", encoded("BMP")
    head = struct.pack("<I", 124) + content[18:54] + bytes(16) + b"DEBM" + bytes(124 - 60)
    start = struct.pack("<I", 14 + 124)
    path.write_bytes(content[:10] + start + head + content[54:])
    new, remark = restored(path)
    assert remark == f"of {path} this is not kept: the colour profile"
    np.testing.assert_array_equal(reads(new)[0], VALUES)


# ---- JPEG


def segment(marker, data):
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


@pytest.mark.parametrize("progressive", [False, True])
def test_huge_segments_of_jpeg_are_kept(progressive, tmp_path):
    path, content = tmp_path / "old.jpg", encoded("JPEG", progressive=progressive)
    many = [segment(0xE0 + number, bytes([number]) * 65_533) for number in (1, 3, 11, 12, 15)]
    many += [segment(0xED, b"Photoshop 3.0\0" + b"8BIM" * 9), segment(0xFE, b"a" * 65_533)]
    xmp = b"http://ns.adobe.com/xap/1.0/\0" + b"x" * 65_000
    many += [segment(0xE1, xmp), segment(0xE2, b"ICC_PROFILE\0\1\1" + ICC)]
    path.write_bytes(content[:20] + b"".join(many) + content[20:])
    new, remark = restored(path, scale=2)
    assert remark == ""
    for each in many:
        assert each in new.read_bytes()
    values, info = reads(new)
    assert values.shape == (18, 10, 3)
    assert info["icc_profile"] == ICC
    assert bool(info.get("progressive")) == progressive


def test_exif_that_jpeg_has_no_room_for_is_left_out_and_said(tmp_path):
    exif = Image.Exif()
    exif[274], exif[37500] = 6, b"m" * 65_000
    data = exif.tobytes()
    path, content = tmp_path / "old.jpg", encoded("JPEG")
    halves = [data[:60_000], b"Exif\0\0" + data[60_000:] + b"m" * 900]
    path.write_bytes(content[:20] + b"".join(segment(0xE1, each) for each in halves) + content[20:])
    new, remark = restored(path)
    assert "this is not kept: the EXIF data of 65" in remark or remark == ""
    assert reads(new)[0].shape == (5, 9, 3)


# ---- TIFF


def write_geo(path, scale, points, keys, **more):
    extra = [
        (33550, 12, 3, scale, True),
        (33922, 12, len(points), points, True),
        (34735, 3, len(keys), keys, True),
        (34737, 2, 0, "WGS 84 / UTM zone 32N|", True),
        (42113, 2, 0, "-9999", True),
    ]
    extra += [(tag, 12, len(values), values, True) for tag, values in more.pop("tags", {}).items()]
    tifffile.imwrite(path, VALUES, photometric="rgb", metadata=None, extratags=extra, **more)


def geo_tags(path):
    with tifffile.TiffFile(path) as file:
        return {tag.code: tag.value for tag in file.pages[0].tags}


AREA, POINT = ((1, 1, 0, 2, 1024, 0, 1, 1, 1025, 0, 1, kind) for kind in (1, 2))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("keys", [AREA, POINT])
@pytest.mark.parametrize("scale", [1, 2, 3])
def test_a_map_stays_where_it_is(keys, scale, order, tmp_path):
    path = tmp_path / "old.tif"
    points = (
        0.0,
        0.0,
        0.0,
        500_000.0,
        5_000_000.0,
        0.0,
        4.0,
        8.0,
        0.0,
        500_040.0,
        4_999_920.0,
        0.0,
    )
    write_geo(path, (10.0, 10.0, 0.0), points, keys, byteorder=order)
    new, remark = restored(path, scale)
    tags = geo_tags(new)
    assert remark == ""
    assert tags[34735] == keys
    assert tags[34737].startswith("WGS 84")
    assert int(float(tags[42113])) == -9999
    np.testing.assert_allclose(tags[33550], [10 / scale, 10 / scale, 0])
    # What stands for the middle of a pixel stands for another place than its corner.
    half = 0.5 if keys == POINT else 0
    new_points = np.reshape(tags[33922], (2, 6))
    old = np.reshape(points, (2, 6))
    np.testing.assert_allclose(new_points[:, 3:], old[:, 3:])
    np.testing.assert_allclose((new_points[:, :2] + half) / scale, old[:, :2] + half)


def test_the_matrix_of_a_map_is_that_of_smaller_pixels(tmp_path):
    path = tmp_path / "old.tif"
    matrix = [7.0, 2, 0, 500, 1, -9, 0, 600, 0, 0, 0, 0, 0, 0, 0, 1]
    for keys, half in ((AREA, 0), (POINT, 0.5)):
        write_geo(path, (1.0, 1.0, 0.0), (0.0,) * 6, keys, tags={34264: matrix})
        new = np.reshape(geo_tags(restored(path, 2)[0])[34264], (4, 4))
        old = np.reshape(matrix, (4, 4))
        for x, y in ((0, 0), (4, 8), (2.25, 3)):  # of the corner of a pixel
            before = old @ [x - half, y - half, 0, 1]
            after = new @ [2 * x - half, 2 * y - half, 0, 1]
            np.testing.assert_allclose(after, before)


def test_a_map_that_is_turned_loses_its_place_and_says_so(tmp_path):
    path = tmp_path / "old.tif"
    values = pixels("L", 9, 6)
    tags = {**grey_tags(9, 6), 274: (3, [6]), 33550: (12, [1.0, 1.0, 0.0])}
    write_tiff(path, values.tobytes(), tags)
    new, remark = restored(path)
    assert remark == f"of {path} this is not kept: the tag 33550"
    assert 33550 not in geo_tags(new)


@pytest.mark.parametrize(
    ("dtype", "text", "said"),
    [
        ("uint8", "0", True),
        ("uint8", "-9999", False),  # which no pixel can have
        ("uint8", "nan", False),
        ("uint8", "none", False),
        ("uint16", "65535", True),
        ("float32", "-9999 ", True),
    ],
)
def test_a_value_for_no_data_is_said_to_be_restored(dtype, text, said, tmp_path):
    path = tmp_path / "old.tif"
    tifffile.imwrite(path, np.ones((9, 6), dtype), extratags=[(42113, 2, 0, text, True)])
    new, remark = restored(path)
    sentence = f"{path} has a value for no data, {text.strip()}, which is restored like any other"
    assert remark == (sentence if said else "")
    with tifffile.TiffFile(new) as file:
        assert file.pages[0].tags[42113].value.strip() == text.strip()


def test_other_tags_are_kept_and_layers_said_to_be_lost(tmp_path):
    path = tmp_path / "old.tif"
    kept = {
        285: (2, list(b"page\0")),
        318: (5, [31270, 100_000, 329, 1000]),
        65_000: (3, [1, 2, 3]),
    }
    tags = {**grey_tags(9, 6), **kept, 37724: (7, list(b"layers")), 50844: (12, [1.0] * 92)}
    write_tiff(path, pixels("L", 9, 6).tobytes(), tags)
    new, remark = restored(path, 2)
    assert remark == f"of {path} this is not kept: the tag 37724, the tag 50844"
    found = geo_tags(new)
    assert found[285] == "page"
    assert found[318] == (31270, 100_000, 329, 1000)
    assert found[65_000] == (1, 2, 3)
    assert not {37724, 50844} & set(found)


@pytest.mark.parametrize("subfile", [0, 1])
def test_smaller_pictures_of_the_same_are_left_out_and_said(subfile, tmp_path):
    path = tmp_path / "old.tif"
    with tifffile.TiffWriter(path) as file:
        file.write(VALUES, photometric="rgb", metadata=None)
        file.write(VALUES[::2, ::2], photometric="rgb", metadata=None, subfiletype=subfile)
    new, remark = restored(path)
    assert remark == f"of {path} only the first picture is kept"
    np.testing.assert_array_equal(tifffile.imread(new), VALUES)
    np.testing.assert_array_equal(read_image(path), VALUES)


def test_pictures_of_one_size_are_refused(tmp_path):
    path = tmp_path / "old.tif"
    tifffile.imwrite(path, np.stack([VALUES, VALUES]), photometric="rgb")
    for read in (restored, read_image):
        with pytest.raises(ImageError, match="holds several pictures; one is expected"):
            read(path)


@pytest.mark.parametrize("kind", ["HEIF", "AVIF"])
def test_a_file_of_boxes_without_metadata_comes_back_without(kind, tmp_path):
    if kind == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    elif not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    path = tmp_path / f"old.{kind.lower()}"
    Image.new("RGB", (64, 48), (200, 90, 30)).save(path, kind)
    new, remark = restored(path)
    assert remark == ""
    values, info = reads(new)
    assert values.shape == (48, 64, 3)
    assert np.abs(values.astype(int) - [200, 90, 30]).max() <= 3
    assert not info.get("exif")
