"""Patches: the same bytes from both sources, from any start, and truly cut from the images."""

import hashlib
import io
import sys

import keras
import numpy as np
import pytest
from PIL import Image

from recipes.data import jpeg
from recipes.data.image_set import ImageSet
from recipes.data.jpeg import Artefacts
from recipes.data.patches import Patches, load_images
from recipes.data.sources import folder_name, open_images
from zoo.pictures.images import ImageError

rng = np.random.default_rng(0)
IMAGES = [rng.integers(0, 256, (h, w, 3), dtype=np.uint8) for h, w in ((30, 41), (25, 17), (9, 60))]
tensorflow_only = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="tf.data is the TensorFlow source"
)


def coordinates(height, width):
    """Return an image whose pixels are their own row and column, and a mark."""
    rows, columns = np.indices((height, width))
    return np.stack([rows, columns, np.full_like(rows, height)], axis=-1).astype(np.uint8)


def pairs(ratio):
    """Return images of coordinates, and partners whose pixels are the coordinates over `ratio`."""
    sizes = (8 * ratio, 9 * ratio), (12 * ratio, 7 * ratio)
    clean = ImageSet.of([coordinates(*size) for size in sizes])
    return clean, ImageSet.of([image[::ratio, ::ratio] // ratio for image in clean])


def assert_same_batches(patches, start, stop):
    for step, batch in zip(range(start, stop), patches.dataset(start, stop), strict=True):
        keras.tree.map_structure(np.testing.assert_array_equal, batch, patches.numpy_batch(step))


def test_samples_are_those_of_earlier_releases():
    batch = Patches.of(IMAGES, 8, 16, seed=5).numpy_batch(123)
    expected = "2dd81865f84f87705ad6b0417b4dcc0024012a21effd65c5d4c5d43e77d58c95"
    assert hashlib.sha256(batch.tobytes()).hexdigest() == expected


@tensorflow_only
def test_both_sources_give_the_same_bytes():
    assert_same_batches(Patches.of(IMAGES, 8, 16, seed=5), 3, 9)


@tensorflow_only
def test_both_sources_give_the_same_16_bit_values():
    deep = [image.astype(np.uint16) * 200 for image in IMAGES]
    patches = Patches.of(deep, 8, 16, seed=5)
    assert patches.numpy_batch(0).dtype == np.uint16
    assert_same_batches(patches, 0, 2)


@tensorflow_only
def test_both_sources_give_the_same_pairs():
    clean, degraded = pairs(3)
    assert_same_batches(Patches.of(clean, 12, 16, seed=5, degraded=degraded), 0, 3)


@tensorflow_only
def test_the_dataset_does_not_copy_the_pixels():
    patches = Patches.of(IMAGES, 8, 2, seed=0)
    batches = iter(patches.dataset(0, 50))
    next(batches)
    patches.images.pixels[:] = 7
    assert (list(batches)[-1].numpy() == 7).all()


@tensorflow_only
def test_pixels_that_tensorflow_cannot_take_over_are_copied():
    images = ImageSet.of(IMAGES)
    images.pixels.flags.writeable = False
    assert_same_batches(Patches.of(images, 8, 4, seed=0), 0, 2)


def test_a_batch_depends_on_seed_and_step_alone():
    first, again = (Patches.of(IMAGES, 8, 16, seed=5) for _ in range(2))
    first.numpy_batch(0)
    np.testing.assert_array_equal(first.numpy_batch(7), again.numpy_batch(7))
    assert (first.numpy_batch(7) != first.numpy_batch(8)).any()
    assert (first.numpy_batch(7) != Patches.of(IMAGES, 8, 16, seed=6).numpy_batch(7)).any()


def test_samples_do_not_depend_on_how_they_are_batched():
    small, large = Patches.of(IMAGES, 8, 4, seed=1), Patches.of(IMAGES, 8, 8, seed=1)
    two = np.concatenate([small.numpy_batch(6), small.numpy_batch(7)])
    np.testing.assert_array_equal(two, large.numpy_batch(3))


def test_rows_of_several_hosts_make_up_the_batch():
    whole = Patches.of(IMAGES, 8, 6, seed=1).numpy_batch(3)
    hosts = [Patches.of(IMAGES, 8, 6, seed=1, rows=rows) for rows in ((0, 2), (2, 6))]
    np.testing.assert_array_equal(np.concatenate([h.numpy_batch(3) for h in hosts]), whole)


@tensorflow_only
def test_both_sources_give_the_same_rows():
    assert_same_batches(Patches.of(IMAGES, 8, 6, seed=1, rows=(2, 5)), 1, 3)


@pytest.mark.parametrize("rows", [(-1, 2), (2, 2), (0, 7)])
def test_rows_outside_a_batch_are_refused(rows):
    with pytest.raises(ValueError, match="rows must lie within a batch of 6. Received: "):
        Patches.of(IMAGES, 8, 6, seed=1, rows=rows)


def test_patches_are_connected_and_turned_in_all_eight_ways():
    patches = Patches.of([coordinates(20, 30)], 6, 500, seed=0)
    seen = set()
    for patch in patches.numpy_batch(0).astype(int):
        down, right = patch[1, 0] - patch[0, 0], patch[0, 1] - patch[0, 0]
        assert np.abs(down).sum() == np.abs(right).sum() == 1
        np.testing.assert_array_equal(patch[5, 5], patch[0, 0] + 5 * down + 5 * right)
        seen.add((*down, *right))
    assert len(seen) == 8


def test_every_position_is_equally_likely():
    patches = Patches.of([coordinates(20, 30), coordinates(10, 14)], 6, 20_000, seed=0)
    batch = patches.numpy_batch(0).astype(int)
    corners = batch[..., :2].min(axis=(1, 2))  # the smallest row and column of each patch
    sizes = batch[:, 0, 0, 2]
    share = (sizes == 20).mean()
    positions = {20: 15 * 25, 10: 5 * 9}
    expected = positions[20] / sum(positions.values())
    deviation = np.sqrt(expected * (1 - expected) / len(sizes))
    assert abs(share - expected) < 4 * deviation
    counts = np.bincount(corners[sizes == 20] @ [25, 1], minlength=375)
    mean = (sizes == 20).sum() / 375
    chi_squared = ((counts - mean) ** 2 / mean).sum()
    assert abs(chi_squared - 374) < 4 * np.sqrt(2 * 374)  # mean and deviation of chi squared


def test_corner_positions_are_reached():
    patches = Patches.of([coordinates(8, 9)], 8, 64, seed=0)
    lefts = patches.numpy_batch(0)[..., 1].min(axis=(1, 2))
    assert set(lefts) == {0, 1}


@pytest.mark.parametrize("ratio", [1, 2, 3, 8])
def test_pairs_show_the_same_place_turned_the_same_way(ratio):
    clean, degraded = pairs(ratio)
    patches = Patches.of(clean, 4 * ratio, 200, seed=0, degraded=degraded)
    whole, small = patches.numpy_batch(0)
    assert small.shape == (200, 4, 4, 3)
    for patch, partner in zip(whole, small, strict=True):
        blocks = patch.reshape(4, ratio, 4, ratio, 3).swapaxes(1, 2).reshape(4, 4, -1, 3)
        np.testing.assert_array_equal(blocks.min(axis=2) // ratio, partner)
        np.testing.assert_array_equal(blocks.max(axis=2) // ratio, partner)


def test_pairs_of_one_size_give_the_clean_patches_of_no_pairs():
    clean, degraded = pairs(1)
    patches = Patches.of(clean, 5, 16, seed=3, degraded=degraded)
    alone = Patches.of(list(clean), 5, 16, seed=3)
    np.testing.assert_array_equal(patches.numpy_batch(2)[0], alone.numpy_batch(2))


def test_a_patch_that_is_no_multiple_of_the_ratio_is_refused():
    clean, degraded = pairs(3)
    with pytest.raises(ImageError, match="a patch of 10 pixels cannot be cut where .* 3 times"):
        Patches.of(clean, 10, 4, seed=0, degraded=degraded)


def test_small_images_are_left_out_and_counted():
    patches = Patches.of(IMAGES, 12, 64, seed=0)
    assert patches.left_out == 1  # 9 x 60
    assert patches.images.heights.tolist() == [30, 25]


def test_images_that_are_all_too_small_are_refused():
    message = "every image is smaller than the patch of 31 pixels: .* the largest has 30"
    with pytest.raises(ImageError, match=message):
        Patches.of(IMAGES, 31, 4, seed=0)


@pytest.mark.parametrize("channels", [1, 3])
def test_artefacts_are_those_of_the_quality_of_each_sample(channels):
    images = [image[..., :channels] for image in IMAGES]
    clean, degraded = Patches.of(images, 16, 40, seed=2, artefacts=Artefacts(30, 32)).numpy_batch(1)
    found = set()
    for patch, compressed in zip(clean.squeeze(), degraded.squeeze(), strict=True):
        for quality in range(28, 35):
            file = io.BytesIO()
            Image.fromarray(patch).save(file, "JPEG", quality=quality, subsampling=2)
            if np.array_equal(Image.open(file), compressed):
                found.add(quality)
                break
        else:
            pytest.fail("no quality from 28 to 34 gives this patch")
    assert found <= {30, 31, 32}
    assert len(found) > 1


def test_qualities_cover_their_range_evenly_and_depend_on_the_sample_alone():
    patches = Patches.of(IMAGES, 8, 16, seed=2, artefacts=Artefacts(5, 99))
    qualities = patches._qualities(np.arange(95_000))
    counts = np.bincount(qualities)[5:]
    assert qualities.min() == 5
    assert len(counts) == 95
    chi_squared = ((counts - 1000) ** 2 / 1000).sum()
    assert abs(chi_squared - 94) < 4 * np.sqrt(2 * 94)
    np.testing.assert_array_equal(patches._qualities(np.arange(50, 60)), qualities[50:60])


def test_clean_patches_do_not_depend_on_the_artefacts():
    clean, _ = Patches.of(IMAGES, 8, 16, seed=2, artefacts=Artefacts(5, 99)).numpy_batch(4)
    np.testing.assert_array_equal(clean, Patches.of(IMAGES, 8, 16, seed=2).numpy_batch(4))


@tensorflow_only
@pytest.mark.parametrize("channels", [1, 3])
def test_kerascv_makes_nearly_the_artefacts_of_pillow(channels):
    pytest.importorskip("keras_cv")
    smooth = rng.normal(size=(64, 64, channels)).cumsum(axis=0).cumsum(axis=1)
    smooth = ((smooth - smooth.min()) / np.ptp(smooth) * 255).astype(np.uint8)
    ours, theirs = (
        Patches.of([smooth], 32, 8, seed=2, artefacts=Artefacts(5, 90, encoder))
        for encoder in ("pillow", "keras_cv")
    )
    for step in range(3):
        clean, pillow = ours.numpy_batch(step)
        same, kerascv = theirs.numpy_batch(step)
        np.testing.assert_array_equal(clean, same)
        changed = np.abs(pillow.astype(int) - clean).mean()
        difference = np.abs(kerascv.astype(int) - pillow).mean()
        assert 0 < difference < 1.5  # largest mean measured on photographs: 1.03 up to quality 90
        assert difference < changed


@tensorflow_only
@pytest.mark.parametrize("encoder", ["pillow", "keras_cv"])
def test_the_pipeline_of_tensorflow_gives_the_same_artefacts(encoder):
    if encoder == "keras_cv":
        pytest.importorskip("keras_cv")
    patches = Patches.of(IMAGES, 8, 16, seed=2, artefacts=Artefacts(5, 99, encoder))
    for step, pair in enumerate(patches.dataset(0, 3)):
        assert [part.shape for part in pair] == [(16, 8, 8, 3)] * 2
        for found, expected in zip(pair, patches.numpy_batch(step), strict=True):
            np.testing.assert_array_equal(found, expected)


def test_without_kerascv_its_artefacts_are_refused(monkeypatch):
    jpeg._keras_cv.cache_clear()
    monkeypatch.setitem(sys.modules, "keras_cv", None)
    monkeypatch.setitem(sys.modules, "keras_cv.layers", None)
    patches = Patches.of(IMAGES, 8, 16, seed=2, artefacts=Artefacts(5, 99, "keras_cv"))
    with pytest.raises(ImageError, match="of KerasCV need it: pip install keras-cv==0.9.0"):
        patches.numpy_batch(0)


def test_artefacts_of_16_bit_images_are_refused():
    deep = [image.astype(np.uint16) for image in IMAGES]
    with pytest.raises(ImageError, match="of 8-bit images .* Received: uint16 with 3 channels"):
        Patches.of(deep, 8, 16, seed=2, artefacts=Artefacts(5, 99))


def test_artefacts_of_pairs_are_refused():
    clean, degraded = pairs(1)
    with pytest.raises(ImageError, match="which have no partners"):
        Patches.of(clean, 4, 16, seed=2, degraded=degraded, artefacts=Artefacts(5, 99))


@pytest.mark.parametrize("qualities", [(0, 50), (60, 50), (50, 101)])
def test_qualities_out_of_range_are_refused(qualities):
    with pytest.raises(ValueError, match="between 1 and 100. Received: "):
        Patches.of(IMAGES, 8, 16, seed=2, artefacts=Artefacts(*qualities))


def test_the_lowest_quality_changes_most():
    patch = np.repeat(IMAGES[0][None, :16, :16, :1], 2, axis=0)
    poor, good = Artefacts(1, 100).compressor()(patch, np.array([1, 100])).astype(int)
    assert np.abs(poor - patch[0]).mean() > 3 * np.abs(good - patch[0]).mean()


def test_a_folder_of_mixed_files_is_decoded(tmp_path):
    Image.fromarray(IMAGES[0]).save(tmp_path / "rgb.png")
    Image.fromarray(IMAGES[1][..., 0]).save(tmp_path / "grey.png")
    Image.fromarray(IMAGES[2]).convert("RGBA").save(tmp_path / "alpha.png")
    Image.fromarray(np.full((9, 9), 40_000, np.uint16)).save(tmp_path / "deep.png")
    assert [image.shape[-1] for image in load_images(str(tmp_path), "rgb")] == [3] * 4
    luma = load_images(str(tmp_path), "luma")
    assert [image.shape for image in luma] == [(9, 60, 1), (9, 9, 1), (25, 17, 1), (30, 41, 1)]
    assert luma[1][0, 0, 0] == round(40_000 / 257)


def test_several_folders(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        Image.fromarray(IMAGES[0]).save(tmp_path / name / "image.png")
    source = f"{tmp_path}/one,{tmp_path}/two"
    assert len(load_images(source, "rgb")) == 2
    assert folder_name(source) == "one+two"


@pytest.mark.parametrize("size", [5, 9])
def test_memory_and_a_mapped_file_give_the_same_batches(tmp_path, size):
    for n, image in enumerate(IMAGES):
        Image.fromarray(image).save(tmp_path / f"{n}.png")
    there = open_images(str(tmp_path), "rgb")
    mapped = open_images(str(tmp_path), "rgb", memory=0, scratch=tmp_path / "scratch")
    assert "streamed from" in mapped.describe()
    expected = Patches.of(there, size, 16, seed=3).numpy_batch(5)
    np.testing.assert_array_equal(Patches.of(mapped, size, 16, seed=3).numpy_batch(5), expected)


@tensorflow_only
def test_tensorflow_reads_the_mapped_file_in_place(tmp_path):
    Image.fromarray(IMAGES[0]).save(tmp_path / "image.png")
    mapped = open_images(str(tmp_path), "rgb", memory=0, scratch=tmp_path / "scratch")
    patches = Patches.of(mapped, 8, 16, seed=3)
    assert_same_batches(patches, 0, 3)
    batches = iter(patches.dataset(0, 50))
    next(batches)
    patches.images.pixels[:] = 7
    assert (list(batches)[-1].numpy() == 7).all()
    # ... and the file is as it was
    again = open_images(str(tmp_path), "rgb", memory=0, scratch=tmp_path / "scratch")
    np.testing.assert_array_equal(again[0], IMAGES[0])
