"""What a command writes to stdout: tables on a terminal, plain lines in a pipe, or JSON."""

from __future__ import annotations

import contextlib
import json
import math
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TextIO

from clx.cli.failures import output_may_close

_NAMED = {"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"}
# All that ends a line somewhere or that a terminal obeys, and halves of surrogate pairs.
_CONTROL = re.compile("[\\\\\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class Output:
    """Stdout for the time of one command; use it in a ``with`` statement.

    Whatever else is printed inside goes to stderr, such as the ``print`` of a task's author.

    Args:
        as_json: whether the command writes one JSON document and nothing else.

    Attributes:
        as_json: the same.
        is_terminal: whether a person reads it at once; else it is a pipe, a file, or JSON.
    """

    def __init__(self, as_json: bool = False) -> None:
        self.as_json = as_json
        self._stream: TextIO = sys.stdout
        self.is_terminal = not as_json and self._stream.isatty()
        self._others = contextlib.redirect_stdout(sys.stderr)

    def __enter__(self) -> Self:
        self._others.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._others.__exit__(kind, error, trace)
        if kind is None:
            self._write("")

    def json(self, value: Any) -> None:
        """Write the command's one JSON document."""
        text = json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False)
        if not _encodes(text, self._stream):
            text = json.dumps(plain(value), indent=2, allow_nan=False)
        self._write(text + "\n")

    def line(self, text: str) -> None:
        """Write a line for people; a pipe does not get it."""
        if self.is_terminal:
            self._write(text + "\n")

    def blank(self) -> None:
        """Write an empty line between two tables."""
        self._write("\n")

    def records(self, rows: Iterable[Sequence[Any]]) -> None:
        """Write rows as lines of tab-separated fields, whole, as they come."""
        for row in rows:
            self._write("\t".join(map(field, row)) + "\n")

    def table(
        self,
        columns: Sequence[str],
        rows: Iterable[Sequence[Any]],
        title: str | None = None,
        heading: bool = False,
    ) -> None:
        """Write a table: drawn on a terminal, else as :meth:`records`.

        Args:
            columns: the headings.
            rows: one value a column each.
            title: what stands above it on a terminal.
            heading: whether a pipe gets the headings too, as a first line.
        """
        if self.is_terminal:
            drawn = [list(row) for row in rows]
            if drawn:
                self._draw(columns, drawn, title)
        else:
            self.records([columns] if heading else [])
            self.records(rows)

    def fields(
        self, pairs: Iterable[tuple[str, Any]], title: str | None = None, prefix: str = ""
    ) -> None:
        """Write names with their values, a pair a line.

        Args:
            pairs: each a name and its value.
            title: what stands above them on a terminal.
            prefix: what a pipe gets before each name, to tell one group from another.
        """
        before = "" if self.is_terminal else prefix
        self.table(("", ""), ((before + name, value) for name, value in pairs), title)

    def _draw(self, columns: Sequence[str], rows: list[list[Any]], title: str | None) -> None:
        from rich import box
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(
            box=box.SIMPLE_HEAD,
            show_header=any(columns),
            pad_edge=False,
        )
        for position, column in enumerate(columns):
            values = [row[position] for row in rows]
            numeric = bool(values) and all(isinstance(v, int | float) for v in map(_item, values))
            justify: Literal["left", "right"] = "right" if numeric else "left"
            # A Text, here and in the cells: rich would obey the brackets in a str.
            table.add_column(Text(column), justify=justify, overflow="fold")
        for row in rows:
            table.add_row(*(Text(shown(value)) for value in row))
        console = Console(file=self._stream, highlight=False)
        with output_may_close():
            if title is not None:
                console.print(Text(title, style="bold"))
            console.print(table)

    def _write(self, text: str) -> None:
        if not _encodes(text, self._stream):
            encoding = self._stream.encoding
            text = text.encode(encoding, "backslashreplace").decode(encoding)
        with output_may_close():
            self._stream.write(text)
            if not text:
                self._stream.flush()


def _encodes(text: str, stream: TextIO) -> bool:
    try:
        text.encode(getattr(stream, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def escape(text: str) -> str:
    r"""Return a text as one line without control characters: a tab becomes ``\t``."""
    return _CONTROL.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    character = match[0]
    code = ord(character)
    return _NAMED.get(character) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")


def field(value: Any) -> str:
    """Return a value as a field of a plain line: on one line, whole, empty for None."""
    value = _item(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple | Mapping):
        value = json.dumps(plain(value), ensure_ascii=False)
    return "" if value is None else escape(str(value))


def shown(value: Any) -> str:
    """Return a value as a cell of a table on a terminal."""
    value = _item(value)
    return f"{value:.4f}" if isinstance(value, float) else field(value)


def clipped(text: str, width: int) -> str:
    """Return a text cut to ``width`` characters."""
    return text if len(text) <= width else text[: width - 1] + "…"


def plain(value: Any) -> Any:
    """Return a value as JSON has it: NaN and infinities, which it lacks, are null."""
    value = _item(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Path):
        return str(value)
    if value is None or isinstance(value, str | int):
        return value
    return plain(value.tolist()) if hasattr(value, "tolist") else str(value)


def _item(value: Any) -> Any:
    """Return numpy's numbers as Python's."""
    return value.item() if hasattr(value, "item") and not hasattr(value, "__len__") else value
