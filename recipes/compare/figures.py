"""The figures of a report; in grey print they are told apart by dashes, hatches and markers.

What `asykeras.plots` draws in general (bars, weight maps, enlarged regions) is composed here; what
is special to the comparison is drawn here.
"""

import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from keras.ops import convert_to_numpy
from PIL import Image

from asykeras import Quartile, Reciprocal, plots
from recipes.compare.findings import AblationRow
from recipes.compare.grey_levels import BINS
from recipes.compare.results import Metric
from recipes.compare.statistics import Interval
from zoo.machine.files import write_atomically

# Of an image: a heading, its versions by the names of the networks, uint8, and their scores.
Versions = tuple[str, dict[str, np.ndarray], dict[str, dict[str, float]]]
DPI = 110
PHOTO_DPI = 80  # photographs make large files
# Of Okabe and Ito's palette, which colour-blind readers tell apart: colour, dashes, marker.
STYLES = {
    "MAE": ("#0072B2", "-", "o"),
    "MSE": ("#D55E00", "--", "s"),
    "Asy_MAE": ("#56B4E9", "-.", "^"),
    "Asy_MSE": ("#E69F00", ":", "D"),
}
GREY = "#808080"
SMALLEST_SHARE = 0.1  # per cent of the pixels: of fewer no change is drawn


def save(figure: plots.Figure, path: Path, dpi: int = DPI) -> None:
    """Write a PNG of at most 256 colours, which is a third of the size and looks the same."""
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=dpi, format="png")
    packed = io.BytesIO()
    with Image.open(buffer) as image:
        small = image.convert("RGB").quantize(256, dither=Image.Dither.NONE)
        small.save(packed, format="PNG", optimize=True)
    write_atomically(path, packed.getvalue())


def _page(width: float, height: float, title: str) -> plots.Figure:
    page = plots.page(width, height)
    page.suptitle(title, fontsize=plots.TEXT + 1)
    return page


def _pairs(names: Iterable[str]) -> list[tuple[str, str]]:
    """Return the plain losses of which the asymmetric one is there too, and that one."""
    pairs = [(plain, f"Asy_{plain}") for plain in ("MAE", "MSE")]
    return [pair for pair in pairs if {*pair} <= {*names}]


def bars(
    images: Sequence[str], columns: Mapping[str, np.ndarray], metrics: Sequence[Metric], title: str
) -> plots.Figure:
    """Draw the paper's Figs. 4, 7, 9 and 10: bars of the plain losses, lines of the differences.

    The columns are the scores of each loss, `(images, metrics)`.
    """
    page = _page(10, 4.1 * len(metrics), title)
    baseline = {asymmetric: plain for plain, asymmetric in _pairs(columns)}
    for index, (part, metric) in enumerate(zip(_parts(page, len(metrics)), metrics, strict=True)):
        scores = {
            name: [{metric.label: value} for value in values[:, index].tolist()]
            for name, values in columns.items()
        }
        plots.score_bars(images, scores, metric=metric.label, baseline=baseline, figure=part)
    return page


def _parts(page: plots.Figure, rows: int) -> list[plots.Figure]:
    """Return one subfigure per row, in a list also where there is only one."""
    return list(page.subfigures(rows, 1, squeeze=False).ravel())


