r"""Train DnCNN to remove Gaussian noise, of one level or of any level.

    python -m recipes.dncnn --data BSDS500/train,BSDS500/test --workdir runs/dncnn-gray-25 \
        --variant S --sigma 25 --precision bfloat16 --steps-per-execution 10
    python -m recipes.dncnn --data BSDS500/train,BSDS500/test --workdir runs/dncnn-color-blind \
        --variant C --sigma 55 --sigma-min 0 --precision bfloat16 --steps-per-execution 10

The noise is drawn inside the step. Published is the merged form: batch normalisation folded into
the convolutions. With `--jpeg 5:99` it removes the artefacts of JPEG instead, as DnCNN-3 does. As
published: MSE, Adam from 1e-3; ours: a cosine schedule, averaged weights,
clipped gradients. Meant for a GPU: a step takes about a second on 2 CPU cores.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import zoo
from asykeras.degradations import GaussianNoise
from recipes.training.normalization import with_fast_normalization
from recipes.training.run import Recipe, command
from recipes.training.settings import Settings, TrainingError, option
from zoo.networks.dncnn import VARIANTS


@dataclass(frozen=True)
class DncnnSettings(Settings):
    """Settings of DnCNN."""

    variant: str = option("S", "S: 17 layers, grey; B: 20, grey; C: 20, colour", ("S", "B", "C"))
    sigma: float = option(25.0, "level of the noise in grey levels of 255, the highest if blind")
    sigma_min: float = option(-1.0, "lowest level for a blind network; -1: only --sigma")
    jpeg: str = option("", "LOW:HIGH quality: remove the artefacts of JPEG instead of noise")
    steps: int = option(200_000, "steps of the optimizer in all")
    batch: int = option(128, "patches per step")
    patch: int = option(40, "side of the patch in pixels")


# As the authors' code trained what they released: 50 epochs of 1,600 batches, a tenth of the rate
# from the 31st. (Their paper names SGD from 0.1 to 0.0001 instead.)
PUBLISHED = {
    "learning_rate": 1e-3,
    "schedule": "constant",
    "milestones": "48000:0.1",
    "batch": 128,
    "patch": 40,
    "steps": 80_000,
    "ema": 0.0,
    "clip": 0.0,
    "precision": "float32",
}


def recipe(settings: DncnnSettings) -> Recipe:
    """Return how DnCNN is trained.

    Raises:
        TrainingError: for qualities that are none.
    """
    channels = VARIANTS[settings.variant][1]
    high = settings.sigma / 255
    blind = settings.sigma_min >= 0
    qualities = _qualities(settings.jpeg) if settings.jpeg else None
    return Recipe(
        build=lambda: with_fast_normalization(zoo.DnCNN(variant=settings.variant)),
        degradation=partial(
            GaussianNoise,
            (settings.sigma_min / 255, high) if blind else high,
            seed=settings.seed,
        ),
        channels="rgb" if channels == 3 else "grey",
        card={
            "builder": "DnCNN",
            "arguments": {"variant": settings.variant, "batch_norm": False},
            "use": _use(settings, channels, qualities),
        },
        publish=zoo.fold_batch_norm,
        test={"quality": qualities[0]} if qualities else {"sigma": 25 if blind else settings.sigma},
        qualities=qualities,
        trained={"batch_norm": True},
    )


def _use(
    settings: DncnnSettings, channels: int, qualities: tuple[int, int] | None
) -> dict[str, Any]:
    """Return what the network is for: one trained for one level from 0.8 to 2 times that level.

    The latter was measured with `dncnn-gray-25` against non-local means (tests/zoo/test_published).
    """
    colours = ["rgb"] if channels == 3 else ["grey", "cmyk", "bands"]
    if qualities:
        return {"colours": colours}
    level = settings.sigma
    if settings.sigma_min >= 0:
        return {"levels": [settings.sigma_min, level], "colours": colours}
    return {"levels": [0.8 * level, 2 * level], "level": level, "colours": colours}


def _qualities(text: str) -> tuple[int, int]:
    low, _, high = text.partition(":")
    if not (low.isdecimal() and high.isdecimal() and 1 <= int(low) <= int(high) <= 100):
        raise TrainingError(f"--jpeg must be LOW:HIGH from 1 to 100. Received: {text!r}")
    return int(low), int(high)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    return command(recipe, DncnnSettings, __doc__, PUBLISHED, arguments)


if __name__ == "__main__":
    sys.exit(main())
