"""Parquet and Arrow files: typed columns, read in batches."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any

from clx.ml.data.arrow_values import stored_ranges
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
    ranges = stored_ranges(schema, count)
    index = {str(name): values for name, values in ranges.items() if name is not None}
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

    def reader(stream: IO[bytes]) -> Any:
        try:
            return pa.ipc.open_file(stream)
        except pa.ArrowInvalid:
            stream.seek(0)
            return pa.ipc.open_stream(stream)

    def read() -> Iterator[pa.RecordBatch]:
        with _opened(source) as stream:
            opened = reader(stream)
            if isinstance(opened, pa.RecordBatchFileReader):
                yield from map(opened.get_batch, range(opened.num_record_batches))
            else:
                yield from opened

    with _opened(source) as stream:
        schema = reader(stream).schema
    refuse_repeated(schema.names, source.name)
    return Rows(source.name, schema, read)


@contextlib.contextmanager
def _opened(source: FileSource) -> Iterator[IO[bytes]]:
    """Open the file for random access; its errors name it."""
    with source.errors_named(), source.open_raw() as stream:
        yield stream


def parquet_run(source: FileSource, row: int, rows: int) -> pa.Table:
    """Return consecutive rows of a parquet file without reading those before them.

    Args:
        source: the file.
        row: the rows begin with the row group that holds this row.
        rows: how many to return; there are fewer at the end of the file.

    Raises:
        DataFormatError: the file is not valid.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    with _opened(source) as stream, pq.ParquetFile(stream, buffer_size=BUFFER) as file:
        groups = range(file.metadata.num_row_groups)
        first, passed = 0, 0
        for group in groups:
            if passed > row:
                break
            first, passed = group, passed + file.metadata.row_group(group).num_rows
        batches, held = [], 0
        for batch in file.iter_batches(rows, row_groups=list(groups[first:])):
            batches.append(batch.slice(0, rows - held))
            held += batches[-1].num_rows
            if held >= rows:
                break
        return pa.Table.from_batches(batches, file.schema_arrow)
