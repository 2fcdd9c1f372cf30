"""A short run on several devices or processes, as a program: see test_devices.py.

Called with a JSON object: settings of the run; `logical` devices of TensorFlow; `out`, the file for
the trained weights. JAX takes the number of devices from XLA_FLAGS.
"""

import json
import sys
from functools import partial
from pathlib import Path

import keras
import numpy as np
from keras import layers
from PIL import Image

from asykeras.degradations import GaussianNoise
from recipes.training.run import NETWORK, Recipe, rebuilt, train
from recipes.training.settings import Settings, TrainingError
from zoo.scoring.tasks import Denoising
from zoo.store.card import Card, Use


def network() -> keras.Model:
    """Return a network with batch normalisation, whose statistics span the whole batch."""
    image = keras.Input((None, None, 1))
    x = layers.Conv2D(4, 3, padding="same", use_bias=False)(image)
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    return keras.Model(image, layers.Conv2D(1, 3, padding="same")(x) + image)


def photographs(folder: Path) -> None:
    """Write two small images, the same in every process."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(2):
        pixels = rng.integers(0, 256, (40, 44), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")


def main() -> int:
    """Train and write the weights; return the exit code."""
    given = json.loads(sys.argv[1])
    logical, out = given.pop("logical", 0), given.pop("out")
    if logical:
        import tensorflow as tf

        cpu = tf.config.list_physical_devices("CPU")[0]
        parts = [tf.config.LogicalDeviceConfiguration()] * logical
        tf.config.set_logical_device_configuration(cpu, parts)
    settings = Settings.of(**given)
    recipe = Recipe(
        build=network,
        degradation=partial(GaussianNoise, (0.0, 0.2), seed=1),
        channels="grey",
        card=Card("-", {}, Use()),
        publish=rebuilt(network),
        task=Denoising(25 / 255),
    )
    try:
        path = train(settings, recipe)
    except TrainingError as error:
        sys.exit(str(error))  # to stderr, with the code 1
    if settings.machines.process_id == 0:
        trained = network()
        trained.load_weights(path.parent / NETWORK)
        np.savez(out, *trained.get_weights())
    return 0


if __name__ == "__main__":
    sys.exit(main())
