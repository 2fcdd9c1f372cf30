"""The sections of a report: each writes its files and returns its Markdown."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from keras.ops import convert_to_numpy

from asykeras.color import rgb_to_luma
from recipes.compare import figures, findings, statistics, stored, tables
from recipes.compare.findings import AblationRow, Difference
from recipes.compare.grey_levels import BANDS, BINS, change
from recipes.compare.measure import evaluations, record
from recipes.compare.plan import NAMES, ablation_plan, table_configurations
from recipes.compare.presets import Setting
from recipes.compare.report import REPORT, Report
from recipes.compare.results import Results
from recipes.training.optimizers import ema_momentum
from recipes.training.settings import Descent
from zoo.pictures.images import to_uint8
from zoo.scoring.evaluate import Evaluation
from zoo.scoring.tasks import parse, unit_range

TRAINED = "A trained network on these images"
# What is made of networks, logs and pictures, which a report does not keep.
OF_NETWORKS = ("Enlarged regions", "Weights", "Training", "Time per step")
FIRST_TABLE = 2  # of the paper's comparisons
NOT_ALIKE = "The tables above are of ten of these images, with Y in floating point."
METRIC_LABEL = "PSNR in dB / SSIM / NRMSE"
ABLATION_NOTES = """\
- With the absolute error, weights on the images and on the error are the same loss,
  |M y - M f| = M |y - f|, so only MSE has rows for both.
- Learning rate: the plain loss with its rate times the mean of M (of M squared for MSE with weights
  on the images), measured on the first training batches; the factor stands in the last column. For
  Eq. 2 it is so near to 1 that the row shows what a change without meaning does.
- Balanced: M divided by its mean over each training patch. Quantiles and Eq. 1 are per patch too.
"""


def write(report: Report) -> Path:
    """Write every file of the report; return the path of `report.md`."""
    (report.folder / "figures").mkdir(parents=True, exist_ok=True)
    sections = [report.there.get("", "") if report.results.stored else head(report)]
    if not report.results.stored:
        report.text(stored.SCORES, stored.scores_csv(report.results))
        report.text(stored.SUMS, stored.sums_csv(report.results))
    if report.tasks and report.pairs:
        sections += [in_short(report), *(table(report, task) for task in report.tasks)]
        sections += [differences(report), paper(report), ablation(report), grey_levels(report)]
        if report.results.stored:
            sections += [report.there.get(heading, "") for heading in OF_NETWORKS]
        else:
            sections += [pictures(report), curves(report), time_per_step(report)]
    sections += [report.there.get(TRAINED, ""), protocol(report)]
    report.text(REPORT, "\n".join(part.strip("\n") + "\n" for part in sections if part))
    return report.folder / REPORT


def head(report: Report) -> str:
    """Return the title, how the report was made, and what is missing."""
    done, planned = len(report.results.cells), len(report.results.plan)
    notes = "\n".join(f"- {note}" for note in report.notes)
    return (
        f"# {report.network}: asymmetric losses against plain ones\n\n    {report.command}\n\n"
        f"Answers the paper's Table {report.preset.table}. {done} of {planned} runs finished. "
        f"{_machine(report.results)}\n\n{notes}\n"
    )


def in_short(report: Report) -> str:
    """Return the findings in sentences, each with the noise beside it."""
    psnr = [each for each in report.differences if each.metric.key == "psnr"]
    lines = [f"- {findings.sentence(each)}." for each in [*psnr, *report.band_differences]]
    for task in report.tasks:
        luck = findings.luck(report.results, task, report.losses, report.metrics)
        if luck:
            lines.append(
                f"- {task}: between two seeds of one plain loss, with nothing else changed, up to "
                f"{luck[0]} of {luck[1]} cells (image x metric) are better."
            )
    return (
        "## In short\n\n" + "\n".join(lines) + "\n\nBrackets hold the 95 % interval over seeds. "
        f"{_verdicts('the comparisons of each table below')}\n"
    )


def _verdicts(comparisons: str) -> str:
    return (
        f"Better or worse: p below {statistics.LEVEL} after Holm's correction for {comparisons}, "
        f"with at least {statistics.LEAST_SEEDS} seeds; otherwise undecided."
    )


def table(report: Report, task: str) -> str:
    """Return the paper's table with our numbers, and its bars and radar chart."""
    columns = tables.our_columns(report.results, task, report.losses, report.metrics)
    images, metrics = report.results.images, report.metrics
    degraded = "bicubic" if task.startswith("x") else "noisy"
    baseline = {degraded: tables.column(report.results.baselines[task], metrics)}
    beside = [row[1] for row in tables.paper_layout(baseline, images, metrics, str)]
    header = ["image", degraded, *columns]

    def rows(bold: Callable[[str], str]) -> tables.Rows:
        ours = tables.paper_layout(columns, images, metrics, bold)
        return [[row[0], text, *row[1:]] for row, text in zip(ours, beside, strict=True)]

    caption = f"{report.subject(task)}: {METRIC_LABEL}, the best loss in bold"
    report.text(f"table-{task}.csv", tables.csv_text(header, rows(str)))
    marked = [[tables.escaped(row[0]), *row[1:]] for row in rows(tables.latex_bold)]
    report.text(f"table-{task}.tex", tables.latex(header, marked, caption))
    bars = figures.bars(images, columns, metrics, report.subject(task))
    radar = figures.radar(images, columns, report.subject(task))
    return (
        f"## {task}\n\n{caption}.\n\n{tables.markdown(header, rows(tables.markdown_bold))}\n"
        + report.figure(f"bars-{task}", bars, f"scores per image, {task}")
        + report.figure(f"radar-{task}", radar, f"radar chart of PSNR, {task}")
    )


