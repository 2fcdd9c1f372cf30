"""The transcription of the paper's tables: checksums that every digit takes part in."""

import numpy as np
import pytest

from recipes.compare.paper import paper_table
from recipes.compare.presets import PRESETS
from zoo.pictures.images import read_image

LOSSES = ("mae", "mse", "asy_mae", "asy_mse")
# Means over the ten images, added up independently of this package: PSNR, SSIM, RMSE.
MEANS = {
    (2, "mae"): (27.7335, 0.84804, 0.06616),
    (2, "mse"): (27.5071, 0.84151, 0.06800),
    (2, "asy_mae"): (27.8133, 0.84842, 0.06562),
    (2, "asy_mse"): (27.5556, 0.84247, 0.06765),
    (3, "mae"): (25.6070, 0.84386, 0.08148),
    (3, "mse"): (13.2967, 0.54688, 0.33311),
    (3, "asy_mae"): (27.4539, 0.85726, 0.06696),
    (3, "asy_mse"): (17.0235, 0.64011, 0.21753),
    (4, "mae"): (29.8600, 0.85653, 0.06106),
    (4, "mse"): (29.9521, 0.85993, 0.06041),
    (4, "asy_mae"): (29.9781, 0.85845, 0.06025),
    (4, "asy_mse"): (30.0991, 0.86086, 0.05941),
    (5, "mae"): (31.9101, 0.85704, 0.05750),
    (5, "mse"): (31.9815, 0.85929, 0.05710),
    (5, "asy_mae"): (32.0629, 0.85914, 0.05659),
    (5, "asy_mse"): (32.1241, 0.86026, 0.05616),
}
# 1 / RMS of the references, found from the columns; Tables 2 and 3 share their images.
CONSTANTS = {
    2: (1.5243, 1.5505, 1.6320, 1.5406, 1.5274, 1.4992, 1.5034, 1.5415, 1.5095, 1.5569),
    4: (1.9018, 1.8402, 2.0441, 1.3838, 1.9805, 1.9234, 1.9695, 1.8498, 2.1010, 1.9802),
    5: (2.1979, 2.6058, 2.9906, 2.0145, 2.6208, 1.6519, 2.8979, 1.3771, 1.7033, 2.5266),
}
CONSTANTS[3] = CONSTANTS[2]


def constants(number, loss):
    """Return RMSE x 10^(PSNR/20), which depends on the image alone, and its rounding error."""
    table = paper_table(number)
    values = table.values(loss)
    digits = np.array([[len(p.split(".")[1]) for p in c.split("/")] for c in table.cells[loss]])
    half = 0.5 * 10.0**-digits
    relative = half[:, 2] / values[:, 2] + half[:, 0] * np.log(10) / 20
    return values[:, 2] * 10 ** (values[:, 0] / 20), relative


@pytest.mark.parametrize(("number", "loss"), MEANS)
def test_the_means_are_those_of_the_paper(number, loss):
    means = paper_table(number).values(loss).mean(axis=0)
    assert (np.abs(means - MEANS[number, loss]) <= (6e-5, 6e-6, 6e-6)).all()


@pytest.mark.parametrize(("number", "loss"), MEANS)
def test_psnr_and_rmse_of_every_cell_fit_together(number, loss):
    """A wrong digit in either would break the constant of its image."""
    found, rounding = constants(number, loss)
    printed = 0.5e-4 / np.array(CONSTANTS[number])  # of the four digits above
    assert (np.abs(found / CONSTANTS[number] - 1) <= rounding + printed).all()


def test_238_of_240_cells_improve_one_is_equal_and_one_worse():
    signs = np.array([1, 1, -1])
    changes = np.concatenate(
        [signs * paper_table(n).differences(plain) for n in range(2, 6) for plain in ("mae", "mse")]
    )
    assert (changes.size, (changes > 0).sum(), (changes == 0).sum()) == (240, 238, 1)
    assert paper_table(4).cells["mse"][0].split("/")[1] == "0.88183"  # the one that is worse
    assert paper_table(4).cells["asy_mse"][0].split("/")[1] == "0.88155"


def test_the_largest_changes_are_those_of_the_abstract_but_for_ssim():
    table = paper_table(2)
    changes = np.stack(
        [100 * table.differences(plain) / table.values(plain) for plain in ("mae", "mse")]
    )
    assert changes[..., 0].max() == pytest.approx(0.466, abs=5e-4)
    assert changes[..., 1].max() == pytest.approx(0.214, abs=5e-4)  # the abstract: about 0.3
    assert changes[..., 2].min() == pytest.approx(-1.702, abs=5e-4)


@pytest.mark.parametrize("number", [2, 3, 4, 5])
def test_a_table_has_four_losses_of_ten_cells_and_remarks(number):
    table = paper_table(number)
    assert tuple(table.cells) == LOSSES
    assert {len(cells) for cells in table.cells.values()} == {10}
    assert all(len(cell.split("/")) == 3 for cells in table.cells.values() for cell in cells)
    assert all(remark.endswith(".") for remark in table.remarks)


def test_another_table_is_refused():
    with pytest.raises(ValueError, match="tables are 2 to 5. Received: 6"):
        paper_table(6)


@pytest.mark.data
@pytest.mark.parametrize("number", [4, 5])
def test_our_test_images_are_the_papers_in_its_order(number, data):
    preset = PRESETS[f"paper-table-{number}"]
    images = [read_image(data / preset.test / f"{name}.png") / 255 for name in preset.names]
    wanted = np.array([1 / np.sqrt(np.mean(image**2)) for image in images])
    for loss in LOSSES:
        found, rounding = constants(number, loss)
        assert (np.abs(found / wanted - 1) <= rounding).all()


@pytest.mark.parametrize("number", [4, 5])
def test_the_published_networks_mean_is_that_of_its_images(number):
    published = paper_table(number).published
    assert np.mean(published["psnr"]) == pytest.approx(published["means"]["sigma25"][0], abs=0.006)
