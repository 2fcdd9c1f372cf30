"""Files of every kind through `restore`: the same kind comes back, with what belongs to it."""

import io
import struct
import sys

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms

from tests.zoo.examples import (
    PALETTE,
    TRANSPARENT,
    as_image,
    chunk,
    network,
    pixels,
    write_png_16,
)
from zoo.app.folder import Job, restore_file
from zoo.pictures.images import ImageError
from zoo.pictures.photos import read_header
from zoo.pictures.rows import open_rows
from zoo.restoring.bands import Settings

tifffile = pytest.importorskip("tifffile")

SIZES = [(1, 1), (1, 7), (8, 1), (9, 5)]
PLAIN = {
    "png": ["1", "L", "LA", "RGB", "RGBA", "L;16"],
    "tif": ["1", "L", "LA", "RGB", "RGBA", "CMYK", "L;16", "L;F"],
    "bmp": ["1", "L", "RGB", "RGBA"],
    "webp": ["RGB", "RGBA"],
}
DEEP = {
    "png": ["LA;16", "RGB;16", "RGBA;16"],
    "tif": ["LA;16", "RGB;16", "RGBA;16", "CMYK;16", "LA;F", "RGB;F", "RGBA;F"],
}
PHOTOMETRIC = {"L": "minisblack", "LA": "minisblack", "CMYK": "separated"}


def cells(table):
    return [(suffix, mode) for suffix, modes in table.items() for mode in modes]


def write(path, mode, values):
    name, _, depth = mode.partition(";")
    if path.suffix == ".tif" and depth:
        extra = ["unassalpha"] if name.endswith("A") else []
        flat = values[..., 0] if values.shape[-1] == 1 else values
        options = {"photometric": PHOTOMETRIC.get(name, "rgb"), "extrasamples": extra}
        tifffile.imwrite(path, flat, planarconfig="contig", metadata=None, **options)
    elif depth:
        write_png_16(path, values)
    else:
        options = {"lossless": True, "exact": True} if path.suffix == ".webp" else {}
        as_image(mode, values).save(path, **options)


def png_depth(path):
    """Return bit depth and colour type of a PNG file."""
    return tuple(path.read_bytes()[24:26])


def restored(path, scale=1, settings=None, **options):
    """Restore a file; return the new one."""
    target = path.with_name("new") / path.name
    restore_file(
        Job(path, target), lambda colour: network(scale), settings or Settings(), **options
    )
    return target


def as_file(path):
    """Return mode and pixels by programs of others: tifffile, or Pillow."""
    if path.suffix == ".tif":
        with tifffile.TiffFile(path) as file:
            page = file.pages[0]
            values = page.asarray()
            kind = (page.photometric.name, page.samplesperpixel, values.dtype.name)
            kind += tuple(int(each) for each in page.extrasamples)
    else:
        with Image.open(path) as image:
            values, kind = np.asarray(image), (image.mode, image.format)
    return kind, values.reshape(*values.shape[:2], -1)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("suffix", "mode"), cells(PLAIN))
def test_a_network_that_does_nothing_changes_nothing(suffix, mode, size, tmp_path):
    path = tmp_path / f"old.{suffix}"
    write(path, mode, pixels(mode, *size))
    old, new = as_file(path), as_file(restored(path, settings=Settings(tile=3)))
    assert old[0] == new[0]
    np.testing.assert_array_equal(old[1], new[1])


@pytest.mark.parametrize(("suffix", "mode"), cells(PLAIN))
def test_an_enlarged_file_is_of_the_same_kind(suffix, mode, tmp_path):
    path = tmp_path / f"old.{suffix}"
    write(path, mode, pixels(mode, 9, 5))
    old, new = as_file(path), as_file(restored(path, scale=2))
    assert old[0] == new[0]
    colours = new[1].shape[-1] - mode.partition(";")[0].endswith("A")  # alpha is bicubic
    large = old[1].repeat(2, 0).repeat(2, 1)
    seen = large[..., -1] > 0 if colours < large.shape[-1] else ...
    np.testing.assert_array_equal(new[1][seen][..., :colours], large[seen][..., :colours])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("suffix", "mode"), cells(DEEP))
def test_deep_colour_keeps_every_bit(suffix, mode, size, tmp_path):
    pytest.importorskip("pyvips")
    path, values = tmp_path / f"old.{suffix}", pixels(mode, *size)
    write(path, mode, values)
    new = restored(path, settings=Settings(tile=3))
    if suffix == "tif":
        assert as_file(path)[0] == as_file(new)[0]
        np.testing.assert_array_equal(as_file(new)[1], values)
    else:
        assert png_depth(new) == png_depth(path)
        np.testing.assert_array_equal(png_16(new), values)


