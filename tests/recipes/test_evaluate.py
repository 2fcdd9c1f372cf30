"""Evaluation: the protocol on known images, the table, the CSV, and mistakes of the user."""

import csv

import numpy as np
import pytest
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio

from asykeras.resize import bicubic_resize
from recipes import evaluate

rng = np.random.default_rng(0)


def smooth(height, width, channels):
    """Return a smooth random image, which bicubic interpolation can bring back."""
    coarse = rng.random((height // 8 + 2, width // 8 + 2, channels))
    large = bicubic_resize(coarse, 8)[:height, :width]
    return (np.clip(large, 0, 1) * 255).astype(np.uint8)


@pytest.fixture
def folder(tmp_path):
    for name, channels in (("colour", 3), ("grey", 1)):
        image = smooth(41, 50, channels)
        Image.fromarray(image if channels == 3 else image[..., 0]).save(tmp_path / f"{name}.png")
    return tmp_path


def test_psnr_is_that_of_luma_without_the_border():
    clean, restored = smooth(20, 24, 3), smooth(20, 24, 3)
    luma = [16 + image @ np.array([65.481, 128.553, 24.966]) / 255 for image in (clean, restored)]
    inside = [each[2:-2, 2:-2] for each in luma]
    expected = peak_signal_noise_ratio(*inside, data_range=255)
    assert evaluate.score(clean, restored, 2, False)["psnr"] == pytest.approx(expected, abs=1e-5)
    rounded = peak_signal_noise_ratio(*(np.floor(each + 0.5) for each in inside), data_range=255)
    assert evaluate.score(clean, restored, 2, True)["psnr"] == pytest.approx(rounded, abs=1e-5)


def test_a_grey_image_is_scored_on_its_own_values():
    clean, restored = smooth(20, 24, 1), smooth(20, 24, 1)
    expected = peak_signal_noise_ratio(clean[3:-3, 3:-3], restored[3:-3, 3:-3], data_range=255)
    for round_luma in (False, True):
        scores = evaluate.score(clean, restored, 3, round_luma)
        assert scores["psnr"] == pytest.approx(expected, abs=1e-5)


def test_images_are_cropped_and_shrunk_before_they_are_restored():
    seen = []

    def enlarge(image):
        seen.append(image)
        return np.zeros((40, 48, 3), np.uint8)

    clean = smooth(41, 50, 3)
    evaluate.super_resolution(enlarge, [clean], 4)
    expected = bicubic_resize(clean[:40, :48], 1 / 4)
    np.testing.assert_array_equal(seen[0], expected)


def test_the_table_and_the_csv_hold_the_same_numbers(folder, tmp_path, capsys):
    out = tmp_path / "scores.csv"
    code = evaluate.main(
        ["--weights", "bicubic", "--data", str(folder), "--scale", "3", "--csv", str(out)]
    )
    printed = capsys.readouterr().out
    rows = list(csv.DictReader(out.open()))
    assert code == 0
    assert [row["image"] for row in rows] == ["colour", "grey"]
    for row in rows:
        assert f"| {row['image']} | {float(row['psnr']):.3f} / {float(row['ssim']):.4f}" in printed
    assert f"| mean | {np.mean([float(row['psnr']) for row in rows]):.3f}" in printed
    assert "protocol: x3, low resolution by MATLAB's 8-bit bicubic" in printed


def test_two_folders_share_one_csv_header(folder, tmp_path):
    out = tmp_path / "scores.csv"
    arguments = ["--weights", "bicubic", "--data", str(folder), str(folder), "--scale", "2"]
    assert evaluate.main([*arguments, "--csv", str(out)]) == 0
    assert len(list(csv.DictReader(out.open()))) == 4


@pytest.mark.parametrize(
    ("weights", "data", "message"),
    [
        ("bicubic", "absent", "there is no folder"),
        ("no-such-weight", ".", "'no-such-weight' is neither a published weight"),
    ],
)
def test_mistakes_are_one_sentence(weights, data, message, folder, capsys):
    code = evaluate.main(["--weights", weights, "--data", str(folder / data), "--scale", "2"])
    errors = capsys.readouterr().err
    assert code == 1
    assert message in errors
    assert "Traceback" not in errors


def test_another_scale_is_refused(folder, capsys):
    with pytest.raises(SystemExit) as stop:
        evaluate.main(["--weights", "bicubic", "--data", str(folder), "--scale", "5"])
    assert stop.value.code == 2
    assert "invalid choice: 5" in capsys.readouterr().err


# Bicubic in dB: with Y rounded as in the tables of SRCNN (arXiv:1501.00092) and EDSR
# (arXiv:1707.02921), and without, as protocols have it that keep Y in floating point.
PUBLISHED = {
    ("set5", True): (33.64, 30.39, 28.42),
    ("set5", False): (33.67, 30.41, 28.43),
    ("set14", True): (30.23, 27.54, 26.00),
}


@pytest.mark.data
@pytest.mark.parametrize(("name", "round_luma"), PUBLISHED)
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_published_bicubic_figures(data, name, round_luma, scale):
    images = [evaluate.read_image(path) for path in evaluate.find_images(data / name)]
    scores = evaluate.super_resolution(
        evaluate.restorer("bicubic", scale), images, scale, round_luma
    )
    expected = PUBLISHED[name, round_luma][scale - 2]
    assert evaluate.mean(scores)["psnr"] == pytest.approx(expected, abs=0.02)
