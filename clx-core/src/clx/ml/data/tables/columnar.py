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


def open_parquet(source: FileSource) -> Rows:
    """Open a parquet file. A pandas index in it is a column, as it is in the file.

    Raises:
        DataFormatError: the file is not valid.
    """
    import pyarrow.parquet as pq

    with _opened(source) as stream, pq.ParquetFile(stream) as file:
        schema, count = file.schema_arrow, file.metadata.num_rows
    refuse_repeated(schema.names, source.name)

    def read() -> Iterator[pa.RecordBatch]:
        with _opened(source) as stream, pq.ParquetFile(stream) as file:
            yield from file.iter_batches(batch_size=BATCH_ROWS)

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


@contextlib.contextmanager
def _opened(source: FileSource) -> Iterator[IO[bytes]]:
    """Open the file for random access; its errors name it."""
    with source.errors_named(), source.open_raw() as stream:
        yield stream
