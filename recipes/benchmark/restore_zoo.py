"""The zoo's side of `restore`: a network on Keras, ONNX Runtime or OpenVINO.

Run by `recipes.benchmark.restore`: python -m recipes.benchmark.restore_zoo NETWORK SIDE OPTIONS...

`run N`: N calls of the engine on one tile. `restore N`: N calls of `zoo.restore` on a picture of
the same output. `peak 0`: the most memory held so far.
"""

import argparse

import keras
import numpy as np

import zoo
from recipes.benchmark.turns import serve
from zoo.machine.dtype import computing_in
from zoo.networks.dncnn import fold_batch_norm
from zoo.runtimes.engines import exported_engine, keras_engine
from zoo.runtimes.signatures import Engine
from zoo.tiling.graph import growth

SIGMA = 25 / 255
BUILDERS = {
    "srcnn": lambda: zoo.SRCNN(2),
    "edsr": lambda: zoo.EDSR(scale=2),
    "span": lambda: zoo.SPAN(2),
    "dncnn": lambda: fold_batch_norm(zoo.DnCNN()),
    "dncnn-b": lambda: fold_batch_norm(zoo.DnCNN(variant="B")),
    "dncnn-c": lambda: fold_batch_norm(zoo.DnCNN(variant="C")),
    "ffdnet-gray": lambda: zoo.FFDNet(channels=1),
    "ffdnet-color": lambda: zoo.FFDNet(channels=3),
    "dphsir": lambda: zoo.DPHSIR(channels=3),
}


def build(name: str, precision: str, engine: str) -> tuple[keras.Model, Engine]:
    """Return a network of random weights and what runs it."""
    with computing_in(precision if engine == "keras" else "float32"):
        network = BUILDERS[name]()
    if engine == "keras":
        return network, keras_engine(network)
    return network, exported_engine(network, engine, precision)


def main() -> None:
    """Answer requests until they end."""
    parser = argparse.ArgumentParser()
    parser.add_argument("network", choices=BUILDERS)
    parser.add_argument("side", type=int)
    parser.add_argument("--engine", default="keras")
    parser.add_argument("--precision", default="float32")
    options = parser.parse_args()
    network, engine = build(options.network, options.precision, options.engine)
    channels = network.inputs[0].shape[-1] or 3
    values = np.random.default_rng(0).random((1, options.side, options.side, channels), np.float32)
    sigma = SIGMA if len(network.inputs) == 2 else None
    inputs = [values] if sigma is None else [values, np.full((1, 1), sigma, np.float32)]
    enlarged = options.network == "srcnn"
    small = options.side // 2 if enlarged else options.side
    picture = np.round(values[0, :small, :small] * 255).astype(np.uint8)
    scale = 2 if enlarged else growth(network)
    ready = zoo.open_network(network, scale=scale)
    serve(
        {"run": lambda: engine(inputs), "restore": lambda: zoo.restore(ready, picture, sigma=sigma)}
    )


if __name__ == "__main__":
    main()
