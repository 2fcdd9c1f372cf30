"""Patches: the same bytes from both sources, from any start, and truly cut from the images."""

import keras
import numpy as np
import pytest
from PIL import Image

from recipes.data import Patches, folder_name, load_images
from zoo.images import ImageError

rng = np.random.default_rng(0)
IMAGES = [rng.integers(0, 256, (h, w, 3), dtype=np.uint8) for h, w in ((30, 41), (25, 17), (9, 60))]
tensorflow_only = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="tf.data is the TensorFlow source"
)


def coordinates(height, width):
    """Return an image whose pixels are their own row and column, and a mark."""
    rows, columns = np.indices((height, width))
    return np.stack([rows, columns, np.full_like(rows, height)], axis=-1).astype(np.uint8)


@tensorflow_only
def test_both_sources_give_the_same_bytes():
    patches = Patches.of(IMAGES, 8, 16, seed=5)
    for step, batch in zip(range(3, 9), patches.dataset(3, 9), strict=True):
        np.testing.assert_array_equal(batch.numpy(), patches.numpy_batch(step))


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


def test_small_images_are_left_out_and_counted():
    patches = Patches.of(IMAGES, 12, 64, seed=0)
    assert patches.left_out == 1  # 9 x 60
    assert patches.heights.tolist() == [30, 25]


def test_images_that_are_all_too_small_are_refused():
    message = "every image is smaller than the patch of 31 pixels: .* the largest has 30"
    with pytest.raises(ImageError, match=message):
        Patches.of(IMAGES, 31, 4, seed=0)


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


def test_a_tfds_builder_is_a_source(monkeypatch, tmp_path):
    tfds = pytest.importorskip("tensorflow_datasets")

    class Pair(tfds.core.GeneratorBasedBuilder):
        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            return self.dataset_info_from_configs(
                features=tfds.features.FeaturesDict({"hr": tfds.features.Image(shape=(30, 41, 3))})
            )

        def _split_generators(self, manager):
            return {"train": self._generate_examples()}

        def _generate_examples(self):
            yield 0, {"hr": IMAGES[0]}

    Pair(data_dir=tmp_path).download_and_prepare()
    monkeypatch.setattr(tfds, "load", lambda name, split: Pair(data_dir=tmp_path).as_dataset(split))
    np.testing.assert_array_equal(load_images("tfds:pair:train", "rgb")[0], IMAGES[0])


def test_a_tfds_source_without_a_split_is_refused():
    pytest.importorskip("tensorflow_datasets")
    with pytest.raises(ImageError, match="source is tfds:NAME:SPLIT. Received: tfds:div2k"):
        load_images("tfds:div2k", "rgb")
