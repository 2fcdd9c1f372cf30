"""A run survives being cut into pieces and joined; damage and tricks are refused."""

import json

import numpy as np
import pytest

from recipes.carry import PIECE, ParcelError, join, main, split

rng = np.random.default_rng(0)


@pytest.fixture
def run(tmp_path):
    (tmp_path / "run/checkpoints").mkdir(parents=True)
    (tmp_path / "run/run.json").write_text("{}")
    for step in (1, 2):
        checkpoint = tmp_path / f"run/checkpoints/step-00000000{step}.weights.h5"
        checkpoint.write_bytes(rng.bytes(1000))
        checkpoint.with_name(f"step-00000000{step}.json").write_text("{}")
    return tmp_path / "run"


def test_a_joined_run_is_the_run_with_its_newest_checkpoint(run, tmp_path):
    files = split(run, tmp_path / "parcel", size=300)
    assert max(path.stat().st_size for path in files if path.suffix == ".part") == 300
    joined = join(tmp_path / "parcel", tmp_path / "joined")
    names = sorted(path.relative_to(tmp_path / "joined").as_posix() for path in joined)
    newest = "checkpoints/step-000000002"
    assert names == [f"{newest}.json", f"{newest}.weights.h5", "run.json"]
    for name in names:
        assert (tmp_path / "joined" / name).read_bytes() == (run / name).read_bytes()


def test_pieces_have_at_most_16_mib(run, tmp_path):
    (run / "checkpoints/step-000000003.weights.h5").write_bytes(bytes(PIECE + 5))
    sizes = [path.stat().st_size for path in split(run, tmp_path / "parcel")]
    assert max(sizes) == 16 * 1024 * 1024
    assert 5 in sizes


def test_a_damaged_or_missing_piece_is_refused_before_anything_is_written(run, tmp_path):
    split(run, tmp_path / "parcel", size=300)
    piece = max((tmp_path / "parcel").glob("01-*.part"))
    piece.write_bytes(b"x" * piece.stat().st_size)
    with pytest.raises(ParcelError, match=r"the pieces of .*weights.h5 in .* are damaged"):
        join(tmp_path / "parcel", tmp_path / "joined")
    piece.unlink()
    with pytest.raises(ParcelError, match=r"part cannot be read: No such file"):
        join(tmp_path / "parcel", tmp_path / "joined")
    assert not (tmp_path / "joined").exists()


@pytest.mark.parametrize("name", ["../evil", "/tmp/evil", "a/../../evil"])
def test_a_name_that_leads_out_of_the_folder_is_refused(tmp_path, name):
    listed = {name: {"sha256": "", "pieces": []}}
    (tmp_path / "parcel.json").write_text(json.dumps(listed))
    with pytest.raises(ParcelError, match="leads out of the folder"):
        join(tmp_path, tmp_path / "joined")


def test_folders_in_use_are_refused(run, tmp_path, capsys):
    assert main(["split", str(run), "--out", str(run)]) == 1
    assert "is not empty" in capsys.readouterr().err
    assert main(["split", str(tmp_path), "--out", str(tmp_path / "p")]) == 1
    assert "holds no run" in capsys.readouterr().err
    assert main(["split", str(run), "--out", str(tmp_path / "parcel")]) == 0
    assert main(["join", str(tmp_path / "parcel"), "--out", str(run)]) == 1
    assert "already holds a run" in capsys.readouterr().err
    assert main(["join", str(tmp_path / "absent"), "--out", str(tmp_path / "j")]) == 1
    assert "holds no parcel.json that can be read" in capsys.readouterr().err
