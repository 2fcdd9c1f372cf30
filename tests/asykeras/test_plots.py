"""Figures: what they hold is what was given, nothing is cut off, and files are whole or absent."""

import sys

import numpy as np
import pytest

from asykeras import AsyMSE, plots

pytest.importorskip("matplotlib")
rng = np.random.default_rng(0)
NAMES = ["first", "second", "third"]
VALUES = {"MAE": [26, 30, 28], "MSE": [25, 29, 27], "AsyMAE": [26.5, 30.1, 28.0],
          "AsyMSE": [24.8, 29.2, 27.5]}  # fmt: skip
COLUMNS = {name: [{"psnr": v, "ssim": v / 40} for v in values] for name, values in VALUES.items()}
PAIRS = {"AsyMAE": "MAE", "AsyMSE": "MSE"}


def picture(height=20, width=30, channels=3):
    return rng.integers(0, 256, (height, width, channels), dtype=np.uint8)


def drawn(axes):
    """Return the array that an axes shows."""
    return np.asarray(axes.images[0].get_array())


def texts_inside(figure):
    """Whether all that is drawn lies on the page, to a hundredth of an inch."""
    figure.canvas.draw()
    box, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    return box.x0 > -0.01 and box.y0 > -0.01 and box.x1 < width + 0.01 and box.y1 < height + 0.01


def test_weight_map_shows_label_and_weights_as_given():
    label = rng.random((12, 17, 1))
    weights = AsyMSE().weights(label[None])[0]
    figure = plots.weight_map(label, weights)
    left, right, bar = figure.axes
    np.testing.assert_array_equal(drawn(left), label[..., 0])
    np.testing.assert_array_equal(drawn(right), np.asarray(weights)[..., 0])
    assert "weight M" in bar.get_xlabel()
    assert texts_inside(figure)


def test_lightness_of_the_weight_map_rises_evenly():
    ramp = np.linspace(0, 1, 256).reshape(16, 16)
    mapped = plots.weight_map(ramp, ramp).axes[1].images[0].to_rgba(ramp)[..., :3].reshape(256, 3)
    luma = mapped @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(luma) > -1e-3).all()
    assert luma[-1] - luma[0] > 0.7


@pytest.mark.parametrize("shape", [(1, 1), (9, 7, 1), (5, 6, 3)])
def test_weight_map_takes_constant_weights_of_any_image(shape):
    figure = plots.weight_map(np.zeros(shape, np.uint8), np.full(shape[:2], 0.5))
    figure.canvas.draw()
    assert (drawn(figure.axes[1]) == 0.5).all()


def test_weight_map_names_shapes_that_differ():
    with pytest.raises(
        ValueError, match=r"Received: label.shape=\(4, 5, 3\), weights.shape=\(5, 4\)"
    ):
        plots.weight_map(np.zeros((4, 5, 3)), np.zeros((5, 4)))
    with pytest.raises(ValueError, match=r"Received: shape=\(1, 4, 5, 3\)"):
        plots.weight_map(np.zeros((1, 4, 5, 3)), np.zeros((4, 5)))


@pytest.mark.parametrize("label", [np.full((4, 5), 200.0), np.full((4, 5), 900, "uint16")])
def test_pictures_in_another_range_are_refused(label):
    with pytest.raises(ValueError, match=r"uint8, or lie in \[0, 1\]. Received: least=(2|9)00"):
        plots.weight_map(label, np.ones((4, 5)))


def test_weight_map_refuses_weights_that_are_not_finite():
    with pytest.raises(ValueError, match="Received: nan_or_infinite=2"):
        plots.weight_map(np.zeros((1, 3)), np.array([[1.0, np.nan, np.inf]]))


