"""A folder of pictures: on this machine, or at any address that fsspec knows (`s3://`, `gs://`)."""

import posixpath
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.machine.failures import ZooError
from zoo.machine.files import make_folder, replacing
from zoo.machine.parts import temporary_folder
from zoo.machine.walk import walk
from zoo.pictures.formats import SUFFIXES

PART = ".asykeras-part-"  # beginning of a name at an address, until its file is whole


class PlaceError(ZooError):
    """A place that cannot be used, with the reason in one sentence."""


@dataclass(frozen=True)
class Place:
    """A folder, whose files are known by their names below it, with `/` between folders.

    Attributes:
        address: A path, or what fsspec opens: `s3://bucket/photos`.
    """

    address: str

    @property
    def is_local(self) -> bool:
        """Whether it is a path of this machine; `file://...` is one of fsspec's addresses."""
        return "://" not in self.address

    def pictures(self, without: "Place") -> list[str]:
        """Return the names of the pictures below it, sorted, without hidden ones and another place.

        Raises:
            PlaceError: if it is not there, or holds no picture.
        """
        if self.is_local:
            root = Path(self.address)
            if not root.is_dir():
                raise PlaceError(f"there is no folder {self.address}")
            inner = Path(without.address) if without.is_local else None
            found = walk(root, SUFFIXES, without=inner).files
            names = [path.relative_to(root).as_posix() for path in found]
        else:
            beside = f"{without.address.rstrip('/')}/"
            names = [
                name
                for name in self.names()
                if posixpath.splitext(name)[1].lower() in SUFFIXES
                and not any(part.startswith(".") for part in name.split("/"))
                and not f"{self.address.rstrip('/')}/{name}".startswith(beside)
            ]
        if not names:
            raise PlaceError(f"{self.address} holds no picture")
        return names

    def names(self) -> list[str]:
        """Return the names of all files below it, sorted; none where it is not there."""
        if self.is_local:
            root = Path(self.address)
            return sorted(
                path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()
            )
        system, root_of = self._opened()
        found = system.find(root_of) if system.exists(root_of) else []
        return sorted(posixpath.relpath(path, root_of) for path in found)

    def has(self, name: str) -> bool:
        """Return whether there is a file of that name."""
        if self.is_local:
            return (Path(self.address) / name).is_file()
        system, root = self._opened()
        return bool(system.isfile(posixpath.join(root, name)))

    @contextmanager
    def reading(self, name: str) -> Iterator[Path]:
        """Yield a file as one of this machine: itself, or a copy that is gone after the block."""
        if self.is_local:
            yield Path(self.address) / name
            return
        system, root = self._opened()
        with temporary_folder() as folder:
            copy = folder / posixpath.basename(name)
            system.get_file(posixpath.join(root, name), str(copy))
            yield copy

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        """Yield a path to write to; the file takes its name, whole, when the block succeeds."""
        if self.is_local:
            target = Path(self.address) / name
            make_folder(target.parent)
            with replacing(target) as part:
                yield part
            return
        with temporary_folder() as folder:
            copy = folder / posixpath.basename(name)
            yield copy
            system, root = self._opened()
            parent = posixpath.dirname(posixpath.join(root, name))
            sent = posixpath.join(parent, f"{PART}{secrets.token_hex(8)}")
            system.makedirs(parent, exist_ok=True)
            system.put_file(str(copy), sent)
            system.mv(sent, posixpath.join(root, name))

    def write(self, name: str, content: bytes) -> None:
        """Write a file, whole or not at all."""
        with self.writing(name) as path:
            path.write_bytes(content)

    def remove_parts(self, names: list[str]) -> None:
        """Remove what killed processes have left of files that were being sent, of all names there.

        On this machine the next that writes into a folder removes it.
        """
        if self.is_local:
            return
        system, root = self._opened()
        for name in names:
            if posixpath.basename(name).startswith(PART):
                system.rm_file(posixpath.join(root, name))

    def _opened(self) -> tuple[Any, str]:
        """Return the file system and the path in it."""
        try:
            import fsspec
        except ImportError:
            raise PlaceError(f"{self.address} needs fsspec: pip install 'asykeras[ray]'") from None
        try:
            system, path = fsspec.url_to_fs(self.address)
        except (ImportError, ValueError) as error:  # of a protocol that nothing is installed for
            raise PlaceError(f"{self.address} cannot be opened: {error}") from None
        return system, str(path).rstrip("/")
