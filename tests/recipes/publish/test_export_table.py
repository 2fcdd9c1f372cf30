"""The table of exported weights."""

import keras
import pytest

from recipes.publish import export_table
from zoo.runtimes.formats import FORMATS
from zoo.store.weight import published_card

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="export needs the TensorFlow backend"
)


@pytest.mark.slow
def test_a_weight_has_a_line_with_every_format(capsys):
    for package in [name for format in FORMATS.values() for name in format.packages]:
        pytest.importorskip(package)
    assert export_table.main(["--weights", "srcnn-955-x4"]) == 0
    head, _, line = capsys.readouterr().out.splitlines()
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert len(cells) == len(head.strip("|").split("|"))
    assert cells[:2] == ["`srcnn-955-x4`", "0"]
    assert all(0 < float(cell) < 1e-5 for cell in cells[2:5])
    tests = published_card("srcnn-955-x4").tests
    (samples,) = [test.psnr for test in tests if test.data == "samples"]
    for cell, cost in ((cells[6], 0.1), (cells[7], 0.01)):
        word, psnr, change = cell.split()
        assert word == "samples"
        assert float(psnr) == pytest.approx(samples, abs=cost)
        assert -cost < float(change.strip("()")) < 0


def test_an_unknown_weight_is_one_sentence(capsys):
    assert export_table.main(["--weights", "nothing"]) == 1
    assert capsys.readouterr().err.startswith("export_table: 'nothing' is neither a published")
