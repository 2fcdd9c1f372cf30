"""Classical restoration from scikit-image, to compare with, and plug-and-play with TV."""

from collections.abc import Callable

import numpy as np
from keras.ops import convert_to_numpy

from zoo.plug_and_play import Schedule, Task, plug_and_play, total_variation

TV_LEVELS = (20.0, 2.0)  # grey levels, first and last


def baselines(
    name: str, task: Task, measured: np.ndarray, kernel: np.ndarray, noise: float
) -> dict[str, np.ndarray]:
    """Return what classical methods make of a measurement, by their names.

    Args:
        name: Of the task, of `recipes.degraded.TASKS`.
        task: The task.
        measured: `(1, height, width, bands)`.
        kernel: Of deblur.
        noise: Of the measurement in image units.

    Returns:
        Pictures `(height, width, bands)`. Of each task the method that is usual for it, and
        plug-and-play with total variation; its strength is that of all tasks.

    Raises:
        ImportError: if scikit-image is not installed.
    """
    try:
        from skimage import restoration
    except ImportError:
        raise ImportError("classical baselines need scikit-image: pip install it") from None
    picture = measured[0]
    found: dict[str, np.ndarray] = {}
    if name == "denoise":
        found["TV"] = restoration.denoise_tv_chambolle(picture, noise, channel_axis=-1)
        # The parameters of scikit-image's own example for a known level of the noise.
        found["non-local means"] = restoration.denoise_nl_means(
            picture, 5, 6, 0.6 * noise, sigma=noise, channel_axis=-1
        )
        return found
    if name == "deblur":
        # As `Blur` has it: the kernel's middle at half its size.
        balance = max(noise, 1e-3) ** 2 * 10
        found["Wiener"] = _by_band(
            picture, lambda band: restoration.wiener(band, kernel, balance, clip=False)
        )
        # An even kernel gets a row and a column of zeros, so that its middle stays where it is.
        odd = np.pad(kernel, [(0, 1 - side % 2) for side in kernel.shape])
        edge = 5 * max(odd.shape)  # scikit-image's borders are black, ours wrap around

        def sharpen(band: np.ndarray) -> np.ndarray:
            wide = np.pad(band, edge, "wrap")
            return restoration.richardson_lucy(wide, odd, 30)[edge:-edge, edge:-edge]

        found["Richardson-Lucy"] = _by_band(picture, sharpen)
    elif name in ("sr", "bicubic"):
        found["bicubic"] = np.asarray(convert_to_numpy(task.start(measured)))[0]
    first, last = TV_LEVELS
    schedule = Schedule(first, last, 24, noise=noise)
    found["TV, plug-and-play"] = plug_and_play(
        task, measured, total_variation(), schedule
    ).pictures[0]
    return found


def _by_band(picture: np.ndarray, restore: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    bands = [restore(picture[..., band].astype(np.float64)) for band in range(picture.shape[-1])]
    return np.stack(bands, axis=-1).astype(np.float32)
