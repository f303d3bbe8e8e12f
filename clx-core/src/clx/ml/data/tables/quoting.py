"""Whether the quotes of a csv file follow RFC 4180: a cell is quoted as a whole or not at all."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from clx.ml.data.tables.streams import blocks

if TYPE_CHECKING:
    from clx.ml.data.tables.encodings import TextFile

QUOTE, LINE_FEED, RETURN = b'"\n\r'


def quotes_look_regular(text: TextFile, separator: str) -> bool:
    """Return whether each quote opens or closes a cell, or is doubled within one.

    The answer "no" may be wrong for quotes within unquoted cells, as in ``5" pipe``; then
    :func:`quoting_error` decides, which is slower.
    """
    import numpy as np

    edges = np.array([ord(separator), LINE_FEED, RETURN, QUOTE], dtype=np.uint8)
    before, opened = LINE_FEED, 0
    with text.open() as stream:
        data = b""
        for block in blocks(stream):
            data += block
            # Keep the last byte back, because the byte after it is not known yet.
            known = np.frombuffer(bytes([before]) + data, dtype=np.uint8)
            places = np.flatnonzero(known[1:-1] == QUOTE) + 1
            inside = (np.arange(len(places)) + opened) % 2 == 1
            neighbors = np.where(inside, known[places + 1], known[places - 1])
            if not np.isin(neighbors, edges).all():
                return False
            opened += len(places)
            before, data = int(known[-2]), data[-1:]
    return (opened + data.count(b'"')) % 2 == 0


def quoting_error(text: TextFile, separator: str) -> tuple[int, str] | None:
    """Return the line and the kind of the first mistake in the quoting, None if there is none."""
    with text.open() as stream:
        lines = io.TextIOWrapper(stream, "utf-8", newline="")
        reader = csv.reader(lines, delimiter=separator, strict=True)
        try:
            for _row in reader:
                pass
        except csv.Error as error:
            if "field larger than" in str(error):
                return None
            what = (
                "a quote is opened and never closed"
                if "end of data" in str(error)
                else "there is text after the closing quote of a cell"
            )
            return reader.line_num, what
    return None


def has_escaped_quotes(text: TextFile) -> bool:
    """Return whether any quote follows a backslash."""
    before = b""
    with text.open() as stream:
        for block in blocks(stream):
            if b'\\"' in before + block:
                return True
            before = block[-1:]
    return False


def rows_with_lines(
    text: TextFile, separator: str, quoted: bool
) -> Iterator[tuple[int, list[str]]]:
    """Yield each row's first line, counted from 1, and its cells. For messages and headings: slow."""
    style: Any = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
    with text.open() as stream:
        lines = io.TextIOWrapper(stream, "utf-8", newline="")
        reader = csv.reader(lines, delimiter=separator, quoting=style)
        first = 1
        try:
            for row in reader:
                yield first, row
                first = reader.line_num + 1
        except csv.Error:
            return
