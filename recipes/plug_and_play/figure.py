"""The figure of a plug-and-play restoration: pictures, spectra of two pixels, the iterations."""

import numpy as np

from asykeras import plots
from recipes.data.volumes import Volume
from zoo.plug_and_play import Restored

PLACES = ((0.35, 0.35), (0.65, 0.65))  # of the pixels whose spectra are drawn, in shares


def figure(
    volume: Volume,
    measured: np.ndarray,
    restored: np.ndarray,
    truth: np.ndarray | None,
    found: Restored,
) -> plots.Figure:
    """Return the figure; pictures are `(height, width, bands)`, the volume has the wavelengths."""
    page = plots.page(12, 7)
    pictures = {"input": measured, "restored": restored}
    if truth is not None:
        pictures["truth"] = truth
    axes = page.subplots(2, 3)
    for place in axes.flat:
        place.set_axis_off()
    for place, (name, picture) in zip(axes[0], pictures.items(), strict=False):
        place.imshow(shown(picture), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        place.set_title(name)
        if name != "input" and restored.shape[-1] > 3:
            for number, (y, x) in enumerate(_pixels(restored.shape)):
                place.plot(x, y, "+", color=plots.LINES[number][0], markersize=12)
    if restored.shape[-1] > 3:
        _spectra(axes[1, 0], volume, restored, truth)
    _iterations(axes[1, 1], found)
    return page


def shown(picture: np.ndarray) -> np.ndarray:
    """Return a picture as a screen shows it: RGB, grey, or three bands of a cube."""
    bands = picture.shape[-1]
    if bands == 1:
        return np.clip(picture[..., 0], 0, 1)
    chosen = [0, 1, 2] if bands == 3 else [bands * 3 // 4, bands // 2, bands // 4]
    return np.clip(picture[..., chosen], 0, 1)


def _pixels(shape: tuple[int, ...]) -> list[tuple[int, int]]:
    return [(int(shape[0] * y), int(shape[1] * x)) for y, x in PLACES]


def _spectra(
    axes: plots.Axes, volume: Volume, restored: np.ndarray, truth: np.ndarray | None
) -> None:
    axes.set_axis_on()
    known = len(volume.wavelengths) == restored.shape[-1]
    x = np.array(volume.wavelengths) if known else np.arange(restored.shape[-1])
    for number, (row, column) in enumerate(_pixels(restored.shape)):
        colour = plots.LINES[number][0]
        axes.plot(x, restored[row, column], color=colour, label=f"restored, ({row}, {column})")
        if truth is not None:
            axes.plot(x, truth[row, column], "--", color=colour, label="truth")
    axes.set_xlabel("wavelength" if known else "band")
    axes.set_ylabel("value, image units")
    axes.set_title("spectra of the marked pixels")
    axes.legend(fontsize="small")


def _iterations(axes: plots.Axes, found: Restored) -> None:
    axes.set_axis_on()
    numbers = np.arange(1, len(found.changes) + 1)
    if found.psnr.size:
        axes.plot(numbers, found.psnr, marker="o", color=plots.LINES[0][0])
        axes.set_ylabel("PSNR in dB")
    else:
        axes.semilogy(numbers, np.maximum(found.changes, 1e-8), marker="o")
        axes.set_ylabel("root mean square change")
    axes.set_xlabel("iteration")
    axes.set_title("iterations")
