"""A folder for the parts of a prediction, on this machine or in an object store.

A file appears complete or not at all: it is written under another name and renamed. A store without
renaming gets it in one upload; there, a part counts only once its record exists, which is written last.
"""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from clx.errors import DataFormatError, MissingDependencyError
from clx.ml.data.tables.addresses import PACKAGES, is_address, scheme_of, source_name
from clx.ml.run_directory.files import fsync


class Place(Protocol):
    """A folder. Names are relative to it, with slashes.

    Attributes:
        name: the folder in messages.
    """

    name: str

    def sizes(self, folder: str = "") -> dict[str, int]:
        """Return the size of each file in a folder, by its name there; ``{}`` if there is none."""

    def read(self, name: str) -> bytes | None:
        """Return the content of a file, None if it does not exist."""

    def write(self, name: str, fill: Callable[[Path], None]) -> int:
        """Write a file and return its size.

        Args:
            name: the file.
            fill: writes the content into a local file.
        """

    def remove(self, name: str) -> None:
        """Remove a file if it exists."""

    def open(self, name: str) -> Any:
        """Open a file for reading bytes at any position."""


def place_at(directory: str | os.PathLike[str]) -> Place:
    """Return the place that a path or an address names.

    Raises:
        DataFormatError: it is a file, or the address cannot be opened.
        MissingDependencyError: a package is needed for the address.
    """
    name = source_name(directory)
    if is_address(name):
        return _Store(name)
    path = Path(name).expanduser().absolute()
    if path.exists() and not path.is_dir():
        raise DataFormatError(f"{path} is a file: the parts of a prediction need a folder")
    return _Folder(path)


class _Folder:
    """A folder on this machine, or on a file system that it mounts."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._path = path

    def sizes(self, folder: str = "") -> dict[str, int]:
        found: dict[str, int] = {}
        try:
            with os.scandir(self._path / folder) as entries:
                for entry in entries:
                    if entry.is_file():
                        found[entry.name] = entry.stat().st_size
                    elif not folder:
                        found[f"{entry.name}/"] = 0
        except FileNotFoundError:
            return {}
        return found

    def read(self, name: str) -> bytes | None:
        try:
            return (self._path / name).read_bytes()
        except FileNotFoundError:
            return None

    def write(self, name: str, fill: Callable[[Path], None]) -> int:
        target = self._path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        # Two workers may write the same part.
        new = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.new")
        try:
            fill(new)
            fsync(new)
            size = new.stat().st_size
            new.replace(target)
        except BaseException:
            new.unlink(missing_ok=True)
            raise
        return size

    def remove(self, name: str) -> None:
        (self._path / name).unlink(missing_ok=True)

    def open(self, name: str) -> Any:
        return (self._path / name).open("rb")


class _Store:
    """A folder at an address that fsspec opens."""

    def __init__(self, address: str) -> None:
        self.name = address.rstrip("/")

    def _at(self, name: str) -> tuple[Any, str]:
        """Return the file system and the path there; a pickled object has neither."""
        import fsspec

        try:
            files, path = fsspec.core.url_to_fs(f"{self.name}/{name}" if name else self.name)
        except ImportError as error:
            raise MissingDependencyError(
                f"{self.name} needs a package that is not installed ({error}): "
                f"pip install {PACKAGES.get(scheme_of(self.name), 'the package that it names')}"
            ) from error
        except (ValueError, OSError) as error:
            raise DataFormatError(f"{self.name} cannot be opened: {error}") from error
        return files, str(path)

    def sizes(self, folder: str = "") -> dict[str, int]:
        files, path = self._at(folder)
        # Another worker may have added files since the last listing.
        files.invalidate_cache()
        try:
            entries = files.ls(path, detail=True)
        except FileNotFoundError:
            return {}
        found: dict[str, int] = {}
        for entry in entries:
            name = str(entry["name"]).rstrip("/").rpartition("/")[2]
            if entry["type"] == "file":
                found[name] = int(entry["size"] or 0)
            elif not folder:
                found[f"{name}/"] = 0
        return found

    def read(self, name: str) -> bytes | None:
        files, path = self._at(name)
        try:
            content: bytes = files.cat_file(path)
        except FileNotFoundError:
            return None
        return content

    def write(self, name: str, fill: Callable[[Path], None]) -> int:
        files, path = self._at(name)
        with tempfile.TemporaryDirectory(prefix="clx-") as folder:
            local = Path(folder, "part")
            fill(local)
            size = local.stat().st_size
            files.makedirs(path.rpartition("/")[0], exist_ok=True)
            new = f"{path}.{uuid.uuid4().hex[:8]}.new"
            files.put_file(str(local), new)
            try:
                files.mv(new, path)
            except NotImplementedError:
                files.rm_file(new)
                files.put_file(str(local), path)
        return size

    def remove(self, name: str) -> None:
        files, path = self._at(name)
        try:
            files.rm_file(path)
        except FileNotFoundError:
            return

    def open(self, name: str) -> Any:
        files, path = self._at(name)
        return files.open(path, "rb")
