r"""Train SPAN for super-resolution by 2, 3 or 4.

    python -m recipes.span --data DIV2K/train,BSDS500/train,BSDS500/test --workdir runs/span-x2 \
        --scale 2 --precision bfloat16 --steps-per-execution 10

Low-resolution patches of 48 pixels, made inside the step by the rule that made the test images. As
published: L1, Adam from 5e-4, flips and quarter turns; ours: smaller batches, a cosine schedule,
averaged weights, clipped gradients. With `--photo --init span-x2` the small images are what cameras
and files make of them: blurred, noisy and JPEG (`asykeras.photo`). Meant for a GPU: a step takes
about a second on 2 CPU cores.
"""

from dataclasses import dataclass
from functools import partial

import keras

import zoo
from asykeras.degradations import BicubicDownscale
from asykeras.photo import PhotoDownscale
from recipes.training.enlarger import enlarger
from recipes.training.run import Recipe, command
from recipes.training.settings import PLAIN, Descent, Objective, Samples, Settings, option


@dataclass(frozen=True)
class SpanSettings(Settings):
    """Settings of SPAN."""

    samples: Samples = Samples(batch=32, patch=96)
    objective: Objective = Objective(loss="mae")
    descent: Descent = Descent(steps=300_000, learning_rate=5e-4)
    scale: int = option(2, "upsampling factor: 2, 3 or 4; the patch is a multiple of it")
    channels: int = option(48, "filters of each convolution: 28, 48 or 52")
    composed: bool = option(False, "train each 3x3 kernel as several that are merged afterwards")
    photo: bool = option(False, "of blurred, noisy JPEG photographs instead of clean small images")


# As the authors' options for x4, on DIV2K and Flickr2K; x2 with patches of 128.
MILESTONES = "200000:0.5,400000:0.5,600000:0.5,800000:0.5"
PUBLISHED = dict(PLAIN, learning_rate=5e-4, milestones=MILESTONES, batch=64, patch=256, steps=10**6)


def recipe(settings: SpanSettings) -> Recipe:
    """Return how SPAN is trained; TrainingError if the patch is not a multiple of the scale."""
    degradation: partial[keras.layers.Layer] = (
        partial(PhotoDownscale, settings.scale, seed=settings.start.seed)
        if settings.photo
        else partial(BicubicDownscale, settings.scale, quantize=True)
    )
    return enlarger(
        zoo.SPAN,
        settings.scale,
        degradation,
        settings.samples.patch,
        composed=settings.composed,
        photo=settings.photo,
        channels=settings.channels,
    )


main = command(recipe, SpanSettings, PUBLISHED)

if __name__ == "__main__":
    raise SystemExit(main())
