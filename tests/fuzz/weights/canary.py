"""Files that nobody may open: what a file that is read must not lead to."""

import ctypes
import os
from pathlib import Path

import h5py
import numpy as np

from tests.fuzz.weights.texts import EXECUTED

OPENED = 0x20  # IN_OPEN of inotify
NAMES = ("secret.txt", "secret.bin", "secret.json", "secret.h5", "secret.weights.h5")


class Canary:
    """Files in a folder, watched: also libraries that are not Python are seen to open them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        for name in NAMES:
            (folder / name).write_bytes(b'{"secret": 1}'.ljust(10_000))
            if name.endswith(".h5"):
                with h5py.File(folder / name, "w") as file:
                    file["cube"] = np.full((6, 7, 5), 0.4242, "f4")
        libc = ctypes.CDLL(None, use_errno=True)
        self.watch = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        numbers = [
            libc.inotify_add_watch(self.watch, os.fsencode(folder / name), OPENED) for name in NAMES
        ]
        if self.watch < 0 or min(numbers) < 0:
            raise OSError(ctypes.get_errno(), "inotify cannot be used")

    def close(self) -> None:
        """Watch no longer."""
        os.close(self.watch)

    def faults(self) -> list[str]:
        """Return what was done since the last time that must not be."""
        faults = []
        try:
            os.read(self.watch, 2**16)
            faults.append("opens a file that it must not")
        except BlockingIOError:
            pass
        if (self.folder / EXECUTED).exists():
            (self.folder / EXECUTED).unlink()
            faults.append("executes what the file holds")
        return faults