def png_16(path):
    """Return the pixels of PNG of 16 bit by libvips."""
    image = pytest.importorskip("pyvips").Image.new_from_file(str(path), revalidate=True)
    return image.numpy().reshape(image.height, image.width, -1)


@pytest.mark.parametrize(
    ("suffix", "mode"),
    [
        *((s, m) for s, m in cells(DEEP) if s == "png"),
        ("tif", "RGB;16"),
        ("tif", "RGBA;16"),
        ("tif", "CMYK;16"),
    ],
)
def test_deep_colour_without_the_extra_keeps_every_bit(suffix, mode, tmp_path, monkeypatch):
    values = pixels(mode, 9, 5)
    path = tmp_path / f"old.{suffix}"
    write(path, mode, values)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "pyvips", None)
        new = restored(path, settings=Settings(tile=3))
    np.testing.assert_array_equal(png_16(new) if suffix == "png" else as_file(new)[1], values)


@pytest.mark.parametrize(
    ("suffix", "mode"), [("tif", mode) for mode in ("LA;16", "LA;F", "RGB;F", "RGBA;F")]
)
def test_deep_colour_without_the_extra_is_one_sentence(suffix, mode, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyvips", None)
    path = tmp_path / f"old.{suffix}"
    values = pixels(mode, 9, 5)
    write(path, mode, values)
    bits = 8 * values.dtype.itemsize
    match = rf"old.{suffix} holds {values.shape[2]} channels of {bits} bit.*asykeras\[photos\]"
    with pytest.raises(ImageError, match=match):
        restored(path)
    assert not list(tmp_path.glob("new/*"))


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("size", SIZES)
def test_jpeg_keeps_its_mode(mode, size, tmp_path):
    path = tmp_path / "old.jpg"
    flat = np.full_like(pixels(mode, *size), 90)
    as_image(mode, flat).save(path, quality=95)
    kind, values = as_file(restored(path, scale=2))
    assert kind == (mode, "JPEG")
    assert values.shape[:2] == (2 * size[0], 2 * size[1])
    assert np.abs(values.astype(int) - 90).max() <= 2


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp"])
def test_a_palette_comes_back_as_a_palette(suffix, tmp_path):
    path = tmp_path / f"old.{suffix}"
    numbers = pixels("P", 9, 5)
    as_image("P", numbers).save(path)
    new = restored(path, scale=2)
    with Image.open(new) as image:
        assert image.mode == "P"
        # Few colours all find a place in the new palette.
        expected = PALETTE[numbers[..., 0]].repeat(2, 0).repeat(2, 1)
        np.testing.assert_array_equal(np.asarray(image.convert("RGB")), expected)


def test_a_palette_keeps_its_transparent_colour(tmp_path):
    path = tmp_path / "old.png"
    numbers = pixels("P", 9, 5)
    as_image("P", numbers).save(path, transparency=TRANSPARENT)
    with Image.open(restored(path)) as image:
        assert image.mode == "P"
        alpha = np.asarray(image.convert("RGBA"))[..., 3]
    np.testing.assert_array_equal(alpha, np.where(numbers[..., 0] == TRANSPARENT, 0, 255))


@pytest.mark.parametrize(("mode", "true"), [("P", "RGB"), ("1", "L")])
def test_true_colour_is_for_the_asking(mode, true, tmp_path):
    path = tmp_path / "old.png"
    write(path, mode, pixels(mode, 9, 5))
    assert as_file(restored(path, true_colour=True))[0] == (true, "PNG")


@pytest.mark.parametrize(("mode", "key"), [("L", 7), ("RGB", (7, 7, 7))])
def test_a_transparent_key_becomes_alpha(mode, key, tmp_path):
    path = tmp_path / "old.png"
    values = pixels(mode, 9, 5)
    values[2, 3] = 7
    as_image(mode, values).save(path, transparency=key)
    kind, new = as_file(restored(path))
    assert kind == (mode + "A", "PNG")
    np.testing.assert_array_equal(new[..., :-1], values)
    np.testing.assert_array_equal(new[..., -1] == 0, (values == 7).all(-1))


def test_a_transparent_key_of_one_bit(tmp_path):
    path = tmp_path / "old.png"
    values = pixels("1", 9, 5)
    as_image("1", values).save(path, transparency=0)
    kind, new = as_file(restored(path))
    assert kind == ("LA", "PNG")
    np.testing.assert_array_equal(new, np.concatenate([values, values], axis=-1) * 255)


def test_a_transparent_key_of_16_bit(tmp_path):
    path = tmp_path / "old.png"
    values = pixels("L;16", 9, 5)
    values[2, 3] = 777
    write_png_16(path, values, chunk(b"tRNS", struct.pack(">H", 777)))
    new = restored(path)
    assert png_depth(new) == (16, 4)
    expected = np.where(values == 777, 0, 65535)
    np.testing.assert_array_equal(png_16(new), np.concatenate([values, expected], axis=-1))


@pytest.mark.parametrize("mode", ["L", "L;16", "L;F", "LA", "LA;16", "LA;F"])
def test_tiff_whose_0_is_white_comes_back_the_same_to_the_eye(mode, tmp_path):
    pytest.importorskip("pyvips")
    path = tmp_path / "old.tif"
    values = pixels(mode, 9, 5)
    extra = ["unassalpha"] * (values.shape[-1] - 1)
    options = {"photometric": "miniswhite", "extrasamples": extra, "planarconfig": "contig"}
    tifffile.imwrite(path, values.squeeze(), metadata=None, **options)
    kind, new = as_file(restored(path))
    assert kind[0] == "MINISBLACK"
    white = np.float32(1) if mode.endswith("F") else np.iinfo(values.dtype).max
    np.testing.assert_array_equal(new[..., 0], white - values[..., 0])
    np.testing.assert_array_equal(new[..., 1:], values[..., 1:])


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_tiff_stays_as_compressed_as_it_was(compression, tmp_path):
    path = tmp_path / "old.tif"
    values = np.full((40, 30, 3), 100, np.uint8)
    tifffile.imwrite(path, values, photometric="rgb", compression=compression)
    new = restored(path)
    assert (new.stat().st_size < values.size) == (compression is not None)
    np.testing.assert_array_equal(tifffile.imread(new), values)


def test_big_endian_tiff(tmp_path):
    path = tmp_path / "old.tif"
    values = pixels("L;16", 9, 5)
    tifffile.imwrite(path, values[..., 0], byteorder=">", metadata=None)
    np.testing.assert_array_equal(tifffile.imread(restored(path))[..., None], values)


# ---- metadata

ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a tiff:Orientation="6" dc:title="osprey"/></x:xmpmeta>'


def exif(orientation, width, height):
    tags = Image.Exif()
    tags[ExifTags.Base.Orientation] = orientation
    tags[ExifTags.Base.Artist] = "Zoe"
    inner = tags.get_ifd(ExifTags.IFD.Exif)
    inner[ExifTags.Base.ExposureTime] = 0.25
    inner[ExifTags.Base.ExifImageWidth], inner[ExifTags.Base.ExifImageHeight] = width, height
    tags[ExifTags.IFD.Exif] = dict(inner)  # Pillow's TIFF looks for it here, the others above
    return tags


def save_with_metadata(path, orientation=1):
    image = as_image("RGB", pixels("RGB", 9, 5))
    options = {"icc_profile": ICC, "dpi": (300, 150), "exif": exif(orientation, 5, 9)}
    if path.suffix == ".png":
        path.write_bytes(png_with_texts(image, options))
        return np.asarray(image)
    options |= {".jpg": {"xmp": XMP, "quality": 100, "subsampling": 0}}.get(path.suffix, {})
    options |= {".webp": {"xmp": XMP, "lossless": True}}.get(path.suffix, {})
    image.save(path, **options)
    return np.asarray(image)


def png_with_texts(image, options):
    file = io.BytesIO()
    image.save(file, "PNG", **options)
    texts = chunk(b"tEXt", b"Title\0osprey") + chunk(b"gAMA", struct.pack(">I", 45455))
    texts += chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP)
    return file.getvalue()[:33] + texts + file.getvalue()[33:]


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tif"])
def test_profile_resolution_and_exif_are_kept(suffix, tmp_path):
    path = tmp_path / f"old.{suffix}"
    save_with_metadata(path)
    with Image.open(restored(path, scale=2)) as new:
        assert new.info["icc_profile"] == ICC
        if suffix != "webp":  # which has no place for it but EXIF
            assert [round(float(each), 1) for each in new.info["dpi"]] == [300, 150]
        tags = new.getexif()
        assert tags[ExifTags.Base.Artist] == "Zoe"
        inner = tags.get_ifd(ExifTags.IFD.Exif)
        assert float(inner[ExifTags.Base.ExposureTime]) == 0.25
        size = inner[ExifTags.Base.ExifImageWidth], inner[ExifTags.Base.ExifImageHeight]
        assert size == (10, 18)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "webp", "tif"])