def differences(report: Report) -> str:
    """Return the statistics that the paper lacks."""
    header = ["task", "losses", "metric", "mean difference [95 % interval]", "per cent", "p"]
    header += ["p, Holm", "verdict", "better cells", "per seed"]
    header += ["sd between seeds: plain", "asymmetric"]
    rows = [[*_difference_row(each), *_spreads(each)] for each in report.differences]
    report.text("statistics.csv", tables.csv_text(header, rows))
    return (
        f"## Differences: asymmetric minus plain\n\n{tables.markdown(header, rows)}\n"
        f"{statistics.HOW}. {_verdicts(f'the {len(rows)} comparisons')} Better cells: image x "
        "seed.\n"
    )


def paper(report: Report) -> str:
    """Return the paper's mean improvements beside ours, its own cells, and what to know of them."""
    header = ["losses", "metric", "paper: mean difference", "per cent", "better cells"]
    header += [f"ours, {task}: mean [95 % interval]" for task in report.tasks]
    header += [f"better cells, {task}" for task in report.tasks]
    rows = []
    for asymmetric, plain in report.pairs:
        for metric in report.metrics:
            mean, per_cent, wins = findings.papers_difference(report.paper, plain, metric)
            ours = [
                each
                for each in report.differences
                if (each.asymmetric, each.metric) == (asymmetric, metric)
            ]
            row = [f"{NAMES[asymmetric]} - {NAMES[plain]}", metric.label]
            row += [metric.text(mean, sign=True), f"{per_cent:+.3f}", f"{wins}/10"]
            row += [findings.with_interval(each) for each in ours]
            rows.append(row + [f"{each.improved}/{each.cells}" for each in ours])
    remarks = "\n".join(f"- {remark}" for remark in report.paper.remarks)
    return (
        f"## The paper's mean improvements beside ours\n\n{tables.markdown(header, rows)}\n"
        f"{_papers_cells(report)}\nWhat to know about the paper's numbers:\n\n{remarks}\n"
    )


