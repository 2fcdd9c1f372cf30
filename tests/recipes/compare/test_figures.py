"""Figures: what is drawn where, with units, and small files."""

import numpy as np
import pytest
from PIL import Image

from recipes.compare import figures, findings
from recipes.compare.plan import table_configurations
from recipes.compare.results import metrics

pytest.importorskip("matplotlib")
rng = np.random.default_rng(0)
COLUMNS = {
    "MSE": np.array([[30.0, 0.9, 0.1], [28.0, 0.8, 0.2], [26.0, 0.7, 0.3]]),
    "Asy_MSE": np.array([[30.1, 0.9, 0.1], [27.8, 0.8, 0.2], [26.0, 0.7, 0.3]]),
}
IMAGES = ["a", "b", "c"]


def labels(figure):
    """Return all text of a figure's axes."""
    return " | ".join(
        text
        for axes in figure.get_axes()
        for text in (axes.get_title(), axes.get_xlabel(), axes.get_ylabel())
    )


def test_bars_have_a_panel_per_metric_with_its_unit():
    text = labels(figures.bars(IMAGES, COLUMNS, metrics("uniform"), "title"))
    assert "PSNR in dB" in text
    assert "difference of SSIM" in text
    assert "NRMSE" in text


def test_the_radar_shows_the_difference_and_a_ring_at_zero():
    left, right = figures.radar(IMAGES, COLUMNS, "title").get_axes()
    change = next(line for line in right.lines if line.get_label() == "Asy_MSE minus MSE")
    assert change.get_ydata() == pytest.approx([0.1, -0.2, 0.0, 0.1])  # closed
    ring = next(line for line in right.lines if line.get_label() == "no difference")
    assert set(ring.get_ydata()) == {0}
    assert "difference of PSNR in dB" in right.get_title()
    assert {line.get_label() for line in left.lines} == {"MSE", "Asy_MSE"}


def test_the_region_is_where_two_images_differ_most():
    first = rng.integers(0, 256, (100, 120, 1), dtype=np.uint8)
    second = first.copy()
    second[60:70, 80:90] ^= 128
    top, left, height, width = figures.most_differing(first, second, (20, 30))
    assert (height, width) == (20, 30)
    assert top <= 60
    assert top + height >= 70
    assert left <= 80
    assert left + width >= 90


def test_the_region_is_cut_to_a_small_image():
    image = np.zeros((10, 12, 1), np.uint8)
    assert figures.most_differing(image, image, (48, 64)) == (0, 0, 10, 12)


def test_all_weight_maps_share_one_scale_and_say_their_range():
    label = rng.random((20, 30, 1))
    page = figures.weight_maps(label, "some image")
    maps = [axes for axes in page.get_axes() if axes.images][1:]
    assert {axes.images[0].get_clim() for axes in maps} == {(0.5, 1.0)}
    weights = np.asarray(maps[0].images[0].get_array())
    np.testing.assert_allclose(weights, 0.5 * np.tanh(1 / label[..., 0]) + 0.5, atol=1e-6)
    assert f"{weights.min():.3f} to {weights.max():.3f}" in maps[0].get_title()


def logs(offset):
    steps = np.arange(1, 11) * 10
    psnr = 20 + np.log(steps) + offset
    return {"step": steps, "psnr": psnr - 3 * offset, "validation_psnr": psnr}


def test_curves_show_seeds_means_and_differences():
    runs = {"MSE": [logs(0), logs(0.2)], "Asy_MSE": [logs(0.1), logs(0.1)]}
    left, right = figures.curves(runs, "title").get_axes()
    assert left.get_ylabel() == "validation PSNR in dB"
    change = next(line for line in right.lines if line.get_label() == "Asy_MSE minus MSE")
    assert change.get_ydata() == pytest.approx(np.zeros(10), abs=1e-9)  # of +0.1 and -0.1


def test_without_validation_the_curves_are_those_of_the_training_samples():
    nothing = {"validation_psnr": np.full(10, np.nan)}
    runs = {"MSE": [logs(0) | nothing], "Asy_MSE": [logs(0.1) | nothing]}
    left, right = figures.curves(runs, "title").get_axes()
    assert left.get_ylabel() == "training PSNR in dB"
    (change,) = (line for line in right.lines if line.get_label() == "Asy_MSE minus MSE")
    assert change.get_ydata() == pytest.approx(np.full(10, -0.2))


def test_a_run_that_lacks_a_step_of_its_log_is_left_out_of_the_mean_there():
    killed = {key: np.delete(column, 4) for key, column in logs(0.2).items()}
    runs = {"MSE": [logs(0), killed], "Asy_MSE": [logs(0.1), logs(0.3)]}
    left, right = figures.curves(runs, "title").get_axes()
    mean = next(line for line in left.lines if "MSE, mean of 2" in line.get_label()).get_ydata()
    expected = 20 + np.log(np.arange(1, 11) * 10) + np.insert(np.full(9, 0.1), 4, 0)
    assert mean == pytest.approx(expected)
    change = next(line for line in right.lines if line.get_label() == "Asy_MSE minus MSE")
    assert change.get_ydata() == pytest.approx(np.full(10, 0.1))


def test_step_times_are_in_milliseconds():
    page = figures.step_times({"x2": {"MSE": [10, 11], "Asy_MSE": [10, 12]}}, "title")
    assert "milliseconds per step" in labels(page)


def test_the_ablation_shows_the_noise_between_seeds(results):
    rows = findings.ablation(
        results, "x2", table_configurations(["mse", "asy_mse"]), metrics("uniform")
    )
    (axes,) = figures.ablation(rows, {"mse": 0.35}, "title").get_axes()
    assert axes.get_yticklabels()[0].get_text() == "Asy_MSE (2 seeds)"
    band = axes.patches[0].get_extents().transformed(axes.transData.inverted())
    assert (band.x0, band.x1) == pytest.approx((-0.35, 0.35))
    assert "sd between seeds: 0.350 dB" in axes.get_legend().get_texts()[0].get_text()
    assert axes.get_xlim()[1] > rows[0].differences[0].interval.high


def test_grey_levels_are_drawn_in_the_middle_of_their_bins():
    page = figures.grey_levels({"MSE": np.zeros((2, 16))}, np.full(16, 6.25), "title")
    above, below = page.get_axes()
    assert above.lines[0].get_xdata()[[0, -1]].tolist() == [8, 248]
    rare = figures.grey_levels({"MSE": np.zeros((2, 16))}, np.eye(16)[3] * 100, "title")
    assert np.isfinite(rare.get_axes()[0].lines[0].get_ydata()).tolist() == [
        n == 3 for n in range(16)
    ]
    assert "0 to 255" in below.get_xlabel()


def test_a_figure_is_a_small_png(tmp_path):
    figures.save(figures.radar(IMAGES, COLUMNS, "title"), tmp_path / "radar.png")
    assert [path.name for path in tmp_path.iterdir()] == ["radar.png"]
    with Image.open(tmp_path / "radar.png") as image:
        assert image.mode == "P"
        assert min(image.size) > 400
    assert (tmp_path / "radar.png").stat().st_size < 150_000