def test_orientation_goes_into_the_pixels(suffix, orientation, tmp_path):
    path = tmp_path / f"old.{suffix}"
    values = save_with_metadata(path, orientation)
    turned = {
        **{1: values, 2: values[:, ::-1], 3: values[::-1, ::-1], 4: values[::-1]},
        **{5: values.swapaxes(0, 1), 6: np.rot90(values, -1)},
        **{7: values[::-1, ::-1].swapaxes(0, 1), 8: np.rot90(values)},
    }[orientation]
    with Image.open(restored(path)) as new:
        np.testing.assert_array_equal(np.asarray(new), turned)
        assert new.getexif()[ExifTags.Base.Orientation] == 1
        assert b'tiff:Orientation="6"' not in path.with_name("new").joinpath(path.name).read_bytes()


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_deep_files_are_turned_too(orientation, tmp_path):
    pytest.importorskip("pyvips")
    values = pixels("RGB;16", 9, 5)
    png, tif = tmp_path / "old.png", tmp_path / "old.tif"
    write_png_16(png, values, chunk(b"eXIf", exif(orientation, 5, 9).tobytes()[6:]))
    tag = (274, 3, 1, orientation, True)
    tifffile.imwrite(tif, values, photometric="rgb", metadata=None, extratags=[tag])
    turned = {1: values, 3: values[::-1, ::-1], 6: np.rot90(values, -1)}[orientation]
    np.testing.assert_array_equal(png_16(restored(png)), turned)
    np.testing.assert_array_equal(tifffile.imread(restored(tif)), turned)
    assert read_header(restored(tif)).orientation == 1


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("quality", [1, 5, 30, 50, 75, 89, 90, 99, 100])
def test_the_quality_of_jpeg_is_that_of_its_tables(quality, mode, tmp_path):
    as_image(mode, pixels(mode, 9, 5)).save(tmp_path / "a.jpg", quality=quality)
    assert read_header(tmp_path / "a.jpg").picture.quality == quality


