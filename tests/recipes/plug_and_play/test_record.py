"""Records that grow: gone on with, and refused where they are others."""

import pytest

from recipes.plug_and_play.record import Record


def test_a_second_start_has_what_the_first_wrote(tmp_path):
    path = tmp_path / "cells.json"
    Record(path, {"crop": 8}).add({"a": {"mpsnr": 1.5}})
    again = Record(path, {"crop": 8})
    again.add({"b": 2})
    found = Record(path)
    assert (found.options, found.cells) == ({"crop": 8}, {"a": {"mpsnr": 1.5}, "b": 2})


def test_other_options_are_refused(tmp_path):
    Record(tmp_path / "cells.json", {"crop": 8}).add({})
    with pytest.raises(ValueError, match=r"with \{'crop': 8\}, not \{'crop': 9\}: take another"):
        Record(tmp_path / "cells.json", {"crop": 9})


@pytest.mark.parametrize("content", ["[]", "{}", "{", '{"options": 1, "cells": {}}', "\xff"])
def test_what_is_no_record_is_one_sentence(content, tmp_path):
    (tmp_path / "cells.json").write_text(content, "latin-1")
    with pytest.raises(ValueError, match=r"cells\.json is not a record of this command"):
        Record(tmp_path / "cells.json")
