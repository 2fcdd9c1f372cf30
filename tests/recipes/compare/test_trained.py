"""Trained networks in a report: beside the paper where the images are its own, and put once."""

import numpy as np
import pytest
from PIL import Image

from recipes.compare import trained
from recipes.compare.paper import paper_table
from recipes.compare.presets import SET12_TEN, SET14_TEN
from recipes.compare.report import split
from zoo.scoring.evaluate import evaluate, mean
from zoo.scoring.tasks import SuperResolution

rng = np.random.default_rng(0)
REPORT = "# title\n\nhead\n\n## x2\n\ntable\n\n## Protocol\n\n- images\n"


def test_where_the_images_are_the_papers_its_cells_stand_beside():
    ours = {"mine": np.tile([30.0, 0.9, 0.05], (10, 1))}
    text = trained.section(paper_table(4), ours, SET12_TEN)
    lines = [line.split(" | ") for line in text.splitlines() if line.startswith("| ")]
    header, first, mean = lines[0], lines[2], lines[-1]
    assert header[5:] == ["mine", "DnCNN-S(25) of its authors, PSNR |"]
    assert first[0] == "| 03"
    assert first[2] == "30.61518/0.88183/0.05603"  # the paper's MSE
    assert first[5:] == ["30.000/0.90000/0.05000", "30.82 |"]
    assert mean[-1] == "30.19/0.8603 |"


def test_where_they_are_not_known_no_number_of_the_paper_does():
    ours = {"mine": np.tile([30.0, 0.9, 0.05], (10, 1))}
    text = trained.section(paper_table(3), ours, SET14_TEN)
    assert "| image | mine |" in text
    assert "does not say which images" in text


def test_a_section_is_put_before_the_protocol_and_replaced(tmp_path):
    report = tmp_path / "report.md"
    report.write_text(REPORT)
    for text in ("old", "new"):
        trained.put(f"## {trained.TRAINED}\n\n{text}\n", report)
    assert report.read_text() == REPORT.replace(
        "## Protocol", f"## {trained.TRAINED}\n\nnew\n\n## Protocol"
    )
    assert "".join(split(report.read_text()).values()) == report.read_text()


@pytest.mark.slow
def test_a_weight_of_the_zoo_by_its_name(tmp_path, capsys):
    (tmp_path / "set14").mkdir()
    images = [rng.integers(0, 256, (24, 30, 3), np.uint8) for _ in SET14_TEN]
    for name, image in zip(SET14_TEN, images, strict=True):
        Image.fromarray(image).save(tmp_path / f"set14/{name}.png")
    (tmp_path / "report.md").write_text(REPORT)
    common = ["--preset", "paper-table-2", "--data", str(tmp_path), "--report", str(tmp_path)]
    assert trained.main(["srcnn-955-x2", *common]) == 0
    wanted = evaluate("srcnn-955-x2", images, SuperResolution(2))
    row = (tmp_path / "report.md").read_text().split("| mean |")[1].split("|")
    assert float(row[1].split("/")[0]) == pytest.approx(mean(wanted)["psnr"], abs=5.1e-4)
    assert trained.main(["absent", *common]) == 1
    assert "neither a published weight" in capsys.readouterr().err