def test_tables_of_other_encoders_have_the_nearest_quality(tmp_path):
    flat = [[16] * 64, [40] * 64]  # 64 x 16 = 1024; of libjpeg 86 sums up to 1031, 87 to 961
    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg", qtables=flat)
    assert read_header(tmp_path / "a.jpg").picture.quality == 86
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    assert read_header(tmp_path / "a.png").picture.quality is None


def test_jpeg_is_turned_once(tmp_path):
    path = tmp_path / "old.jpg"
    save_with_metadata(path, orientation=6)
    for _ in range(2):
        path = restored(path)
        with Image.open(path) as image:
            assert image.size == (9, 5)
            assert image.getexif()[ExifTags.Base.Orientation] == 1
            assert b'tiff:Orientation="1"' in image.info["xmp"]


def test_texts_of_png_are_kept(tmp_path):
    path = tmp_path / "old.png"
    save_with_metadata(path, orientation=6)
    with Image.open(restored(path)) as new:
        assert new.info["Title"] == "osprey"
        assert new.info["gamma"] == 0.45455
        assert 'tiff:Orientation="1" dc:title="osprey"' in new.info["XML:com.adobe.xmp"]


def test_a_file_without_metadata_gets_none(tmp_path):
    for suffix in ("png", "jpg", "webp", "tif", "bmp"):
        path = tmp_path / f"old.{suffix}"
        as_image("RGB", pixels("RGB", 9, 5)).save(path)
        with Image.open(path) as old, Image.open(restored(path)) as new:
            assert not new.getexif() or suffix == "tif"
            assert set(new.info) <= set(old.info)


def test_damaged_exif_is_left_out_and_said(tmp_path):
    path = tmp_path / "old.png"
    as_image("RGB", pixels("RGB", 9, 5)).save(path, exif=b"Exif\0\0no TIFF header")
    remark = restore_file(Job(path, tmp_path / "new.png"), lambda colour: network(), Settings())
    assert remark == f"of {path} this is not kept: the damaged EXIF data"
    with Image.open(tmp_path / "new.png") as new:
        assert "exif" not in new.info


