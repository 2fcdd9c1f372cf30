"""The plan: which cells there are, that they differ, and in what alone."""

import dataclasses
from dataclasses import replace

import numpy as np
import pytest

from recipes.compare.cell import RECIPES
from recipes.compare.plan import (
    ablation_configurations,
    ablation_plan,
    plan,
    specification,
)
from recipes.compare.presets import LOSSES, PRESETS
from recipes.training.objective import make_loss
from recipes.training.settings import Objective
from zoo.networks.srcnn import margin

TABLE_2 = PRESETS["paper-table-2"]
rng = np.random.default_rng(0)


def loss_value(configuration, label, restored):
    loss = make_loss(Objective(loss=configuration.loss, **configuration.changes))
    return float(loss(label, restored))


def test_the_runs_of_table_2():
    names = [cell.name for cell in plan(TABLE_2)]
    assert len(set(names)) == len(names) == 4 * 5 * 2 + 8 + 11
    assert names[:5] == [
        "srcnn-x3-mae-seed0",
        "srcnn-x3-mse-seed0",
        "srcnn-x3-asy_mae-seed0",
        "srcnn-x3-asy_mse-seed0",
        "srcnn-x2-mae-seed0",
    ]
    assert names[40] == "srcnn-x3-asy_mae_normalized-seed0"


def test_rows_of_the_ablation_can_be_chosen():
    chosen = replace(TABLE_2, ablation=("mse_rate_eq2", "asy_mae_table1"), ablation_seeds=5)
    names = [cell.name for cell in plan(chosen)]
    assert len(names) == 4 * 5 * 2 + 2 * 5
    assert names[40:42] == ["srcnn-x3-asy_mae_table1-seed0", "srcnn-x3-mse_rate_eq2-seed0"]
    with pytest.raises(ValueError, match="--ablation knows asy_mae_normalized, .*Received: 'x'"):
        plan(replace(TABLE_2, ablation=("x",)))


@pytest.mark.parametrize("name", PRESETS)
def test_a_folders_name_holds_no_strange_characters(name):
    for cell in plan(PRESETS[name]):
        assert cell.name.replace("-", "").replace("_", "").isalnum()


@pytest.mark.parametrize("plain", ["mae", "mse"])
def test_every_row_of_the_ablation_is_another_loss_or_rate(plain):
    label = rng.random((2, 9, 9, 1)).astype("float32") * 0.8
    restored = label + rng.normal(0, 0.1, label.shape).astype("float32")
    rows = ablation_configurations(plain)
    values = [loss_value(row, label, restored) for row in rows if not row.rate]
    assert len({round(value, 9) for value in values}) == len(values)
    assert [row.loss for row in rows if row.rate] == [plain, plain]


def test_weights_on_images_and_on_the_error_are_one_loss_for_the_absolute_error():
    """Why the ablation of MAE has fewer rows."""
    label, restored = rng.random((2, 2, 9, 9, 1)).astype("float32")
    for weighting in ("reciprocal", "quartile"):
        on = {
            where: float(
                make_loss(Objective(loss="asy_mae", weighting=weighting, apply_to=where))(
                    label, restored
                )
            )
            for where in ("error", "images")
        }
        assert on["error"] == pytest.approx(on["images"], rel=1e-6)
    names = [row.name for row in ablation_configurations("mae")]
    assert not [name for name in names if "images" in name or "error" in name]


def test_only_pairs_have_an_ablation():
    assert ablation_plan(["mse", "asy_mae"]) == []
    assert {row.plain for row in ablation_plan(["mse", "asy_mae", "asy_mse"])} == {"mse"}


def test_nothing_but_the_loss_differs_within_a_seed():
    cells = [c for c in plan(TABLE_2) if (c.task, c.seed) == ("x3", 1)]
    settings = [specification(cell, TABLE_2, "jax")["settings"] for cell in cells]
    assert [each.pop("loss") for each in settings] == list(LOSSES)
    assert all(each == settings[0] for each in settings)
    assert settings[0]["seed"] == 1


@pytest.mark.parametrize("name", PRESETS)
def test_the_settings_are_those_of_the_recipe(name):
    preset = PRESETS[name]
    kind, recipe = RECIPES[preset.network]
    for cell in plan(preset)[:2]:
        settings = kind.of(**specification(cell, preset, "jax")["settings"])
        assert settings.descent.steps % settings.descent.every == 0
        recipe(settings)  # refuses what does not go together


def test_dncnn_is_trained_for_the_noise_that_it_is_tested_with():
    preset = dataclasses.replace(PRESETS["paper-table-4"], tasks=("sigma50",))
    assert specification(plan(preset)[0], preset, "jax")["settings"]["sigma"] == 50


@pytest.mark.parametrize(("task", "scale"), [("x2", 2), ("x3", 3), ("x4", 4)])
def test_33_pixels_enter_srcnn_and_21_leave_it(task, scale):
    enter = TABLE_2.patches[task] - 2 * 4 * scale
    assert (enter, enter - 2 * margin("9-1-5")) == (33, 21)


def test_a_specification_holds_no_path():
    preset = dataclasses.replace(TABLE_2, train="/home/me/images,/data/more", test="/data/set5")
    found = specification(plan(preset)[0], preset, "jax")
    assert found["train"] == "images+more"
    assert found["test"] == "set5"


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_says_what_is_stated_and_what_is_chosen(name):
    preset = PRESETS[name]
    assert preset.table == int(name[-1])
    assert len(preset.stated) >= 3
    assert {"runs", "SSIM", "the column RMSE", "optimiser", "test images"} <= set(preset.choices)
    assert len(preset.names) == 10
    assert not [text for text in preset.choices.values() if "|" in text]  # it ends a table's cell
