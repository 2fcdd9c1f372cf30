"""Statistics against SciPy, statistical tables, and data that were drawn without an effect."""

import sys

import numpy as np
import pytest

from recipes.compare.statistics import holm, improved, luckiest_seed, seed_spread, student

stats = pytest.importorskip("scipy.stats")
DRAWS = 2000


def test_t_by_hand():
    # Differences 1, 2, 3: mean 2, standard error 1 / sqrt 3, and t of 97.5 % with 2 degrees of
    # freedom is 4.303 in every table. p = 1 - t / sqrt(2 + t^2) for 2 degrees of freedom.
    found = student([1, 2, 3])
    assert found.mean == 2
    assert (found.low, found.high) == pytest.approx((2 - 4.303 / 3**0.5, 2 + 4.303 / 3**0.5), 1e-3)
    assert found.p == pytest.approx(1 - 12**0.5 / 14**0.5)


def test_t_is_scipys():
    values = np.random.default_rng(0).normal(0.1, 0.2, 5)
    found, other = student(values), stats.ttest_1samp(values, 0)
    interval = other.confidence_interval(0.95)
    assert found.p == pytest.approx(other.pvalue)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))


def test_one_seed_has_a_mean_and_nothing_else():
    found = student([0.3])
    assert found.mean == 0.3
    assert np.isnan([found.low, found.high, found.p]).all()


def test_seeds_that_agree_to_the_bit():
    assert (student([0.5] * 3).low, student([0.5] * 3).p) == (0.5, 0)
    assert student([0.0] * 3).p == 1


def test_holm_by_hand():
    # Sorted 0.01, 0.03, 0.04, times 3, 2, 1: 0.03, 0.06, 0.04, and never below the one before.
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1, 1]
    assert holm([]) == []


def scores_without_an_effect(comparisons, seeds=5, images=10):
    """Return differences `(DRAWS, comparisons, seeds)` of means over images.

    Images that are hard for all, seeds that are lucky on all images, and a rest: the differences of
    one network on several images depend on each other.
    """
    rng = np.random.default_rng(1)
    shape = (DRAWS, comparisons, seeds)
    plain, asymmetric = (
        rng.normal(0, 0.05, (*shape, 1)) + rng.normal(0, 0.02, (*shape, images)) for _ in range(2)
    )
    return (asymmetric - plain).mean(axis=-1)


def bound(rate):
    """Return 4 standard deviations of a rate over the draws: passed once in 16,000."""
    return 4 * (rate * (1 - rate) / DRAWS) ** 0.5


@pytest.mark.parametrize("seeds", [2, 5])
def test_without_an_effect_5_per_cent_of_the_intervals_miss_0(seeds):
    found = [student(each) for each in scores_without_an_effect(1, seeds)[:, 0]]
    wrong = np.mean([each.p < 0.05 for each in found])
    assert abs(wrong - 0.05) < bound(0.05)
    assert wrong == np.mean([not each.low <= 0 <= each.high for each in found])


def test_without_an_effect_a_table_of_twelve_is_wrong_in_5_per_cent():
    p = stats.ttest_1samp(scores_without_an_effect(12), 0, axis=-1).pvalue
    uncorrected = np.mean(p.min(axis=1) < 0.05)
    corrected = np.mean([min(holm(row)) < 0.05 for row in p])
    # Independent comparisons: 1 - 0.95^12 of the tables without, 1 - (1 - 0.05 / 12)^12 with it.
    assert abs(uncorrected - 0.4596) < bound(0.4596)
    assert abs(corrected - 0.0489) < bound(0.0489)


def test_without_scipy_there_is_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(ImportError, match="Student's t needs SciPy: pip install scipy"):
        student([1, 2])


def test_improved_counts_strict_improvements_in_the_right_direction():
    differences = np.array([[0.1, 0.0, -0.1], [0.2, 0.3, -0.4]])
    assert improved(differences, higher_is_better=True) == 3
    assert improved(differences, higher_is_better=False) == 2


def test_the_spread_is_between_the_means_of_seeds():
    values = np.array([[0.0, 2.0], [2.0, 4.0]])  # means 1 and 3, each image spreads more
    assert seed_spread(values) == pytest.approx(np.sqrt(2))
    assert np.isnan(seed_spread(values[:1]))


def test_luck_is_the_pair_of_seeds_that_differs_in_most_cells():
    psnr = np.array([[30.0, 20.0], [31.0, 19.0], [32.0, 21.0]])
    error = np.array([[0.3, 0.2], [0.2, 0.3], [0.1, 0.1]])
    # seed 2 over seed 0: PSNR 2 of 2, and an error that is smaller on both: 4 of 4
    assert luckiest_seed(np.stack([psnr, error]), np.array([1, -1])) == (4, 4)
    assert luckiest_seed(np.stack([psnr, error])[:, :2], np.array([1, -1])) == (2, 4)
    assert luckiest_seed(np.stack([psnr, error])[:, :1], np.array([1, -1])) is None