def test_lossless_webp_stays_lossless_and_lossy_lossy(tmp_path):
    for lossless in (True, False):
        path = tmp_path / f"old{lossless}.webp"
        as_image("RGB", pixels("RGB", 9, 5)).save(path, lossless=lossless, icc_profile=ICC)
        assert read_header(path).lossless == lossless
        assert read_header(restored(path)).lossless == lossless


# ---- files that cannot be read


def damaged(path, kind):
    values = pixels("RGB", 64, 64)
    as_image("RGB", values).save(path)
    content = path.read_bytes()
    path.write_bytes(
        {
            "truncated": content[: len(content) // 2],
            "empty": b"",
            "text": b"this is no picture\n" * 50,
            "header alone": content[:40],
        }[kind]
    )


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "bmp", "tif"])
@pytest.mark.parametrize("kind", ["truncated", "empty", "text", "header alone"])
def test_a_broken_file_is_one_sentence(suffix, kind, tmp_path):
    path = tmp_path / f"old.{suffix}"
    damaged(path, kind)
    with pytest.raises(ImageError, match=rf"old.{suffix} (is|cannot be read|holds)") as error:
        restored(path)
    assert len(str(error.value).splitlines()) == 1
    assert not list(tmp_path.glob("new/*"))


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_a_deep_file_cut_short_is_one_sentence(suffix, tmp_path):
    pytest.importorskip("pyvips")
    path = tmp_path / f"old.{suffix}"
    write(path, "RGB;16", pixels("RGB;16", 64, 64))
    path.write_bytes(path.read_bytes()[:9000])
    with pytest.raises(ImageError, match=rf"old.{suffix} cannot be read") as error:
        restored(path)
    assert len(str(error.value).splitlines()) == 1
    assert not list(tmp_path.glob("new/*"))


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path):
    path = tmp_path / "old.png"
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 50_000, 50_000, 1, 0, 0, 0, 0))
    data = chunk(b"IDAT", bytes(310_000))  # may hold so much
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + data + chunk(b"IEND", b""))
    match = r"2500 megapixels, more than the limit of 178.96 \(--megapixels"
    with pytest.raises(ImageError, match=match):
        read_header(path)
    assert read_header(path, megapixels=2500).picture.height == 50_000


def test_a_hundred_megapixels_are_no_bomb(tmp_path, recwarn):
    path = tmp_path / "old.png"
    Image.new("1", (10_000, 10_000)).save(path)
    photo = read_header(path)
    with open_rows(photo) as rows:
        assert rows(9_990, 10_000).shape == (10, 10_000, 1)
    assert not list(recwarn)


def test_several_pictures_in_one_file_are_refused(tmp_path):
    images = [as_image("RGB", pixels("RGB", 9, 5, seed)) for seed in (0, 1)]
    for suffix, match in (("tif", "holds several pictures"), ("webp", "animation of 2 pictures")):
        path = tmp_path / f"old.{suffix}"
        images[0].save(path, save_all=True, append_images=images[1:])
        with pytest.raises(ImageError, match=match):
            restored(path)


@pytest.mark.parametrize("dtype", [np.int32, np.uint32, np.int16, np.complex64])
def test_pixels_of_a_kind_that_is_not_restored(dtype, tmp_path):
    path = tmp_path / "old.tif"
    tifffile.imwrite(path, np.ones((9, 5), dtype))
    with pytest.raises(ImageError, match="a kind that is not read"):
        restored(path)


@pytest.mark.parametrize(("suffix", "scale"), [("webp", 4000), ("jpg", 14_000), ("tif", 9000)])
def test_a_result_that_the_format_cannot_hold_is_refused(suffix, scale, tmp_path):
    path = tmp_path / f"old.{suffix}"
    as_image("RGB", pixels("RGB", 9, 5)).save(path)
    with pytest.raises(ImageError, match="can hold"):
        restored(path, scale=scale)


def test_the_second_picture_of_a_camera_is_said_to_be_left_out(tmp_path):
    path = tmp_path / "old.jpg"
    images = [as_image("RGB", pixels("RGB", 9, 5, seed)) for seed in (0, 1)]
    images[0].save(path, "MPO", save_all=True, append_images=images[1:])
    remark = restore_file(Job(path, tmp_path / "new.jpg"), lambda colour: network(), Settings())
    assert remark == f"of {path} only the first picture is kept"
    assert as_file(tmp_path / "new.jpg")[0] == ("RGB", "JPEG")
