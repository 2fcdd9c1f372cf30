r"""Noise of a sensor, removed by one denoiser twice: between Anscombe's curves, and as it is.

    python -m recipes.benchmark sensor --data KODAK24

As it is means: told one level for the whole picture, which is estimated from it, as is done where
the kind of the noise is not known.
"""

import numpy as np
from keras.ops import convert_to_numpy

import zoo
from asykeras import SRGB
from asykeras.metrics import psnr
from recipes.compare.light import sensor_noise
from recipes.data.middle import middle
from zoo.pictures.images import find_images, read_image, to_channels

ELECTRONS = (10, 50, 250)  # that are white
READ = 2 / 255  # deviation of the read noise
HIGHEST = 75 / 255  # that the denoiser takes
WEIGHT = "ffdnet-color"  # which `asykeras restore --noise-model` takes for colour
MEDIAN = 0.6745  # of the absolute value of normal numbers
CURVES = {"in linear light": None, "after sRGB": SRGB()}


def benchmark_sensor(data: str, side: int) -> None:
    """Print the PSNR of either way at each light level, mean over the images of a folder.

    Their values are taken as if they were linear light; scored are that, and what is looked at. Of
    each image the middle is restored.
    """
    images = [to_channels(read_image(path), "rgb") / 255.0 for path in find_images(data)]
    crops = [middle(image, side) for image in images]
    print(f"{WEIGHT}, {len(crops)} images, the middle {side} x {side} pixels, read noise 2/255")
    print("| electrons of white | scored | noisy | at its estimated level | stabilized | ahead |")
    print("|---|---|---|---|---|---|")
    for electrons in ELECTRONS:
        scores = np.array([_scores(crop, n, 1 / electrons) for n, crop in enumerate(crops)])
        for index, scored in enumerate(CURVES):
            rows = scores[:, index]
            means = " | ".join(f"{mean:.2f}" for mean in rows.mean(axis=0))
            ahead = int((rows[:, 2] > rows[:, 1]).sum())
            print(f"| {electrons} | {scored} | {means} | {ahead} of {len(rows)} |", flush=True)


def _scores(clean: np.ndarray, number: int, gain: float) -> list[np.ndarray]:
    """Return the PSNR of a noisy image, of the denoiser as it is, and of the stabilized one.

    Three numbers for each of `CURVES`.
    """
    noisy = sensor_noise(clean, number, gain, READ)
    level = min(estimated_level(noisy), HIGHEST)
    plain = zoo.restore(WEIGHT, noisy, sigma=level)
    stable = zoo.restore(zoo.stabilized(WEIGHT, gain=gain, read_noise=READ), noisy)
    pictures = np.clip([noisy, plain, stable], 0, 1)
    labels = np.broadcast_to(clean, pictures.shape)
    return [
        convert_to_numpy(psnr(labels, pictures, curve=curve, data_format="channels_last"))
        for curve in CURVES.values()
    ]


def estimated_level(noisy: np.ndarray) -> float:
    """Return the deviation of the noise, by the median of the finest diagonal details.

    Reference: Donoho and Johnstone, 1994, with Haar's wavelet.
    """
    even = noisy[: len(noisy) // 2 * 2, : noisy.shape[1] // 2 * 2]
    detail = (even[::2, ::2] - even[1::2, ::2] - even[::2, 1::2] + even[1::2, 1::2]) / 2
    return float(np.median(np.abs(detail)) / MEDIAN)
