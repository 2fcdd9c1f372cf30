"""What a report keeps is what was measured, and says the same again."""

import csv
import io
from dataclasses import replace

import numpy as np
import pytest

from recipes.compare import findings, stored
from recipes.compare.cells import CompareError
from recipes.compare.plan import plan
from recipes.compare.results import metrics


@pytest.fixture
def report(results, tmp_path):
    folder = tmp_path / "report"
    folder.mkdir()
    (folder / stored.SCORES).write_text(stored.scores_csv(results))
    (folder / stored.SUMS).write_text(stored.sums_csv(results))
    return folder


def test_the_csv_holds_every_score_unrounded(results):
    rows = list(csv.DictReader(io.StringIO(stored.scores_csv(results))))
    assert len(rows) == 3 + 4 * 3  # without a network, and four runs
    row = next(r for r in rows if (r["configuration"], r["seed"], r["image"]) == ("mse", "1", "b"))
    assert float(row["nrmse"]) == 2 * 10 ** (-25.5 / 20)
    assert float(row["ssim_gaussian"]) == 25.5 / 60


def test_sums_are_kept_for_every_run_and_image(results):
    rows = list(csv.DictReader(io.StringIO(stored.sums_csv(results))))
    assert len(rows) == 2 * 3 + 4 * 3  # the pixels of each image are counted once
    row = next(
        r for r in rows if (r["configuration"], r["seed"], r["image"]) == ("asy_mse", "1", "b")
    )
    assert [float(row[f"bin{n}"]) for n in (0, 4, 5, 15)] == [0.9, 0.9, 1, 1]


def test_everything_is_found_again(results, report):
    again = stored.read(results.plan, report)
    for metric in metrics("gaussian"):
        found, before = (
            findings.difference(r, "x2", "asy_mse", "mse", metric) for r in (again, results)
        )
        assert found == before
    assert findings.band_differences(again, "x2", "asy_mse", "mse") == findings.band_differences(
        results, "x2", "asy_mse", "mse"
    )
    np.testing.assert_array_equal(
        again.grey_levels("x2", "mse", "count", [0, 1]), np.full((2, 3, 16), 10)
    )
    assert again.has_sums
    assert again.stored


def test_an_older_report_has_no_sums(results, report):
    (report / stored.SUMS).unlink()
    again = stored.read(results.plan, report)
    assert not again.has_sums
    assert again.values("x2", "mse", "psnr", [0]).tolist() == [[30.0, 25.0, 20.0]]


def test_runs_that_are_not_planned_are_refused(preset, report):
    with pytest.raises(CompareError, match="has the run x2 mse 1, which these options do not plan"):
        stored.read(plan(replace(preset, seeds=1)), report)


@pytest.mark.parametrize(
    "text", ["task,configuration\n1,2\n", "task,configuration,seed,image,psnr\nx2,none,,a,b\n"]
)
def test_a_broken_file_is_one_sentence(results, report, text):
    (report / stored.SCORES).write_text(
        text or "task,configuration,seed,image,psnr\nx2,none,,a,b\n"
    )
    with pytest.raises(CompareError, match="cannot be read"):
        stored.read(results.plan, report)
    with pytest.raises(CompareError, match="cannot be read"):
        stored.read(results.plan, report / "absent")
