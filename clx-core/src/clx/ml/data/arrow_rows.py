"""Rows by position from Arrow: files that are mapped into memory, tables, and ``datasets``."""

from __future__ import annotations

import abc
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clx.errors import DataFormatError
from clx.ml.data.arrow_frames import table_to_frame
from clx.ml.data.frames import to_frame
from clx.ml.data.lazy_rows import PART_ROWS, FrameRows, LazyRows, Sizes
from clx.ml.data.objects import object_to_table
from clx.ml.data.tables.fingerprints import batch_fingerprint
from clx.ml.data.tables.rows import refuse_repeated
from clx_runtime.objects import comes_from

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

DIGEST_ROWS = 4096
"""Rows per digest of a part, whatever batches a file is stored in."""


class _ArrowTables(LazyRows):
    """Rows that are read as Arrow tables."""

    @abc.abstractmethod
    def table(self, rows: Sequence[int], columns: Sequence[str] | None = None) -> pa.Table:
        """Return the rows at some positions."""

    def frame(self, rows: Sequence[int], columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Return the rows at some positions; their index labels are these positions."""
        import pandas as pd

        frame = table_to_frame(self.table(rows, columns))
        if isinstance(rows, range):
            frame.index = pd.RangeIndex(rows.start, rows.stop)
        else:
            frame.index = pd.Index(list(rows))
        return frame

    def characters(self, columns: Sequence[str]) -> Iterator[tuple[int, Sizes]]:
        """Yield the position of the first row, and the characters of its texts, of each part."""
        import pyarrow as pa
        import pyarrow.compute as pc

        for start in range(0, len(self), PART_ROWS):
            stop = min(start + PART_ROWS, len(self))
            table, sizes = self.table(range(start, stop), columns), np.zeros(stop - start, np.int64)
            for column in table.columns:
                text = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
                if not text or column.null_count:
                    yield start, None
                    break
                sizes += pc.utf8_length(column).to_numpy()
            else:
                yield start, sizes

    def digest(self) -> str:
        """Return a digest of all values."""
        digest = hashlib.sha256()
        for start in range(0, len(self), DIGEST_ROWS):
            rows = self.table(range(start, min(start + DIGEST_ROWS, len(self))))
            for batch in rows.combine_chunks().to_batches():
                digest.update(batch_fingerprint(batch).encode())
        return digest.hexdigest()


class DatasetRows(_ArrowTables):
    """The rows of a ``datasets.Dataset``, which keeps them in files or in memory."""

    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset.with_format("arrow")

    def __len__(self) -> int:
        return len(self._dataset)

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        return list(self._dataset.column_names)

    def table(self, rows: Sequence[int], columns: Sequence[str] | None = None) -> pa.Table:
        """Return the rows at some positions."""
        dataset = self._dataset
        if columns is not None:
            dataset = dataset.select_columns(list(columns))
        if isinstance(rows, range):
            table = dataset[rows.start : rows.stop]
        else:
            table = dataset[list(map(int, rows))]
        # The names of class labels are in the metadata of the features' own schema.
        return table.replace_schema_metadata(dataset.features.arrow_schema.metadata)


class BatchRows(_ArrowTables):
    """The rows of Arrow batches, in memory or in uncompressed files, which are mapped into memory.

    Args:
        batches: the batches of a table in memory; empty if there are files.
        files: Arrow files with one schema.
        digest: the digest of all values if it is known.
    """

    def __init__(
        self,
        batches: Sequence[pa.RecordBatch] = (),
        files: Sequence[Path] = (),
        digest: str | None = None,
    ) -> None:
        self._batches, self._files, self._digest = list(batches), list(files), digest
        self._open()

    def _open(self) -> None:
        """Map the files. Only the places of the batches are kept in memory."""
        self._places: list[tuple[Any, int]] = [
            (self._batches, i) for i in range(len(self._batches))
        ]
        sizes = [batch.num_rows for batch in self._batches]
        for file in self._files:
            reader = mapped(file)
            for number in range(reader.num_record_batches):
                self._places.append((reader, number))
                sizes.append(reader.get_batch(number).num_rows)
        self._starts = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
        self._schema = self._batch(0).schema if self._places else None

    def __getstate__(self) -> dict[str, Any]:
        # A process that was not forked maps the files itself.
        kept = ("_batches", "_files", "_digest")
        return {name: vars(self)[name] for name in kept}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._open()

    def __len__(self) -> int:
        return int(self._starts[-1])

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        return [] if self._schema is None else list(self._schema.names)

    def _batch(self, number: int) -> pa.RecordBatch:
        where, place = self._places[number]
        return where[place] if isinstance(where, list) else where.get_batch(place)

    def table(self, rows: Sequence[int], columns: Sequence[str] | None = None) -> pa.Table:
        """Return the rows at some positions."""
        import pyarrow as pa

        pieces = self._run(rows) if isinstance(rows, range) else self._single(rows)
        schema = pa.schema([]) if self._schema is None else self._schema
        table = pa.Table.from_batches(pieces, schema)
        return table if columns is None else table.select(list(columns))

    def _run(self, rows: range) -> list[pa.RecordBatch]:
        """Return consecutive rows."""
        pieces, at = [], rows.start
        while at < rows.stop:
            number = int(np.searchsorted(self._starts, at, side="right")) - 1
            stop = min(rows.stop, int(self._starts[number + 1]))
            pieces.append(self._batch(number).slice(at - int(self._starts[number]), stop - at))
            at = stop
        return pieces

    def _single(self, rows: Sequence[int]) -> list[pa.RecordBatch]:
        """Return rows one by one: ``take`` would join the batches first."""
        wanted = np.asarray(rows, dtype=np.int64)
        numbers = np.searchsorted(self._starts, wanted, side="right") - 1
        batches = {number: self._batch(number) for number in dict.fromkeys(numbers.tolist())}
        places = wanted - self._starts[numbers]
        return [
            batches[number].slice(place, 1)
            for number, place in zip(numbers.tolist(), places.tolist(), strict=True)
        ]

    def digest(self) -> str:
        """Return a digest of all values."""
        if self._digest is None:
            self._digest = super().digest()
        return self._digest


def mapped(file: Path) -> Any:
    """Return a reader of an Arrow file that is mapped into memory.

    Raises:
        pyarrow.ArrowInvalid: it is an Arrow stream, which has no index of its batches.
    """
    import pyarrow as pa

    return pa.ipc.open_file(pa.memory_map(str(file)))


def is_mappable(file: Path) -> bool:
    """Return whether the rows of an Arrow file can be used where they are, without decompression."""
    import pyarrow as pa

    try:
        reader = mapped(file)
        before = pa.total_allocated_bytes()
        first = [reader.get_batch(number) for number in range(min(1, reader.num_record_batches))]
    except (OSError, pa.ArrowException):
        return False
    # The buffers of a compressed batch are decompressed into memory.
    return bool(first) and pa.total_allocated_bytes() == before


def lazy_rows(data: Any, what: str) -> LazyRows:
    """Return the rows of an opened source by position.

    Args:
        data: rows that a reader of files has opened, or an object that :func:`to_frame` takes.
        what: the name of the data in messages.

    Raises:
        DataFormatError: the data has another type, no rows, or two columns with the same name.
    """
    rows = _rows_of(data, what)
    refuse_repeated(rows.columns, what)
    if not len(rows):
        raise DataFormatError(f"{what} has no rows")
    return rows


def _rows_of(data: Any, what: str) -> LazyRows:
    if isinstance(data, LazyRows):
        return data
    if comes_from(data, "datasets") and hasattr(data, "__len__"):
        return DatasetRows(data)
    table = None if comes_from(data, "pandas") else object_to_table(data)
    if table is not None:
        return BatchRows(table.to_batches())
    return FrameRows(to_frame(data, what))
