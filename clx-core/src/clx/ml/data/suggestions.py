"""Labeled rows in a file: every column of the data, and perhaps a suggestion for each label."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from clx.errors import DataFormatError
from clx.ml.data.frames import to_frame, training_sources
from clx.ml.data.reading import DEFAULT_READING, Reading
from clx.ml.data.tables.json_types import array_of, arrow_type, checked_shape, plain
from clx.ml.data.tables.targets import Target, open_target
from clx.ml.data.tables.writing import write_rows
from clx.ml.machine.disk import full_disk_named
from clx.ml.run_directory.lock import only_writer_of_file

if TYPE_CHECKING:
    import pandas as pd

SUGGESTED, SCORE = "suggested_label", "label_score"
"""The columns that are added. A training ignores them, and another call replaces them."""

ADDED = {SUGGESTED: "suggested", SCORE: "score"}
"""The same columns, with the columns of ``find_label_errors`` that they come from."""


def labeled_source(
    data: Any, eval_data: Any = None, reading: Reading = DEFAULT_READING
) -> tuple[pd.DataFrame, Any]:
    """Return all rows and columns of labeled data, and the data to evaluate on.

    Args:
        data: as for ``TrainingRun.train``. Of a ``DatasetDict``, this is the split ``train``.
        eval_data: the data to evaluate on, None for the split ``validation`` of a ``DatasetDict``.
        reading: how to read a text file.

    Returns:
        The rows, numbered from 0 by the index, and the eval data, which is not read.

    Raises:
        DataFormatError: the data cannot be read.
    """
    source, others = training_sources(data, eval_data, reading)
    return to_frame(source, "data", reading).reset_index(drop=True), others


def rows_to_correct(data: Any, reading: Reading = DEFAULT_READING) -> pd.DataFrame:
    """Return all rows and columns of labeled data, without the columns of an earlier call.

    Args:
        data: as for ``TrainingRun.train``. Of a ``DatasetDict``, this is the split ``train``.
        reading: how to read a text file.

    Returns:
        The rows, numbered from 0 by the index.

    Raises:
        DataFormatError: the data cannot be read, or has one of the added columns, but not both.
    """
    frame, _ = labeled_source(data, None, reading)
    there = [name for name in (SUGGESTED, SCORE) if name in frame.columns]
    if len(there) == 1:
        raise DataFormatError(
            f"data has a column {there[0]!r}, which would be replaced: give it another name"
        )
    return frame.drop(columns=there)


def target_of(target: str | os.PathLike[str], source: Any, overwrite: bool = False) -> Target:
    """Return the file to write, after checking that it can be written.

    Args:
        target: its path, or an address.
        source: the data, which must not be the target.
        overwrite: replace an existing file.

    Raises:
        RunExistsError: it exists, and ``overwrite`` is not set.
        DataFormatError: clx does not write such files, or the target is also the source.
    """
    found = open_target(os.fspath(target))
    found.refuse(str(source), overwrite)
    return found


def write_suggestions(target: Target, frame: pd.DataFrame, errors: pd.DataFrame) -> None:
    """Write rows with two more columns; the file appears when it is complete.

    The columns are ``suggested_label`` and ``label_score``, the probability of the given label. Both
    are empty in rows that do not look wrong. The rows keep their order.

    Args:
        target: the file.
        frame: the rows.
        errors: what ``TrainingRun.find_label_errors`` returned for them.
    """
    added = {name: _spread(errors[of], len(frame)) for name, of in ADDED.items()}
    _write(target, {**_columns(frame), **added})


def write_frame(target: Target, frame: pd.DataFrame) -> None:
    """Write all rows and columns of a frame; the file appears when it is complete."""
    _write(target, _columns(frame))


def _columns(frame: pd.DataFrame) -> dict[str, list[Any]]:
    return {str(name): _cells(frame[name]) for name in frame.columns}


def _write(target: Target, columns: dict[str, list[Any]]) -> None:
    import pyarrow as pa

    arrays = {name: array_of(v, arrow_type(checked_shape(v))) for name, v in columns.items()}
    batch = pa.RecordBatch.from_pydict(arrays)
    with only_writer_of_file(target.local), full_disk_named(target.local.parent):
        write_rows([batch], batch.schema, target.new, target.format)
        target.publish()


def _cells(column: pd.Series) -> list[Any]:
    """Return the values of a column as JSON values, None where a value is missing."""
    present = column.notna().tolist()
    return [plain(v) if there else None for v, there in zip(column.tolist(), present, strict=True)]


def _spread(values: pd.Series, rows: int) -> list[Any]:
    """Return values by their row numbers, None for the other rows."""
    cells: list[Any] = [None] * rows
    for row, value in zip(values.index, values.tolist(), strict=True):
        cells[int(row)] = plain(value)
    return cells
