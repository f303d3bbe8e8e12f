"""The files that a prediction in parts reads: identify each file, and read it from any row."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from clx.errors import DataFormatError
from clx.ml.data.reading import Reading
from clx.ml.data.tables.addresses import is_address, source_name
from clx.ml.data.tables.columnar import footer_of
from clx.ml.data.tables.databases import is_query
from clx.ml.data.tables.folders import whole_partitions, with_partitions
from clx.ml.data.tables.rows import Rows
from clx.ml.data.tables.sources import matching_files, open_file
from clx.ml.data.tables.streams import FileSource
from clx.ml.prediction.text_rows import filled, with_export_texts

DIGITS = 16

TEXT_KINDS = ("csv", "tsv", "text")
"""The formats whose cells are texts."""


@dataclass(frozen=True)
class Input:
    """One file of rows, or a folder of files with one text each.

    Attributes:
        name: the file in messages and in the plan.
        fingerprint: changes when the file changes.
        files: the file, or the files of the folder.
        whole: the columns of folder names that have whole numbers in all inputs.
        beside_others: whether a csv file is read together with files of other formats.
    """

    name: str
    fingerprint: str
    files: tuple[FileSource, ...]
    whole: frozenset[str] = frozenset()
    beside_others: bool = False

    def rows(self, reading: Reading, text_columns: Sequence[str], start: int = 0) -> Rows:
        """Open the rows from the one with the number ``start`` on.

        Raises:
            DataFormatError: the file cannot be read.
        """
        first = self.files[0]
        if first.format.kind == "text" and first.inside is not None:
            from clx.ml.data.tables.text_files import open_text_folder

            rows = open_text_folder(self.name, self.files, reading)
            return rows.after(start) if start else rows
        opened = with_partitions(open_file(first, reading, start=start), first, self.whole)
        rows = with_export_texts(opened, text_columns)
        return filled(rows, text_columns) if self.beside_others and rows.text_cells else rows


def inputs_of(sources: Sequence[str | os.PathLike[str]]) -> list[Input]:
    """Return the inputs that files, folders, globs and addresses stand for, in order.

    The files of a folder or glob are sorted by name.

    Raises:
        DataFormatError: there are no such files, one occurs twice, or a source is a query.
    """
    found: list[Input] = []
    for source in sources:
        name = _absolute(source_name(source))
        if is_query(name):
            raise DataFormatError(
                f"{name} is a query, whose rows have no fixed order to cut into parts: write them to a "
                f"file first, or predict them with -o and a file"
            )
        files = matching_files(name)
        if files[0].format.kind == "text" and files[0].inside is not None:
            digest = _digest([_stamp(file) for file in files])
            found.append(Input(name, digest, tuple(files)))
        else:
            found += [Input(_name(file), _digest(_stamp(file)), (file,)) for file in files]
    twice, times = max(Counter(each.name for each in found).items(), key=lambda each: each[1])
    if times > 1:
        raise DataFormatError(f"{twice} is given twice: its rows would be predicted twice")
    files = [file for each in found for file in each.files]
    kinds = {file.format.kind in TEXT_KINDS for file in files}
    whole = whole_partitions(files, kinds == {True})
    return [replace(each, whole=whole, beside_others=len(kinds) > 1) for each in found]


def current_fingerprint(given: Input) -> str:
    """Return the current fingerprint of an input."""
    stamps = [_stamp(file) for file in given.files]
    first = given.files[0]
    is_folder = first.format.kind == "text" and first.inside is not None
    return _digest(stamps if is_folder else stamps[0])


def _absolute(name: str) -> str:
    return name if is_address(name) else str(Path(name).expanduser().absolute())


def _name(file: FileSource) -> str:
    where = str(file.path) if isinstance(file.path, Path) else file.name
    return where if file.sheet is None else f"{where}#{file.sheet}"


def _stamp(file: FileSource) -> list[Any]:
    """Return what changes when a file changes, without reading its rows.

    That is its size and time of change; for parquet also its footer; in an object store its ETag or
    checksum. Files in two folders can agree in all of this, so the whole name takes part.
    """
    with file.errors_named():
        if isinstance(file.path, Path):
            status = file.path.stat()
            known: list[Any] = [status.st_size, status.st_mtime_ns]
        else:
            known = _remote_stamp(file.path)
    if file.format.kind == "parquet":
        known.append(hashlib.sha256(footer_of(file)).hexdigest())
    return [_name(file), *known]


def _remote_stamp(address: str) -> list[Any]:
    import fsspec

    files, path = fsspec.core.url_to_fs(address)
    files.invalidate_cache()
    about = files.info(path)
    marks = ("ETag", "etag", "md5Hash", "content_md5", "crc32c", "mtime", "LastModified", "created")
    return [about.get("size"), *(str(about[name]) for name in marks if name in about)]


def _digest(value: Any) -> str:
    return hashlib.sha256(repr(value).encode("utf-8", "surrogatepass")).hexdigest()[:DIGITS]
