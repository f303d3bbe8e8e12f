"""Write Arrow batches to csv, tsv, jsonl and parquet files.

In csv and tsv files, the heading and the strings are quoted. Every reader then keeps line breaks
and separators as part of a text. Values that csv cannot hold, such as lists, are written as JSON.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from clx.ml.data.arrow_values import is_json
from clx.ml.data.tables.formats import SEPARATORS, FileFormat
from clx.ml.data.tables.json_text import json_lines
from clx.ml.data.tables.json_types import plain
from clx.ml.run_directory.files import fsync

if TYPE_CHECKING:
    import pyarrow as pa


def write_rows(
    batches: Iterable[pa.RecordBatch], schema: pa.Schema, path: Path, form: FileFormat
) -> None:
    """Write batches to a new file and flush it to the disk. The caller renames it.

    Args:
        batches: the rows.
        schema: the schema of every batch.
        path: the file to write.
        form: how to write it.
    """
    if form.kind == "parquet":
        _write_parquet(batches, schema, path)
    else:
        with path.open("wb") as raw, _compressed(raw, form.compression) as stream:
            if form.kind == "jsonl":
                for batch in batches:
                    stream.write(json_lines(batch))
            else:
                _write_delimited(batches, schema, stream, form.kind)
    fsync(path)


@contextlib.contextmanager
def _compressed(raw: IO[bytes], compression: str | None) -> Iterator[Any]:
    if compression is None:
        yield raw
    elif compression == "zstd":
        import pyarrow as pa

        with pa.CompressedOutputStream(raw, "zstd") as stream:
            yield stream
    else:
        opened: Any = (
            bz2.BZ2File(raw, "wb")
            if compression == "bz2"
            else gzip.GzipFile(fileobj=raw, mode="wb", mtime=0)
        )
        with opened as stream:
            yield stream


def _write_parquet(batches: Iterable[pa.RecordBatch], schema: pa.Schema, path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    # Other readers handle JSON text better than Arrow's JSON type.
    stored = pa.schema([_stored(field) for field in schema])
    with pq.ParquetWriter(path, stored) as writer:
        for batch in batches:
            columns = [
                batch.column(field.name).storage
                if is_json(field.type)
                else batch.column(field.name)
                for field in schema
            ]
            writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=stored))


def _stored(field: pa.Field) -> pa.Field:
    return field.with_type(field.type.storage_type) if is_json(field.type) else field


def _write_delimited(
    batches: Iterable[pa.RecordBatch], schema: pa.Schema, stream: Any, kind: str
) -> None:
    import pyarrow as pa
    from pyarrow import csv

    flat = pa.schema([(field.name, _flat_type(field.type)) for field in schema])
    # Without quotes around numbers, a tsv file could look like one without quoting.
    style = "all_valid" if kind == "tsv" else "needed"
    options = csv.WriteOptions(delimiter=SEPARATORS[kind], quoting_style=style)
    with csv.CSVWriter(stream, flat, write_options=options) as writer:
        for batch in batches:
            columns = [_flat(batch.column(field.name), field.type) for field in schema]
            writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=flat))


def _flat_type(kind: pa.DataType) -> pa.DataType:
    import pyarrow as pa

    numeric = pa.types.is_integer(kind) or pa.types.is_floating(kind)
    return kind if numeric and not pa.types.is_float16(kind) else pa.string()


def _flat(array: pa.Array, kind: pa.DataType) -> pa.Array:
    """Return a column with strings in place of values that a csv cell cannot hold."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_floating(kind) and not pa.types.is_float16(kind):
        return pc.if_else(pc.is_nan(array), pa.scalar(None, kind), array)
    if pa.types.is_integer(kind) or pa.types.is_string(kind):
        return array
    if is_json(kind):
        return pa.array([_json_cell(text) for text in array.storage.to_pylist()], pa.string())
    return pa.array([_cell(value) for value in array.to_pylist()], pa.string())


def _json_cell(text: str | None) -> str | None:
    """Return a JSON value as a cell: a string as itself, anything else as JSON."""
    if text is None or not text.startswith('"'):
        return text
    value = json.loads(text)
    try:
        value.encode()
    except UnicodeEncodeError:
        return text
    return str(value)


def _cell(value: Any) -> str | None:
    value = plain(value)
    if value is None or isinstance(value, str):
        return value
    return str(value) if isinstance(value, bool) else json.dumps(value, ensure_ascii=False)
