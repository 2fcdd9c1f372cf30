"""Sources of images: folders, data sets, cubes and pairs; in memory or in a mapped file."""

import os
import struct
import sys
import zlib

import h5py
import keras
import numpy as np
import pytest
from keras.ops import convert_to_numpy
from PIL import Image
from scipy import io

from recipes.data import image_set
from recipes.data.cubes import Windows
from recipes.data.image_set import ImageSet, in_words
from recipes.data.patches import Patches
from recipes.data.sources import folder_name, open_images, open_pairs
from recipes.training.resident import Resident
from tests.zoo.examples import abandoned
from zoo.machine.memory import available_memory
from zoo.pictures.images import ImageError, read_image, to_channels
from zoo.store.cubes import open_cube, read_cube

rng = np.random.default_rng(0)
IMAGES = [rng.integers(0, 256, (h, w, 3), dtype=np.uint8) for h, w in ((30, 41), (25, 17), (9, 60))]
CUBE = rng.integers(0, 5000, (6, 5, 8)).astype(np.float32)
tensorflow_only = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="TensorFlow Datasets read with TensorFlow"
)


def folder(path, images=IMAGES, ending="png"):
    """Save images as 0.png, 1.png, ... and return the folder as a source."""
    path.mkdir(parents=True, exist_ok=True)
    for n, image in enumerate(images):
        Image.fromarray(image).save(path / f"{n}.{ending}")
    return str(path)