def _papers_cells(report: Report) -> str:
    published, same = report.paper.published, report.has_the_papers_images
    images = report.results.images if same else [str(number) for number in range(1, 11)]
    header = ["image", *(f"paper, {NAMES[loss]}" for loss in report.losses)]
    header += [published["name"]] if "psnr" in published else []
    rows = tables.papers_cells(report.paper, report.losses, images)
    means = "; ".join(
        f"{task} {psnr:.2f} dB / {ssim:.4f}" for task, (psnr, ssim) in published["means"].items()
    )
    # Neither the images nor the rounding are those of the tables above.
    other = "" if "psnr" in published else f" {NOT_ALIKE}"
    which = "of the same images" if same else "of its own ten images, which are not the ones above"
    return (
        f"The paper's cells, PSNR in dB / SSIM / RMSE as it prints them, {which}:\n\n"
        f"{tables.markdown(header, rows)}\nPublished for comparison: {published['name']}: "
        f"{means}.{other}\n"
    )


def ablation(report: Report) -> str:
    """Return what each form of the loss changes, one thing at a time."""
    task, results = report.preset.tasks[0], report.results
    configurations = table_configurations(report.losses)
    configurations += ablation_plan(report.losses, report.preset.ablation)
    configurations.sort(key=lambda configuration: configuration.plain)
    rows = findings.ablation(results, task, configurations, report.metrics)
    if len(rows) <= len(report.pairs):  # nothing but the columns of the table
        return ""
    header = ["against", "configuration", "seeds"]
    header += [f"{metric.label} [95 % interval]" for metric in report.metrics]
    header += ["p of each, Holm", "verdict", "better cells of each", "factor of the rate"]
    lines = [_ablation_row(row) for row in rows]
    report.text("ablation.csv", tables.csv_text(header, lines))
    spread = {
        plain: statistics.seed_spread(
            results.values(task, plain, "psnr", results.seeds(task, [plain]))
        )
        for _, plain in report.pairs
    }
    noise = ", ".join(f"{NAMES[plain]} {value:.3f} dB" for plain, value in spread.items())
    chart = figures.ablation(rows, spread, f"{report.network} {task}: what each form changes")
    return (
        f"## Ablation, {task}\n\nEach row minus the plain loss of the same seeds. Standard "
        f"deviation of PSNR between seeds: {noise}. "
        f"{_verdicts(f'the {len(rows) * len(report.metrics)} comparisons')}\n\n"
        f"{tables.markdown(header, lines)}\n{ABLATION_NOTES}\n"
        + report.figure("ablation", chart, "ablation")
    )


def grey_levels(report: Report) -> str:
    """Return the change of the error by grey level of the label."""
    heading = "Error by grey level of the label"
    if not report.results.has_sums:
        return report.there.get(heading, "")
    header = ["task", "losses", "band", "mean change [95 % interval]", "p", "p, Holm", "verdict"]
    header += ["better cells", "per seed"]
    rows = [_difference_row(each, per_cent=False) for each in report.band_differences]
    charts = "".join(_grey_level_figure(report, task) for task in report.tasks)
    report.text("grey-levels.csv", tables.csv_text(header, rows))
    ranges = ", ".join(
        f"{band} {low * 256 // BINS} to {high * 256 // BINS - 1}"
        for band, (low, high) in BANDS.items()
    )
    return (
        f"## {heading}\n\nChange of the mean squared error in per cent of the plain loss, the "
        "pixels of all test images pooled for each seed. Grey levels of the label as it is "
        f"scored, of 255: {ranges}. {_verdicts(f'the {len(rows)} comparisons')} The sums are in "
        f"`{stored.SUMS}`.\n\n{tables.markdown(header, rows)}\n{charts}"
    )


def _grey_level_figure(report: Report, task: str) -> str:
    results, seeds = report.results, report.seeds(task)
    changes = {
        NAMES[plain]: change(
            results.grey_levels(task, plain, "squared", seeds),
            results.grey_levels(task, asymmetric, "squared", seeds),
        )
        for asymmetric, plain in report.pairs
    }
    count = results.grey_levels(task, report.losses[0], "count", seeds[:1]).sum(axis=(0, 1))
    chart = figures.grey_levels(changes, 100 * count / count.sum(), report.subject(task))
    return report.figure(f"grey-levels-{task}", chart, f"error by grey level, {task}")


