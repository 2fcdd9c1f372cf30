"""Train SRCNN for super-resolution by 2, 3 or 4.

    python -m recipes.srcnn --data BSDS300/train --workdir runs/srcnn-x3 --scale 3

Data: any folder of images. Clean patches of 80 pixels are shrunk and enlarged again inside the
step; 12 pixels are cut from every side, the border that the two bicubic passes reach at x3, and the
loss is taken on the pixels that a pass without padding yields.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

import zoo
from asykeras.degradations import BicubicDegrade
from recipes.data import load_images
from recipes.training import Settings, TrainingError, option, parse, policy, train
from zoo.evaluation import mean, score_network
from zoo.images import ImageError, describe, find_images, read_image
from zoo.srcnn import margin


@dataclass(frozen=True)
class SrcnnSettings(Settings):
    """Settings of SRCNN."""

    scale: int = option(3, "upsampling factor: 2, 3 or 4")
    variant: str = option("9-5-5", "kernel sizes", ("9-1-5", "9-3-5", "9-5-5"))
    steps: int = option(30_000, "steps of the optimizer in all")
    patch: int = option(88, "side of the clean patch in pixels")


def run(settings: SrcnnSettings) -> str:
    """Train; return the path of the weights file."""
    context = 4 * settings.scale  # two low-resolution pixels for each of the two bicubic passes
    arguments: dict[str, Any] = {"scale": settings.scale, "variant": settings.variant}
    keras.utils.set_random_seed(settings.seed)
    keras.config.set_dtype_policy("float32")
    published = zoo.SRCNN(**arguments)  # what validation sees and users get
    _check_patch(settings, context)
    images = load_images(settings.data, "luma")
    if not settings.quiet:
        print(f"{settings.data}: {describe(images)}")
    keras.config.set_dtype_policy(policy(settings))
    network = zoo.SRCNN(**arguments, padding="valid", weights=settings.init or None)
    validation = [read_image(path) for path in _validation_paths(settings)]

    def validate(weights: list[np.ndarray]) -> float:
        published.set_weights(weights)
        return mean(score_network(published, validation, scale=settings.scale))["psnr"]

    path = train(
        settings,
        network,
        BicubicDegrade(settings.scale),
        images,
        {"builder": "SRCNN", "arguments": arguments},
        context,
        validate if validation else None,
    )
    return str(path)


def _check_patch(settings: SrcnnSettings, context: int) -> None:
    smallest = 2 * (context + margin(settings.variant)) + 1
    if settings.patch < smallest:
        raise TrainingError(
            f"--patch must be at least {smallest} at scale {settings.scale} with "
            f"{settings.variant}. Received: {settings.patch}"
        )


def _validation_paths(settings: Settings) -> list[Path]:
    return find_images(settings.validation) if settings.validation else []


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    settings = parse(SrcnnSettings, __doc__, arguments)
    try:
        path = run(settings)
    except (ImageError, TrainingError, zoo.WeightsError, ValueError) as error:
        print(f"srcnn: {error}", file=sys.stderr)
        return 1
    if not settings.quiet:
        print(f"wrote {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
