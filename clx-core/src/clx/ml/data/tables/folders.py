"""Tell what a folder or a glob holds: files of rows, a saved Dataset, or one text per file."""

from __future__ import annotations

import json
import re
import warnings
import zipfile
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote

from clx.errors import DataFormatError, DataWarning
from clx.ml.data.tables.addresses import is_address
from clx.ml.data.tables.formats import COMPRESSIONS, FORMATS, FileFormat, file_format, known_format
from clx.ml.data.tables.found import FoundFile
from clx.ml.data.tables.rows import Rows
from clx.ml.data.tables.similar import like_it
from clx.ml.data.tables.streams import FileSource, zip_members
from clx.ml.run_directory.layout import CONFIG, MANIFEST
from clx.problems import IN_WARNINGS, examples, names
from clx_runtime.callers import user_level

if TYPE_CHECKING:
    import pyarrow as pa

SAVED_DATASET = "state.json"
SAVED_SPLITS = "dataset_dict.json"
"""Files that ``save_to_disk`` writes for a ``datasets.Dataset`` and for a ``DatasetDict``."""

PARTITION = re.compile(r"(\w+)=(.*)")
"""A folder such as ``year=2024``: the value of a column for all rows below it."""

NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"

WHOLE = re.compile(r"0|-?[1-9][0-9]{0,17}")


def data_files(source: str, found: Sequence[FoundFile]) -> list[FileSource]:
    """Return those files of a folder or a glob that clx reads.

    A ``DataWarning`` names files that clx does not read, and txt files beside other formats.

    Raises:
        DataFormatError: there are no such files, or the folder holds several splits or a run.
    """
    refuse_run(source)
    saved = _saved_dataset(source, found)
    if saved:
        return saved
    forms = [(file, _format(file)) for file in found]
    rows = [_source(file, form) for file, form in forms if form and form.kind != "text"]
    texts = [_source(file, form) for file, form in forms if form and form.kind == "text"]
    used = rows or texts
    paths = {each.path for each in used}
    left = [str(file.inside) for file in found if file.path not in paths]
    if not used:
        raise no_data(source, left)
    if left:
        warnings.warn(
            f"{len(left)} files of {source!r} were left out, because clx does not read their "
            f"format{' beside others' if rows and texts else ''}: {examples(left, IN_WARNINGS)}",
            DataWarning,
            stacklevel=user_level(),
        )
    return used


def refuse_run(source: str) -> None:
    """Raise if a folder is a run directory: its JSON files would be read as rows.

    Raises:
        DataFormatError: the folder is a run directory.
    """
    if not is_address(source) and all(
        (Path(source) / name).is_file() for name in (CONFIG, MANIFEST)
    ):
        raise DataFormatError(
            f"{source!r} is the directory of a trained run, not data. Pass a file, or a folder of files "
            f"of rows."
        )


def no_data(source: str, others: Sequence[str] = ()) -> DataFormatError:
    """Return the error for a source without data.

    Args:
        source: the source.
        others: existing files that clx does not read.
    """
    where = "" if is_address(source) else f" (looked in {Path.cwd()}{like_it(source)})"
    also = f" The files there have other suffixes: {examples(others)}." if others else ""
    return DataFormatError(
        f"There is no data at {source!r}{where}.{also} Pass a file "
        f"({', '.join(FORMATS)}; also with {', '.join(COMPRESSIONS)}), a folder or glob of such "
        f"files, or a DataFrame."
    )


def _source(file: FoundFile, form: FileFormat) -> FileSource:
    return FileSource(file.name, form, file.path, file.inside)


def _format(file: FoundFile) -> FileFormat | None:
    """Return the format that a file's name stands for; a ``.zip`` has the format of its member."""
    form = known_format(file.file_name)
    if form is not None or not file.file_name.lower().endswith(".zip"):
        return form
    archive = _source(file, FileFormat("archive"))
    with archive.errors_named(), archive.open_raw() as raw, zipfile.ZipFile(raw) as opened:
        members = [known_format(name) for name in zip_members(opened)]
    kind = next((member.kind for member in members if member), None)
    return FileFormat(kind, "zip") if kind else None


