"""Which runs there are: one for each network, task, configuration of the loss, and seed."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NotRequired, TypedDict

from recipes.compare.presets import Preset, Setting
from recipes.data.sources import folder_name
from zoo.scoring.tasks import parse

NAMES = {"mae": "MAE", "mse": "MSE", "asy_mae": "Asy_MAE", "asy_mse": "Asy_MSE"}
PLAIN = {"asy_mae": "mae", "asy_mse": "mse"}


@dataclass(frozen=True)
class Configuration:
    """A loss, and what is changed about it."""

    name: str  # part of the folder's name
    label: str  # in tables
    plain: str  # "mae" or "mse": what it is compared with
    loss: str
    changes: dict[str, Setting] = field(default_factory=dict)  # further settings of the recipe
    # Settings of a loss whose mean weight multiplies the learning rate; empty: 1.
    rate: dict[str, Setting] = field(default_factory=dict)


def table_configurations(losses: Sequence[str]) -> list[Configuration]:
    """Return the configurations of the paper's columns."""
    return [Configuration(loss, NAMES[loss], PLAIN.get(loss, loss), loss) for loss in losses]


def pairs(losses: Sequence[str]) -> list[tuple[str, str]]:
    """Return the asymmetric losses among some with the plain loss that each belongs to."""
    return [(asy, plain) for asy, plain in PLAIN.items() if {asy, plain} <= {*losses}]


TABLE_1 = {"weighting": "quartile", "quantile": 0.25, "apply_to": "images"}


def ablation_configurations(plain: str) -> list[Configuration]:
    """Return the rows of the ablation for `"mae"` or `"mse"`; each changes what its label says.

    With the absolute error, weights on the images and on the error are the same loss, because
    |M y - M f| = M |y - f|; those rows are left out.
    """
    asymmetric = f"asy_{plain}"

    def row(name: str, label: str, **changes: Setting) -> Configuration:
        return Configuration(f"{asymmetric}_{name}", label, plain, asymmetric, changes)

    rows = [
        row("normalized", "Eq. 2, label normalised (Eq. 1)", normalize=True),
        row("balanced", "Eq. 2, balanced", balanced=True),
        row("table1", "Table 1: Q = 25 %, on the images", **TABLE_1),
        row("table1_q75", "Table 1: Q = 75 %, on the images", **{**TABLE_1, "quantile": 0.75}),
        row("table1_normalized", "Table 1: Q = 25 %, label normalised", **TABLE_1, normalize=True),
        row("table1_balanced", "Table 1: Q = 25 %, balanced", **TABLE_1, balanced=True),
    ]
    if plain == "mse":
        on_error = {"weighting": "quartile", "apply_to": "error"}
        rows[:0] = [row("images", "Eq. 2, on the images (M squared)", apply_to="images")]
        rows += [
            row("q25_error", "quartile 25 %, on the error", **on_error, quantile=0.25),
            row("q75_error", "quartile 75 %, on the error", **on_error, quantile=0.75),
        ]
    label = f"plain {NAMES[plain]}, learning rate x mean weight"
    for name, form, of in (("eq2", "Eq. 2", {}), ("table1", "Table 1", TABLE_1)):
        rate = {"loss": asymmetric, **of}
        rows.append(
            Configuration(f"{plain}_rate_{name}", f"{label} of {form}", plain, plain, rate=rate)
        )
    return rows


@dataclass(frozen=True)
class Cell:
    """One run: a network, a task, a configuration and a seed."""

    network: str
    task: str
    configuration: Configuration
    seed: int

    @property
    def name(self) -> str:
        """Name of its folder, such as `srcnn-x3-asy_mse-seed0`."""
        return f"{self.network}-{self.task}-{self.configuration.name}-seed{self.seed}"


class Specification(TypedDict):
    """All that decides the numbers of a cell, as `cell.json` has it; no paths."""

    cell: str
    network: str
    task: str
    configuration: dict[str, Setting]
    settings: dict[str, Setting]
    train: str
    test: str
    names: list[str]
    backend: str
    scoring: NotRequired[dict[str, Setting]]  # of a study of weightings


class Job(TypedDict):
    """What a cell is given: what it is, and where its images are."""

    cell: Specification
    paths: dict[str, str]


def plan(preset: Preset) -> list[Cell]:
    """Return all runs, in the order in which they are trained.

    Whole seeds come first, so that a comparison that is cut off has complete ones; the runs of one
    seed follow each other, so that a busy machine slows all losses alike.
    """
    cells = [
        Cell(preset.network, task, configuration, seed)
        for seed in range(preset.seeds)
        for task in preset.tasks
        for configuration in table_configurations(preset.losses)
    ]
    return cells + [
        Cell(preset.network, preset.tasks[0], configuration, seed)
        for seed in range(min(preset.ablation_seeds, preset.seeds))
        for configuration in ablation_plan(preset.losses, preset.ablation)
    ]


def ablation_plan(losses: Sequence[str], names: Sequence[str] = ()) -> list[Configuration]:
    """Return the rows of the ablation of every pair of losses, or those with some names.

    Raises:
        ValueError: for a name that no row has.
    """
    rows = {row.name: row for _, plain in pairs(losses) for row in ablation_configurations(plain)}
    if unknown := [name for name in names if name not in rows]:
        raise ValueError(f"--ablation knows {', '.join(rows)}. Received: {unknown[0]!r}")
    return [row for name, row in rows.items() if name in names or not names]


def specification(cell: Cell, preset: Preset, backend: str) -> Specification:
    """Return all that decides the numbers of a cell, for its `cell.json`; no paths."""
    settings = {**preset.settings, **cell.configuration.changes}
    settings |= {"loss": cell.configuration.loss, "seed": cell.seed}
    task = parse(cell.task)
    if task.scale > 1:
        settings["scale"] = task.scale
    if cell.network == "dncnn" and task.sigma:  # it is trained for one level of noise
        settings["sigma"] = round(task.sigma * 255, 9)
    if cell.task in preset.patches:
        settings.setdefault("patch", preset.patches[cell.task])
    steps = settings["steps"]
    settings.setdefault("every", steps // 10 if steps % 10 == 0 else steps)
    return specified(cell, settings, preset.train, preset.test, preset.names, backend)


def specified(
    cell: Cell,
    settings: dict[str, Setting],
    train: str,
    test: str,
    names: Sequence[str],
    backend: str,
) -> Specification:
    """Return the content of `cell.json`, with the last part alone of the folders' names."""
    return {
        "cell": cell.name,
        "network": cell.network,
        "task": cell.task,
        "configuration": asdict(cell.configuration),
        "settings": settings,
        "train": folder_name(train),
        "test": Path(test).name,
        "names": list(names),
        "backend": backend,
    }
