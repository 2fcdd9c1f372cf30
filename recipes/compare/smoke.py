"""A comparison that takes seconds, on generated images: it shows that the machinery works."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from recipes.compare.presets import PRESETS, Preset


def smoke_preset() -> Preset:
    """Return the protocol of Table 2 with next to no training."""
    return replace(
        PRESETS["paper-table-2"],
        tasks=("x2",),
        train="train",
        test="test",
        names=(),
        validation="test",
        losses=("mse", "asy_mse"),
        seeds=2,
        ablation_seeds=0,
        settings={"variant": "9-1-5", "steps": 20, "batch": 4, "clip": 0.0, "precision": "float32"},
    )


def generate(folder: Path) -> None:
    """Write images of soft random shapes into `folder/train` and `folder/test`."""
    for number in range(7):
        part = folder / ("train" if number < 4 else "test")
        part.mkdir(parents=True, exist_ok=True)
        coarse = np.random.default_rng(number).integers(0, 256, (12, 16, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((96, 72), Image.Resampling.BICUBIC).save(
            part / f"shapes{number}.png"
        )
