"""Figures: weight maps, enlarged regions, and bars per image and network.

Every function returns a matplotlib figure and shows nothing; `save` writes it. With the argument
`figure` a function draws into that figure or subfigure instead of a new one, so that several make
one page. The state of pyplot is neither read nor changed. matplotlib comes with the extra
`asykeras[plots]`; without it every function raises an ImportError that says so.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import keras
import numpy as np

from asykeras.eager import check_range
from asykeras.types import Tensor

if TYPE_CHECKING:
    import matplotlib.axes
    import matplotlib.figure
    import matplotlib.image

# Names alone: matplotlib is imported when it is needed.
Figure: TypeAlias = "matplotlib.figure.Figure"
Panel: TypeAlias = "matplotlib.figure.FigureBase"  # a Figure or one of its SubFigures
Axes: TypeAlias = "matplotlib.axes.Axes"

CAPTIONS = {"psnr": "PSNR {:.2f} dB", "ssim": "SSIM {:.4f}"}
AXIS_LABELS = {"psnr": "PSNR in dB", "ssim": "SSIM", "rmse": "RMSE, images in [0, 1]"}
FRAME = "#e6002e"  # the red of frames, as in the paper's Figs. 5 and 6
TEXT = 10  # points
# Light fills that differ in hatching too, and dark lines that differ in marker: grey prints work.
BARS = (("#b8d4ea", ""), ("#fdc38d", "///"), ("#d9d9d9", "..."), ("#cfe8c6", "xxx"))
LINES = (("#c1121f", "o"), ("#1b7837", "s"), ("#4b2991", "^"), ("#5c4033", "D"))
LINE_ROOM = (0.68, 0.94)  # part of the axes' height that the difference lines take


def page(width: float, height: float) -> Figure:
    """Return an empty figure that lays out what is drawn into it without overlaps.

    Args:
        width: Width in inches.
        height: Height in inches.

    Raises:
        ImportError: if matplotlib is not installed.

    Example:
        >>> figure = page(10, 6)
        >>> top, bottom = figure.subfigures(2, 1)
        >>> weight_map(label, weights, figure=top)
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure as NewFigure
    except ImportError:
        raise ImportError("figures need matplotlib: pip install 'asykeras[plots]'") from None
    figure = NewFigure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)  # attaches itself; no window, no pyplot
    return figure


def weight_map(label: Tensor, weights: Tensor, *, figure: Panel | None = None) -> Panel:
    """Draw a label beside the weights that a loss gives to its pixels (Fig. 2 of the paper).

    Dark colours are small weights and light ones large; the lightness rises evenly, so the map can
    be read in a grey print. The colour bar spans the weights of this image.

    Args:
        label: `(height, width)` or `(height, width, 1 or 3)`, uint8 or float in [0, 1].
        weights: M, `(height, width)` or `(height, width, 1)`, no unit.
        figure: Figure or subfigure to draw into; a new figure by default.

    Raises:
        ValueError: if the shapes do not belong together, or a weight is not finite.
        ImportError: if matplotlib is not installed.

    Example:
        >>> figure = weight_map(label, AsyMSE().weights(label[None])[0])
    """
    picture, values = _drawable(label), _array(weights)
    if values.ndim == 3 and values.shape[-1] == 1:
        values = values[..., 0]
    if values.ndim != 2 or picture.shape[:2] != values.shape:
        raise ValueError(
            "label and weights must be one image of the same height and width. "
            f"Received: label.shape={_array(label).shape}, weights.shape={_array(weights).shape}"
        )
    if not np.isfinite(values).all():
        nan_or_infinite = values.size - np.isfinite(values).sum()
        raise ValueError(f"weights must be finite. Received: {nan_or_infinite=:d}")
    figure = page(9, 1.2 + 4.4 * values.shape[0] / values.shape[1]) if figure is None else figure
    left, right = figure.subplots(1, 2)
    _show(left, picture, "label")
    mapped = _show(right, values, "weight M of each pixel")
    mapped.set_cmap("viridis")
    mapped.autoscale()
    bar = figure.colorbar(mapped, ax=[left, right], location="bottom", shrink=0.8, aspect=40)
    bar.set_label("weight M (no unit)", fontsize=TEXT)
    bar.ax.tick_params(labelsize=TEXT)
    return figure


