"""Evaluation: the protocol on known images, the table, the CSV, and mistakes of the user."""

import csv

import numpy as np
import pytest
from PIL import Image

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


def test_the_table_and_the_csv_hold_the_same_numbers(folder, tmp_path, capsys):
    out = tmp_path / "scores.csv"
    code = evaluate.main(
        ["--weights", "bicubic", "--data", str(folder), "--task", "x3", "--csv", str(out)]
    )
    printed = capsys.readouterr().out
    rows = list(csv.DictReader(out.open()))
    assert code == 0
    assert [row["image"] for row in rows] == ["colour", "grey"]
    for row in rows:
        assert f"| {row['image']} | {float(row['psnr']):.3f} / {float(row['ssim']):.4f}" in printed
    assert f"| mean | {np.mean([float(row['psnr']) for row in rows]):.3f}" in printed
    assert "protocol: x3, low resolution by MATLAB's 8-bit bicubic" in printed


def test_what_is_left_out_is_said_beside_the_table(folder, capsys):
    (folder / "._a.png").write_bytes(b"what a Mac leaves")
    (folder / "a.gif").touch()
    next(folder.glob("[!.]*.png")).rename(folder / "\x1b[2J.jfif")
    assert evaluate.main(["--weights", "bicubic", "--data", str(folder), "--task", "x2"]) == 0
    said = capsys.readouterr()
    assert said.err == f"evaluate: left out of {folder}: 1 .gif\n"
    assert "\\x1b[2J" in said.out
    assert "\x1b" not in said.out


def test_a_cube_is_scored_as_a_whole(tmp_path, capsys):
    cube = rng.random((24, 25, 5))
    np.save(tmp_path / "cube.npy", cube)
    words = ["--weights", "noisy", "--task", "sigma25", "--csv", str(tmp_path / "scores.csv")]
    assert evaluate.main([*words, "--data", str(tmp_path / "cube.npy")]) == 0
    (row,) = csv.DictReader((tmp_path / "scores.csv").open())
    assert (row["folder"], row["image"]) == ("cube.npy", "cube")
    # clipping takes 4/3 E[max(n, 0)^3] of the squares of noise n away where labels are uniform
    sigma = 25 / 255
    wanted = sigma**2 - 8 / 3 / np.sqrt(2 * np.pi) * sigma**3
    assert float(row["psnr"]) == pytest.approx(-10 * np.log10(wanted), abs=0.3)  # 3,000 values
    (tmp_path / "no-cube.npy").write_bytes(b"nothing")
    assert evaluate.main([*words, "--data", str(tmp_path / "no-cube.npy")]) == 1
    assert "no-cube.npy" in capsys.readouterr().err


def test_one_image_is_a_test_set(folder, capsys):
    words = ["--weights", "bicubic", "--task", "x2", "--data"]
    assert evaluate.main([*words, str(folder)]) == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if "| colour |" in line)
    assert evaluate.main([*words, str(folder / "colour.png")]) == 0
    assert row in capsys.readouterr().out


def test_denoising_from_the_command_line(folder, capsys):
    assert evaluate.main(["--weights", "noisy", "--data", str(folder), "--task", "sigma25"]) == 0
    printed = capsys.readouterr().out
    assert "protocol: Gaussian noise of 25/255 (seed 0), input neither clipped" in printed
    # 10 log10(255^2 / 25^2) = 20.17, a little more where clipping takes noise away
    means = [line for line in printed.splitlines() if line.startswith("| mean")]
    assert 20.1 < float(means[0].split()[3]) < 21.5


def test_two_folders_share_one_csv_header(folder, tmp_path):
    out = tmp_path / "scores.csv"
    arguments = ["--weights", "bicubic", "--data", str(folder), str(folder), "--task", "x2"]
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
    code = evaluate.main(["--weights", weights, "--data", str(folder / data), "--task", "x2"])
    errors = capsys.readouterr().err
    assert code == 1
    assert message in errors
    assert "Traceback" not in errors


def test_another_task_is_refused(folder, capsys):
    assert evaluate.main(["--weights", "bicubic", "--data", str(folder), "--task", "y3"]) == 1
    assert "evaluate: a task is x2, x3, x4" in capsys.readouterr().err
