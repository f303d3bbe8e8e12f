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

FOOTER_END = 8
"""The bytes behind the footer of a Parquet file: its length, and a mark."""

BUFFER = 1 << 18
"""The number of bytes that are read at once from each column of a Parquet file."""


def open_parquet(source: FileSource, start: int = 0) -> Rows:
    """Open a parquet file. A pandas index in it is a column, as it is in the file.

    Args:
        source: the file.
        start: the first row to read. Groups of rows before it are not read.

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
        # Otherwise the columns of a whole row group, often a million rows, are read at once.
        options = {"pre_buffer": False, "buffer_size": BUFFER}
        with _opened(source) as stream, pq.ParquetFile(stream, **options) as file:
            groups, first = _groups_from(file.metadata, start)
            for whole in file.iter_batches(batch_size=BATCH_ROWS, row_groups=groups):
                batch = whole.slice(max(0, start - first))
                first += whole.num_rows - batch.num_rows
                if not batch.num_rows:
                    continue
                rows = slice(first, first + batch.num_rows)
                ranges = [pa.array(list(values[rows]), pa.int64()) for values in index.values()]
                yield pa.RecordBatch.from_arrays([*batch.columns, *ranges], schema=schema)
                first = rows.stop

    return Rows(source.name, schema, read, max(0, count - start))


def _groups_from(metadata: Any, start: int) -> tuple[list[int], int]:
    """Return the groups of rows from the one that holds row ``start`` on, and its first row."""
    first = 0
    for group in range(metadata.num_row_groups):
        after = first + metadata.row_group(group).num_rows
        if after > start:
            return list(range(group, metadata.num_row_groups)), first
        first = after
    return [], first


def footer_of(source: FileSource) -> bytes:
    """Return the footer of a parquet file: its schema, and the statistics of each group of rows.

    Raises:
        DataFormatError: the file is not valid.
    """
    with _opened(source) as stream:
        size = stream.seek(0, 2)
        stream.seek(max(0, size - FOOTER_END))
        end = stream.read()
        length = int.from_bytes(end[:4], "little") if len(end) == FOOTER_END else 0
        stream.seek(max(0, size - FOOTER_END - length))
        return stream.read()


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
