"""A file that is read part by part, each part where the last one ended."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from clx.ml.data.tables.rows import Rows, fitted

if TYPE_CHECKING:
    import pyarrow as pa

AT_ONCE = 4096
"""How many rows of a part are in memory at a time."""


class Position:
    """A file that is being read.

    Args:
        rows: its rows from the first one to read on.
        schema: the columns to return.
        fingerprint: identifies its content.
        row: the number of the first row to read.

    Attributes:
        fingerprint: the argument.
        row: the number of the next row.
    """

    def __init__(self, rows: Rows, schema: pa.Schema, fingerprint: str, row: int) -> None:
        self.fingerprint, self.row = fingerprint, row
        self._schema = schema
        self._batches = iter(rows.read())
        self._left: pa.RecordBatch | None = None

    def take(self, first: int, rows: int) -> Iterator[pa.RecordBatch]:
        """Yield some rows, after dropping those before them."""
        end = first + rows
        while self.row < end:
            batch = self._left if self._left is not None else next(self._batches, None)
            if batch is None:
                return
            skipped = min(batch.num_rows, max(0, first - self.row))
            taken = min(batch.num_rows - skipped, end - self.row - skipped, AT_ONCE)
            self.row += skipped + taken
            rest = batch.slice(skipped + taken)
            self._left = rest if rest.num_rows else None
            if taken:
                yield fitted(self._named(batch.slice(skipped, taken)), self._schema)

    def _named(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        import pyarrow as pa

        present = [name for name in self._schema.names if name in batch.schema.names]
        fields = [batch.schema.field(name).remove_metadata() for name in present]
        return pa.RecordBatch.from_arrays(
            [batch.column(name) for name in present], schema=pa.schema(fields)
        )
