"""Open the rows that a path, a folder, a glob or an address stands for."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

from clx.errors import DataFormatError
from clx.ml.data.reading import DEFAULT_READING, Reading
from clx.ml.data.tables.addresses import files_at, is_address, source_name
from clx.ml.data.tables.copies import rereadable
from clx.ml.data.tables.databases import (
    database_advice,
    is_database,
    is_query,
    open_query,
    parse_query,
)
from clx.ml.data.tables.folders import data_files, no_data, partitioned, source_of
from clx.ml.data.tables.formats import FORMATS
from clx.ml.data.tables.found import local_files
from clx.ml.data.tables.rows import Rows, joined_rows
from clx.ml.data.tables.streams import FileSource

EXCEL = "|".join(suffix for suffix, kind in FORMATS.items() if kind == "excel").replace(".", r"\.")

SHEET = re.compile(rf"(.*(?:{EXCEL}))#(.+)", re.IGNORECASE | re.DOTALL)
"""A workbook and one of its sheets, as in ``book.xlsx#Sheet2``."""


def open_rows(
    source: str | os.PathLike[str], reading: Reading = DEFAULT_READING, keep: bool = False
) -> Rows:
    """Open all rows that a source stands for.

    Args:
        source: a file, a folder, a glob, a query such as ``sqlite:///file.db?query=select …``, or an
            address that fsspec opens, such as ``s3://…``.
        reading: how the caller wants text files to be read.
        keep: keep rows in memory if that avoids reading them twice, for a caller that needs all.

    Raises:
        DataFormatError: there is no such source, or it is not valid.
        MissingDependencyError: a package is needed for it.
    """
    name = source_name(source)
    if is_query(name):
        return open_query(name, keep)
    files = matching_files(name)
    if files[0].format.kind == "text" and files[0].inside is not None:
        from clx.ml.data.tables.text_files import open_text_folder

        return open_text_folder(name, files, reading)
    rows = [open_file(file, reading, keep) for file in files]
    return joined_rows(name, partitioned(rows, files))


def open_file(
    source: FileSource, reading: Reading = DEFAULT_READING, keep: bool = False, start: int = 0
) -> Rows:
    """Open the rows of one file.

    Args:
        source: the file.
        reading: how the caller wants text files to be read.
        keep: as for :func:`open_rows`.
        start: the first row to read.

    Raises:
        DataFormatError: the file is not valid.
        MissingDependencyError: a package is needed for it.
    """
    source = rereadable(source)
    if source.format.kind == "parquet":
        from clx.ml.data.tables.columnar import open_parquet

        return open_parquet(source, start)
    rows = _open_file(source, reading, keep)
    return rows.after(start) if start else rows


def _open_file(source: FileSource, reading: Reading, keep: bool) -> Rows:
    kind = source.format.kind
    if kind in ("csv", "tsv"):
        from clx.ml.data.tables.delimited import open_delimited

        return open_delimited(source, reading, keep)
    if kind == "jsonl":
        from clx.ml.data.tables.json_rows import open_json_lines

        return open_json_lines(source, reading, keep)
    if kind == "json":
        from clx.ml.data.tables.json_rows import open_json

        return open_json(source, reading, keep)
    if kind == "excel":
        from clx.ml.data.tables.excel import open_sheet

        return open_sheet(source, reading)
    if kind == "text":
        from clx.ml.data.tables.text_files import open_text_lines

        return open_text_lines(source, reading)
    if kind == "conll":
        from clx.ml.data.tables.conll import open_conll

        return open_conll(source, reading)
    from clx.ml.data.tables.columnar import open_arrow

    return open_arrow(source)


def is_source(word: str) -> bool:
    """Return whether a word can only name data: an address, or an existing file, folder or sheet.

    A text may begin with an address. Only the address of a database may have blanks, in its query.
    """
    if is_address(word) and (is_query(word) or not re.search(r"\s", word)):
        return True
    match = SHEET.fullmatch(word)
    # Path.exists raises for a text that is too long for a file name.
    return any(map(os.path.exists, [word, *(match.groups()[:1] if match else [])]))


def matching_files(source: str) -> list[FileSource]:
    """Return the files that a path, a folder, a glob or an address stands for, sorted by name.

    A ``DataWarning`` names files of a folder that clx does not read. The files of a saved Dataset
    are in the order of its rows. A query has no files.

    Raises:
        DataFormatError: there are no such files.
        MissingDependencyError: a package is needed for the address.
    """
    source = source_name(source)
    if is_query(source):
        parse_query(source)
        return []
    sheet = None
    match = SHEET.fullmatch(source)
    if match is not None and (is_address(source) or not Path(source).exists()):
        source, sheet = match.groups()
    found, several = files_at(source) if is_address(source) else local_files(source)
    if several:
        return [replace(file, sheet=sheet) for file in data_files(source, found)]
    if not found:
        raise no_data(source)
    if is_database(found[0].file_name):
        raise DataFormatError(database_advice(found[0].name))
    return [replace(source_of(found[0]), sheet=sheet)]
