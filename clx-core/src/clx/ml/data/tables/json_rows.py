"""JSON lines and JSON arrays of objects, with every value as it is written.

A first pass over the file finds the keys of all rows and a type for each; a second one makes batches.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from clx.errors import DataFormatError
from clx.ml.data.reading import Reading
from clx.ml.data.tables.encodings import TextFile, text_file
from clx.ml.data.tables.json_types import (
    NULL,
    Shape,
    array_of,
    arrow_type,
    checked_shape,
    holds_surrogate,
    together,
)
from clx.ml.data.tables.rows import Rows, fitted
from clx.ml.data.tables.streams import FileSource
from clx.problems import cell, examples

if TYPE_CHECKING:
    import pyarrow as pa

CHUNK_ROWS = 4096

LINE_ENDS = ("\n", "\r\n", "")

Row = dict[str, Any]


def open_json_lines(source: FileSource, reading: Reading, keep: bool = False) -> Rows:
    """Open a file with one JSON object per line.

    Args:
        source: the file.
        reading: how the caller wants the file to be read.
        keep: keep the rows in memory, for a caller that reads them all.

    Raises:
        DataFormatError: a line is not a JSON object; the message names the line.
    """
    text = text_file(source, reading.encoding)
    return rows_of_stream(source.name, lambda: _objects(text), keep=keep)


def open_json(source: FileSource, reading: Reading, keep: bool = False) -> Rows:
    """Open a JSON file: an array of objects, an object of columns, or JSON lines under this name.

    Args:
        source: the file. It is read into memory.
        reading: how the caller wants the file to be read.
        keep: as for :func:`open_json_lines`.

    Raises:
        DataFormatError: the file is not JSON, or has no rows in it.
    """
    text = text_file(source, reading.encoding)
    with text.open() as stream:
        content = stream.read()
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        if "Extra data" in str(error):
            return open_json_lines(source, reading, keep)
        raise DataFormatError(f"{source.name}: not JSON ({error})") from error
    return rows_of_objects(source.name, _rows_in(value, source.name))


def _rows_in(value: Any, name: str) -> list[Row]:
    if isinstance(value, dict) and value and all(isinstance(v, list) for v in value.values()):
        if len(value) == 1 and all(isinstance(row, dict) for row in next(iter(value.values()))):
            value = next(iter(value.values()))
        elif len({len(column) for column in value.values()}) == 1:
            value = [
                dict(zip(value, row, strict=True)) for row in zip(*value.values(), strict=True)
            ]
    if isinstance(value, dict):
        value = [value]
    if not isinstance(value, list):
        raise DataFormatError(f"{name} is not an array of objects, but {cell(value)}")
    for position, row in enumerate(value):
        if not isinstance(row, dict):
            raise DataFormatError(f"{name}, item {position}: {cell(row)} is not a JSON object")
    return value


def rows_of_objects(name: str, objects: Sequence[Row], columns: Iterable[str] = ()) -> Rows:
    """Return the rows for objects that are in memory.

    Args:
        name: the source in messages.
        objects: the rows, each from column to a value of JSON.
        columns: columns that are there even if no row has them.
    """
    return rows_of_stream(name, lambda: iter(objects), columns)


def rows_of_stream(
    name: str,
    objects: Callable[[], Iterator[Row]],
    columns: Iterable[str] = (),
    keep: bool = False,
) -> Rows:
    """Return the rows for objects that can be read repeatedly. This function reads them once.

    Args:
        name: the source in messages.
        objects: yields the rows anew at each call, each from column to a value of JSON.
        columns: columns that are there even if no row has them.
        keep: keep the rows in memory, and read the objects only once.
    """
    shapes: dict[str, Shape] = dict.fromkeys(columns, NULL)
    count = 0
    kept = []
    for chunk in _chunks(objects()):
        found = _shapes(chunk)
        if holds_surrogate(list(found)):
            raise DataFormatError(
                f"{name} has a key with half of a surrogate pair, which is no name of a column: "
                f"{examples([key for key in found if holds_surrogate([key])])}"
            )
        for key, shape in found.items():
            shapes[key] = together(shapes.get(key, NULL), shape)
        count += len(chunk)
        if keep:
            kept.append(_batch(chunk, _schema(found)))
    schema = _schema(shapes)

    def read() -> Iterator[pa.RecordBatch]:
        if keep:
            return (fitted(batch, schema) for batch in kept)
        return (_batch(chunk, schema) for chunk in _chunks(objects()))

    return Rows(name, schema, read, count)


def _objects(text: TextFile) -> Iterator[Row]:
    """Yield the objects of the lines, and skip blank lines.

    ``json`` keeps what other readers drop: lone surrogates, large integers, strings like dates.
    """
    scan = json.JSONDecoder().raw_decode
    with text.open() as stream:
        for number, line in enumerate(io.TextIOWrapper(stream, "utf-8", newline="\n"), 1):
            try:
                value, end = scan(line)
            except (ValueError, RecursionError):
                end = 0
            if not end or line[end:] not in LINE_ENDS:
                # The line is not exactly one object and a line feed. This way is slower, but its
                # errors say why.
                if not line.strip():
                    continue
                value = _parsed(line, text.source.name, number)
            if not isinstance(value, dict):
                raise DataFormatError(
                    f"{text.source.name}, line {number}: {cell(value)} is not a JSON object"
                )
            yield value


def _parsed(line: str, name: str, number: int) -> Any:
    try:
        # Concatenated files have byte order marks between them.
        return json.loads(line.lstrip("\ufeff"))
    except (ValueError, RecursionError) as error:
        # The decoder's own message counts lines within the line.
        what = getattr(error, "msg", error)
        raise DataFormatError(
            f"{name}, line {number}: not JSON ({what}): {cell(line.rstrip())}"
        ) from error


def _chunks(objects: Iterable[Row]) -> Iterator[list[Row]]:
    iterator = iter(objects)
    while chunk := list(islice(iterator, CHUNK_ROWS)):
        yield chunk


def _shapes(chunk: Sequence[Row]) -> dict[str, Shape]:
    keys = dict.fromkeys(chain.from_iterable(chunk))
    return {key: checked_shape([row.get(key) for row in chunk]) for key in keys}


def _schema(shapes: dict[str, Shape]) -> pa.Schema:
    import pyarrow as pa

    return pa.schema([(key, arrow_type(shape)) for key, shape in shapes.items()])


def _batch(chunk: Sequence[Row], schema: pa.Schema) -> pa.RecordBatch:
    import pyarrow as pa

    columns = [array_of([row.get(f.name) for row in chunk], f.type) for f in schema]
    if not columns:
        # Rows without any key count as rows.
        return pa.RecordBatch.from_struct_array(pa.array([{}] * len(chunk), pa.struct([])))
    return pa.RecordBatch.from_arrays(columns, schema=schema)