def comparison(
    images: Mapping[str, np.ndarray],
    region: tuple[int, int, int, int],
    *,
    scores: Mapping[str, Mapping[str, float]] | None = None,
    figure: Panel | None = None,
) -> Panel:
    """Draw versions of one image side by side, and a region of each enlarged below.

    A red frame marks the region (Figs. 5 and 6 of the paper). It is enlarged without interpolation:
    its squares are the pixels.

    Args:
        images: From the name above the image to a uint8 array `(height, width, 1 or 3)`; all of the
            same height and width.
        region: Top, left, height and width in pixels.
        scores: From a name to its `"psnr"` in dB and `"ssim"`, shown below the name (either may be
            absent); images without an entry, such as the original, have none.
        figure: Figure or subfigure to draw into; a new figure by default.

    Raises:
        ValueError: if there is no image, if one is not uint8 or has another size, or if the region
            does not lie inside.
        ImportError: if matplotlib is not installed.

    Example:
        >>> figure = comparison({"bicubic": enlarged, "truth": clean}, (40, 60, 54, 96))
    """
    pictures = {name: _drawable(image) for name, image in images.items()}
    height, width = _common_size(images)
    top, left, rows, columns = region
    inside = min(top, left) >= 0 and min(rows, columns) >= 1
    if not inside or top + rows > height or left + columns > width:
        raise ValueError(
            "region must be (top, left, height, width) within the image of "
            f"{height} x {width} pixels. Received: {region=}"
        )
    heights = [height / width, rows / columns]
    if figure is None:
        figure = page(2.8 * len(images), 2.8 * sum(heights) + 0.6)
    axes = figure.subplots(2, len(images), squeeze=False, height_ratios=heights)
    for (name, picture), above, below in zip(pictures.items(), *axes, strict=True):
        _show(above, picture, name + _caption((scores or {}).get(name, {})))
        _frame(above, region)
        enlarged = picture[top : top + rows, left : left + columns]
        _show(below, enlarged, "").set_interpolation("nearest")
        below.spines[:].set(visible=True, color=FRAME, linewidth=2)
    return figure


def score_bars(
    names: Sequence[str],
    columns: Mapping[str, Sequence[Mapping[str, float]]],
    *,
    metric: str = "psnr",
    baseline: Mapping[str, str] | None = None,
    figure: Panel | None = None,
) -> Panel:
    """Draw a score per image and network as bars, and differences as lines on a second axis.

    As Figs. 4, 7, 9 and 10 of the paper: the networks that were trained with a plain loss are bars,
    on the left axis, which starts at 0; what the asymmetric loss changes is a line, on the right
    axis, with a dashed line at 0.

    Args:
        names: Names of the images.
        columns: From the name of a network to its scores, one mapping from metric to value per
            image, such as `{"psnr": 30.1}`.
        metric: `"psnr"` (dB), `"ssim"`, `"rmse"` (images in [0, 1]), or another key of the scores.
        baseline: From a network that is drawn as a line to the one that is subtracted from it, such
            as `{"AsyMSE": "MSE"}`. All other networks are drawn as bars.
        figure: Figure or subfigure to draw into; a new figure by default.

    Raises:
        ValueError: if a network is not in `columns`, if none is left for the bars, or if there is
            not one finite score per image.
        ImportError: if matplotlib is not installed.

    Example:
        >>> columns = {"MSE": plain_scores, "AsyMSE": asymmetric_scores}
        >>> figure = score_bars(["a", "b"], columns, baseline={"AsyMSE": "MSE"})
    """
    pairs = dict(baseline or {})
    values = _score_values(names, columns, metric)
    unknown = [name for pair in pairs.items() for name in pair if name not in values]
    if unknown:
        raise ValueError(f"baseline must name networks of {list(values)}. Received: {baseline=}")
    bars = {name: scores for name, scores in values.items() if name not in pairs}
    if not bars:
        raise ValueError(f"at least one network must be left for the bars. Received: {baseline=}")
    figure = page(max(6, 3 + 0.9 * len(names)), 4) if figure is None else figure
    axes = figure.subplots()
    label = AXIS_LABELS.get(metric, metric)
    _draw_bars(axes, names, bars, label, room=bool(pairs))
    handles, texts = axes.get_legend_handles_labels()
    if pairs:
        right = axes.twinx()
        differences = {f"{a} minus {b}": values[a] - values[b] for a, b in pairs.items()}
        _draw_differences(right, differences, f"difference of {label}")
        more = right.get_legend_handles_labels()
        handles, texts = handles + more[0], texts + more[1]
    axes.legend(
        handles, texts, loc="lower center", bbox_to_anchor=(0.5, 1), frameon=False, fontsize=TEXT,
        ncols=2 if len(handles) > 3 else 3,  # four in a row are wider than the narrowest page
    )  # fmt: skip
    return figure


def save(figure: Figure, path: str | os.PathLike[str], *, dpi: int = 150) -> None:
    """Write a figure to a file, whole or not at all.

    Args:
        figure: What a function of this module returned.
        path: Its ending chooses the format: `.png`, `.pdf`, `.svg`, ...
        dpi: Pixels per inch of a raster format.

    Raises:
        ValueError: for an ending that matplotlib does not write.
        OSError: if the folder does not exist or cannot be written; what was there stays.
    """
    target = Path(path)
    formats = figure.canvas.get_supported_filetypes()
    if target.suffix[1:].lower() not in formats:
        raise ValueError(
            f"a figure's file must end in one of {sorted(formats)}. Received: path={str(path)!r}"
        )
    # A folder of its own, so that the file gets the usual permissions and not those of `mkstemp`.
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".part-") as folder:
        part = Path(folder) / target.name
        figure.savefig(part, dpi=dpi)
        os.replace(part, target)


def _array(values: Tensor) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(values))


