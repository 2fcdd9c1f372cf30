"""Running cells: finished ones are left alone, cut ones go on, failed ones do not stop the rest."""

import json

import numpy as np
import pytest
from PIL import Image

from recipes.compare import cells
from recipes.compare.cell import BUSY, CUT
from recipes.compare.cells import CompareError, check_same_start, run_cells


def job(name, **settings):
    return {"cell": {"cell": name, "settings": {"steps": 10, **settings}}, "paths": {}}


JOBS = {name: job(name) for name in ("a", "b", "c", "d", "e")}


@pytest.fixture
def work(tmp_path):
    """Return a function that runs JOBS, with exit codes by name; and what was started and said."""

    class Work:
        folder, started, said = tmp_path, [], []

        def run(self, minutes=0.0, jobs=JOBS, **codes):
            def start(folder, left):
                self.started.append(folder.name)
                (folder / "log.txt").write_text("first\nlast line\n")
                code = codes.get(folder.name, 0)
                if code == 0:
                    (folder / "evaluation.json").write_text("{}")
                return code

            return run_cells(jobs, tmp_path, minutes, self.said.append, start)

    return Work()


def test_a_finished_cell_is_never_started_again(work):
    work.run(b=1)
    assert work.started == ["a", "b", "c", "d", "e"]
    outcome = work.run()
    assert work.started[5:] == ["b"]
    assert sorted(outcome.finished) == ["a", "b", "c", "d", "e"]
    assert work.said[-2] == "4 of 5 cells are finished already"


def test_a_cell_that_fails_or_dies_is_reported_and_the_others_go_on(work):
    outcome = work.run(b=1, d=-9)
    assert outcome.finished == ["a", "c", "e"]
    assert set(outcome.failed) == {"b", "d"}
    assert outcome.failed["b"].startswith("last line (exit code 1; see ")
    assert "exit code -9" in outcome.failed["d"]


def test_three_failures_in_a_row_end_the_run(work):
    outcome = work.run(a=1, b=1, c=1)
    assert work.started == ["a", "b", "c"]
    assert outcome.left == ["d", "e"]


def test_a_cell_that_is_cut_ends_the_run_and_comes_first_next_time(work):
    outcome = work.run(minutes=5, c=CUT)
    assert outcome.left == ["c", "d", "e"]
    work.run()
    assert work.started == ["a", "b", "c", "c", "d", "e"]


def test_no_cell_is_started_when_the_time_is_over(work):
    outcome = work.run(minutes=1e-12)
    assert work.started == []
    assert outcome.left == list(JOBS)


def test_a_cell_that_another_process_trains_is_passed_over(work):
    outcome = work.run(a=BUSY)
    assert outcome.left == ["a"]
    assert outcome.finished == ["b", "c", "d", "e"]


def test_a_cell_of_other_settings_is_refused_before_anything_is_started(work):
    work.run()
    changed = {**JOBS, "e": job("e", steps=20)}
    with pytest.raises(CompareError, match="e holds another run: its steps is 10, not 20"):
        work.run(jobs=changed)
    assert work.started == list(JOBS)


def test_a_cell_whose_record_is_damaged_is_refused(work):
    work.run()
    (work.folder / "cells/b/cell.json").write_text("{")
    with pytest.raises(CompareError, match=r"b/cell.json cannot be read"):
        work.run()


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "cells").touch()
    with pytest.raises(CompareError, match="cannot be used: Not a directory"):
        run_cells(JOBS, tmp_path, 0.0, print, lambda folder, left: 0)


def evaluation(name, seed=0, weights="w", batch="b", values=(0.1, 0.2)):
    witness = {"initial_weights": weights, "first_batch": batch, "first_input": list(values)}
    return {
        "cell": {"cell": name, "task": "x2", "settings": {"seed": seed}},
        "witness": witness,
    }


def test_the_same_start_is_checked_within_each_seed():
    runs = [evaluation("a"), evaluation("b"), evaluation("c", seed=1, weights="other")]
    assert check_same_start(runs) == 2


@pytest.mark.parametrize(
    ("difference", "what"),
    [
        ({"weights": "other"}, "initial weights"),
        ({"batch": "other"}, "first batch"),
        ({"values": (0.1, 0.3)}, "first input"),
        ({"values": (0.1,)}, "first input"),
    ],
)
def test_another_start_names_both_cells(difference, what):
    runs = [evaluation("a"), evaluation("b", **difference)]
    with pytest.raises(CompareError, match=f"b and a share a seed but differ in their {what}"):
        check_same_start(runs)


def test_the_last_bit_of_a_sum_is_no_other_start():
    runs = [evaluation("a"), evaluation("b", values=(0.1, 0.2 + 1e-8))]
    assert check_same_start(runs) == 1


def test_ten_validation_images_are_copied_once(tmp_path):
    (tmp_path / "source").mkdir()
    for n in range(12):
        Image.fromarray(np.zeros((3, 3), np.uint8)).save(tmp_path / f"source/{n:02d}.png")
    for _ in range(2):
        folder = cells.validation_folder(tmp_path / "source", tmp_path / "work")
        names = sorted(path.name for path in (tmp_path / "work/validation").iterdir())
        assert names == [f"{n:02d}.png" for n in range(10)]
    assert folder == str((tmp_path / "work/validation").resolve())
    assert cells.validation_folder(None, tmp_path) == ""
    with pytest.raises(CompareError, match="--validation: there is no folder"):
        cells.validation_folder(tmp_path / "absent", tmp_path)


@pytest.mark.slow
def test_a_cell_runs_in_a_process_of_its_own_and_its_output_is_kept(tmp_path):
    folder = tmp_path / "cells/broken"
    folder.mkdir(parents=True)
    (folder / "cell.json").write_text(json.dumps({"cell": {}})[:-1])
    assert cells.launch(folder, 0.0) == 1
    assert "broken: Expecting" in (folder / "log.txt").read_text()
