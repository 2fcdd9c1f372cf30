"""What is said of results whose answer is known."""

import numpy as np
import pytest

from recipes.compare import findings
from recipes.compare.paper import paper_table
from recipes.compare.plan import table_configurations
from recipes.compare.results import metrics
from recipes.compare.statistics import student

pytest.importorskip("scipy")
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


def test_two_seeds_decide_nothing(results):
    (found,) = findings.together([findings.difference(results, "x2", "asy_mse", "mse", PSNR)])
    # Means 0.2 and 0: standard error 0.1, and t of 97.5 % with 1 degree of freedom is 12.706.
    assert (found.interval.low, found.interval.high) == pytest.approx((-1.1706, 1.3706), abs=1e-4)
    assert found.verdict == "undecided (2 seeds)"
    assert findings.sentence(found) == (
        "x2, Asy_MSE minus MSE: PSNR +0.100 [-1.171, +1.371] dB, better in 4 of 6 cells, undecided "
        "(2 seeds); sd between seeds of MSE 0.354 dB"
    )


def of_five_seeds(per_seed, metric=PSNR):
    interval = student(per_seed)
    return findings.Difference("x2", "asy_mse", "mse", metric, tuple(per_seed), interval, 0, 0, 0)


@pytest.mark.parametrize(
    ("metric", "sign", "verdict"),
    [(PSNR, 1, "better"), (PSNR, -1, "worse"), (NRMSE, -1, "better"), (NRMSE, 1, "worse")],
)
def test_five_seeds_that_agree_are_better_or_worse(metric, sign, verdict):
    per_seed = sign * np.array([0.9, 1.0, 1.1, 1.0, 1.0])
    (found,) = findings.together([of_five_seeds(per_seed, metric)])
    assert found.verdict == verdict
    assert found.corrected == found.interval.p


def test_a_verdict_is_that_of_all_comparisons_of_a_table():
    one = of_five_seeds([0.02, 0.10, 0.05, 0.09, 0.04])
    assert 0.01 < one.interval.p < 0.025
    none = of_five_seeds([0.1, -0.1, 0.2, -0.2, 0.01])
    assert [each.verdict for each in findings.together([one])] == ["better"]
    assert [each.verdict for each in findings.together([one, none])] == ["better", "undecided"]
    table = findings.together([one, none, none, none, none])
    assert {each.verdict for each in table} == {"undecided"}
    assert table[0].corrected == pytest.approx(5 * one.interval.p)


def test_comparisons_without_seeds_enough_do_not_weaken_the_others():
    few = of_five_seeds([0.1, 0.2, 0.3])
    one, other = findings.together([of_five_seeds([1.0, 1.1, 0.9, 1.0, 1.0]), few])
    assert one.corrected == one.interval.p
    assert other.verdict == "undecided (3 seeds)"


def test_luck_between_seeds_counts_all_metrics(results):
    # Seed 1 of MSE is better than seed 0 on each of 3 images, in each of 3 metrics.
    assert findings.luck(results, "x2", ["mse", "asy_mse"], (PSNR, SSIM, NRMSE)) == (9, 9)


def test_the_dark_gain_what_their_errors_say(results):
    dark, _, bright = findings.band_differences(results, "x2", "asy_mse", "mse")
    assert dark.per_seed == pytest.approx((-10, -10))
    assert (dark.improved, dark.cells) == (6, 6)
    assert bright.interval.mean == pytest.approx(0)
    assert findings.sentence(dark).startswith("x2, Asy_MSE minus MSE: squared error, dark -10.00 [")


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
