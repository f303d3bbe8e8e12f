"""Csv and tsv files: every cell is text, every row has the fields of the heading.

The heading and the use of quotes are decided for the whole file before any row is used. A file that
cannot be read either way raises an error that names the line.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from clx.errors import DataFormatError, DataWarning
from clx.ml.data.reading import Reading
from clx.ml.data.tables.encodings import TextFile, text_file
from clx.ml.data.tables.formats import SEPARATORS
from clx.ml.data.tables.quoting import (
    has_escaped_quotes,
    heading_bytes,
    only_quotes_escaped,
    quotes_look_regular,
    quoting_error,
    rows_with_lines,
)
from clx.ml.data.tables.rows import Rows, refuse_repeated
from clx.ml.data.tables.streams import FileSource
from clx.problems import cell
from clx_runtime.callers import user_level

if TYPE_CHECKING:
    import pyarrow as pa

HEAD = 1 << 18
"""The number of bytes at the beginning of a file in which its heading must be."""

SAMPLE_ROWS = 100
FIRST_BLOCK = 1 << 19
LARGEST_BLOCK = 1 << 30
"""Bytes per block. A block grows until it holds a row. Arrow reads up to 32 blocks ahead."""

SEPARATOR_LINE = re.compile(rb'"?sep=(.)"?(?:\r\n|\n|\r)', re.IGNORECASE)


@dataclass(frozen=True)
class Dialect:
    """How one file is read.

    Attributes:
        separator: the character between cells.
        quoted: whether quotes around a cell belong to the format and not to the text.
        escaped: whether a backslash stands before a quote that belongs to the text.
    """

    separator: str
    quoted: bool = True
    escaped: bool = False


@dataclass(frozen=True)
class Layout:
    """The layout of a file: where its rows begin, and their columns.

    Attributes:
        text: the file.
        start: the number of bytes before the first row.
        columns: the names of the columns.
        trailing: whether each row ends with a separator that starts no column.
    """

    text: TextFile
    start: int
    columns: tuple[str, ...]
    trailing: bool = False

    @property
    def width(self) -> int:
        """The fields of a row."""
        return len(self.columns) + self.trailing


@dataclass(frozen=True)
class BadRow:
    """A row with a wrong number of fields."""

    fields: int
    text: str


def open_delimited(source: FileSource, reading: Reading, keep: bool = False) -> Rows:
    """Open a csv or tsv file.

    Args:
        source: the file.
        reading: the caller's options for reading it.
        keep: keep the rows in memory, which saves one pass if the caller reads them all.

    Raises:
        DataFormatError: the file is not valid; the message names the line.
    """
    text = text_file(source, reading.encoding)
    head = _head(text)
    separator, skipped = _separator(source.format.kind, head, reading)
    bad = None
    for dialect in _dialects(source.format.kind, text, head[skipped:], separator):
        layout = _layout(text, head, skipped, dialect, reading)
        found = _scan(layout, dialect, keep)
        if not isinstance(found, BadRow):
            return found
        bad = bad or (layout, dialect, found)
    assert bad is not None
    raise DataFormatError(_wrong_fields(*bad))


def _head(text: TextFile) -> bytes:
    with text.open() as stream:
        return stream.read(HEAD)


def _separator(kind: str, head: bytes, reading: Reading) -> tuple[str, int]:
    """Return the separator, and the bytes of Excel's ``sep=`` line before the heading."""
    line = SEPARATOR_LINE.match(head)
    own = line.group(1).decode("latin-1") if line else SEPARATORS[kind]
    return reading.separator or own, line.end() if line else 0


def _dialects(kind: str, text: TextFile, head: bytes, separator: str) -> Iterator[Dialect]:
    """Yield the dialects to try, the most likely one first.

    Raises:
        DataFormatError: the quotes of a file that needs them are wrong.
    """
    quoted = Dialect(separator)
    heading_is_quoted = head.lstrip(b"\r\n").startswith(b'"')
    if kind == "tsv" and not heading_is_quoted:
        # Most tsv files have no quoting, and texts that begin with a quote.
        yield Dialect(separator, quoted=False)
        if quotes_look_regular(text, separator) or quoting_error(text, separator) is None:
            yield quoted
        return
    if quotes_look_regular(text, separator):
        yield quoted
        return
    mistake = quoting_error(text, separator)
    if mistake is None:
        yield quoted
        return
    if has_escaped_quotes(text):
        yield replace(quoted, escaped=True)
    line, what = mistake
    raise DataFormatError(
        f"{text.source.name}, line {line}: {what}. Double the quotes inside a quoted cell, or save "
        f"the table as jsonl or parquet."
    )


