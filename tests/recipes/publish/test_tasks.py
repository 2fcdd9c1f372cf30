"""The pictures of the tasks of plug-and-play."""

import numpy as np
import pytest

from recipes.plug_and_play.degraded import TASKS
from recipes.publish import pages, tasks
from zoo.plug_and_play import SpectralResponse

pytest.importorskip("skimage")


def test_every_task_has_a_picture_in_the_guide():
    assert [strip.task for strip in tasks.STRIPS] == list(TASKS)
    guide = (pages.DOCS / "plug-and-play.md").read_text()
    for strip in tasks.STRIPS:
        name = f"images/task-{strip.name}.jpg"
        assert f"]({name})" in guide
        assert (pages.DOCS / name).is_file()


def test_the_overlapping_filters_keep_grey():
    grey = np.full((1, 2, 2, 3), 0.4, np.float32)
    seen = SpectralResponse(tasks.OVERLAPPING).forward(grey)
    np.testing.assert_allclose(np.asarray(seen), grey, atol=1e-6)


@pytest.mark.slow
def test_a_strip_is_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    assert tasks.main(["--out", str(tmp_path), "--tasks", "denoise"]) == 0
    assert (tmp_path / "task-denoise.jpg").stat().st_size > 10_000
    *_, found, truth = tasks.restored(tasks.STRIPS[0])
    assert np.mean((found - truth) ** 2) < 0.1 * (30 / 255) ** 2
