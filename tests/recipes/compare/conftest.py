"""Results that were made up, so that what is said of them can be worked out by hand."""

import csv
from dataclasses import replace

import pytest

from recipes.compare.grey_levels import BINS
from recipes.compare.plan import plan
from recipes.compare.presets import PRESETS
from recipes.compare.results import Results

IMAGES = ("a", "b", "c")
# Two seeds x three images. AsyMSE minus MSE: 0.1, 0.2, 0.3 and -0.1, 0.0, 0.1 dB.
PSNR = {
    ("mse", 0): (30.0, 25.0, 20.0),
    ("mse", 1): (30.5, 25.5, 20.5),
    ("asy_mse", 0): (30.1, 25.2, 20.3),
    ("asy_mse", 1): (30.4, 25.5, 20.6),
}
SPEEDS = {"mse": (1.0, 100.0, 200.0, 300.0), "asy_mse": (1.0, 100.0, 100.0, 400.0)}


def record(psnr, dark_error):
    squared = [dark_error] * 5 + [1.0] * (BINS - 5)
    return {
        "psnr": psnr,
        "ssim_uniform": psnr / 50,
        "ssim_gaussian": psnr / 60,
        "rmse": 10 ** (-psnr / 20),
        "nrmse": 2 * 10 ** (-psnr / 20),
        "grey_levels": {"count": [10] * BINS, "squared": squared},
    }


@pytest.fixture
def preset():
    return replace(
        PRESETS["paper-table-2"],
        tasks=("x2",),
        losses=("mse", "asy_mse"),
        seeds=2,
        ablation_seeds=1,
        names=IMAGES,
    )


@pytest.fixture
def results(preset, tmp_path):
    """Two losses with two seeds, and no row of the ablation yet."""
    cells = {}
    for cell in plan(preset):
        loss = cell.configuration.name
        if (loss, cell.seed) not in PSNR:
            continue
        dark = 0.9 if loss == "asy_mse" else 1.0
        records = [record(psnr, dark) for psnr in PSNR[loss, cell.seed]]
        cells[cell.name] = {
            "cell": {"settings": {"batch": 50}},
            "witness": {"rate_factor": 1.0},
            "images": dict(zip(IMAGES, records, strict=True)),
        }
        write_log(tmp_path / "cells" / cell.name, SPEEDS[loss])
    baseline = {image: record(psnr, 2.0) for image, psnr in zip(IMAGES, (9, 8, 7), strict=True)}
    return Results(cells, plan(preset), {"x2": baseline}, tmp_path)


def write_log(folder, speeds):
    folder.mkdir(parents=True)
    with (folder / "training.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["step", "loss", "psnr", "validation_psnr", "images_per_second", "seconds"])
        for number, speed in enumerate(speeds, 1):
            writer.writerow([10 * number, 1 / number, 20, 20 + number, speed, number])