def png16(image):
    """Return a PNG file of 16 bit, which Pillow writes for grey alone."""
    height, width, channels = image.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in image)
    head = struct.pack(">IIBBBBB", width, height, 16, {1: 0, 3: 2, 4: 6}[channels], 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def stretched(cube):
    """Return a cube from 0 to 65535, by the formula."""
    cube = cube.astype(np.float64)
    return np.floor((cube - cube.min()) / (cube.max() - cube.min()) * 65535 + 0.5)


def test_images_come_in_the_order_of_their_names_with_sizes_and_names(tmp_path):
    folder(tmp_path / "b")
    folder(tmp_path, IMAGES[:1])
    images = open_images(str(tmp_path), "rgb")
    assert images.names == ("0", "b/0", "b/1", "b/2")
    assert images.heights.tolist() == [30, 30, 25, 9]
    for image, expected in zip(images, [IMAGES[0], *IMAGES], strict=True):
        np.testing.assert_array_equal(image, expected)


def test_a_file_is_a_source(tmp_path):
    images = open_images(f"{folder(tmp_path)}/1.png", "luma")
    np.testing.assert_array_equal(images[0], to_channels(IMAGES[1], "luma"))
    assert images.names == ("1",)


@pytest.mark.parametrize("ending", ["bmp", "tif", "webp", "jpg"])
def test_files_of_many_kinds_are_read(tmp_path, ending):
    images = open_images(folder(tmp_path, ending=ending), "rgb")
    np.testing.assert_array_equal(images[1], read_image(tmp_path / f"1.{ending}"))


def test_several_folders_keep_their_images_apart(tmp_path):
    one, two = folder(tmp_path / "one"), folder(tmp_path / "two", IMAGES[:1])
    images = open_images(f"{one},{two}", "rgb")
    assert images.names == ("1/0", "1/1", "1/2", "2/0")
    assert folder_name(f"{one},{two},tfds:div2k/bicubic_x2:train") == (
        "one+two+tfds:div2k/bicubic_x2:train"
    )


def test_one_16_bit_image_makes_the_set_16_bit(tmp_path):
    deep = rng.integers(0, 65536, (7, 5, 3), dtype=np.uint16)
    (tmp_path / "9.png").write_bytes(png16(deep))
    images = open_images(folder(tmp_path), "rgb")
    assert images.pixels.dtype == np.uint16
    np.testing.assert_array_equal(images[0], IMAGES[0].astype(int) * 257)
    np.testing.assert_array_equal(images[3], deep)
    assert "16 bit" in images.describe()


def test_luma_of_16_bit_is_that_of_8_bit_in_finer_steps(tmp_path):
    (tmp_path / "9.png").write_bytes(png16(IMAGES[0].astype(np.uint16) * 257))
    luma = open_images(str(tmp_path), "luma")[0] / 257
    assert np.abs(luma - to_channels(IMAGES[0], "luma")).max() <= 0.5 + 0.5 / 257


def test_floating_point_stays_as_it_is(tmp_path):
    light = [rng.uniform(-0.5, 9, (h, 8)).astype(np.float32) for h in (8, 5)]
    open_folder = folder(tmp_path, light, "tif")
    images = open_images(open_folder, "luma")
    for image, expected in zip(images, light, strict=True):
        assert image.dtype == np.float32
        np.testing.assert_array_equal(image[..., 0], expected)
    assert "floating point" in images.describe()
    again = open_images(open_folder, "luma", memory=0, scratch=tmp_path / "scratch")
    np.testing.assert_array_equal(again.pixels, images.pixels)
    patches = Patches.of(images, 5, 3, seed=0)
    batch = patches.numpy_batch(1)
    assert batch.dtype == np.float32
    assert batch.max() > 2
    np.testing.assert_array_equal(convert_to_numpy(Resident(images.pixels, 5)(
        keras.ops.convert_to_tensor(patches.numpy_places(1))
    )), batch)  # fmt: skip


def test_integers_beside_floating_point_are_refused(tmp_path):
    folder(tmp_path, [np.zeros((9, 9), np.float32)], "tif")
    Image.fromarray(IMAGES[0]).save(tmp_path / "1.png")
    with pytest.raises(ImageError, match="^0 holds floating point and 1 integers: a source holds"):
        open_images(str(tmp_path), "rgb")


def test_luma_of_floating_point_is_not_rounded():
    colour = rng.uniform(0, 4, (5, 6, 3)).astype(np.float32)
    red, green, blue = np.moveaxis(colour.astype(np.float64), -1, 0)
    luma = (16 + 65.481 * red + 128.553 * green + 24.966 * blue) / 255
    np.testing.assert_allclose(to_channels(colour, "luma")[..., 0], luma, rtol=1e-6)
    grey = 0.299 * red + 0.587 * green + 0.114 * blue
    np.testing.assert_allclose(to_channels(colour, "grey")[..., 0], grey, rtol=1e-6)
    assert to_channels(colour, "grey").dtype == np.float32


def test_the_description_says_how_many_how_large_and_where(tmp_path):
    source = folder(tmp_path, [np.zeros((1000, 1048, 3), np.uint8), np.zeros((100, 100), np.uint8)])
    assert open_images(source, "rgb").describe() == (
        "2 images, 0.01 to 1.05 megapixels, 3 MiB decoded, kept in memory"
    )
    mapped = open_images(source, "rgb", memory=2**20, scratch=tmp_path / "scratch")
    path = next((tmp_path / "scratch").glob("*"))
    assert mapped.describe() == (
        "2 images, 0.01 to 1.05 megapixels, 3 MiB decoded, streamed from "
        f"{path} because 1 MiB of memory may be used"
    )


def test_words_for_sizes():
    assert [in_words(size) for size in (143 * 2**20, 2**30, int(6.9 * 2**30))] == [
        "143 MiB",
        "1.0 GiB",
        "6.9 GiB",
    ]


def test_memory_is_measured():
    assert 2**20 < available_memory() < 2**50


def test_half_of_the_memory_is_the_limit(tmp_path, monkeypatch):
    source = folder(tmp_path)
    total = 3 * sum(image.shape[0] * image.shape[1] for image in IMAGES)
    for available, kept in ((2 * total, True), (2 * total - 2, False)):
        monkeypatch.setattr("recipes.data.sources.available_memory", lambda n=available: n)
        images = open_images(source, "rgb", scratch=tmp_path / "scratch")
        assert (images.kept == "kept in memory") == kept


def test_the_mapped_file_is_used_again_until_the_images_change(tmp_path):
    source, scratch = folder(tmp_path / "images"), tmp_path / "scratch"
    first = open_images(source, "rgb", memory=0, scratch=scratch)
    file = next(scratch.glob("*"))
    written = file.stat().st_mtime_ns
    again = open_images(source, "rgb", memory=0, scratch=scratch)
    assert file.stat().st_mtime_ns == written
    np.testing.assert_array_equal(first.pixels, again.pixels)
    os.utime(tmp_path / "images" / "0.png", (1, 1))
    open_images(source, "rgb", memory=0, scratch=scratch)
    open_images(source, "luma", memory=0, scratch=scratch)
    assert len(list(scratch.glob("*"))) == 3


def test_nothing_stays_of_a_mapped_file_that_could_not_be_finished(tmp_path):
    source, scratch = folder(tmp_path / "images"), tmp_path / "scratch"
    whole = (tmp_path / "images" / "2.png").read_bytes()
    middle = len(whole) // 2
    changed = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
    (tmp_path / "images" / "2.png").write_bytes(changed)
    with pytest.raises(ImageError, match="2.png is damaged: its chunk IDAT fails its check sum"):
        open_images(source, "rgb", memory=0, scratch=scratch)
    assert list(scratch.iterdir()) == []


def test_what_a_killed_process_left_is_removed(tmp_path):
    source, scratch = folder(tmp_path / "images"), tmp_path / "scratch"
    abandoned(scratch)
    (scratch / ".part-time").mkdir()
    open_images(source, "rgb", memory=0, scratch=scratch)
    assert [path.name for path in scratch.glob(".part-*")] == [".part-time"]


def test_a_folder_is_walked_as_restore_does(tmp_path, capsys):
    source = tmp_path / "images"
    folder(source), folder(source / ".hidden"), folder(source / "outside")
    (source / "outside").rename(tmp_path / "outside")
    (source / "._0.png").write_bytes(b"what a Mac leaves")
    (source / "more.png").mkdir()
    (source / "0.png").rename(source / "0.PNG")
    Image.fromarray(IMAGES[0]).save(source / "3.jfif", "JPEG")
    (source / "4.png").symlink_to(tmp_path / "outside/1.png")
    for name in ("a.gif", "b.gif", "c.svg"):
        (source / name).touch()
    images = open_images(str(source), "rgb", quiet=False)
    assert images.names == ("0", "1", "2", "3", "4")  # data sets are made of links, too
    assert f"left out of {source}: 2 .gif, 1 .svg\n" in capsys.readouterr().out


def test_images_that_do_not_fit_need_a_folder(tmp_path):
    with pytest.raises(ImageError, match="take 0 MiB, more than the 0 MiB .* no folder is named"):
        open_images(folder(tmp_path), "rgb", memory=100)


def test_a_full_disk_is_told_before_work(tmp_path, monkeypatch):
    monkeypatch.setattr(
        image_set, "check_room", lambda *_: (_ for _ in ()).throw(OSError(28, "full"))
    )
    with pytest.raises(ImageError, match="scratch cannot take the 0 MiB .*: full"):
        open_images(folder(tmp_path), "rgb", memory=0, scratch=tmp_path / "scratch")


def test_a_file_in_place_of_the_scratch_folder_is_refused(tmp_path):
    (tmp_path / "scratch").touch()
    with pytest.raises(ImageError, match="scratch cannot take"):
        open_images(folder(tmp_path / "images"), "rgb", memory=0, scratch=tmp_path / "scratch")


def test_an_image_that_changes_while_it_is_read_is_refused(tmp_path, monkeypatch):
    source = folder(tmp_path)
    monkeypatch.setattr(
        "recipes.data.sources.read_image", lambda *_: np.zeros((30, 40, 3), np.uint8)
    )
    with pytest.raises(ImageError, match="0 has changed while it was read"):
        open_images(source, "rgb")


@pytest.mark.parametrize("channels", ["RGB", "bands", "bands:3"])
def test_unknown_channels_are_refused(tmp_path, channels):
    with pytest.raises(ImageError, match=f"Received: '{channels}'"):
        open_images(folder(tmp_path), channels)


def test_a_set_is_a_sequence():
    images = ImageSet.of(IMAGES)
    assert len(images) == 3
    assert images[1:][1].shape == images[-1].shape == (9, 60, 3)
    assert images.pixels.ctypes.data % 64 == 0
    assert images.at([2, 0])[0].shape == (9, 60, 3)


def test_images_of_different_kinds_are_no_set():
    with pytest.raises(ValueError, match="images must have one dtype and as many channels"):
        ImageSet.of([IMAGES[0], IMAGES[1].astype(np.uint16)])
    with pytest.raises(ValueError, match="images must have one dtype and as many channels"):
        ImageSet.of([IMAGES[0], IMAGES[1][..., :1]])


# pairs


def test_pairs_are_found_by_name(tmp_path):
    clean = folder(tmp_path / "clean")
    small = [
        image[::2, ::2] for image in (np.zeros((8, 6, 3), np.uint8), np.ones((4, 4), np.uint8))
    ]
    clean = folder(tmp_path / "hr", [np.zeros((8, 6, 3), np.uint8), np.ones((4, 4), np.uint8)])
    folder(tmp_path / "lr", small, "bmp")
    for n in range(2):
        (tmp_path / "lr" / f"{n}.bmp").rename(tmp_path / "lr" / f"{n}x2.bmp")
    whole, half = open_pairs(clean, str(tmp_path / "lr"), "grey")
    assert whole.names == ("0", "1")
    assert half.names == ("0x2", "1x2")
    assert half.heights.tolist() == [4, 2]


def test_partners_follow_the_order_of_the_clean_images(tmp_path):
    for name in ("a", "ab"):  # sorted, `abx2` comes before `ax2`
        image = np.full((4, 4, 3), len(name), np.uint8)
        folder(tmp_path / "hr", []), folder(tmp_path / "lr", [])
        Image.fromarray(image).save(tmp_path / "hr" / f"{name}.png")
        Image.fromarray(image[::2, ::2]).save(tmp_path / "lr" / f"{name}x2.png")
    clean, degraded = open_pairs(str(tmp_path / "hr"), str(tmp_path / "lr"), "rgb")
    assert [image[0, 0, 0] for image in clean] == [1, 2]
    assert [image[0, 0, 0] for image in degraded] == [1, 2]


def test_both_sets_of_pairs_share_the_memory(tmp_path):
    source = folder(tmp_path / "clean")
    total = 3 * sum(image.shape[0] * image.shape[1] for image in IMAGES)
    scratch = tmp_path / "scratch"
    clean, degraded = open_pairs(source, source, "rgb", memory=2 * total - 1, scratch=scratch)
    assert clean.kept == "kept in memory"
    assert degraded.kept.startswith("streamed")
    np.testing.assert_array_equal(clean.pixels, degraded.pixels)


@pytest.mark.parametrize(
    ("clean", "degraded", "message"),
    [
        ({"a": (4, 4), "b": (4, 4)}, {"a": (2, 2)}, "clean image b has no degraded partner"),
        ({"a": (4, 4)}, {"a": (2, 2), "b": (2, 2)}, "degraded image b has no clean partner"),
        ({"a": (4, 5)}, {"a": (2, 2)}, "a has 5x4 pixels, .* times the 2x2"),
        ({"a": (2, 2)}, {"a": (4, 4)}, "a has 2x2 pixels, .* times the 4x4"),
        ({"a": (9, 9)}, {"a": (1, 1)}, "a has 9x9 pixels, .* 1 to 8 times the 1x1"),
        ({"a": (4, 4), "b": (4, 4)}, {"a": (2, 2), "b": (1, 1)}, "b is 4 times .* a is 2 times"),
        ({"a": (4, 4), "ax2": (4, 4)}, {"ax2": (2, 2)}, "several clean .* partner of ax2"),
    ],
)
def test_pairs_that_do_not_fit_are_refused_before_decoding(
    tmp_path, monkeypatch, clean, degraded, message
):
    for name, sizes in (("hr", clean), ("lr", degraded)):
        (tmp_path / name).mkdir()
        for stem, size in sizes.items():
            Image.fromarray(np.zeros(size, np.uint8)).save(tmp_path / name / f"{stem}.png")
    monkeypatch.setattr("recipes.data.sources.read_image", lambda *_: pytest.fail("decoded"))
    with pytest.raises(ImageError, match=message):
        open_pairs(str(tmp_path / "hr"), str(tmp_path / "lr"), "rgb")


def test_pairs_of_cubes_are_refused(tmp_path):
    with pytest.raises(ImageError, match="pairs come in one of .* Received: Windows"):
        open_pairs(str(tmp_path), str(tmp_path), Windows(3))


# cubes


def test_a_cube_is_cut_into_windows_that_overlap_by_half(tmp_path):
    np.save(tmp_path / "cube.npy", CUBE)
    images = open_images(str(tmp_path), Windows(3))
    assert images.names == tuple(f"cube[{first}]" for first in (0, 1, 2, 3, 4, 5))
    images = open_images(str(tmp_path), Windows(5))
    assert images.names == ("cube[0]", "cube[2]", "cube[3]")  # the last ends with the cube
    for image, first in zip(images, (0, 2, 3), strict=True):
        np.testing.assert_array_equal(image, stretched(CUBE)[..., first : first + 5])


def test_a_window_of_all_bands_is_the_cube(tmp_path):
    np.save(tmp_path / "cube.npy", CUBE)
    images = open_images(f"{tmp_path}/cube.npy", Windows(8))
    np.testing.assert_array_equal(images[0], stretched(CUBE))
    assert images.names == ("cube[0]",)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float64, ">u2"])