def pictures(report: Report) -> str:
    """Return enlarged regions, and the weights of a label."""
    task = report.tasks[0]
    regions = figures.regions(_versions(report, task))
    which = "" if report.shown is report.images else " Not test images: they may be published."
    return (
        "## Enlarged regions\n\nThe image that gains most and the one that gains least or loses "
        f"most, and in each the region in which the two networks differ most.{which}\n\n"
        + report.figure(f"regions-{task}", regions, "enlarged regions", figures.PHOTO_DPI)
        + f"\n## Weights\n\n{_weights(report, task)}"
    )


def _weights(report: Report, task: str) -> str:
    """Return the weights of a label, which are the same for every network: they are drawn once."""
    if report.preset.table > FIRST_TABLE:
        return f"They depend on the label alone: the report of Table {FIRST_TABLE} draws them.\n"
    name = next(iter(report.shown))
    label = _luma(parse(task).reference(report.shown[name])) / 255
    chart = figures.weight_maps(label, name)
    drawn = report.figure("weights", chart, "weight maps", figures.PHOTO_DPI)
    return f"What the forms of the loss give to the pixels of one label:\n\n{drawn}"


def _versions(report: Report, task: str) -> list[figures.Versions]:
    """Return two images, restored by the networks of one seed."""
    asymmetric, plain = report.pairs[-1]
    seed, images = report.seeds(task)[0], report.shown
    found = {
        network: evaluations(model, images, parse(task))
        for network, model in _models(report, task, seed).items()
    }
    after, before = (found[NAMES[loss]] for loss in (asymmetric, plain))
    gains = {name: after[name].scores["psnr"] - before[name].scores["psnr"] for name in images}
    most, least = (of(gains, key=gains.__getitem__) for of in (max, min))
    pages = []
    for name, word in {most: "largest", least: "smallest"}.items():
        versions = {network: _luma(each[name].restored) for network, each in found.items()}
        scores = {network: _scores(each[name], report, task) for network, each in found.items()}
        heading = (
            f"{name}, {task}, seed {seed}: the {word} difference {NAMES[asymmetric]} minus "
            f"{NAMES[plain]}, {gains[name]:+.3f} dB"
        )
        versions["truth"] = _luma(parse(task).reference(images[name]))
        pages.append((heading, versions, scores))
    return pages


def _scores(evaluation: Evaluation, report: Report, task: str) -> dict[str, float]:
    """Return PSNR, and SSIM with the window of the report."""
    kept = record(evaluation, parse(task))
    psnr, ssim, _ = report.metrics
    return {"psnr": psnr.of(kept), "ssim": ssim.of(kept)}


def _models(report: Report, task: str, seed: int) -> dict[str, str | None]:
    """Return what restores an image: no network, and every network of a seed."""
    found: dict[str, str | None] = {"bicubic" if task.startswith("x") else "noisy": None}
    neighbours = ("mae", "asy_mae", "mse", "asy_mse")  # as in the paper's Figs. 5 and 6
    for loss in [name for name in neighbours if name in report.losses]:
        found[NAMES[loss]] = str(report.results.folder(task, loss, seed))
    return found


def curves(report: Report) -> str:
    """Return the training curves."""
    text = "## Training\n\nThin lines are seeds. The validation images select nothing.\n\n"
    for task in report.tasks:
        logs = {
            NAMES[loss]: [report.results.log(task, loss, seed) for seed in report.seeds(task)]
            for loss in report.losses
        }
        chart = figures.curves(logs, report.subject(task))
        text += report.figure(f"curves-{task}", chart, f"training curves, {task}")
    return text


def time_per_step(report: Report) -> str:
    """Return the time of a training step of each loss."""
    results, rows = report.results, []
    times: dict[str, dict[str, list[float]]] = {}
    for task in report.tasks:
        seeds = report.seeds(task)
        times[task] = {
            NAMES[loss]: [results.milliseconds_per_step(task, loss, seed) for seed in seeds]
            for loss in report.losses
        }
        for asymmetric, plain in report.pairs:
            ratios = findings.step_time_ratios(results, task, asymmetric, plain)
            names = f"{NAMES[asymmetric]} / {NAMES[plain]}"
            texts = ", ".join(f"{ratio:.3f}" for ratio in ratios)
            rows.append([task, names, texts, f"{np.median(ratios):.3f}"])
    table = tables.markdown(["task", "losses", "ratio of each seed", "median"], rows)
    chart = figures.step_times(times, f"{report.network}: time of a training step")
    return (
        "## Time per step\n\nMedian over the pieces of a run, validation and checkpoints left "
        "out. The runs follow each other, so other work on the machine is in these ratios; "
        "`python -m recipes.benchmark loss` lets the losses take turns.\n\n"
        f"{table}\n{report.figure('step-times', chart, 'step times')}"
    )