def test_comparison_shows_each_image_and_its_region():
    images = {"bicubic": picture(), "truth": picture()}
    figure = plots.comparison(images, (3, 5, 8, 12))
    above, below = figure.axes[:2], figure.axes[2:]
    for image, whole, enlarged in zip(images.values(), above, below, strict=True):
        np.testing.assert_allclose(drawn(whole), image / 255)
        np.testing.assert_allclose(drawn(enlarged), image[3:11, 5:17] / 255)
        assert enlarged.images[0].get_interpolation() == "nearest"
    assert texts_inside(figure)


def test_comparison_frames_exactly_the_pixels_of_the_region():
    figure = plots.comparison({"one": picture()}, (3, 5, 8, 12))
    (frame,) = figure.axes[0].patches
    # pixel 5 reaches from 4.5 to 5.5
    assert frame.get_xy() == (4.5, 2.5)
    assert (frame.get_width(), frame.get_height()) == (12, 8)


def test_comparison_writes_scores_below_the_names():
    scores = {"MSE": {"psnr": 30.126, "ssim": 0.87214}}
    figure = plots.comparison({"MSE": picture(), "truth": picture()}, (0, 0, 2, 2), scores=scores)
    titles = [axes.get_title() for axes in figure.axes[:2]]
    assert titles == ["MSE\nPSNR 30.13 dB, SSIM 0.8721", "truth"]


def test_comparison_takes_one_grey_pixel():
    figure = plots.comparison({"one": np.full((1, 1, 1), 255, np.uint8)}, (0, 0, 1, 1))
    figure.canvas.draw()
    assert drawn(figure.axes[0]) == drawn(figure.axes[1]) == 1


@pytest.mark.parametrize(
    "region", [(-1, 0, 2, 2), (0, 0, 0, 2), (19, 0, 2, 2), (0, 29, 2, 2), (0, 0, 21, 2)]
)
def test_comparison_refuses_a_region_outside(region):
    with pytest.raises(ValueError, match=r"20 x 30 pixels. Received: region=\(") as error:
        plots.comparison({"one": picture()}, region)
    assert str(error.value).endswith(str(region))


def test_comparison_refuses_images_that_do_not_belong_together():
    with pytest.raises(ValueError, match=r"Received: sizes=\[\(4, 5\), \(20, 30\)\]"):
        plots.comparison({"a": picture(), "b": picture(4, 5)}, (0, 0, 2, 2))
    with pytest.raises(ValueError, match="Received: name='a', dtype=float64"):
        plots.comparison({"a": picture() / 255}, (0, 0, 2, 2))
    with pytest.raises(ValueError, match=r"Received: sizes=\[\]"):
        plots.comparison({}, (0, 0, 2, 2))


def test_bars_are_the_plain_scores_and_lines_the_differences():
    figure = plots.score_bars(NAMES, COLUMNS, baseline=PAIRS)
    bars, lines = figure.axes
    heights = [[bar.get_height() for bar in group] for group in bars.containers]
    assert heights == [[26, 30, 28], [25, 29, 27]]
    np.testing.assert_allclose(lines.lines[0].get_ydata(), [0.5, 0.1, 0])
    np.testing.assert_allclose(lines.lines[1].get_ydata(), [-0.2, 0.2, 0.5])
    assert [text.get_text() for text in bars.get_xticklabels()] == NAMES


def test_axes_name_the_metric_and_its_unit_and_the_bars_start_at_zero():
    figure = plots.score_bars(NAMES, COLUMNS, baseline=PAIRS)
    bars, lines = figure.axes
    assert bars.get_ylabel() == "PSNR in dB"
    assert lines.get_ylabel() == "difference of PSNR in dB"
    assert bars.get_ylim()[0] == 0
    legend = [text.get_text() for text in bars.get_legend().get_texts()]
    assert legend == ["MAE", "MSE", "AsyMAE minus MAE", "AsyMSE minus MSE"]
    assert texts_inside(figure)


def test_lines_stay_above_the_bars():
    figure = plots.score_bars(NAMES, COLUMNS, baseline=PAIRS)
    figure.canvas.draw()
    bars, lines = figure.axes
    highest = max(bar.get_window_extent().y1 for group in bars.containers for bar in group)
    points = [lines.transData.transform(line.get_xydata()) for line in lines.lines[:2]]
    assert min(point[:, 1].min() for point in points) > highest


