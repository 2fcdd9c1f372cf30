"""Statistics against SciPy and arrays worked out by hand."""

import sys

import numpy as np
import pytest

from recipes.compare.statistics import (
    improved,
    luckiest_seed,
    paired_bootstrap,
    seed_spread,
    wilcoxon,
)

stats = pytest.importorskip("scipy.stats")
rng = np.random.default_rng(0)


def test_equal_differences_have_an_interval_of_one_point():
    found = paired_bootstrap(np.full((3, 10), 0.1))
    assert (found.mean, found.low, found.high) == pytest.approx((0.1, 0.1, 0.1))
    assert not found.holds_zero


def test_two_images_and_one_seed():
    # The mean is 0, 0.5 or 1 with the probabilities 1/4, 1/2, 1/4, so the 2.5 % are at 0 and 1.
    found = paired_bootstrap(np.array([[0.0, 1.0]]))
    assert (found.mean, found.low, found.high) == (0.5, 0.0, 1.0)
    assert found.holds_zero


def test_with_one_seed_it_is_scipys_percentile_bootstrap_over_images():
    differences = rng.normal(0.05, 0.1, (1, 10))
    found = paired_bootstrap(differences)
    other = stats.bootstrap(
        (differences[0],), np.mean, n_resamples=50_000, method="percentile", rng=1
    ).confidence_interval
    width = other.high - other.low
    assert found.low == pytest.approx(other.low, abs=0.03 * width)
    assert found.high == pytest.approx(other.high, abs=0.03 * width)


def test_images_go_with_every_seed():
    # With d = a(seed) + b(image) the variance of the mean is var(a) / seeds + var(b) / images.
    # Images drawn anew within each seed would give var(b) / (seeds images) instead: a sixth.
    seeds, images = rng.normal(0, 0.1, (30, 1)), rng.normal(0, 1, (1, 40))
    found = paired_bootstrap(seeds + images)
    deviation = np.sqrt(seeds.var() / 30 + images.var() / 40)
    assert found.high - found.low == pytest.approx(2 * 1.96 * deviation, rel=0.05)


def test_seeds_are_resampled_too():
    constant_over_images = np.array([[-1.0] * 10, [1.0] * 10])
    found = paired_bootstrap(constant_over_images)
    assert (found.low, found.high) == (-1.0, 1.0)


def test_an_interval_is_the_same_whenever_it_is_asked_for():
    differences = rng.normal(0, 1, (3, 10))
    assert paired_bootstrap(differences) == paired_bootstrap(differences)


def test_wilcoxon_is_scipys_on_the_means_over_seeds():
    differences = rng.normal(0.3, 1, (3, 10))
    assert wilcoxon(differences) == stats.wilcoxon(differences.mean(axis=0)).pvalue


def test_ten_images_that_all_improve_have_the_smallest_p():
    differences = np.linspace(0.01, 0.1, 10)[None]
    assert wilcoxon(differences) == pytest.approx(2 / 2**10)
    assert wilcoxon(-differences) == pytest.approx(2 / 2**10)  # two-sided


def test_no_difference_at_all_has_p_1():
    assert wilcoxon(np.zeros((2, 10))) == 1.0


def test_without_scipy_there_is_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(ImportError, match="Wilcoxon's test needs SciPy: pip install scipy"):
        wilcoxon(np.ones((1, 10)))


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
