"""The README's Python examples run as they stand."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_the_examples_run(tmp_path):
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert len(blocks) == 2
    (tmp_path / "zoo").symlink_to(ROOT / "zoo")  # so that model.keras is not written into the clone
    code = "\n".join(blocks) + "\nassert large.shape == (4 * photo.shape[0], 4 * photo.shape[1], 3)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "model.keras").exists()