def _layout(
    text: TextFile, head: bytes, skipped: int, dialect: Dialect, reading: Reading
) -> Layout:
    rows = rows_with_lines(text, dialect.separator, dialect.quoted)
    sample = [row for _, (_, row) in zip(range(SAMPLE_ROWS + 2), rows, strict=False)]
    rows.close()  # type: ignore[attr-defined]
    sample = sample[1:] if skipped else sample
    name = text.source.name
    while sample and not sample[0] and reading.header is True:
        # Blank lines before the heading.
        sample = sample[1:]
    if not sample:
        raise DataFormatError(f"{name} is empty")
    if reading.header is True:
        columns, body = sample[0], sample[1:]
        start = skipped + heading_bytes(head[skipped:], dialect.separator, dialect.quoted)
    else:
        given = reading.header or [f"column_{i}" for i in range(1, len(sample[0]) + 1)]
        columns, body, start = list(given), sample, skipped
    body = [row for row in body if row]
    width = len(columns)
    ends_open = bool(body) and all(len(row) == width + 1 and not row[-1] for row in body)
    # pandas writes its index under an empty name, and reads it under this one.
    named = [column or f"Unnamed: {place}" for place, column in enumerate(columns)]
    refuse_repeated(named, name)
    return Layout(text, start, tuple(named), ends_open)


def _scan(layout: Layout, dialect: Dialect, keep: bool) -> Rows | BadRow:
    """Read the whole file once. Return its rows, or the first one that does not fit."""
    import pyarrow as pa

    block = FIRST_BLOCK
    while True:
        bad: list[BadRow] = []
        kept, count = [], 0
        try:
            for batch in _batches(layout, dialect, block, bad):
                count += batch.num_rows
                if bad:
                    return bad[0]
                if keep:
                    kept.append(batch)
        except (pa.ArrowInvalid, DataFormatError) as error:
            # The source names the file in Arrow's errors.
            if "straddl" in str(error.__cause__ or error) and block < LARGEST_BLOCK:
                block *= 8
                continue
            if isinstance(error, DataFormatError):
                raise
            raise DataFormatError(layout.text.source.unreadable(error)) from error
        if bad:
            return bad[0]
        break

    def read() -> Iterator[pa.RecordBatch]:
        return iter(kept) if keep else _batches(layout, dialect, block, [])

    if dialect.escaped:
        warnings.warn(
            f"{layout.text.source.name}: quotes are escaped with backslashes and were read that way",
            DataWarning,
            stacklevel=user_level(),
        )
    schema = pa.schema([(name, pa.string()) for name in layout.columns])
    return Rows(layout.text.source.name, schema, read, count, text_cells=True)


def _batches(
    layout: Layout, dialect: Dialect, block: int, bad: list[BadRow]
) -> Iterator[pa.RecordBatch]:
    """Yield the rows; those with a wrong number of fields are added to ``bad``."""
    import pyarrow as pa
    from pyarrow import csv

    names = [*layout.columns, *(["\0"] if layout.trailing else [])]
    single = len(names) == 1

    def unfit(row: Any) -> str:
        # A line of blanks is not a row. A line of separators is.
        if row.text.strip() or row.actual_columns > 1:
            bad.append(BadRow(row.actual_columns, row.text))
        return "skip"

    with layout.text.open() as stream:
        stream.read(layout.start)
        if not stream.peek(1):  # type: ignore[attr-defined]
            return
        reader = csv.open_csv(
            only_quotes_escaped(stream) if dialect.escaped else stream,
            read_options=csv.ReadOptions(use_threads=False, column_names=names, block_size=block),
            parse_options=csv.ParseOptions(
                delimiter=dialect.separator,
                quote_char='"' if dialect.quoted else False,
                escape_char="\\" if dialect.escaped else False,
                newlines_in_values=dialect.quoted,
                ignore_empty_lines=not single,
                invalid_row_handler=unfit,
            ),
            convert_options=csv.ConvertOptions(
                column_types={name: pa.string() for name in names},
                null_values=[""],
                strings_can_be_null=True,
            ),
        )
        for batch in reader:
            if layout.trailing:
                extra = batch.column(batch.num_columns - 1)
                if extra.null_count < len(extra):
                    value = next(each for each in extra.to_pylist() if each is not None)
                    bad.append(BadRow(layout.width, value))
                batch = batch.select(list(layout.columns))
            yield batch


def _wrong_fields(layout: Layout, dialect: Dialect, bad: BadRow) -> str:
    """Return the message for a row with a wrong number of fields."""
    width = layout.width
    line = 0
    for first, row in rows_with_lines(layout.text, dialect.separator, dialect.quoted):
        is_row = len(row) > 1 or any(value.strip() for value in row)
        if len(row) != width and is_row and first > (1 if layout.start else 0):
            line = first
            break
    where = f", line {line}" if line else ""
    expected = len(layout.columns)
    advice = (
        f"Quote the cells that contain {dialect.separator!r}"
        if bad.fields >= width
        else f"Add the missing cells, or name the separator if it is not {dialect.separator!r}"
    )
    return (
        f"{layout.text.source.name}{where}: {bad.fields} fields, but the heading has {expected} "
        f"columns: {cell(bad.text)}. {advice}, or save the table as jsonl or parquet."
    )