def protocol(report: Report) -> str:
    """Return what the paper states, what it leaves open and what was done, and the settings."""
    preset = report.preset
    stated = "\n".join(f"- {line}" for line in preset.stated)
    choices = tables.markdown(["question", "choice"], preset.choices.items())
    momentum = ema_momentum(Descent(steps=preset.settings["steps"]))
    settings = {"ema": round(momentum, 4), **preset.settings}
    if "patch" not in settings and preset.patches:
        settings["patch"] = {task: preset.patches[task] for task in preset.tasks}
    images = ", ".join(report.results.images)
    return (
        f"## Protocol\n\nStated by the paper:\n\n{stated}\n\nLeft open by the paper, and what "
        f"this protocol does:\n\n{choices}\nAs it was run, where that differs this counts; "
        "settings that are not named are the recipe's defaults:\n\n- settings: "
        f"{_plain(settings)}\n- training images: {_folders(preset.train)}\n"
        f"- test images: {Path(preset.test).name}: {images}\n"
        f"- SSIM in the tables: {report.window} window\n"
    )


def _difference_row(found: Difference, per_cent: bool = True) -> list[str]:
    return [
        found.task,
        f"{NAMES[found.asymmetric]} - {NAMES[found.plain]}",
        found.metric.label,
        findings.with_interval(found),
        *([f"{found.per_cent:+.3f}"] if per_cent else []),
        _p(found.interval.p),
        _p(found.corrected),
        found.verdict,
        f"{found.improved}/{found.cells}",
        ", ".join(found.metric.text(value, sign=True) for value in found.per_seed),
    ]


def _spreads(found: Difference) -> list[str]:
    spreads = (found.spread, found.asymmetric_spread)
    return [found.metric.text(s) if np.isfinite(s) else "one seed" for s in spreads]


def _p(value: float) -> str:
    return f"{value:.4f}" if np.isfinite(value) else ""


def _ablation_row(row: AblationRow) -> list[str]:
    found = row.differences
    verdicts = [each.verdict for each in found]
    return [
        NAMES[row.configuration.plain],
        row.configuration.label,
        str(row.seeds),
        *(findings.with_interval(each) for each in found),
        " / ".join(_p(each.corrected) for each in found if np.isfinite(each.corrected)),
        verdicts[0] if len(set(verdicts)) == 1 else " / ".join(verdicts),
        f"{'/'.join(str(each.improved) for each in found)} of {found[0].cells}",
        f"{row.rate_factor:.4f}" if row.configuration.rate else "",
    ]


def _luma(image: np.ndarray) -> np.ndarray:
    """Return what is scored of a whole image, as uint8; colours would hide small differences."""
    values = unit_range(image)
    return to_uint8(convert_to_numpy(rgb_to_luma(values)) if image.shape[-1] == 3 else values)


def _machine(results: Results) -> str:
    """Return what the runs were made with."""
    if not results.cells:
        return ""
    name = next(iter(results.cells))
    versions = results.cells[name]["versions"]
    card = json.loads((results.workdir / "cells" / name / "network.json").read_text())
    return f"Keras {versions['keras']} on {versions['backend']}; {card['training']['hardware']}."


def _folders(source: str) -> str:
    """Return the last two parts of each folder: enough to know it, and not where it lies."""
    return ", ".join("/".join(Path(folder).parts[-2:]) for folder in source.split(","))


def _plain(value: Setting | dict[str, int]) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(inner)}" for key, inner in value.items())
    return str(value)
