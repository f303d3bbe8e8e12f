"""Temporary copies of files that can be read only once, or only slowly."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from dataclasses import replace
from pathlib import Path
from typing import IO

from clx.errors import DataFormatError
from clx.ml.data.tables.addresses import scheme_of
from clx.ml.data.tables.streams import BLOCK, FileSource
from clx.ml.machine.distributed import process_count

READ_IN_PLACE = ("parquet", "arrow")
"""Formats that are read only once, by seeking to the columns."""


class TemporaryCopy:
    """A file that is removed when this object is freed, or when the process ends.

    Attributes:
        path: the file.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        with tempfile.NamedTemporaryFile(prefix="clx-", delete=False) as file:
            self.path = Path(file.name)
            weakref.finalize(self, self.path.unlink, missing_ok=True)
            shutil.copyfileobj(stream, file, BLOCK)


def rereadable(source: FileSource) -> FileSource:
    """Return a file that can be read several times: the source, or a copy of a pipe or a remote file.

    Raises:
        DataFormatError: it cannot be read.
    """
    if isinstance(source.path, Path):
        if source.path.is_file():
            return source
        if not source.path.is_fifo():
            raise DataFormatError(f"{source.name} is neither a file nor a pipe")
        if process_count() > 1:
            raise DataFormatError(
                f"{source.name} is a pipe, which only one process can read, but there are "
                f"{process_count()}: write its content to a file first"
            )
    elif source.format.kind in READ_IN_PLACE and not scheme_of(source.path).startswith("http"):
        return source
    with source.errors_named(), source.open_raw() as stream:
        copy = TemporaryCopy(stream)
    return replace(source, path=copy.path, held=copy)
