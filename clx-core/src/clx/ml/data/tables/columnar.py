"""Parquet and Arrow files: typed columns, read in batches."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING

from clx.ml.data.tables.rows import Rows, refuse_repeated
from clx.ml.data.tables.streams import FileSource

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_ROWS = 4096

BUFFER = 1 << 18
"""The number of bytes that are read at once from each column of a Parquet file."""


def open_parquet(source: FileSource) -> Rows:
    """Open a parquet file. A pandas index in it is a column, as it is in the file.

    Raises:
        DataFormatError: the file is not valid.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    with _opened(source) as stream, pq.ParquetFile(stream) as file:
        schema, count = file.schema_arrow, file.metadata.num_rows
    index = _named_ranges(schema, count)
    for name in index:
        schema = schema.append(pa.field(name, pa.int64()))
    refuse_repeated(schema.names, source.name)

    def read() -> Iterator[pa.RecordBatch]:
        first = 0
        # Otherwise the columns of a whole row group, often a million rows, are read at once.
        options = {"pre_buffer": False, "buffer_size": BUFFER}
        with _opened(source) as stream, pq.ParquetFile(stream, **options) as file:
            for batch in file.iter_batches(batch_size=BATCH_ROWS):
                rows = slice(first, first + batch.num_rows)
                ranges = [pa.array(list(values[rows]), pa.int64()) for values in index.values()]
                yield pa.RecordBatch.from_arrays([*batch.columns, *ranges], schema=schema)
                first = rows.stop

    return Rows(source.name, schema, read, count)


def open_arrow(source: FileSource) -> Rows:
    """Open an Arrow file (Feather) or stream.

    Raises:
        DataFormatError: the file is not valid.
    """
    import pyarrow as pa

    def batches(stream: IO[bytes]) -> Iterator[pa.RecordBatch]:
        try:
            file = pa.ipc.open_file(stream)
        except pa.ArrowInvalid:
            stream.seek(0)
            yield from pa.ipc.open_stream(stream)
            return
        for number in range(file.num_record_batches):
            yield file.get_batch(number)

    def read() -> Iterator[pa.RecordBatch]:
        with _opened(source) as stream:
            yield from batches(stream)

    with _opened(source) as stream:
        try:
            schema = pa.ipc.open_file(stream).schema
        except pa.ArrowInvalid:
            stream.seek(0)
            schema = pa.ipc.open_stream(stream).schema
    refuse_repeated(schema.names, source.name)
    return Rows(source.name, schema, read)


def _named_ranges(schema: pa.Schema, count: int) -> dict[str, range]:
    """Return the named indexes that pandas stored as a range, not as a column."""
    found = {}
    for stored in (schema.pandas_metadata or {}).get("index_columns", []):
        name = stored.get("name") if isinstance(stored, dict) else None
        if name is not None and name not in schema.names:
            values = range(stored["start"], stored["stop"], stored["step"])
            if len(values) == count:
                found[str(name)] = values
    return found


@contextlib.contextmanager
def _opened(source: FileSource) -> Iterator[IO[bytes]]:
    """Open the file for random access; its errors name it."""
    with source.errors_named(), source.open_raw() as stream:
        yield stream
