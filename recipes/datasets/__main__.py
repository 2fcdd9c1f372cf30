"""Prepare BSDS300 or a published test set for TensorFlow Datasets, from what lies in a folder.

    python -m recipes.datasets bsds300
    python -m recipes.datasets bsds300 --manual-dir BSDS500/images
    python -m recipes.datasets restoration_benchmarks/set5 --manual-dir testsets

Then it is a source, as `tfds:bsds300:train`, and `tfds.load` finds it where `recipes.datasets` has
been imported.
"""

import argparse

import tensorflow_datasets as tfds

import recipes.datasets  # noqa: F401  makes the builders known
from zoo.app.command import Work, command
from zoo.pictures.images import ImageError


@command
def main(parser: argparse.ArgumentParser) -> Work:
    """Add the options; return what is done with them."""
    parser.add_argument("name", help="bsds300, or restoration_benchmarks/ and the set")
    parser.add_argument("--manual-dir", help="folder in which the images are")
    parser.add_argument("--data-dir", help="where to put the result (default: TFDS_DATA_DIR)")
    return prepare


def prepare(options: argparse.Namespace) -> None:
    """Prepare a data set and say what it holds.

    Raises:
        ImageError: if it is unknown, its images are not there, or they are others.
    """
    try:
        builder = tfds.builder(options.name, data_dir=options.data_dir)
        config = tfds.download.DownloadConfig(manual_dir=options.manual_dir)
        builder.download_and_prepare(download_config=config)
    except (tfds.core.DatasetNotFoundError, AssertionError) as error:  # of several lines
        raise ImageError(" ".join(str(error).split())) from error
    counts = ", ".join(
        f"{name} {split.num_examples}" for name, split in builder.info.splits.items()
    )
    print(f"{options.name} in {builder.data_path}: {counts} images")


if __name__ == "__main__":
    raise SystemExit(main())
