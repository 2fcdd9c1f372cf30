"""Published test sets: found in the layouts that they are handed around in, and told apart."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from recipes.datasets import layouts
from recipes.datasets.layouts import BENCHMARKS, benchmark_files, read_benchmark
from zoo.pictures.images import ImageError


def images(folder, names, size=(4, 6)):
    """Save black images of these names."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        Image.fromarray(np.zeros(size, np.uint8)).save(folder / name)
    return folder


FIVE = [f"{name}.png" for name in ("baby", "bird", "butterfly", "head", "woman")]
LR = [f"{name}x2.png" for name in ("baby", "bird", "butterfly", "head", "woman")]
SELF_EXEMPLARS = [f"img_{n:03d}_SRF_2_{kind}.png" for n in range(1, 6) for kind in ("HR", "LR")]


@pytest.mark.parametrize(
    ("layout", "clean"),
    [
        ({"Set5": FIVE}, "Set5"),
        ({"set5": FIVE}, "set5"),
        ({"testsets/Set5": FIVE, "testsets/Set14": FIVE}, "testsets/Set5"),
        ({"benchmark/Set5/HR": FIVE, "benchmark/Set5/LR_bicubic/X2": LR}, "benchmark/Set5/HR"),
        ({"Set5/GTmod12": FIVE, "Set5/LRbicx2": FIVE, "Set5/original": FIVE}, "Set5/original"),
        ({"Set5/GTmod12": FIVE, "Set5/LRbicx4": FIVE}, "Set5/GTmod12"),
        ({"Set5/Set5": FIVE}, "Set5/Set5"),
        ({"Set5/Set5/original": FIVE, "Set5/Set5/GTmod12": FIVE}, "Set5/Set5/original"),
        ({"Set5/image_SRF_2": SELF_EXEMPLARS, "Set5/x2": FIVE}, "Set5/image_SRF_2"),
        ({"Set5_SR/Set5/image_SRF_2": SELF_EXEMPLARS}, "Set5_SR/Set5/image_SRF_2"),
        ({"Set5": ["one.png"], "other/Set5": FIVE}, "other/Set5"),
        ({"": FIVE}, ""),
    ],
)
def test_layouts_in_the_wild(tmp_path, layout, clean):
    for folder, names in layout.items():
        images(tmp_path / folder, names)
    paths = benchmark_files(tmp_path, "set5")
    assert len(paths) == 5
    assert {path.parent for path in paths} == {tmp_path / clean}
    assert not any("LR" in path.stem for path in paths)
    assert paths == sorted(paths)


def test_what_a_mac_leaves_and_folders_are_no_images(tmp_path):
    folder = images(tmp_path / "Set5", FIVE)
    for name in FIVE:
        (folder / f"._{name}").write_bytes(b"no image")
    (folder / "more.png").mkdir()
    images(tmp_path / ".Trash/Set5", FIVE)
    assert benchmark_files(tmp_path, "set5") == [folder / name for name in FIVE]


def test_the_own_folder_of_a_set_is_enough(tmp_path):
    folder = images(tmp_path / "Set5", FIVE)
    assert len(benchmark_files(folder, "set5")) == 5


def test_an_incomplete_set_is_refused_with_what_is_there(tmp_path):
    images(tmp_path / "Set5" / "HR", FIVE[:4])
    with pytest.raises(ImageError, match="Set5 has 5 images, and no folder .*: .*Set5/HR has 4"):
        benchmark_files(tmp_path, "set5")


def test_a_set_of_which_only_small_images_are_there_is_refused(tmp_path):
    images(tmp_path / "Set5" / "LR_bicubic", FIVE)
    with pytest.raises(ImageError, match="Set5 has 5 images, and no folder of them is in"):
        benchmark_files(tmp_path, "set5")


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ImageError, match="there is no folder .*absent"):
        benchmark_files(tmp_path / "absent", "set5")


HUNDRED = [f"img_{n:03d}_SRF_2_HR.png" for n in range(1, 101)]


def test_the_half_size_folder_of_urban100_is_not_taken(tmp_path):
    images(tmp_path / "Urban100" / "image_SRF_2", HUNDRED)
    with pytest.raises(ImageError, match="image_SRF_2 of SelfExSR is half as large"):
        benchmark_files(tmp_path, "urban100")
    whole = [name.replace("SRF_2", "SRF_4") for name in HUNDRED]
    images(tmp_path / "Urban100" / "image_SRF_4", whole, (4, 1024))
    assert benchmark_files(tmp_path, "urban100")[0].name == "img_001_SRF_4_HR.png"


def test_half_size_images_of_urban100_under_another_name_are_refused(tmp_path):
    images(tmp_path / "Urban100" / "HR", HUNDRED, (341, 512))
    with pytest.raises(ImageError, match="no image of .*HR is longer than 512 pixels"):
        benchmark_files(tmp_path, "urban100")


def test_the_crops_of_kodak_are_refused(tmp_path):
    images(tmp_path / "Kodak24", [f"kodim{n:02d}.png" for n in range(1, 25)], (500, 500))
    with pytest.raises(ImageError, match=r"kodim01.png has 500x500 pixels, .*\(768x512; denoising"):
        benchmark_files(tmp_path, "kodak24")


def test_colours_in_a_grey_set_are_refused(tmp_path):
    image = np.zeros((4, 6, 3), np.uint8)
    Image.fromarray(image).save(tmp_path / "grey.png")
    assert read_benchmark(tmp_path / "grey.png", "bsd68").shape == (4, 6, 1)
    image[0, 0, 0] = 1
    Image.fromarray(image).save(tmp_path / "colour.png")
    with pytest.raises(ImageError, match="BSD68 is grey, but .*colour.png has colours: CBSD68"):
        read_benchmark(tmp_path / "colour.png", "bsd68")
    assert read_benchmark(tmp_path / "colour.png", "set5").shape == (4, 6, 3)


def test_sizes_count_in_either_orientation(tmp_path, monkeypatch):
    two = replace(BENCHMARKS["bsd68"], number=2)
    monkeypatch.setitem(layouts.BENCHMARKS, "bsd68", two)
    images(tmp_path / "BSD68", ["test001.png"], (321, 481))
    images(tmp_path / "BSD68", ["test002.png"], (481, 321))
    assert len(benchmark_files(tmp_path, "bsd68")) == 2


@pytest.mark.data
@pytest.mark.parametrize("name", ["set5", "set14", "set12", "bsd68", "kodak24"])
def test_published_sets_are_found(data, name):
    paths = benchmark_files(data, name)
    assert paths == benchmark_files(data / name, name)
    assert {path.parent for path in paths} == {data / name}


@pytest.mark.data
def test_the_pairs_of_set14_are_found(data):
    paths = benchmark_files(data / "set14_pairs", "set14")
    assert [path.name for path in paths] == [f"img_{n:03d}_SRF_2_HR.png" for n in range(1, 15)]
