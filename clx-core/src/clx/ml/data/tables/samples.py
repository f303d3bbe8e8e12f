"""Count and sample the rows of sources, and read no large source as a whole.

The rows of parquet files are counted in their footers. Other files are counted by reading them if they
are small. Of large text files, blocks are read, and the rows follow from the number of bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clx.errors import DataFormatError
from clx.ml.data.reading import Reading
from clx.ml.data.tables.blocks import Block, block_rows, blocks_of, stored_bytes
from clx.ml.data.tables.columnar import open_parquet, parquet_run
from clx.ml.data.tables.rows import Rows
from clx.ml.data.tables.sources import matching_files, open_rows
from clx.ml.data.tables.streams import FileSource

if TYPE_CHECKING:
    import pyarrow as pa

READ_WHOLE = 32 * 2**20
"""The most stored bytes of text files that are read as a whole, to count their rows."""

FOOTERS, COUNTED, ESTIMATED = "parquet footers", "counted", "estimated from bytes"
"""How the number of rows is known."""

UNSURE = 0.2
"""The relative error of a number of rows that follows from a single block."""


@dataclass(frozen=True)
class Run:
    """Consecutive rows of a source.

    Attributes:
        rows: the rows.
        text_cells: whether every cell is text, as in a csv file.
    """

    rows: pa.Table
    text_cells: bool = False


@dataclass(frozen=True)
class Sample:
    """The number of rows of some sources, and some of their rows.

    Attributes:
        rows: the number of rows.
        how: how the number is known; several words are joined by ``, ``.
        error: the relative standard error of the number; 0 if it was counted.
        runs: consecutive rows from several places.
        files: the number of files; 1 for a source that is read as a whole.
    """

    rows: int
    how: str
    error: float
    runs: tuple[Run, ...]
    files: int = 1


@dataclass(frozen=True)
class Places:
    """How much to sample.

    Attributes:
        runs: the number of places.
        rows: the consecutive rows at each place.
    """

    runs: int
    rows: int


def sample_sources(sources: Sequence[str], reading: Reading, places: Places) -> Sample:
    """Return the number of rows of sources, and some of the rows.

    Args:
        sources: files, folders, globs, queries and addresses, as for ``open_rows``.
        reading: how to read text files.
        places: how much to sample, of each kind of source.

    Raises:
        DataFormatError: there is no such source, or it is not valid.
        MissingDependencyError: a package is needed for it.
    """
    parquet: list[FileSource] = []
    lines: list[FileSource] = []
    whole: list[str] = []
    for source in sources:
        files = matching_files(source)
        kinds = {file.format.kind for file in files}
        in_lines = bool(files) and kinds <= {"csv", "tsv", "jsonl", "text"}
        in_lines = in_lines and not (kinds == {"text"} and files[0].inside is not None)
        if kinds == {"parquet"}:
            parquet += files
        elif in_lines and sum(map(stored_bytes, files)) > READ_WHOLE:
            lines += files
        else:
            whole.append(source)
    found = [_of_parquet(parquet, places)] if parquet else []
    if lines:
        found.append(_of_lines(lines, reading, places))
    found += [_of_rows(open_rows(source, reading), places) for source in whole]
    return _joined(found)


def _joined(samples: Sequence[Sample]) -> Sample:
    total = sum(each.rows for each in samples)
    wrong = sum(each.error * each.rows for each in samples)
    return Sample(
        total,
        ", ".join(dict.fromkeys(each.how for each in samples)),
        wrong / total if total else 0.0,
        tuple(run for each in samples for run in each.runs if run.rows.num_rows),
        sum(each.files for each in samples),
    )


def _of_parquet(files: Sequence[FileSource], places: Places) -> Sample:
    counts = [open_parquet(file).count or 0 for file in files]
    runs, before, number = [], 0, 0
    for start in starts_of(sum(counts), places):
        while start >= before + counts[number]:
            before, number = before + counts[number], number + 1
        runs.append(Run(parquet_run(files[number], start - before, places.rows)))
    return Sample(sum(counts), FOOTERS, 0.0, tuple(runs), len(files))


def _of_rows(rows: Rows, places: Places) -> Sample:
    """Count rows by reading them, unless their number is known."""
    count = rows.count
    if count is None:
        count = sum(batch.num_rows for batch in rows.read())
    starts, runs, first = starts_of(count, places), [], 0
    for batch in rows.parts(places.rows):
        if starts and first + batch.num_rows > starts[0]:
            runs.append(Run(_table(batch, rows), rows.text_cells))
            starts = [start for start in starts if start >= first + batch.num_rows]
        first += batch.num_rows
    return Sample(count, COUNTED, 0.0, tuple(runs))


def _table(batch: pa.RecordBatch, rows: Rows) -> pa.Table:
    import pyarrow as pa

    return pa.Table.from_batches([batch], rows.schema)


def _of_lines(files: Sequence[FileSource], reading: Reading, places: Places) -> Sample:
    total = sum(map(stored_bytes, files))
    found: list[tuple[Block, Rows]] = []
    several_lines = False
    for block in blocks_of(files, places.runs):
        if several_lines and not block.begins:
            # It may begin in a quoted cell, which cannot be detected.
            continue
        rows = block_rows(block, reading)
        if rows is not None:
            found.append((block, rows))
            several_lines = several_lines or _has_lines(rows)
    if not found:
        raise DataFormatError(
            f"{files[0].name} cannot be sampled: no block of it can be read by itself. Pass a part of "
            f"the data, or convert it to parquet."
        )
    runs, rates = [], []
    for block, rows in found:
        table = rows.table()
        rates.append(table.num_rows / block.stored)
        runs.append(Run(table.slice(0, places.rows), rows.text_cells))
    rate = sum(rates) / len(rates)
    error = UNSURE
    if len(rates) > 1:
        variance = sum((each - rate) ** 2 for each in rates) / (len(rates) - 1)
        error = max(0.01, (variance / len(rates)) ** 0.5 / rate)
    return Sample(round(rate * total), ESTIMATED, error, tuple(runs), len(files))


def _has_lines(rows: Rows) -> bool:
    """Return whether a cell of a csv file has several lines."""
    import pyarrow.compute as pc

    if not rows.text_cells:
        return False
    return any(pc.any(pc.match_substring(cells, "\n")).as_py() for cells in rows.table().columns)


def starts_of(count: int, places: Places) -> list[int]:
    """Return the positions of the first rows of runs that are spread evenly and do not overlap."""
    if count <= places.runs * places.rows:
        return list(range(0, count, places.rows))
    return [count * number // places.runs for number in range(places.runs)]
