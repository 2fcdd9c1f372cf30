"""The reports of this repository say what their scores say, by NumPy and SciPy alone."""

import csv
import re
from pathlib import Path

import numpy as np
import pytest

import recipes

stats = pytest.importorskip("scipy.stats")
RESULTS = Path(recipes.__file__).with_name("results")
COLUMNS = {"PSNR in dB": "psnr", "SSIM": "ssim_uniform", "NRMSE": "nrmse"}
BANDS = {"dark": range(5), "middle": range(5, 11), "bright": range(11, 16)}


def rows(path):
    return list(csv.DictReader(path.open(newline="")))


def by_seed(lines, task, configuration, value):
    """Return the values of each seed, `(seeds, images)`."""
    found = {}
    for line in lines:
        if (line["task"], line["configuration"]) == (task, configuration):
            found.setdefault(line["seed"], []).append(value(line))
    return np.array([found[seed] for seed in sorted(found)])


def check(row, per_seed, digits):
    """Compare a line of a table with Student's t of SciPy."""
    numbers = re.findall(r"[-+][\d.]+", next(row[key] for key in row if key.startswith("mean")))
    interval = stats.ttest_1samp(per_seed, 0).confidence_interval(0.95)
    wanted = [per_seed.mean(), interval.low, interval.high]
    assert [float(number) for number in numbers] == pytest.approx(wanted, abs=0.51 * 10**-digits)
    assert float(row["p"]) == pytest.approx(stats.ttest_1samp(per_seed, 0).pvalue, abs=1e-4)
    if len(per_seed) < 5:
        assert row["verdict"] == f"undecided ({len(per_seed)} seeds)"


def holm_by_hand(p):
    """Return which hypotheses are rejected: the smallest p against 5 % / n, the next / (n - 1)."""
    rejected = set()
    for place, index in enumerate(np.argsort(p)):
        if p[index] >= 0.05 / (len(p) - place):
            break
        rejected.add(int(index))
    return rejected


def check_verdicts(lines):
    if not lines[0]["verdict"].endswith("seeds)"):
        decided = {n for n, line in enumerate(lines) if line["verdict"] != "undecided"}
        assert decided == holm_by_hand([float(line["p"]) for line in lines])


@pytest.mark.parametrize("number", [2, 3, 4, 5])
def test_differences(number):
    folder = RESULTS / f"paper-table-{number}"
    scores, table = rows(folder / "scores.csv"), rows(folder / "statistics.csv")
    for row in table:
        asymmetric, plain = (name.lower() for name in row["losses"].split(" - "))
        kind, digits = COLUMNS[row["metric"]], 3 if "PSNR" in row["metric"] else 5
        after, before = (
            by_seed(scores, row["task"], name, lambda line, kind=kind: float(line[kind]))
            for name in (asymmetric, plain)
        )
        check(row, (after - before).mean(axis=1), digits)
    check_verdicts(table)


@pytest.mark.parametrize("number", [2, 3, 4, 5])
def test_grey_levels(number):
    folder = RESULTS / f"paper-table-{number}"
    if not (folder / "grey-level-sums.csv").exists():
        assert "without an interval" in (folder / "report.md").read_text()
        pytest.skip("runs that kept no sums")
    sums, table = rows(folder / "grey-level-sums.csv"), rows(folder / "grey-levels.csv")
    for row in table:
        asymmetric, plain = (name.lower() for name in row["losses"].split(" - "))
        band = BANDS[row["band"].split(", ")[1].split(" ")[0]]
        after, before = (
            by_seed(
                [line for line in sums if line["kind"] == "squared"],
                row["task"],
                name,
                lambda line, band=band: sum(float(line[f"bin{n}"]) for n in band),
            ).sum(axis=1)
            for name in (asymmetric, plain)
        )
        check(row, 100 * (after / before - 1), 2)
    check_verdicts(table)


def test_sums_and_scores_are_of_the_same_pixels():
    for folder in RESULTS.glob("paper-table-*"):
        if not (folder / "grey-level-sums.csv").exists():
            continue
        lines = rows(folder / "grey-level-sums.csv")
        psnr = {
            tuple(r[k] for k in ("task", "configuration", "seed", "image")): float(r["psnr"])
            for r in rows(folder / "scores.csv")
        }
        counts = {
            (r["task"], r["image"]): sum(float(r[f"bin{n}"]) for n in range(16))
            for r in lines
            if r["kind"] == "count"
        }
        for line in (line for line in lines if line["kind"] == "squared"):
            error = sum(float(line[f"bin{n}"]) for n in range(16))
            run = tuple(line[k] for k in ("task", "configuration", "seed", "image"))
            mean = error / counts[line["task"], line["image"]]
            assert -10 * np.log10(mean) == pytest.approx(psnr[run], abs=1e-4)
