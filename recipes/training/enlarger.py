"""The recipe of a network that enlarges small RGB images itself, as EDSR and SPAN do."""

from collections.abc import Callable
from functools import partial

import keras

from recipes.training.run import Recipe, rebuilt
from recipes.training.settings import TrainingError
from zoo.scoring.tasks import PhotoEnlargement, SuperResolution
from zoo.store.card import Argument, Card, Use


def enlarger(
    builder: Callable[..., keras.Model],
    scale: int,
    degradation: Callable[[], keras.layers.Layer],
    patch: int,
    *,
    composed: bool = False,
    photo: bool = False,
    **arguments: Argument,
) -> Recipe:
    """Return how a network that a `builder` of the zoo makes of a scale and `arguments` is trained.

    With `photo` the small images are photographs in JPEG.

    Raises:
        TrainingError: if the patch is not a multiple of the scale.
    """
    if patch % scale:
        raise TrainingError(f"--patch must be a multiple of the scale {scale}. Received: {patch}")
    build = partial(builder, scale, **arguments)
    return Recipe(
        build=build,
        degradation=degradation,
        channels="rgb",
        card=Card(
            builder.__name__,
            {"scale": scale, **arguments},
            Use(scale=scale, colours=("grey", "rgb", "cmyk"), jpeg_below=90 if photo else 0),
        ),
        publish=rebuilt(build),
        task=PhotoEnlargement(scale) if photo else SuperResolution(scale),
        ratio=scale,
        composed=composed,
    )