def _drawable(image: Tensor) -> np.ndarray:
    """Return an image as `(height, width)` or `(height, width, 3)`, float in [0, 1]."""
    values = _array(image)
    if values.ndim not in (2, 3) or (values.ndim == 3 and values.shape[-1] not in (1, 3)):
        raise ValueError(
            "an image must have the shape (height, width) or (height, width, 1 or 3). "
            f"Received: shape={values.shape}"
        )
    values = values / 255 if values.dtype == np.uint8 else values.astype(np.float64)
    check_range(values, 0, 1, "an image must be uint8, or lie in [0, 1]")
    return np.clip(values[..., 0] if values.shape[2:] == (1,) else values, 0, 1)


def _common_size(images: Mapping[str, np.ndarray]) -> tuple[int, int]:
    sizes = {tuple(image.shape[:2]) for image in images.values()}
    if len(sizes) != 1:
        raise ValueError(f"images must all have one size. Received: sizes={sorted(sizes)}")
    for name, image in images.items():
        if image.dtype != np.uint8:
            raise ValueError(f"images must be uint8. Received: {name=}, dtype={image.dtype}")
    height, width = sizes.pop()
    return height, width


def _score_values(
    names: Sequence[str], columns: Mapping[str, Sequence[Mapping[str, float]]], metric: str
) -> dict[str, np.ndarray]:
    """Return one float array per network, checked."""
    values = {}
    for network, scores in columns.items():
        if len(scores) != len(names) or not names:
            raise ValueError(
                f"there must be one score of {network!r} per image. "
                f"Received: scores={len(scores)}, images={len(names)}"
            )
        missing = [name for name, each in zip(names, scores, strict=True) if metric not in each]
        if missing:
            raise ValueError(f"every image needs a {metric!r} of {network!r}. Received: {missing=}")
        found = values[network] = np.array([each[metric] for each in scores], np.float64)
        if not np.isfinite(found).all():
            raise ValueError(f"scores must be finite. Received: {network=}, scores={found}")
    return values


def _caption(scores: Mapping[str, float]) -> str:
    parts = [text.format(scores[key]) for key, text in CAPTIONS.items() if key in scores]
    return "\n" + ", ".join(parts) if parts else ""


def _show(axes: Axes, picture: np.ndarray, title: str) -> matplotlib.image.AxesImage:
    axes.set_title(title, fontsize=TEXT)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    return axes.imshow(picture, cmap="gray", vmin=0, vmax=1)


def _frame(axes: Axes, region: tuple[int, int, int, int]) -> None:
    from matplotlib.patches import Rectangle

    top, left, rows, columns = region
    # The centre of the first pixel is at 0, its edge at -0.5.
    corner = (left - 0.5, top - 0.5)
    axes.add_patch(Rectangle(corner, columns, rows, fill=False, edgecolor=FRAME, linewidth=1.5))


def _draw_bars(
    axes: Axes, names: Sequence[str], bars: Mapping[str, np.ndarray], label: str, room: bool
) -> None:
    positions, width = np.arange(len(names)), 0.8 / len(bars)
    for n, (network, values) in enumerate(bars.items()):
        colour, hatch = BARS[n % len(BARS)]
        offset = (n - (len(bars) - 1) / 2) * width
        axes.bar(
            positions + offset, values, width, label=network, color=colour, hatch=hatch,
            edgecolor="#606060", linewidth=0.6,
        )  # fmt: skip
    everything = np.concatenate([[0.0], *bars.values()])  # the axis always holds 0
    low, high = everything.min(), everything.max()
    height = (high - low) or 1.0  # all scores are 0: an axis nevertheless
    axes.set_ylim(low, low + height / (LINE_ROOM[0] - 0.08 if room else 0.95))
    axes.set_yticks([tick for tick in axes.get_yticks() if low <= tick <= low + 1.1 * height])
    axes.set_xticks(positions, names, fontsize=TEXT, rotation=0 if len(names) < 5 else 30)
    axes.set_ylabel(label, fontsize=TEXT)
    axes.tick_params(labelsize=TEXT)


def _draw_differences(axes: Axes, differences: Mapping[str, np.ndarray], label: str) -> None:
    """Draw the lines in the upper part of the axes, above the bars."""
    for n, (name, values) in enumerate(differences.items()):
        colour, marker = LINES[n % len(LINES)]
        axes.plot(np.arange(len(values)), values, marker=marker, color=colour, label=name)
    axes.axhline(0, color="#404040", linewidth=0.8, linestyle="--")
    everything = np.concatenate([[0.0], *differences.values()])
    low, high = everything.min(), everything.max()
    span = (high - low) or 1.0  # equal networks: a line at 0
    unit = span / (LINE_ROOM[1] - LINE_ROOM[0])
    axes.locator_params(axis="y", nbins=4)
    ticks = axes.get_yticks()
    axes.set_ylim(low - LINE_ROOM[0] * unit, low + (1 - LINE_ROOM[0]) * unit)
    axes.set_yticks([tick for tick in ticks if low - 0.05 * span <= tick <= high + 0.05 * span])
    axes.set_ylabel(label, fontsize=TEXT)
    axes.tick_params(labelsize=TEXT)