def test_cubes_of_every_kind_of_number_are_stretched(tmp_path, dtype):
    np.save(tmp_path / "cube.npy", (CUBE // 40 - 50).astype(dtype))
    np.testing.assert_array_equal(
        read_cube(tmp_path / "cube.npy"), stretched((CUBE // 40 - 50).astype(dtype))
    )


def test_bands_may_come_first(tmp_path):
    np.save(tmp_path / "cube.npy", np.moveaxis(CUBE, -1, 0))
    images = open_images(str(tmp_path), Windows(8, "first"))
    np.testing.assert_array_equal(images[0], stretched(CUBE))


def test_a_constant_cube_is_black(tmp_path):
    np.save(tmp_path / "cube.npy", np.full((3, 3, 3), 5.0))
    assert (read_cube(tmp_path / "cube.npy") == 0).all()


def matlab_5(path, **arrays):
    io.savemat(path, arrays)


def matlab_73(path, **arrays):
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = np.asarray(array).T  # MATLAB's order of the axes in HDF5


@pytest.mark.parametrize("save", [matlab_5, matlab_73])
def test_matlab_files_of_both_kinds_are_read(tmp_path, save):
    save(tmp_path / "cube.mat", scene=CUBE, labels=np.zeros((6, 5)))
    np.testing.assert_array_equal(read_cube(tmp_path / "cube.mat"), stretched(CUBE))


@pytest.mark.parametrize("save", [matlab_5, matlab_73])
def test_a_flat_array_is_laid_out_by_the_fields_of_its_file(tmp_path, save):
    flat = CUBE.transpose(1, 0, 2).reshape(30, 8).T  # bands x pixels, down the columns first
    layout = {"nRow": 6.0, "nCol": 5.0, "nBand": 8.0}
    save(tmp_path / "cube.mat", Y=flat, **{n: np.array([[v]]) for n, v in layout.items()})
    np.testing.assert_array_equal(read_cube(tmp_path / "cube.mat"), stretched(CUBE))
    np.testing.assert_array_equal(read_cube(tmp_path / "cube.mat", "first"), stretched(CUBE))


@pytest.mark.parametrize("save", [matlab_5, matlab_73])
def test_of_several_cubes_one_must_be_named(tmp_path, save):
    save(tmp_path / "cube.mat", rad=CUBE, rgb=CUBE[..., :3])
    with pytest.raises(ImageError, match="several cubes, name one of them: rad 6x5x8, rgb 6x5x3"):
        open_images(str(tmp_path), Windows(3))
    images = open_images(str(tmp_path), Windows(8, variable="rad"))
    np.testing.assert_array_equal(images[0], stretched(CUBE))
    with pytest.raises(ImageError, match="has no cube 'other'"):
        open_images(str(tmp_path), Windows(3, variable="other"))


def test_a_flat_array_without_a_layout_is_refused(tmp_path):
    io.savemat(tmp_path / "cube.mat", {"Y": np.zeros((8, 30)), "name": "scene"})
    with pytest.raises(ImageError, match="no fields nRow, nCol, nBand that say .*: Y 8x30"):
        open_images(str(tmp_path), Windows(3))


def test_too_few_bands_are_refused_with_the_shape(tmp_path):
    np.save(tmp_path / "cube.npy", CUBE)
    with pytest.raises(
        ImageError, match=r"8 bands along its last axis, fewer than 31; .*\(6, 5, 8\)"
    ):
        open_images(str(tmp_path), Windows(31))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(tmp_path, value):
    cube = CUBE.copy()
    cube[2, 2, 2] = value
    np.save(tmp_path / "cube.npy", cube)
    with pytest.raises(ImageError, match="cube.npy has values that are not finite"):
        open_images(str(tmp_path), Windows(3))


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((6, 5)), r"no cube of three axes: \(6, 5\)"),
        (np.zeros((6, 5, 0)), "no cube of three axes"),
        (np.zeros((6, 5, 8), complex), "values of the kind complex128, not numbers"),
        (np.zeros((6, 5, 8), "U3"), "not numbers"),
        (np.array([[[print]]], dtype=object), "cannot be read"),  # would be unpickled
    ],
)
def test_a_npy_file_that_holds_no_cube_is_refused(tmp_path, array, message):
    np.save(tmp_path / "cube.npy", array, allow_pickle=True)
    with pytest.raises(ImageError, match=message):
        open_images(str(tmp_path), Windows(3))


@pytest.mark.parametrize("ending", ["npy", "mat"])
@pytest.mark.parametrize(
    "content", [b"", b"not a cube", b"\x93NUMPY\x01\x00v\x00{}", b"MATLAB" * 99]
)
def test_a_file_that_is_no_cube_is_refused(tmp_path, ending, content):
    (tmp_path / f"cube.{ending}").write_bytes(content)
    with pytest.raises(ImageError, match=f"cube.{ending} cannot be read: "):
        open_images(str(tmp_path), Windows(3))


def test_a_cube_that_claims_to_be_huge_is_refused(tmp_path):
    np.save(tmp_path / "cube.npy", CUBE)
    content = (tmp_path / "cube.npy").read_bytes().replace(b"(6, 5, 8)", b"(6,5,8e9)")
    (tmp_path / "cube.npy").write_bytes(content)
    with pytest.raises(ImageError, match="cube.npy cannot be read"):
        open_images(str(tmp_path), Windows(3))


@pytest.mark.parametrize("save", [matlab_5, matlab_73])
@pytest.mark.parametrize("share", [0.3, 0.7, 0.95])
def test_a_matlab_file_that_is_cut_short_is_refused(tmp_path, save, share):
    save(tmp_path / "cube.mat", scene=rng.random((20, 20, 20)))
    content = (tmp_path / "cube.mat").read_bytes()
    (tmp_path / "cube.mat").write_bytes(content[: int(share * len(content))])
    with pytest.raises(ImageError, match="cube.mat cannot be read: "):
        open_images(str(tmp_path), Windows(3))


def test_a_folder_without_cubes_is_refused(tmp_path):
    with pytest.raises(ImageError, match="holds no cube"):
        open_images(folder(tmp_path), Windows(3))
    with pytest.raises(ImageError, match="there is no folder"):
        open_images(str(tmp_path / "absent"), Windows(3))


@pytest.mark.data
def test_published_cubes_are_read(data):
    shapes = {
        "cave_balloons_256": (256, 256, 31),
        "jasperRidge2_R198": (100, 100, 198),
        "pavia": (100, 100, 102),
        "simu_indian": (145, 145, 224),
    }
    for name, shape in shapes.items():
        path = data / "hsi" / f"{name}.mat"
        assert open_cube(path).shape == shape
        cube = read_cube(path)
        assert cube.shape == shape
        assert (cube.min(), cube.max()) == (0, 65535)


# TensorFlow Datasets


@pytest.fixture
def pair_builder(tmp_path, monkeypatch):
    """A data set with the features of div2k, and names."""
    tfds = pytest.importorskip("tensorflow_datasets")

    class SourcesPair(tfds.core.GeneratorBasedBuilder):
        VERSION = tfds.core.Version("1.0.0")
        BUILDER_CONFIGS = [tfds.core.BuilderConfig(name=name) for name in ("x1", "x2")]  # noqa: RUF012

        def _info(self):
            image = tfds.features.Image(shape=(None, None, 3))
            features = {"hr": image, "lr": image, "name": tfds.features.Text()}
            return tfds.core.DatasetInfo(
                builder=self, features=tfds.features.FeaturesDict(features)
            )

        def _split_generators(self, manager):
            return {"train": self._generate_examples()}

        def _generate_examples(self):
            for n, image in enumerate(IMAGES):
                even = image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2]
                yield n, {"hr": even, "lr": even[::2, ::2], "name": f"photo {n}"}

    monkeypatch.setattr("tensorflow_datasets.core.constants.DATA_DIR", str(tmp_path / "tfds"))
    yield "sources_pair"
    tfds.core.registered._DATASET_REGISTRY.pop("sources_pair")