def test_equal_networks_without_errors_and_negative_scores_are_drawn():
    columns = {"a": [{"psnr": 0.0}], "b": [{"psnr": 0.0}]}
    plots.score_bars(["one"], columns, baseline={"b": "a"}).canvas.draw()
    figure = plots.score_bars(["one"], {"a": [{"psnr": -3.0}]})
    assert figure.axes[0].get_ylim() == (-3, pytest.approx(-3 + 3 / 0.95))


def test_bars_refuse_scores_that_do_not_fit():
    with pytest.raises(ValueError, match="of 'MAE' per image. Received: scores=3, images=2"):
        plots.score_bars(NAMES[:2], COLUMNS)
    with pytest.raises(ValueError, match="needs a 'rmse' of 'MAE'. Received: missing=.'first', "):
        plots.score_bars(NAMES, COLUMNS, metric="rmse")
    with pytest.raises(ValueError, match="Received: baseline=.*'MXE'"):
        plots.score_bars(NAMES, COLUMNS, baseline={"AsyMSE": "MXE"})
    with pytest.raises(ValueError, match=r"finite. Received: network='a', scores=\[ *inf\]"):
        plots.score_bars(["one"], {"a": [{"psnr": np.inf}]})
    with pytest.raises(ValueError, match="must be left for the bars"):
        plots.score_bars(["one"], {"a": [{"psnr": 1.0}]}, baseline={"a": "a"})


def test_several_figures_make_one_page_and_pyplot_knows_none():
    import matplotlib.pyplot

    before, settings = matplotlib.pyplot.get_fignums(), dict(matplotlib.rcParams)
    page = plots.page(8, 9)
    top, middle, bottom = page.subfigures(3, 1)
    plots.weight_map(np.zeros((5, 5)), np.ones((5, 5)), figure=top)
    plots.comparison({"a": picture(), "b": picture()}, (0, 0, 4, 6), figure=middle)
    assert plots.score_bars(NAMES, COLUMNS, metric="ssim", baseline=PAIRS, figure=bottom) is bottom
    assert texts_inside(page)
    assert matplotlib.pyplot.get_fignums() == before
    assert dict(matplotlib.rcParams) == settings


def test_save_writes_an_image_of_the_size_asked_for_and_nothing_else(tmp_path):
    from PIL import Image

    plots.save(plots.page(3, 2), tmp_path / "figure.png", dpi=50)
    assert [path.name for path in tmp_path.iterdir()] == ["figure.png"]
    with Image.open(tmp_path / "figure.png") as image:
        assert image.size == (150, 100)
    plots.save(plots.page(3, 2), tmp_path / "figure.pdf")
    assert (tmp_path / "figure.pdf").read_bytes().startswith(b"%PDF")


def test_a_save_that_fails_leaves_what_was_there(tmp_path, monkeypatch):
    target = tmp_path / "figure.png"
    target.write_bytes(b"earlier")
    figure = plots.page(3, 2)

    def fail_half_way(part, dpi):
        part.write_bytes(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(figure, "savefig", fail_half_way)
    with pytest.raises(OSError, match="no space left"):
        plots.save(figure, target)
    assert [path.name for path in tmp_path.iterdir()] == ["figure.png"]
    assert target.read_bytes() == b"earlier"


@pytest.mark.parametrize("name", ["figure", "figure.mp3"])
def test_save_names_an_ending_that_is_no_format(tmp_path, name):
    with pytest.raises(ValueError, match=f"'png'.*Received: path=.*{name}'$"):
        plots.save(plots.page(3, 2), tmp_path / name)


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"need matplotlib: pip install 'asykeras\[plots\]'"):
        plots.weight_map(np.zeros((2, 2)), np.ones((2, 2)))
