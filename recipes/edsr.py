r"""Train EDSR for super-resolution by 2, 3 or 4.

    python -m recipes.edsr --data DIV2K/train,BSDS500/train,BSDS500/test --workdir runs/edsr-x2 \
        --scale 2 --precision bfloat16 --steps-per-execution 10

Low-resolution patches of 48 pixels, made inside the step by the rule that made the test images. As
published: L1, flips and quarter turns; ours: a cosine schedule, averaged weights, clipped
gradients. Meant for a GPU: a step takes about a second on 2 CPU cores.
"""

from dataclasses import dataclass
from functools import partial

import zoo
from asykeras.degradations import BicubicDownscale
from recipes.training.enlarger import enlarger
from recipes.training.run import Recipe, command
from recipes.training.settings import PLAIN, Descent, Objective, Samples, Settings, option


@dataclass(frozen=True)
class EdsrSettings(Settings):
    """Settings of EDSR."""

    samples: Samples = Samples(batch=16, patch=96)
    objective: Objective = Objective(loss="mae")
    descent: Descent = Descent(steps=300_000, learning_rate=2e-4)
    scale: int = option(2, "upsampling factor: 2, 3 or 4; the patch is a multiple of it")
    variant: str = option("baseline", "size of the network", ("baseline", "full"))


# As published, on DIV2K; x3 and x4 start from x2 (--init), with patches of 144 and 192.
PUBLISHED = dict(
    PLAIN, learning_rate=1e-4, milestones="200000:0.5", batch=16, patch=96, steps=300_000
)


def recipe(settings: EdsrSettings) -> Recipe:
    """Return how EDSR is trained; TrainingError if the patch is not a multiple of the scale."""
    degradation = partial(BicubicDownscale, settings.scale, quantize=True)
    return enlarger(
        zoo.EDSR, settings.scale, degradation, settings.samples.patch, variant=settings.variant
    )


main = command(recipe, EdsrSettings, PUBLISHED)

if __name__ == "__main__":
    raise SystemExit(main())
