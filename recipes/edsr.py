r"""Train EDSR for super-resolution by 2, 3 or 4.

    python -m recipes.edsr --data DIV2K/train,BSDS500/train,BSDS500/test --workdir runs/edsr-x2 \
        --scale 2 --precision bfloat16 --steps-per-execution 10

Low-resolution patches of 48 pixels, made inside the step by the rule that made the test images. As
published: L1, flips and quarter turns; ours: a cosine schedule, averaged weights, clipped
gradients. Meant for a GPU: a step takes about a second on 2 CPU cores.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import zoo
from asykeras.degradations import BicubicDownscale
from recipes.training.run import Recipe, command, rebuilt
from recipes.training.settings import LOSSES, Settings, TrainingError, option


@dataclass(frozen=True)
class EdsrSettings(Settings):
    """Settings of EDSR."""

    scale: int = option(2, "upsampling factor: 2, 3 or 4")
    variant: str = option("baseline", "size of the network", ("baseline", "full"))
    loss: str = option("mae", "what is minimised", LOSSES)
    steps: int = option(300_000, "steps of the optimizer in all")
    batch: int = option(16, "patches per step")
    patch: int = option(96, "side of the clean patch in pixels, a multiple of the scale")
    learning_rate: float = option(2e-4, "highest learning rate of Adam")


# As published, on DIV2K; x3 and x4 start from x2 (--init), with patches of 144 and 192.
PUBLISHED = {
    "learning_rate": 1e-4,
    "schedule": "constant",
    "milestones": "200000:0.5",
    "batch": 16,
    "patch": 96,
    "steps": 300_000,
    "ema": 0.0,
    "clip": 0.0,
    "precision": "float32",
}


def recipe(settings: EdsrSettings) -> Recipe:
    """Return how EDSR is trained.

    Raises:
        TrainingError: if the patch is not a multiple of the scale.
    """
    if settings.patch % settings.scale:
        raise TrainingError(
            f"--patch must be a multiple of the scale {settings.scale}. Received: {settings.patch}"
        )
    build = partial(zoo.EDSR, settings.scale, variant=settings.variant)
    return Recipe(
        build=build,
        degradation=partial(BicubicDownscale, settings.scale, quantize=True),
        channels="rgb",
        card={
            "builder": "EDSR",
            "arguments": {"scale": settings.scale, "variant": settings.variant},
            "use": {"scale": settings.scale, "colours": ["grey", "rgb", "cmyk"]},
        },
        publish=rebuilt(build),
        test={"scale": settings.scale},
        ratio=settings.scale,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    return command(recipe, EdsrSettings, __doc__, PUBLISHED, arguments)


if __name__ == "__main__":
    sys.exit(main())
