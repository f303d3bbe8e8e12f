"""The target of an output: a local file or an address. The output appears there when it is complete."""

from __future__ import annotations

import hashlib
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clx.errors import DataFormatError, RunExistsError
from clx.ml.data.tables.addresses import files_at, is_address, scheme_of, source_name
from clx.ml.data.tables.databases import is_query
from clx.ml.data.tables.formats import FileFormat, target_format
from clx.ml.data.tables.found import local_files
from clx.ml.run_directory.files import fsync
from clx.settings import local_data_dir


@dataclass(frozen=True)
class Target:
    """A file to write.

    Attributes:
        name: the target in messages.
        format: how to write it.
        local: the file that is written on this machine: the target itself, or a file that is then
            copied to the address.
        address: the address, None for a local target.
    """

    name: str
    format: FileFormat
    local: Path
    address: str | None = None

    @property
    def parts(self) -> Path:
        """The folder of finished parts."""
        return self.local.with_name(f".{self.local.name}.parts")

    @property
    def new(self) -> Path:
        """The complete file before it takes its place."""
        return self.local.with_name(f".{self.local.name}.new")

    def refuse(self, source: str | Path, overwrite: bool) -> None:
        """Raise if the target cannot be written, before any work is done.

        Raises:
            RunExistsError: it exists, and ``overwrite`` is not set.
            DataFormatError: it is a folder, or a file of the source.
        """
        if self.address is not None:
            exists = _file_system(self.address).exists(self.address)
        else:
            exists = self.local.exists()
            if self.local.is_dir():
                raise DataFormatError(f"{self.name} is a folder: name a file to write")
        if exists and not overwrite:
            raise RunExistsError(
                f"{self.name} exists: pass overwrite=True or choose another target"
            )
        if exists:
            self._refuse_source(source_name(source))

    def _refuse_source(self, source: str) -> None:
        """Raise if the target is one of the files that the source stands for."""
        if is_query(source) or scheme_of(source) in ("http", "https"):
            return
        found, several = files_at(source) if is_address(source) else local_files(source)
        own = _place(self.address or self.local)
        if all(_place(file.path) != own for file in found):
            return
        if several:
            raise DataFormatError(
                f"{self.name} is one of the files of {source}: choose a target that is not read"
            )
        raise DataFormatError(f"{source} cannot be both the source and the target")

    def publish(self) -> None:
        """Move the complete file to its place."""
        self.new.replace(self.local)
        fsync(self.local.parent)
        if self.address is not None:
            files = _file_system(self.address)
            # The object appears when the upload is complete, even if the upload itself is not
            # atomic.
            files.put_file(str(self.local), f"{self.address}.new")
            try:
                files.mv(f"{self.address}.new", self.address)
            except NotImplementedError:
                files.rm_file(f"{self.address}.new")
                files.put_file(str(self.local), self.address)
            self.local.unlink()

    def identity(self) -> list[int] | None:
        """Return values that identify the file in the target's place, None if there is no file."""
        return file_identity(self.local)


def file_identity(path: Path) -> list[int] | None:
    """Return values that renaming a file does not change, None if there is no file or it is a folder."""
    try:
        status = path.stat()
    except OSError:
        return None
    is_file = stat.S_ISREG(status.st_mode)
    return [status.st_ino, status.st_size, status.st_mtime_ns] if is_file else None


def open_target(target: str | Path) -> Target:
    """Return the target that a path or an address names.

    Raises:
        DataFormatError: clx does not write files of this format, or the address cannot be opened.
    """
    name = str(target)
    form = target_format(name)
    if not is_address(name):
        return Target(name, form, Path(target).expanduser())
    try:
        _file_system(name)
    except (ImportError, ValueError, OSError) as error:
        raise DataFormatError(f"{name} cannot be opened: {error}") from error
    folder = local_data_dir() / "predictions" / hashlib.sha256(name.encode()).hexdigest()[:16]
    return Target(name, form, folder / name.rpartition("/")[2], name)


def _place(file: Path | str) -> tuple[object, ...]:
    """Return a value that is equal for two names of the same file."""
    from fsspec.core import url_to_fs
    from fsspec.implementations.local import LocalFileSystem

    if isinstance(file, str):
        files, path = url_to_fs(file)
        if not isinstance(files, LocalFileSystem):
            return files.protocol, path
        file = Path(path)
    status = file.stat()
    return status.st_dev, status.st_ino


def _file_system(address: str) -> Any:
    import fsspec

    return fsspec.core.url_to_fs(address)[0]
