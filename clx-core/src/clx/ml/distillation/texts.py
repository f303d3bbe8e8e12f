"""The texts that a student learns from, through any data door, a chunk at a time."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from clx.errors import DataFormatError
from clx.ml.data.frames import TRAIN, to_frame
from clx.ml.data.objects import has_splits
from clx.ml.data.reading import Reading
from clx.ml.data.tables.sources import is_source, open_rows
from clx.ml.data.texts import column_to_frame, frame_inputs
from clx.ml.prediction.text_rows import (
    raise_for_rows,
    require_columns,
    require_in_all_files,
    row_texts,
    with_empty_texts,
    with_export_texts,
)
from clx_runtime.objects import comes_from
from clx_runtime.texts import TextRow, as_text_rows, check_texts

CHUNK = 1024
"""The number of texts that are read, and answered by the teacher, at a time."""


@dataclass(frozen=True)
class TextSource:
    """Texts in order.

    Attributes:
        chunks: at most ``CHUNK`` texts at a time; it can be read once.
        count: the number of texts, None if it is not known.
        name: the source in messages.
    """

    chunks: Iterator[list[str]]
    count: int | None = None
    name: str = "texts"


def text_source(data: Any, columns: Sequence[str], reading: Reading) -> TextSource:
    """Return the texts of any data; files and iterators are read while they are used.

    Args:
        data: a list, Series, array or generator of texts, a table, or a source of rows.
        columns: the columns of texts.
        reading: how to read a text file.

    Raises:
        DataFormatError: the data cannot be read, lacks a column, or has a row without a text.
    """
    if isinstance(data, str | os.PathLike):
        name = os.fspath(data)
        if is_source(name) or glob.has_magic(name):
            return _of_files(name, columns, reading)
    elif _is_stream(data):
        rows = _rows_of(data, columns) if comes_from(data, "datasets") else data
        return TextSource(_chunks(as_text_rows(rows, columns)))
    elif (frame := column_to_frame(data, columns)) is not None:
        inputs = frame_inputs(frame, columns)
        return TextSource(_chunks(inputs), len(inputs))
    split = TRAIN if has_splits(data) else None
    inputs = frame_inputs(to_frame(data, "texts", reading, split, labeled=False), columns)
    return TextSource(_chunks(inputs), len(inputs))


def _is_stream(data: Any) -> bool:
    """Return whether data is an iterator, or a Dataset that is read while it is used."""
    if comes_from(data, "datasets"):
        return not hasattr(data, "__len__")
    return isinstance(data, Iterator)


def _rows_of(data: Iterable[Any], columns: Sequence[str]) -> Iterator[Any]:
    """Yield the texts of the rows of a streaming Dataset."""
    for row in data:
        missing = [name for name in columns if name not in row]
        if missing:
            raise DataFormatError(
                f"texts has no column {missing[0]!r}; its columns are {', '.join(map(str, row))}"
            )
        values = [row[name] for name in columns]
        yield values[0] if len(values) == 1 else TextRow(values)


def _chunks(texts: Iterable[Any]) -> Iterator[list[str]]:
    source, position = iter(texts), 0
    while chunk := list(islice(source, CHUNK)):
        yield check_texts(chunk, position)
        position += len(chunk)


def _of_files(name: str, columns: Sequence[str], reading: Reading) -> TextSource:
    rows = with_export_texts(with_empty_texts(open_rows(name, reading), columns), columns)
    require_columns(rows, columns, "columns of texts")
    require_in_all_files(rows, columns)

    def chunks() -> Iterator[list[str]]:
        first = 0
        for batch in rows.parts(CHUNK):
            found = row_texts(batch, columns, rows.text_cells)
            raise_for_rows(found.errors, first, columns)
            yield found.texts
            first += batch.num_rows

    return TextSource(chunks(), rows.count, name)
