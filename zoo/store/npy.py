"""`.npy` files: those of strangers are mapped with care, ours take their place whole."""

from pathlib import Path

import numpy as np

from zoo.machine.files import replacing
from zoo.store.claims import ContentError, refusing_content

MAGIC = b"\x93NUMPY"


def open_npy(path: Path, kinds: str = "iuf") -> np.ndarray:
    """Return an array of some kinds of NumPy, mapped from its file and not yet read."""
    with refusing_content():
        with path.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                raise ContentError("it is no .npy file: save the array by numpy.save")
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        if array.dtype.kind not in kinds:
            raise ContentError(f"it holds values of the kind {array.dtype}, not numbers")
        return array


def write_npy(path: Path, array: np.ndarray) -> None:
    """Write an array of numbers, which takes the place of what is there when it is whole."""
    with replacing(path) as part, open(part, "wb") as file:
        np.save(file, array, allow_pickle=False)
