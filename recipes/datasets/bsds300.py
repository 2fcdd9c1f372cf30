"""BSDS300 as a builder of TensorFlow Datasets: 200 images to train on, 100 to test on (B100).

    python -m recipes.datasets bsds300
    tfds.load("bsds300", split="train")

The archive is fetched from Berkeley, or what lies in `manual_dir` is taken: the archive unpacked,
or the images of BSDS500, whose `train` and `val` are the `train` and `test` of BSDS300 (its own
`test` are 200 other images). Either way the files must be the published ones: their number, sizes
and SHA-256 are checked, so no checksum of the archive is needed.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import numpy as np
import tensorflow_datasets as tfds

from zoo.machine.files import sha256_of_all
from zoo.machine.walk import folders, walk
from zoo.pictures.images import ImageError, read_header, read_image

URL = "https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/bsds/BSDS300-images.tgz"
Examples: TypeAlias = Iterator[tuple[str, dict[str, np.ndarray | str]]]  # `image` and `name`
SIZES = ((321, 481), (481, 321))


# What the files of a split must be: how many, and `sha256_of_all` in the order of their names.
SPLITS = {
    "train": (200, "d1adad04b134918ba69a59f7f177deb7e5e464a98b0c93af1fd29cf3646a6d10"),
    "test": (100, "82bd3ee6e168a69004477e79063cbbc14581363711fc74fa2803fb5c3484e94f"),
}
CITATION = """@inproceedings{martin2001database,
  title={A database of human segmented natural images and its application to evaluating segmentation
    algorithms and measuring ecological statistics},
  author={Martin, David and Fowlkes, Charless and Tal, Doron and Malik, Jitendra},
  booktitle={IEEE International Conference on Computer Vision},
  year={2001}
}"""


class Bsds300(tfds.core.GeneratorBasedBuilder):
    """The images of the Berkeley segmentation data set, 481x321 or 321x481 pixels.

    Features: `image`, uint8 `(height, width, 3)`; `name`, the number of the photograph. The decoded
    pixels are stored, because decoders of JPEG differ: TensorFlow's and Pillow's by 1.3 of 255 grey
    levels on average on these files, and by up to 21.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "Initial release."}  # noqa: RUF012  as TensorFlow Datasets wants it
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "where it cannot be fetched put the folder BSDS300, or the folder images of BSDS500, into "
        "the manual folder of TensorFlow Datasets"
    )

    def _info(self) -> tfds.core.DatasetInfo:
        image, text = tfds.features.Image(shape=(None, None, 3)), tfds.features.Text()
        return tfds.core.DatasetInfo(
            builder=self,
            description="300 photographs of the Berkeley segmentation data set, without segments.",
            features=tfds.features.FeaturesDict({"image": image, "name": text}),
            homepage="https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/bsds/",
            citation=CITATION,
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Examples]:
        try:
            splits = find_splits(Path(dl_manager.manual_dir))
        except AssertionError:  # there is no manual folder
            splits = {}
        splits = splits or find_splits(_fetched(dl_manager))
        if not splits:
            raise ImageError(f"{URL} did not hold the folders train and test")
        for split, folder in splits.items():
            check(folder, *SPLITS[split])
        return {split: self._generate_examples(folder) for split, folder in splits.items()}

    def _generate_examples(self, folder: Path) -> Examples:
        for path in files(folder):
            yield path.stem, {"image": read_image(path), "name": path.stem}


def _fetched(dl_manager: tfds.download.DownloadManager) -> Path:
    try:
        return Path(dl_manager.download_and_extract(URL))
    except OSError as error:
        raise ImageError(f"{URL}: {Bsds300.MANUAL_DOWNLOAD_INSTRUCTIONS}") from error


def find_splits(folder: Path) -> dict[str, Path]:
    """Return the folders of the splits somewhere below a folder, or nothing."""
    found = [path for path in folders(folder) if path.name == "train"]
    for train in sorted(found, key=lambda path: (len(path.parts), path)):
        # BSDS500 calls the test images of BSDS300 `val`, and has others in `test`
        for name in ("val", "test"):
            test = train.with_name(name)
            if test.is_dir() and files(train) and files(test):
                return {"train": train, "test": test}
    return {}


def files(folder: Path) -> list[Path]:
    """Return the images of a split, sorted by name."""
    return walk(folder, (".jpg",), follow=True, deep=False).files


def check(folder: Path, number: int, sha256: str) -> None:
    """Refuse the files of a split where they are not the published ones."""
    paths = files(folder)
    if len(paths) != number:
        raise ImageError(f"{folder} must hold {number} images. It holds {len(paths)}")
    for path in paths:
        height, width, _ = read_header(path)
        if (height, width) not in SIZES:
            raise ImageError(f"{path} has {width}x{height} pixels, not 481x321 or 321x481")
    if (found := sha256_of_all(paths)) != sha256:
        raise ImageError(
            f"the images of {folder} are not the files that Berkeley published: their SHA-256 is "
            f"{found}"
        )