def source_of(file: FoundFile) -> FileSource:
    """Return a file that the caller named directly.

    Raises:
        DataFormatError: clx does not read files of this format.
    """
    return _source(file, _format(file) or file_format(file.file_name))


def _saved_dataset(source: str, found: Sequence[FoundFile]) -> list[FileSource]:
    """Return the files of a Dataset in the order of its rows; an empty list for any other folder."""
    by_place = {file.inside: file for file in found}
    if SAVED_SPLITS in by_place:
        splits = sorted({str(place).partition("/")[0] for place in by_place} - {SAVED_SPLITS})
        raise DataFormatError(
            f"{source} is a saved DatasetDict with the splits {names(splits)}: pass one of them, "
            f"such as {source.rstrip('/')}/{next(iter(splits), 'train')}"
        )
    if SAVED_DATASET not in by_place or "dataset_info.json" not in by_place:
        return []
    state = _source(by_place[SAVED_DATASET], FileFormat("json"))
    with state.open() as stream:
        listed = json.loads(stream.read()).get("_data_files", [])
    places = [each["filename"] for each in listed]
    lost = [place for place in places if place not in by_place]
    if lost:
        raise DataFormatError(f"{source} is a saved Dataset that lacks its files {examples(lost)}")
    # They no longer count as files of a folder, because their names say nothing about the rows.
    return [replace(_source(by_place[place], FileFormat("arrow")), inside=None) for place in places]


def partitioned(sources: Sequence[Rows], files: Sequence[FileSource]) -> list[Rows]:
    """Return the rows of each file, with the columns that its folder names stand for.

    A column has whole numbers if all its values are whole numbers, and text otherwise. A file that
    already has the column keeps its own.
    """
    whole = whole_partitions(files, all(rows.text_cells for rows in sources))
    return [with_partitions(rows, file, whole) for rows, file in zip(sources, files, strict=True)]


def whole_partitions(files: Sequence[FileSource], text_cells: bool) -> frozenset[str]:
    """Return the columns of folder names that have whole numbers.

    Args:
        files: all files that are read together.
        text_cells: whether all of them have cells of text only, as csv files do.
    """
    values = [] if text_cells else [_partitions(file) for file in files]
    return frozenset(
        key
        for key in {key for each in values for key in each}
        if all(WHOLE.fullmatch(value) for each in values if (value := each.get(key)) is not None)
    )


def with_partitions(rows: Rows, file: FileSource, whole: Collection[str]) -> Rows:
    """Return the rows of a file with the columns that its folder names stand for.

    Args:
        rows: the rows.
        file: the file.
        whole: the columns that have whole numbers.
    """
    own = {
        key: int(value) if key in whole and value is not None else value
        for key, value in _partitions(file).items()
        if key not in rows.schema.names
    }
    return _with_columns(rows, own, whole)


def _partitions(file: FileSource) -> dict[str, str | None]:
    folders = PurePosixPath(file.inside or "").parts[:-1]
    pairs = [match.groups() for folder in folders if (match := PARTITION.fullmatch(folder))]
    return {key: None if value == NULL_PARTITION else unquote(value) for key, value in pairs}


def _with_columns(rows: Rows, values: dict[str, int | str | None], whole: Collection[str]) -> Rows:
    import pyarrow as pa

    if not values:
        return rows
    kinds = {key: pa.int64() if key in whole else pa.string() for key in values}
    schema = rows.schema
    for key, kind in kinds.items():
        schema = schema.append(pa.field(key, kind))

    def read() -> Iterator[pa.RecordBatch]:
        for batch in rows.read():
            added = [
                pa.repeat(pa.scalar(value, kinds[key]), batch.num_rows)
                for key, value in values.items()
            ]
            yield pa.RecordBatch.from_arrays([*batch.columns, *added], schema=schema)

    return replace(rows, schema=schema, read=read)
