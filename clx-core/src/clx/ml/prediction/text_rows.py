"""The texts of Arrow rows, and the rows that have no valid text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from clx.ml.data.annotations import texts_of_export
from clx.ml.data.arrow_frames import table_to_frame
from clx.ml.data.arrow_values import is_json
from clx.ml.data.problems import missing_columns, raise_data_problems
from clx.ml.data.tables.json_types import array_of
from clx.ml.data.tables.rows import Rows, joined_rows
from clx.problems import examples, names
from clx_runtime.row_texts import RowTexts, texts_of_columns

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


def with_export_texts(rows: Rows, columns: Sequence[str]) -> Rows:
    """Return the rows with the texts of an annotation tool's export as columns.

    Args:
        rows: the rows of a source.
        columns: the columns of texts. Rows that have them are returned unchanged.
    """
    import pyarrow as pa

    missing = [column for column in columns if column not in rows.schema.names]
    # Most sources have the columns, and need not be read for this.
    first = next(rows.parts(1), None) if missing else None
    if first is None or not set(missing) <= set(_export_frame(first).columns):
        return rows
    added = [pa.field(column, pa.json_(pa.string())) for column in missing]
    schema = pa.schema([*rows.schema, *added])

    def read() -> Iterator[pa.RecordBatch]:
        for batch in rows.read():
            frame = _export_frame(batch)
            texts = [array_of(list(frame[field.name]), field.type) for field in added]
            yield pa.RecordBatch.from_arrays([*batch.columns, *texts], schema=schema)

    return replace(rows, schema=schema, read=read)


def _export_frame(batch: pa.RecordBatch) -> pd.DataFrame:
    import pyarrow as pa

    return texts_of_export(table_to_frame(pa.Table.from_batches([batch])))


def with_empty_texts(rows: Rows, columns: Sequence[str]) -> Rows:
    """Return the rows of several files with empty texts for the empty cells of csv files.

    In a csv file, an empty cell of a column of texts is an empty text. Beside files of other formats,
    in which a missing text is an error, nothing else says which of the rows are those of a csv file.

    Args:
        rows: the rows of a source. Those of csv files alone are returned unchanged.
        columns: the columns of texts.
    """
    if rows.text_cells or not any(each.text_cells for each in rows.sources):
        return rows
    sources = [filled(each, columns) if each.text_cells else each for each in rows.sources]
    return joined_rows(rows.name, sources)


def filled(rows: Rows, columns: Sequence[str]) -> Rows:
    """Return the rows of a csv file with empty texts instead of missing ones in some columns."""
    import pyarrow as pa

    def read() -> Iterator[pa.RecordBatch]:
        for batch in rows.read():
            arrays = [
                column.fill_null("") if name in columns and column.null_count else column
                for name, column in zip(batch.schema.names, batch.columns, strict=True)
            ]
            yield pa.RecordBatch.from_arrays(arrays, schema=batch.schema)

    return replace(rows, read=read)


def require_columns(rows: Rows, columns: Sequence[str], what: str) -> None:
    """Raise if the rows lack a column.

    Raises:
        DataFormatError: a column is missing; the message lists the existing columns.
    """
    raise_data_problems(missing_columns(rows.schema.names, columns), what)


def require_in_all_files(rows: Rows, columns: Sequence[str]) -> None:
    """Raise if a csv file of several lacks a column of texts, as one without a heading does.

    Raises:
        DataFormatError: the message names the file.
    """
    lacking = {
        column: each.name
        for each in reversed(rows.sources)
        for column in columns
        if each.text_cells and column not in each.schema.names
    }
    raise_data_problems(
        [
            f"there is no column {column!r} in {name}, but in other files: correct its heading, or "
            f"leave it out"
            for column, name in lacking.items()
        ],
        f"{expected_columns(columns)} in every file",
    )


def row_texts(batch: pa.RecordBatch, columns: Sequence[str], text_cells: bool) -> RowTexts:
    """Return the texts of some rows.

    Args:
        batch: the rows.
        columns: the columns of texts.
        text_cells: whether every cell is text; then an empty cell is an empty text.
    """
    values = {column: column_values(batch.column(column)) for column in columns}
    return texts_of_columns(values, text_cells)


def column_values(array: pa.Array | pa.ChunkedArray) -> list[Any]:
    """Return the values of a column. JSON is parsed."""
    if is_json(array.type):
        chunks = array.chunks if hasattr(array, "chunks") else [array]
        texts = [text for chunk in chunks for text in chunk.storage.to_pylist()]
        return [None if text is None else json.loads(text) for text in texts]
    values: list[Any] = array.to_pylist()
    return values


def check_texts_of(rows: Rows, columns: Sequence[str], batch_rows: int) -> None:
    """Read all rows, and raise if some have no text.

    Raises:
        DataFormatError: the message names the first rows, counted from 0, of each kind of error.
    """
    if rows.text_cells:
        return
    import pyarrow as pa

    found: dict[str, list[int]] = {}
    total = 0
    for batch in rows.parts(batch_rows):
        texts = batch.select(list(columns))
        # Arrow's strings are always valid, so a text can only be missing.
        simple = all(pa.types.is_string(field.type) for field in texts.schema)
        if not simple or any(column.null_count for column in texts.columns):
            for position, error in row_texts(texts, columns, False).errors.items():
                found.setdefault(error, []).append(total + position)
        total += batch.num_rows
    raise_data_problems(
        [f"{error} in {len(at)} of {total} rows: {examples(at)}" for error, at in found.items()],
        f"{expected_columns(columns)}. Correct these rows, or skip them with on_error='skip'.",
    )


def raise_for_rows(errors: dict[int, str], first: int, columns: Sequence[str]) -> None:
    """Raise if some rows cannot be predicted.

    Args:
        errors: the errors of the bad rows, by position.
        first: the number of the first row in its file.
        columns: the columns of texts.

    Raises:
        DataFormatError: the message names the rows.
    """
    by_error: dict[str, list[int]] = {}
    for position, error in errors.items():
        by_error.setdefault(error, []).append(first + position)
    raise_data_problems(
        [f"{error} in {len(at)} rows: {examples(at)}" for error, at in by_error.items()],
        expected_columns(columns),
    )


def expected_columns(columns: Sequence[str]) -> str:
    """Return a message's description of the columns that hold the texts."""
    return (
        f"a column {columns[0]!r} of texts"
        if len(columns) == 1
        else f"the columns {names(columns)} of texts"
    )
