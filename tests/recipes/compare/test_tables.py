"""Tables: what is bold, what is escaped."""

import numpy as np
import pytest

from recipes.compare import tables
from recipes.compare.paper import paper_table
from recipes.compare.results import metrics

METRICS = metrics("uniform")
COLUMNS = {
    "MSE": np.array([[9.9, 0.5, 0.2], [30.0, 0.7, 0.1]]),
    "Asy_MSE": np.array([[10.1, 0.5, 0.3], [29.0, 0.8, 0.1]]),
}


def test_the_best_of_each_metric_is_bold():
    rows = tables.paper_layout(COLUMNS, ["a", "b"], METRICS, tables.markdown_bold)
    # 10.100 is more than 9.900; equal SSIM are both bold; of NRMSE the smaller
    assert rows[0] == ["a", "9.900/**0.50000**/**0.20000**", "**10.100**/**0.50000**/0.30000"]
    assert rows[1] == ["b", "**30.000**/0.70000/**0.10000**", "29.000/**0.80000**/**0.10000**"]
    assert rows[2][0] == "mean"
    assert rows[2][1].startswith("**19.950**/0.60000/")


def test_latex_has_a_line_per_image_and_no_bare_special_character():
    rows = tables.paper_layout(COLUMNS, ["a", "b"], METRICS, tables.latex_bold)
    text = tables.latex(["image", *COLUMNS], rows, "100 % & more_less")
    assert text.count(r"\\") == 1 + 3
    assert r"\textbf{10.100}/\textbf{0.50000}/0.30000 \\" in text
    assert r"Asy\_MSE" in text
    assert r"100 \% \& more\_less" in text


def test_markdown_has_one_cell_per_column():
    text = tables.markdown(["a", "b"], [["1", "2"]])
    assert text == "| a | b |\n| --- | --- |\n| 1 | 2 |\n"


def test_our_columns_are_means_over_the_seeds(results):
    columns = tables.our_columns(results, "x2", ["mse", "asy_mse"], METRICS)
    assert list(columns) == ["MSE", "Asy_MSE"]
    assert columns["MSE"][:, 0] == pytest.approx([30.25, 25.25, 20.25])
    assert columns["Asy_MSE"][0] == pytest.approx([30.25, 30.25 / 50, 0.0614], abs=1e-4)


def test_the_papers_cells_are_as_printed_with_the_authors_network_beside():
    table = paper_table(4)
    rows = tables.papers_cells(table, ["mse", "asy_mse"], [str(n) for n in range(10)])
    assert rows[0] == ["0", "30.61518/0.88183/0.05603", "30.72817/0.88155/0.05530", "30.82"]
    assert rows[-1][0] == "mean"
    assert rows[-1][1].startswith("29.95205/0.85993/")
    assert rows[-1][-1] == "30.19/0.8603"
