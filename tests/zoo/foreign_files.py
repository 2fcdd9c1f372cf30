"""Files as others save them: small networks in PyTorch's layout, and the format safetensors."""

import json
import struct

import numpy as np

CHANNELS = 8  # of the networks


def convolution(rng, state, name, inputs, outputs, size=3):
    """Put a Conv2d as PyTorch stores it, whose outputs are as large as its inputs."""
    deviation = (inputs * size**2) ** -0.5
    state[f"{name}.weight"] = rng.normal(0, deviation, (outputs, inputs, size, size)).astype("f4")
    state[f"{name}.bias"] = rng.normal(0, 0.1, outputs).astype("f4")


def span_state(scale=2, branches=True, image=3):
    """Return a small SPAN, trained with branches or merged."""
    rng, state = np.random.default_rng(0), {}

    def three(name, inputs, outputs):
        if not branches:
            return convolution(rng, state, f"{name}.eval_conv", inputs, outputs)
        convolution(rng, state, f"{name}.sk", inputs, outputs, 1)
        convolution(rng, state, f"{name}.conv.0", inputs, 2 * inputs, 1)
        convolution(rng, state, f"{name}.conv.1", 2 * inputs, 2 * outputs)
        return convolution(rng, state, f"{name}.conv.2", 2 * outputs, outputs, 1)

    three("conv_1", image, CHANNELS)
    for block in range(1, 7):
        for number in (1, 2, 3):
            three(f"block_{block}.c{number}_r", CHANNELS, CHANNELS)
    three("conv_2", CHANNELS, CHANNELS)
    convolution(rng, state, "conv_cat", 4 * CHANNELS, CHANNELS, 1)
    convolution(rng, state, "upsampler.0", CHANNELS, image * scale**2)
    return state


def compact_state(scale=2, convolutions=2, channels=3):
    """Return a small Compact."""
    rng, state = np.random.default_rng(0), {}
    for number in range(convolutions + 1):
        convolution(rng, state, f"body.{2 * number}", CHANNELS if number else channels, CHANNELS)
        state[f"body.{2 * number + 1}.weight"] = rng.uniform(-0.3, 0.3, CHANNELS).astype("f4")
    convolution(rng, state, f"body.{2 * convolutions + 2}", CHANNELS, channels * scale**2)
    return state


def safetensors(state, kind="F32"):
    """Return a file by the description of the format: length of the header, header, values."""
    header, values = {}, b""
    for name, array in state.items():
        content = {
            "F32": lambda a: a.astype("<f4").tobytes(),
            "F16": lambda a: a.astype("<f2").tobytes(),
            "BF16": lambda a: (a.astype("<f4").view("<u4") >> 16).astype("<u2").tobytes(),
            "I32": lambda a: a.astype("<i4").tobytes(),
        }[kind](array)
        ends = [len(values), len(values) + len(content)]
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": ends}
        values += content
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + values
