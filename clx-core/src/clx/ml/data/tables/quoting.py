"""Whether the quotes of a csv file follow RFC 4180: a cell is quoted as a whole or not at all."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any

from clx.ml.data.tables.streams import blocks

if TYPE_CHECKING:
    from clx.ml.data.tables.encodings import TextFile

QUOTE, LINE_FEED, RETURN = b'"\n\r'

BACKSLASHES = re.compile(rb'\\["\\]?')
"""A backslash, with the quote or the backslash that it escapes."""


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


def heading_bytes(head: bytes, separator: str, quoted: bool) -> int:
    """Return the bytes of the first row that is not blank, with the blank lines before it.

    Args:
        head: the beginning of the file, which may end within a character.
        separator: the character between cells.
        quoted: whether quotes around a cell belong to the format.
    """
    taken = 0

    def lines() -> Iterator[str]:
        nonlocal taken
        for line in io.StringIO(head.decode("utf-8", "ignore"), newline=""):
            taken += len(line.encode())
            yield line

    style: Any = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
    next(filter(None, csv.reader(lines(), delimiter=separator, quoting=style)), None)
    return taken


def only_quotes_escaped(stream: IO[bytes]) -> IO[bytes]:
    r"""Return the text of a csv file in which a backslash escapes only a quote or another backslash.

    Arrow would also drop the backslash of ``C:\new``. Here it is doubled.
    """
    escaped: Any = _Escaped(stream)
    return io.BufferedReader(escaped)


class _Escaped(io.RawIOBase):
    """The bytes of a stream with every backslash doubled that escapes nothing."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._blocks = blocks(stream)
        self._before = b""
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        while not self._rest:
            block = next(self._blocks, b"")
            if not block and not self._before:
                return 0
            data = self._before + block
            # The last backslashes escape characters of the next block.
            known = len(data.rstrip(b"\\")) if block else len(data)
            self._before = data[known:]
            self._rest = BACKSLASHES.sub(_doubled, data[:known])
        data, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(data)] = data
        return len(data)


def _doubled(match: re.Match[bytes]) -> bytes:
    return match[0] if len(match[0]) > 1 else b"\\\\"
