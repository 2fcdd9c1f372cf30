r"""Train FFDNet to remove Gaussian noise of any level, which it is told.

    python -m recipes.ffdnet --data BSDS500/train,BSDS500/test,T91,photos \
        --workdir runs/ffdnet-color --precision bfloat16 --steps-per-execution 10
    python -m recipes.ffdnet --data BSDS500/train,BSDS500/test --workdir runs/ffdnet-gray \
        --channels 1 --patch 70 --precision bfloat16 --steps-per-execution 10

The noise and its level, from 0 to `--sigma`, are drawn inside the step. As published: MSE, Adam
from 1e-3, batches of 128 patches of 50x50 (colour) or 70x70 (grey); ours: a cosine schedule,
averaged weights, clipped gradients, kernels that begin with He's normal numbers. The authors' later
code takes the mean absolute error: `--loss mae`. Meant for a GPU: a step takes seconds on 2 CPU
cores.
"""

from dataclasses import dataclass
from functools import partial

import zoo
from asykeras.degradations import GaussianNoise
from recipes.training.run import Recipe, command, rebuilt
from recipes.training.settings import PLAIN, Descent, Samples, Settings, TrainingError, option
from zoo.networks.ffdnet import SIZES
from zoo.scoring.tasks import Denoising
from zoo.store.card import Card, Use


@dataclass(frozen=True)
class FfdnetSettings(Settings):
    """Settings of FFDNet."""

    samples: Samples = Samples(batch=128, patch=50)
    descent: Descent = Descent(steps=200_000)
    channels: int = option(3, "of the images: 3 for colour, 1 for grey")
    sigma: float = option(75.0, "highest level of the noise in grey levels of 255; the lowest is 0")


# The rates, the batch, the patch (70 for grey) and 8,000 batches an epoch are published; how many
# epochs each rate lasted depended on the loss. Theirs had batch normalisation until the last rate,
# which this network leaves out.
MILESTONES = "400000:0.1,600000:0.001"
PUBLISHED = dict(
    PLAIN, learning_rate=1e-3, milestones=MILESTONES, batch=128, patch=50, steps=640_000
)


def recipe(settings: FfdnetSettings) -> Recipe:
    """Return how FFDNet is trained; TrainingError for another number of channels than 1 or 3."""
    if settings.channels not in SIZES:
        raise TrainingError(f"--channels must be 1 or 3. Received: {settings.channels}")
    high = settings.sigma / 255
    grey = settings.channels == 1
    build = partial(zoo.FFDNet, channels=settings.channels)
    return Recipe(
        build=build,
        degradation=partial(
            GaussianNoise, (0.0, high), seed=settings.start.seed, return_sigma=True
        ),
        channels="grey" if grey else "rgb",
        card=Card(
            "FFDNet",
            {"channels": settings.channels},
            Use(
                takes_sigma=True,
                levels=(0.0, high),
                colours=("grey", "cmyk", "bands") if grey else ("rgb",),
            ),
        ),
        publish=rebuilt(build),
        task=Denoising(25 / 255),
        ratio=0,
    )


main = command(recipe, FfdnetSettings, PUBLISHED)

if __name__ == "__main__":
    raise SystemExit(main())