def radar(images: Sequence[str], columns: Mapping[str, np.ndarray], title: str) -> plots.Figure:
    """Draw the PSNR of each image as a radar chart, and beside it what the weights change.

    The paper's text describes such charts. On the left the lines of the losses lie on each other
    where they differ by hundredths of a decibel; the right chart shows that difference alone, with
    a thick ring at zero: outside it the asymmetric loss is better.
    """
    page = _page(11, 5.4, title)
    angles = np.linspace(0, 2 * np.pi, len(images), endpoint=False)
    around = [*range(len(images)), 0]  # the lines are closed
    left, right = page.subplots(1, 2, subplot_kw={"projection": "polar"})
    for name, values in columns.items():
        _line(left, angles[around], values[around, 0], name, name)
    lowest = min(float(values[:, 0].min()) for values in columns.values())
    left.set_ylim(bottom=np.floor(lowest) - 2)
    left.set_title("PSNR in dB", fontsize=plots.TEXT, pad=24)
    for plain, asymmetric in _pairs(columns):
        change = columns[asymmetric][:, 0] - columns[plain][:, 0]
        _line(right, angles[around], change[around], plain, f"{asymmetric} minus {plain}")
    ring = np.linspace(0, 2 * np.pi, 181)
    right.plot(ring, np.zeros_like(ring), color="black", linewidth=2, label="no difference")
    reach = max(*np.abs(right.get_ylim()), 1e-6)
    rings = np.linspace(-reach, reach, 5)
    right.set_rgrids(rings, [f"{value:+.3f}" for value in rings])
    right.set_ylim(-1.2 * reach, 1.1 * reach)
    right.set_title("difference of PSNR in dB", fontsize=plots.TEXT, pad=24)
    for axes in (left, right):
        axes.set_xticks(angles, images, fontsize=plots.TEXT)
        axes.tick_params(axis="y", labelsize=plots.TEXT - 2)
        axes.tick_params(axis="x", pad=8)
        axes.set_rlabel_position(180 / len(images))  # between two spokes
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.08), ncols=2, frameon=False)
    return page


def _line(axes: plots.Axes, x: np.ndarray, y: np.ndarray, name: str, label: str) -> None:
    """Draw a line in the style of a loss."""
    colour, dashes, marker = STYLES[name]
    axes.plot(x, y, marker=marker, color=colour, linestyle=dashes, markersize=4, label=label)


def regions(versions: Sequence[Versions]) -> plots.Figure:
    """Draw versions of images with their most differing region enlarged (Figs. 5 and 6)."""
    page = plots.page(13, 4.6 * len(versions))
    for part, (heading, images, scores) in zip(_parts(page, len(versions)), versions, strict=True):
        plain, asymmetric = _pairs(images)[-1]
        region = most_differing(images[plain], images[asymmetric])
        plots.comparison(images, region, scores=scores, figure=part)
        part.suptitle(heading, fontsize=plots.TEXT + 1)
    return page


