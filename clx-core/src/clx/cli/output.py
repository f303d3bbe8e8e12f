"""Writes a command's output to stdout: tables on a terminal, plain lines in a pipe, or JSON."""

from __future__ import annotations

import contextlib
import json
import math
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from clx.cli.failures import InterruptedCommandError, output_may_close
from clx.ml.machine import terminal

_NAMED = {"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"}
# Characters that end a line or control a terminal, and halves of surrogate pairs.
_CONTROL = re.compile("[\\\\\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class Output:
    """The stdout of one command. Use it as a context manager.

    Inside the ``with`` statement, anything else that prints to stdout, such as a ``print`` in a task,
    goes to stderr.

    Args:
        as_json: whether the command writes one JSON document and nothing else.
        no_header: whether tables in a pipe have no heading.

    Attributes:
        as_json: the argument.
        is_terminal: whether stdout is a terminal and the output is not JSON.
    """

    def __init__(self, as_json: bool = False, no_header: bool = False) -> None:
        self.as_json = as_json
        self._no_header = no_header
        self._stream: TextIO = sys.stdout
        self.is_terminal = not as_json and self._stream.isatty()
        self._has_written = False
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
        if isinstance(error, KeyboardInterrupt) and str(error):
            raise InterruptedCommandError(str(error)) from error

    def json(self, value: Any) -> None:
        """Write the command's one JSON document."""
        text = json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False)
        if not _encodes(text, self._stream):
            text = json.dumps(plain(value), indent=2, allow_nan=False)
        self._write(text + "\n")

    def line(self, text: str) -> None:
        """Write a line on a terminal only, not in a pipe."""
        if self.is_terminal:
            self._block([text])

    def blank(self) -> None:
        """Write an empty line between two tables; on a terminal, there always is one."""
        if not self.is_terminal:
            self._write("\n")

    def records(self, rows: Iterable[Sequence[Any]]) -> None:
        """Write each row as a line of tab-separated fields, uncut, as soon as it is available."""
        for row in rows:
            self._write("\t".join(map(field, row)) + "\n")

    def heading(self, columns: Sequence[str]) -> None:
        """Write the headings of a table as a line, unless the user wants none."""
        self.records([] if self._no_header else [columns])

    def table(
        self,
        columns: Sequence[str],
        rows: Iterable[Sequence[Any]],
        title: str | None = None,
        heading: bool = True,
    ) -> None:
        """Write a table: drawn on a terminal, otherwise as :meth:`records` below a heading.

        Args:
            columns: the headings.
            rows: sequences of one value per column.
            title: the title of the table on a terminal.
            heading: False leaves the heading out in a pipe, for lines of a name and a value.
        """
        if self.is_terminal:
            drawn = [list(row) for row in rows]
            if drawn:
                self._draw(columns, drawn, title)
        else:
            if heading and any(columns):
                self.heading(columns)
            self.records(rows)

    def fields(
        self, pairs: Iterable[tuple[str, Any]], title: str | None = None, prefix: str = ""
    ) -> None:
        """Write pairs of a name and a value, one pair per line.

        Args:
            pairs: the names and their values.
            title: the title of the table on a terminal.
            prefix: the prefix of each name in a pipe, which tells groups apart.
        """
        before = "" if self.is_terminal else prefix
        self.table(("", ""), ((before + name, value) for name, value in pairs), title)

    def _draw(
        self, columns: Sequence[str], rows: Sequence[Sequence[Any]], title: str | None
    ) -> None:
        # rich, which measures wide characters, is imported only for a terminal.
        from clx.cli import drawing

        columns, rows, parent = drawing.without_parent(columns, rows)
        title = title if parent is None else f"{title}, in {parent}" if title else str(parent)
        numeric = [
            any(columns)
            and all(isinstance(_item(row[position]), int | float | None) for row in rows)
            for position in range(len(columns))
        ]
        table = drawing.Table(columns, [[shown(value) for value in row] for row in rows], numeric)
        width = terminal.columns(self._stream)
        heading = [] if title is None else drawing.wrapped(title, width)
        if terminal.has_styles(self._stream):
            heading = [f"\x1b[1m{line}\x1b[0m" for line in heading]
        if terminal.is_plain():
            lines = drawing.plainly(table, width)
        else:
            lines = drawing.drawn(table, width, "─" if _encodes("─", self._stream) else "-")
        self._block([*heading, *lines])

    def _block(self, lines: Sequence[str]) -> None:
        """Write lines, after an empty one if there are others above."""
        self._write("\n".join([*([""] if self._has_written else []), *lines, ""]))
        self._has_written = True

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
    r"""Escape control characters, so that the text is one line: a tab becomes ``\t``."""
    return _CONTROL.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    character = match[0]
    code = ord(character)
    return _NAMED.get(character) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")


def field(value: Any) -> str:
    """Format a value as a field of a plain line: on one line, uncut, empty for None."""
    value = _item(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple | Mapping):
        value = json.dumps(plain(value), ensure_ascii=False)
    return "" if value is None else escape(str(value))


def shown(value: Any) -> str:
    """Format a value as a cell of a table on a terminal: rounded, empty for None and NaN."""
    value = _item(value)
    if isinstance(value, float):
        if math.isnan(value):
            return ""
        # A learning rate of 2e-5 is not 0.0000.
        return f"{value:.3g}" if 0 < abs(value) < 0.0005 else f"{value:.4f}"
    return field(_rounded(value))


def _rounded(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def clipped(text: str, width: int) -> str:
    """Truncate a text to ``width`` characters, between two words."""
    from clx.cli.drawing import shortened

    return shortened(text, width)


def clipped_texts(values: Iterable[Any], width: int) -> list[Any]:
    """Truncate the texts among some values, as :func:`clipped` does."""
    return [clipped(value, width) if isinstance(value, str) else value for value in values]


def plain(value: Any) -> Any:
    """Convert a value to what JSON can represent; NaN and infinities become null."""
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
    """Convert a numpy number to a Python number."""
    return value.item() if hasattr(value, "item") and not hasattr(value, "__len__") else value
