r"""Train DnCNN to remove Gaussian noise, of one level or of any level.

    python -m recipes.dncnn --data BSDS500/train,BSDS500/test --workdir runs/dncnn-gray-25 \
        --variant S --sigma 25 --precision bfloat16 --steps-per-execution 10
    python -m recipes.dncnn --data BSDS500/train,BSDS500/test --workdir runs/dncnn-color-blind \
        --variant C --sigma 55 --sigma-min 0 --precision bfloat16 --steps-per-execution 10

The noise is drawn inside the step. Published is the merged form: batch normalisation folded into
the convolutions; with `--folded` that form itself is trained, from `--init dncnn-gray-25` for
instance. With `--jpeg 5:99` it removes the artefacts of JPEG instead, as DnCNN-3 does; they
are Pillow's, KerasCV's with `--jpeg-encoder keras_cv`, or made inside the step with `--jpeg-encoder
device`, which a GPU needs. As published: MSE, Adam from 1e-3; ours: a cosine schedule, averaged
weights, clipped gradients. Meant for a GPU: a step takes about a second on 2 CPU cores.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import keras

import zoo
from asykeras.degradations import GaussianNoise, PoissonGaussianNoise
from asykeras.jpeg import JpegCompression
from recipes.data.jpeg import ENCODERS, Artefacts
from recipes.training.normalization import with_fast_normalization
from recipes.training.run import Recipe, command, rebuilt
from recipes.training.settings import PLAIN, Descent, Samples, Settings, TrainingError, option
from zoo.networks.dncnn import FILTERS, VARIANTS, fold_batch_norm
from zoo.restoring.stabilized import sensor_of
from zoo.scoring.tasks import Deblocking, Denoising
from zoo.store.card import Argument, Card, Use


@dataclass(frozen=True)
class DncnnSettings(Settings):
    """Settings of DnCNN."""

    samples: Samples = Samples(batch=128, patch=40)
    descent: Descent = Descent(steps=200_000)
    variant: str = option("S", "S: 17 layers, grey; B: 20, grey; C: 20, colour", ("S", "B", "C"))
    sigma: float = option(25.0, "level of the noise in grey levels of 255, the highest if blind")
    sigma_min: float = option(-1.0, "lowest level for a blind network; -1: only --sigma")
    depth: int = option(0, "convolutions; 0: the variant's")
    filters: int = option(64, "channels between them")
    folded: bool = option(False, "train it without batch normalisation, as it is published")
    noise_model: str = option("", "poisson:GAIN,READ: noise of a sensor instead of --sigma")
    jpeg: str = option("", "LOW:HIGH quality: remove the artefacts of JPEG instead of noise")
    jpeg_encoder: str = option("pillow", "what makes these artefacts", (*ENCODERS, "device"))


# As the authors' code trained what they released: 50 epochs of 1,600 batches, a tenth of the rate
# from the 31st. (Their paper names SGD from 0.1 to 0.0001 instead.)
PUBLISHED = dict(
    PLAIN, learning_rate=1e-3, milestones="48000:0.1", batch=128, patch=40, steps=80_000
)


def recipe(settings: DncnnSettings) -> Recipe:
    """Return how DnCNN is trained; TrainingError for qualities that are none."""
    channels = VARIANTS[settings.variant][1]
    high = settings.sigma / 255
    blind = settings.sigma_min >= 0
    plain = partial(
        zoo.DnCNN,
        variant=settings.variant,
        depth=settings.depth or None,
        filters=settings.filters,
        batch_norm=not settings.folded,
    )
    # What is trained, and what is published of it: see --folded.
    build, publish = (
        (plain, rebuilt(plain))
        if settings.folded
        else (lambda: with_fast_normalization(plain()), fold_batch_norm)
    )
    shape: dict[str, Argument] = {"variant": settings.variant}
    if settings.depth:
        shape["depth"] = settings.depth
    if settings.filters != FILTERS:
        shape["filters"] = settings.filters
    qualities = _qualities(settings.jpeg) if settings.jpeg else None
    on_device = settings.jpeg_encoder == "device"
    return Recipe(
        build=build,
        degradation=partial(JpegCompression, qualities, seed=settings.start.seed)
        if qualities
        else _degradation(settings),
        channels="rgb" if channels == 3 else "grey",
        card=Card("DnCNN", {**shape, "batch_norm": False}, _use(settings, channels)),
        publish=publish,
        task=Deblocking(qualities[0]) if qualities else Denoising(25 / 255 if blind else high),
        artefacts=Artefacts(*qualities, settings.jpeg_encoder)
        if qualities and not on_device
        else None,
        trained={} if settings.folded else {"batch_norm": True},
    )


def _degradation(settings: DncnnSettings) -> Callable[[], keras.layers.Layer]:
    seed, high = settings.start.seed, settings.sigma / 255
    if settings.noise_model:
        gain, read_noise = sensor_of(settings.noise_model)
        return partial(PoissonGaussianNoise, gain, read_noise=read_noise, seed=seed)
    blind = settings.sigma_min >= 0
    return partial(GaussianNoise, (settings.sigma_min / 255, high) if blind else high, seed=seed)


def _use(settings: DncnnSettings, channels: int) -> Use:
    """Return what the network is for: one trained for one level from 0.8 to 2 times that level.

    The latter was measured with `dncnn-gray-25` against non-local means (tests/zoo/scoring).
    """
    colours = ("rgb",) if channels == 3 else ("grey", "cmyk", "bands")
    if settings.jpeg:
        return Use(colours=colours, jpeg_below=min(_qualities(settings.jpeg)[1] + 1, 100))
    level = settings.sigma / 255
    if settings.sigma_min >= 0:
        return Use(levels=(settings.sigma_min / 255, level), colours=colours)
    return Use(levels=(0.8 * level, 2 * level), level=level, colours=colours)


def _qualities(text: str) -> tuple[int, int]:
    low, _, high = text.partition(":")
    if not (low.isdecimal() and high.isdecimal() and 1 <= int(low) <= int(high) <= 100):
        raise TrainingError(f"--jpeg must be LOW:HIGH from 1 to 100. Received: {text!r}")
    return int(low), int(high)


main = command(recipe, DncnnSettings, PUBLISHED)

if __name__ == "__main__":
    raise SystemExit(main())