def most_differing(
    first: np.ndarray, second: np.ndarray, size: tuple[int, int] = (48, 64)
) -> tuple[int, int, int, int]:
    """Return the region (top, left, height, width) in which two images differ most.

    Whatever the difference is, it is nowhere else more visible. The images are `(height, width,
    channels)`, uint8; the size, height and width, is cut to theirs.
    """
    difference = np.abs(first.astype(float) - second).sum(axis=-1)
    height, width = (min(a, b) for a, b in zip(size, difference.shape, strict=True))
    table = np.pad(difference.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    sums = table[height:, width:] - table[:-height, width:]
    sums = sums - table[height:, :-width] + table[:-height, :-width]
    top, left = np.unravel_index(int(sums.argmax()), sums.shape)
    return int(top), int(left), height, width


def weight_maps(label: np.ndarray, name: str) -> plots.Figure:
    """Draw a label and the weights that Eq. 2 and both readings of Table 1 give to it (Fig. 2).

    All on one scale from black (0.5) to white (1), so that their contrast can be compared. The
    label is `(height, width, 1)` in [0, 1].
    """
    weightings = {
        "Eq. 2: 0.5 tanh(1 / y) + 0.5": Reciprocal(),
        "Table 1: 0.5 tanh(Q / y) + 0.5, Q = 25 % quantile": Quartile(0.25),
        "Table 1, Q = 75 % quantile": Quartile(0.75),
    }
    page = plots.page(9, 1.3 + 8.4 * label.shape[0] / label.shape[1])
    panels = np.ravel(page.subplots(2, 2))
    panels[0].imshow(label[..., 0], cmap="gray", vmin=0, vmax=1)
    panels[0].set_title(f"label y: {name}", fontsize=plots.TEXT)
    for axes, (heading, weighting) in zip(panels[1:], weightings.items(), strict=True):
        weights = convert_to_numpy(weighting(label[None]))[0, ..., 0]
        mapped = axes.imshow(weights, cmap="gray", vmin=0.5, vmax=1)
        spread = f"{weights.min():.3f} to {weights.max():.3f}, mean {weights.mean():.3f}"
        axes.set_title(f"{heading}\n{spread}", fontsize=plots.TEXT)
    for axes in panels:
        axes.set(xticks=[], yticks=[])
    bar = page.colorbar(mapped, ax=list(panels), location="bottom", shrink=0.7, aspect=45)
    bar.set_label("weight M of each pixel (no unit)", fontsize=plots.TEXT)
    return page


def curves(logs: Mapping[str, Sequence[Mapping[str, np.ndarray]]], title: str) -> plots.Figure:
    """Draw the training: validation PSNR of each loss, and asymmetric minus plain over the steps.

    Where nothing was validated, it is the PSNR of the training samples, which are the same for all.
    A run that was killed between a checkpoint and its line in the log lacks that step, and the
    means there are of the others. The logs are those of the seeds of each loss.
    """
    validated = all(np.isfinite(log["validation_psnr"]).any() for s in logs.values() for log in s)
    key = "validation_psnr" if validated else "psnr"
    label = f"{'validation' if validated else 'training'} PSNR in dB"
    page = _page(11, 4.2, title)
    left, right = page.subplots(1, 2)
    steps = np.unique(np.concatenate([log["step"] for seeds in logs.values() for log in seeds]))
    values = {name: _at(steps, seeds, key) for name, seeds in logs.items()}
    for name, seeds in values.items():
        _seeds(left, steps, seeds, name, f"{name}, mean of {len(seeds)} seeds")
    # The first pieces would leave no room for the others.
    late = np.concatenate([seeds[:, len(steps) // 5 :].ravel() for seeds in values.values()])
    left.set_ylim(_roomy(late))
    for plain, asymmetric in _pairs(values):
        change = values[asymmetric] - values[plain]
        _seeds(right, steps, change, plain, f"{asymmetric} minus {plain}")
    right.axhline(0, color="black", linewidth=1)
    for axes, text in ((left, label), (right, f"difference of {label}")):
        axes.set_xlabel("step", fontsize=plots.TEXT)
        axes.set_ylabel(text, fontsize=plots.TEXT)
        axes.grid(alpha=0.3)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(frameon=False, fontsize=plots.TEXT - 1)
    return page


def _at(steps: np.ndarray, logs: Sequence[Mapping[str, np.ndarray]], key: str) -> np.ndarray:
    """Return a column of logs at some steps, `(logs, steps)`; NaN where a log lacks the step."""
    found = [dict(zip(log["step"], log[key], strict=True)) for log in logs]
    return np.array([[each.get(step, np.nan) for step in steps] for each in found])


def _seeds(axes: plots.Axes, x: np.ndarray, seeds: np.ndarray, name: str, label: str) -> None:
    """Draw every seed as a thin line, and their mean in the style of a loss."""
    axes.plot(x, seeds.T, color=STYLES[name][0], linewidth=0.6, alpha=0.6)
    _line(axes, x, np.ma.masked_invalid(seeds).mean(axis=0).filled(np.nan), name, label)


def _roomy(values: np.ndarray) -> tuple[float, float]:
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    room = 0.05 * (high - low) or 0.1
    return low - room, high + room


def step_times(times: Mapping[str, Mapping[str, Sequence[float]]], title: str) -> plots.Figure:
    """Draw the time of a training step of each loss: the median of every run, and a bar of all.

    The times are milliseconds per step of each seed, by task and loss.
    """
    page = _page(2 + 3.4 * len(times), 3.8, title)
    panels = page.subplots(1, len(times), squeeze=False)[0]
    for axes, (task, losses) in zip(panels, times.items(), strict=True):
        for number, (name, spent) in enumerate(losses.items()):
            colour, _, marker = STYLES[name]
            hatch = "///" if name.startswith("Asy") else ""
            axes.bar(
                number, np.median(spent), color=colour, alpha=0.5, hatch=hatch, edgecolor="#404040"
            )
            axes.plot([number] * len(spent), spent, marker, color="black", markersize=4)
        axes.set_xticks(range(len(losses)), list(losses), fontsize=plots.TEXT)
        axes.set_ylabel("milliseconds per step", fontsize=plots.TEXT)
        axes.set_title(task, fontsize=plots.TEXT)
    return page


def ablation(rows: Sequence[AblationRow], spread: Mapping[str, float], title: str) -> plots.Figure:
    """Draw what each configuration changes in PSNR against the plain loss, with its interval.

    A row of one seed has an open circle and no interval. The spread is the standard deviation
    between seeds of `"mae"` and `"mse"` in dB, a grey band that may reach beyond the axes; NaN:
    none.
    """
    plains = list(dict.fromkeys(row.configuration.plain for row in rows))
    counts = [sum(row.configuration.plain == plain for row in rows) for plain in plains]
    page = _page(10, 1.2 + 0.8 * len(plains) + 0.3 * len(rows), title)
    panels = page.subplots(len(plains), 1, squeeze=False, height_ratios=counts, sharex=True)
    for axes, plain in zip(panels[:, 0], plains, strict=True):
        mine = [row for row in rows if row.configuration.plain == plain]
        _interval_rows(axes, mine, spread.get(plain, float("nan")))
        axes.set_title(f"against plain {plain.upper()}", fontsize=plots.TEXT, loc="left")
    ends = [value for row in rows for value in (_psnr(row).low, _psnr(row).mean, _psnr(row).high)]
    reach = 1.15 * float(np.nanmax(np.abs([*ends, 1e-6])))  # one seed has no interval
    panels[-1, 0].set_xlim(-reach, reach)
    panels[-1, 0].set_xlabel("difference of PSNR in dB", fontsize=plots.TEXT)
    return page


def _psnr(row: AblationRow) -> Interval:
    return next(each.interval for each in row.differences if each.metric.key == "psnr")


def _interval_rows(axes: plots.Axes, rows: Sequence[AblationRow], spread: float) -> None:
    if np.isfinite(spread):
        label = f"sd between seeds: {spread:.3f} dB"
        axes.axvspan(-spread, spread, color=GREY, alpha=0.2, label=label)
        place = {"loc": "lower right", "bbox_to_anchor": (1, 1), "borderaxespad": 0.2}
        axes.legend(fontsize=plots.TEXT - 1, frameon=False, **place)
    axes.axvline(0, color="black", linewidth=1)
    for number, row in enumerate(rows):
        interval, inside = _psnr(row), "white" if row.seeds == 1 else None
        axes.plot([interval.low, interval.high], [number] * 2, color="#0072B2", linewidth=2)
        axes.plot(interval.mean, number, "o", color="#0072B2", markerfacecolor=inside)
    labels = [
        f"{row.configuration.label} ({row.seeds} seed{'s' * (row.seeds > 1)})" for row in rows
    ]
    axes.set_yticks(range(len(rows)), labels, fontsize=plots.TEXT - 1)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.grid(axis="x", alpha=0.3)


def grey_levels(changes: Mapping[str, np.ndarray], share: np.ndarray, title: str) -> plots.Figure:
    """Draw the change of the squared error by grey level of the label, and how many pixels are it.

    The changes are in per cent, `(seeds, bins)`, for "MAE" or "MSE". Bins with a share of less than
    0.1 % of the pixels have no point above.
    """
    page = _page(9, 5, title)
    above, below = page.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    centres = (np.arange(BINS) + 0.5) * 256 / BINS
    for plain, seeds in changes.items():
        label = f"Asy_{plain} against {plain}, mean of {len(seeds)} seeds"
        _seeds(above, centres, np.where(share >= SMALLEST_SHARE, seeds, np.nan), plain, label)
    above.axhline(0, color="black", linewidth=1)
    above.set_ylabel("change of the squared\nerror in per cent", fontsize=plots.TEXT)
    above.legend(frameon=False, fontsize=plots.TEXT - 1)
    below.bar(centres, share, width=0.9 * 256 / BINS, color=GREY)
    below.set_ylabel("pixels\nin per cent", fontsize=plots.TEXT)
    below.set_xlabel("grey level of the label, 0 to 255", fontsize=plots.TEXT)
    for axes in (above, below):
        axes.grid(alpha=0.3)
    return page
