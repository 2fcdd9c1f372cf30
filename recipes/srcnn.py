r"""Train SRCNN for super-resolution by 2, 3 or 4.

    python -m recipes.srcnn --data BSDS500/train,BSDS500/test,T91 --workdir runs/srcnn-955-x3 \
        --scale 3 --steps 40000 --batch 32 --precision bfloat16

This command gave `srcnn-955-x3`: 32.66 dB on Set5 after 78 minutes on a busy 2-core CPU (90 ms a
step when nothing else runs).

Clean patches of 88 pixels are shrunk and enlarged again inside the step; 4 x scale pixels are cut
from every side, the border that the two bicubic passes reach, and the loss is taken on the pixels
that a pass without padding yields.
"""

from dataclasses import dataclass
from functools import partial

import zoo
from asykeras.degradations import BicubicDegrade
from asykeras.resize import bicubic_resize
from recipes.training.run import Recipe, command, rebuilt
from recipes.training.settings import PLAIN, Descent, Samples, Settings, TrainingError, option
from zoo.networks.srcnn import margin
from zoo.scoring.tasks import SuperResolution
from zoo.store.card import Card, Use


@dataclass(frozen=True)
class SrcnnSettings(Settings):
    """Settings of SRCNN."""

    samples: Samples = Samples(batch=32, patch=88)
    descent: Descent = Descent(steps=40_000)
    scale: int = option(3, "upsampling factor: 2, 3 or 4")
    variant: str = option("9-5-5", "kernel sizes", ("9-1-5", "9-3-5", "9-5-5"))
    slow_layers: str = option("", "layers at a tenth of the rate, and all biases; sgd only")


# As published: 33 x 33 pixels into the network (patches of 49, 57 and 65 at x2, x3 and x4), the sum
# of squares of the 17 x 17 pixels of 9-5-5 halved, at a rate of 0.0001. On the mean of squares that
# is a rate of 0.0001 * 17 * 17 / 2. Differs: He's initial weights instead of a deviation of 0.001.
RULE = PLAIN | {"optimizer": "sgd", "slow_layers": "reconstruction"}
PUBLISHED = dict(RULE, learning_rate=1e-4 * 17 * 17 / 2, batch=128, patch=57, steps=15_000_000)


def recipe(settings: SrcnnSettings) -> Recipe:
    """Return how SRCNN is trained.

    Raises:
        TrainingError: if nothing is left of a patch without its borders, or for slow layers of an
            optimizer that has none.
    """
    build = partial(zoo.SRCNN, settings.scale, variant=settings.variant)
    context = 4 * settings.scale  # two low-resolution pixels for each of the two bicubic passes
    smallest = 2 * (context + margin(settings.variant)) + 1
    patch, rule = settings.samples.patch, settings.descent.optimizer
    if patch < smallest and settings.scale in (2, 3, 4):
        raise TrainingError(
            f"--patch must be at least {smallest} at scale {settings.scale} with "
            f"{settings.variant}. Received: {patch}"
        )
    if settings.slow_layers and rule != "sgd":
        raise TrainingError(f"--slow-layers needs --optimizer sgd. Received: {rule}")
    return Recipe(
        build=partial(build, padding="valid"),
        degradation=partial(BicubicDegrade, settings.scale),
        # the curve of sRGB belongs to full-range values, which BT.601's Y are not
        channels="grey" if settings.samples.linear else "luma",
        card=Card(
            "SRCNN",
            {"scale": settings.scale, "variant": settings.variant},
            Use(scale=settings.scale, enlarge_first=True, colours=("grey", "rgb", "cmyk")),
        ),
        publish=rebuilt(build),
        task=SuperResolution(settings.scale),
        context=context,
        prepare=lambda small: bicubic_resize(small, settings.scale),
        ratio=settings.scale,
        slow_layers=tuple(name for name in settings.slow_layers.split(",") if name),
    )


main = command(recipe, SrcnnSettings, PUBLISHED)

if __name__ == "__main__":
    raise SystemExit(main())