@tensorflow_only
def test_a_builder_of_tensorflow_datasets_is_a_source(pair_builder):
    images = open_images(f"tfds:{pair_builder}/x2:train", "rgb")
    assert sorted(images.names) == ["photo 0", "photo 1", "photo 2"]
    for name, image in zip(images.names, images, strict=True):
        whole = IMAGES[int(name[-1])]
        np.testing.assert_array_equal(
            image, whole[: whole.shape[0] // 2 * 2, : whole.shape[1] // 2 * 2]
        )


@tensorflow_only
def test_pairs_of_a_builder(pair_builder):
    source = f"tfds:{pair_builder}/x2:train"
    clean, degraded = open_pairs(source, f"{source}:lr", "rgb")
    assert clean.names == degraded.names
    for whole, half in zip(clean, degraded, strict=True):
        np.testing.assert_array_equal(whole[::2, ::2], half)


@tensorflow_only
def test_a_builder_is_streamed_and_found_again(pair_builder, tmp_path):
    source, scratch = f"tfds:{pair_builder}/x2:train[:2]", tmp_path / "scratch"
    mapped = open_images(source, "rgb", memory=0, scratch=scratch)
    again = open_images(source, "rgb", memory=0, scratch=scratch)
    assert len(list(scratch.iterdir())) == 1
    assert len(mapped) == 2
    np.testing.assert_array_equal(open_images(source, "rgb").pixels, again.pixels)


@tensorflow_only
@pytest.mark.parametrize(
    ("rest", "message"),
    [
        ("/x2:test", r"has no split test, only \['train'\]"),
        ("/x2:train[:0]", "has no example"),
        ("/x2:train:depth", r"has no depth; its images are \['hr', 'lr'\]"),
        ("/x2:train:name", r"has no name; its images are \['hr', 'lr'\]"),
        ("/x9:train", "cannot be prepared: .*x9"),
        ("_unknown:train", "cannot be prepared: .*sources_pair_unknown"),
        ("", "source is tfds:NAME:SPLIT .*Received: tfds:"),
        ("::", "source is tfds:NAME:SPLIT"),
    ],
)
def test_a_builder_that_does_not_fit_is_refused(pair_builder, rest, message):
    with pytest.raises(ImageError, match=message):
        open_images(f"tfds:{pair_builder}{rest}", "rgb")


@pytest.mark.parametrize("package", ["tensorflow", "tensorflow_datasets"])
def test_without_its_package_a_source_is_refused(monkeypatch, package):
    if package == "tensorflow_datasets":
        pytest.importorskip("tensorflow")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImageError, match=f"cannot be read without {package}: pip install it"):
        open_images("tfds:div2k:train", "rgb")


def test_a_16_bit_builder_makes_a_16_bit_set(tmp_path, monkeypatch):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("TensorFlow Datasets read with TensorFlow")
    tfds = pytest.importorskip("tensorflow_datasets")
    deep = rng.integers(0, 65536, (7, 5, 1), dtype=np.uint16)

    class SourcesDeep(tfds.core.GeneratorBasedBuilder):
        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            image = tfds.features.Image(shape=(None, None, 1), dtype=np.uint16)
            return tfds.core.DatasetInfo(
                builder=self, features=tfds.features.FeaturesDict({"image": image})
            )

        def _split_generators(self, manager):
            return {"test": iter([(0, {"image": deep})])}

        def _generate_examples(self):
            raise NotImplementedError

    monkeypatch.setattr("tensorflow_datasets.core.constants.DATA_DIR", str(tmp_path))
    images = open_images("tfds:sources_deep:test", "grey")
    np.testing.assert_array_equal(images[0], deep)
    assert images.names == ("000000",)
    tfds.core.registered._DATASET_REGISTRY.pop("sources_deep")
