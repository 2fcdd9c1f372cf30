r"""Train GRUNet, the denoiser of DPHSIR, on images or cubes with noise of any level.

    python -m recipes.dphsir --data BSDS500/train,BSDS500/test,T91 --workdir runs/dphsir \
        --precision bfloat16 --steps-per-execution 10
    python -m recipes.dphsir --data cubes --bands 31 --bands-axis last --workdir runs/dphsir-31
    python -m recipes.dphsir --data BSDS500/train,BSDS500/test,T91 --workdir runs/dphsir-small \
        --variant small --sigma 50 --loss mae --steps 18000 --batch 8 --patch 48 \
        --precision bfloat16

The noise and its level are drawn inside the step; the network is given the level. Meant for a GPU.
The last command gave `dphsir-small`: 30.78 dB on CBSD68 at sigma 25 after 99 minutes
on one core of a CPU with AVX512_BF16 (240 ms a step).
"""

from dataclasses import dataclass
from functools import partial

import zoo
from asykeras.degradations import GaussianNoise
from recipes.data.cubes import Windows
from recipes.training.run import Recipe, command, rebuilt
from recipes.training.settings import PLAIN, Descent, Samples, Settings, option
from zoo.scoring.tasks import Denoising
from zoo.store.card import Card, Use


@dataclass(frozen=True)
class DphsirSettings(Settings):
    """Settings of GRUNet."""

    samples: Samples = Samples(batch=16, patch=64)
    # At 0.001 a run of the small variant stopped learning: the gates of the last unit had closed.
    descent: Descent = Descent(steps=100_000, learning_rate=3e-4)
    variant: str = option("full", "size of the network", ("full", "small"))
    bands: int = option(3, "bands in training: 1 for grey images, 3 for colour, more for cubes")
    sigma: float = option(70.0, "highest level of the noise in grey levels of 255")
    bands_axis: str = option("last", "where the bands of cubes are", ("last", "first"))
    variable: str = option("", "array to take of MATLAB files that hold several cubes")


# How the published denoiser with a noise map was trained is not documented. This is the schedule of
# its authors' other denoisers (80 epochs of 50,000 patches), in one stage with noise of any level.
MILESTONES = "140625:0.5,187500:0.1,218750:0.05"
PUBLISHED = dict(
    PLAIN, learning_rate=1e-4, milestones=MILESTONES, batch=16, patch=64, steps=250_000
)


def recipe(settings: DphsirSettings) -> Recipe:
    """Return how GRUNet is trained; ValueError for fewer bands than 1."""
    if settings.bands < 1:
        raise ValueError(f"--bands must be 1 or more. Received: {settings.bands}")
    cubes = Windows(settings.bands, settings.bands_axis, settings.variable)
    colour = {1: "grey", 3: "rgb"}.get(settings.bands, "bands")
    # The network of a cube serves other cubes.
    bands = settings.bands if settings.bands in (1, 3) else None
    return Recipe(
        build=partial(zoo.DPHSIR, channels=settings.bands, variant=settings.variant),
        degradation=partial(
            GaussianNoise, (0.0, settings.sigma / 255), seed=settings.start.seed, return_sigma=True
        ),
        channels=cubes if colour == "bands" else colour,
        card=Card(
            "DPHSIR",
            {"channels": bands, "variant": settings.variant},
            Use(takes_sigma=True, levels=(0.0, settings.sigma / 255), colours=(colour,)),
        ),
        publish=rebuilt(partial(zoo.DPHSIR, channels=bands, variant=settings.variant)),
        task=Denoising(25 / 255),
        ratio=0,
    )


main = command(recipe, DphsirSettings, PUBLISHED)

if __name__ == "__main__":
    raise SystemExit(main())
