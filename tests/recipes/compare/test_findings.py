"""What is said of results whose answer is known."""

import numpy as np
import pytest

from recipes.compare import findings
from recipes.compare.paper import paper_table
from recipes.compare.plan import table_configurations
from recipes.compare.results import metrics

PSNR, SSIM, NRMSE = metrics("uniform")


def test_a_difference_is_taken_seed_by_seed_and_image_by_image(results):
    found = findings.difference(results, "x2", "asy_mse", "mse", PSNR)
    assert found.interval.mean == pytest.approx(0.1)  # of 0.1, 0.2, 0.3, -0.1, 0.0, 0.1
    assert found.per_seed == pytest.approx((0.2, 0.0))
    assert (found.improved, found.cells) == (4, 6)
    assert found.per_cent == pytest.approx(100 * 0.1 / 25.25)
    assert found.spread == pytest.approx(0.5 / np.sqrt(2))  # means 25 and 25.5
    assert found.asymmetric_spread == pytest.approx(0.3 / np.sqrt(2))  # 25.2 and 25.5


def test_a_smaller_error_is_an_improvement(results):
    found = findings.difference(results, "x2", "asy_mse", "mse", NRMSE)
    assert found.interval.mean < 0
    assert found.improved == 4  # the same images as for PSNR


def test_the_verdict_is_the_intervals(results):
    found = findings.difference(results, "x2", "asy_mse", "mse", PSNR)
    assert found.interval.low < 0 < found.interval.high  # seed 1 differs by 0 on average
    assert found.verdict == "no difference shown"
    text = findings.sentence(found)
    assert text.startswith("x2, Asy_MSE minus MSE: PSNR +0.100 dB [-")
    assert "better in 4 of 6 cells, no difference shown; sd between seeds of MSE 0.354 dB" in text


@pytest.mark.parametrize(
    ("metric", "change", "verdict"),
    [(PSNR, 1.0, "better"), (PSNR, -1.0, "worse"), (NRMSE, -1.0, "better"), (NRMSE, 1.0, "worse")],
)
def test_a_difference_of_every_cell_is_better_or_worse(results, metric, change, verdict):
    for name, cell in results.cells.items():
        for record in cell["images"].values():
            record[metric.key] = 5.0 + (change if "asy" in name else 0.0)
    assert findings.difference(results, "x2", "asy_mse", "mse", metric).verdict == verdict


def test_luck_between_seeds_counts_all_metrics(results):
    # Seed 1 of MSE is better than seed 0 on each of 3 images, in each of 3 metrics.
    assert findings.luck(results, "x2", ["mse", "asy_mse"], (PSNR, SSIM, NRMSE)) == (9, 9)


def test_the_dark_gain_what_their_errors_say(results):
    found = findings.grey_level_changes(results, "x2", "asy_mse", "mse")
    assert found["dark"].mean == pytest.approx(-10)
    assert found["bright"].mean == pytest.approx(0)


def test_time_per_step_is_the_median_without_the_first_piece(results):
    # batch 50 at 200 images per second: 250 ms; AsyMSE at 100: 500 ms
    assert results.milliseconds_per_step("x2", "mse", 0) == pytest.approx(250)
    assert findings.step_time_ratios(results, "x2", "asy_mse", "mse") == pytest.approx([2, 2])


def test_a_step_that_was_made_twice_counts_once(results):
    path = results.folder("x2", "mse", 0) / "training.csv"
    path.write_text(path.read_text() + "40,1,20,99,100,1\n")
    assert results.log("x2", "mse", 0)["step"].tolist() == [10, 20, 30, 40]
    assert results.log("x2", "mse", 0)["validation_psnr"][-1] == 99


def test_only_seeds_that_every_loss_has_are_compared(results):
    del results.cells["srcnn-x2-asy_mse-seed0"]
    assert results.seeds("x2", ["mse", "asy_mse"]) == [1]
    assert results.seeds("x2", ["mse"]) == [0, 1]
    assert findings.difference(results, "x2", "asy_mse", "mse", PSNR).cells == 3


def test_rows_of_the_ablation_that_are_not_finished_are_left_out(results):
    rows = findings.ablation(results, "x2", table_configurations(["mse", "asy_mse"]), (PSNR,))
    assert [(row.configuration.name, row.seeds) for row in rows] == [("asy_mse", 2)]


def test_the_papers_differences_are_those_of_its_columns():
    mean, per_cent, wins = findings.papers_difference(paper_table(2), "mae", PSNR)
    assert (round(mean, 4), round(per_cent, 3), wins) == (0.0798, 0.288, 10)
    mean, per_cent, wins = findings.papers_difference(paper_table(2), "mse", NRMSE)
    assert (round(mean, 5), round(per_cent, 3), wins) == (-0.00036, -0.528, 9)
