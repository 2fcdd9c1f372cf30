r"""Train GRUNet, the denoiser of DPHSIR, on colour or grey images with noise of any level.

    python -m recipes.dphsir --data BSDS500/train,BSDS500/test,T91 --workdir runs/dphsir \
        --precision bfloat16 --steps-per-execution 10

The noise and its level are drawn inside the step; the network is given the level. The weights
restore any number of bands. Meant for a GPU.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import zoo
from asykeras.degradations import GaussianNoise
from recipes.training import Recipe, Settings, command, option


@dataclass(frozen=True)
class DphsirSettings(Settings):
    """Settings of GRUNet."""

    bands: int = option(3, "bands in training: 3 for colour, 1 for grey")
    sigma: float = option(70.0, "highest level of the noise in grey levels of 255")
    steps: int = option(100_000, "steps of the optimizer in all")
    batch: int = option(16, "patches per step")
    patch: int = option(64, "side of the patch in pixels")


def recipe(settings: DphsirSettings) -> Recipe:
    """Return how GRUNet is trained.

    Raises:
        ValueError: for another number of bands than 1 and 3.
    """
    if settings.bands not in (1, 3):
        raise ValueError(f"--bands must be 1 or 3. Received: {settings.bands}")
    return Recipe(
        build=partial(zoo.DPHSIR, bands=settings.bands),
        degradation=GaussianNoise(
            (0.0, settings.sigma / 255), seed=settings.seed, return_sigma=True
        ),
        channels="rgb" if settings.bands == 3 else "grey",
        card={"builder": "DPHSIR", "arguments": {}},
        publish=lambda network: network,
        test={"sigma": 25},
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    return command(recipe, DphsirSettings, __doc__, arguments)


if __name__ == "__main__":
    sys.exit(main())
