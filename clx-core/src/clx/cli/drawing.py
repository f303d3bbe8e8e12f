"""Lays out text and tables for a terminal of a given width, without cutting a word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.cells import cell_len, chop_cells

GAP = 2
"""Spaces between two columns."""

MIN_VALUE = 24
"""Characters that a value needs beside its name; below that, it stands in the next line."""


@dataclass(frozen=True)
class Table:
    """What to draw.

    Attributes:
        columns: the headings, all empty for pairs of a name and a value.
        rows: the cells, shape (rows, columns).
        numeric: whether each column has numbers only, which are aligned to the right.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    numeric: Sequence[bool]


def drawn(table: Table, width: int, rule: str = "─") -> list[str]:
    """Return the lines of a table.

    Columns of text are wrapped at spaces, and empty ones left out. A table that is too wide even then
    has a block of lines per row, with a line per column.

    Args:
        table: the table.
        width: the characters of a line. A longer word, such as a path, is left in one piece.
        rule: the character of the line below the headings.
    """
    table = _without_empty(table)
    cells = [table.columns, *table.rows] if any(table.columns) else list(table.rows)
    columns = list(zip(*cells, strict=True))
    widest = [max(map(cell_len, column)) for column in columns]
    least = [max(map(_longest_word, column)) for column in columns]
    if len(columns) > 1 and not table.numeric[-1]:
        # A path in the last column sticks out; blocks would not make it shorter.
        least[-1] = max(_longest_word(_without_paths(cell)) for cell in columns[-1])
    if not any(table.columns):
        least[-1] = min(least[-1], MIN_VALUE)
    widths = _widths(widest, least, width)
    if widths is None:
        return _blocks(table, width)
    lines = []
    for position, row in enumerate(cells):
        lines += _row(row, widths, table.numeric)
        if position == 0 and any(table.columns):
            lines.append((" " * GAP).join(rule * size for size in widths))
    return lines


def without_parent(
    columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> tuple[Sequence[str], Sequence[Sequence[Any]], Path | None]:
    """Return a table with the names of paths that are in one folder, and that folder, else None.

    A column of names that another column shows too is left out.
    """
    for position, column in enumerate(columns):
        paths = [row[position] for row in rows]
        parents = {path.parent if isinstance(path, Path) else None for path in paths}
        parent = parents.pop()
        if not column or parents or parent is None:
            continue
        names = [path.name for path in paths]
        others = [i for i in range(len(columns)) if i != position]
        if any(names == [row[i] for row in rows] for i in others):
            return [columns[i] for i in others], [[row[i] for i in others] for row in rows], parent
        named = [
            [*row[:position], name, *row[position + 1 :]]
            for row, name in zip(rows, names, strict=True)
        ]
        return columns, named, parent
    return columns, rows, None


def _without_empty(table: Table) -> Table:
    kept = [i for i in range(len(table.columns)) if i < 2 or any(row[i] for row in table.rows)]
    return Table(
        [table.columns[i] for i in kept],
        [[row[i] for i in kept] for row in table.rows],
        [table.numeric[i] for i in kept],
    )


def plainly(table: Table, width: int) -> list[str]:
    """Return the lines of a table as a screen reader says them well: each value after its name.

    Args:
        table: the table.
        width: the characters of a line. A row that is longer continues in the next line, indented.
    """
    lines = []
    for first, *others in table.rows:
        named = zip(table.columns[1:], others, strict=True)
        values = ", ".join(f"{name} {value}".lstrip() for name, value in named if value)
        begun, *rest = wrapped(f"{first}: {values}", width - GAP)
        lines += [begun, *(" " * GAP + line for line in rest)]
    return lines


def wrapped(text: str, width: int) -> list[str]:
    """Return the lines of a text that is wrapped at spaces, at least one.

    Only writing that has no spaces, such as Chinese, is split inside of a word.
    """
    if cell_len(text) <= width:
        return [text]
    lines, line = [], ""
    for word in _words(text, width):
        if line and cell_len(line) + 1 + cell_len(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return [*lines, line]


def wrapped_message(text: str, width: int) -> str:
    """Return a message whose lines are wrapped, the lines of a list item below its first word."""
    lines: list[str] = []
    for line in text.split("\n"):
        content = line.lstrip(" ")
        mark = content[:2] if content.startswith("- ") else ""
        indent = " " * (len(line) - len(content))
        first, *others = wrapped(content[len(mark) :], max(1, width - len(indent) - len(mark)))
        lines += [indent + mark + first, *(indent + " " * len(mark) + other for other in others)]
    return "\n".join(lines)


def shortened(text: str, width: int) -> str:
    """Return the beginning of a text, cut at a space, with an ellipsis if it is not the whole text."""
    if cell_len(text) <= width:
        return text
    first = chop_cells(text, max(1, width - 2))[0]
    before, space, _ = first.rpartition(" ")
    whole = text[len(first) : len(first) + 1].isspace()
    return f"{(first if whole or not space else before).rstrip()} …"


def _words(text: str, width: int) -> list[str]:
    words: list[str] = []
    for word in text.split():
        # Wide characters are those of writing without spaces.
        is_wide = cell_len(word) > len(word)
        words += chop_cells(word, width) if is_wide and cell_len(word) > width else [word]
    return words


def _without_paths(text: str) -> str:
    return " ".join(word for word in text.split() if "/" not in word and "\\" not in word)


def _longest_word(text: str) -> int:
    return max(
        (cell_len(word) if cell_len(word) == len(word) else 2 for word in text.split()), default=0
    )


def _widths(widest: list[int], least: list[int], width: int) -> list[int] | None:
    """Return the widths of the columns, None if the words do not fit."""
    free = width - GAP * (len(widest) - 1)
    if sum(least) > free:
        return None
    widths = list(widest)
    while (excess := sum(widths) - free) > 0:
        # Narrow the widest column, down to the second widest, until the line fits.
        able = [i for i, size in enumerate(widths) if size > least[i]]
        first = max(able, key=lambda i: widths[i])
        other = max((widths[i] for i in able if i != first), default=0)
        widths[first] -= max(1, min(excess, widths[first] - max(least[first], other)))
    return widths


def _row(row: Sequence[str], widths: Sequence[int], numeric: Sequence[bool]) -> list[str]:
    cells = [wrapped(cell, size) for cell, size in zip(row, widths, strict=True)]
    lines = []
    for number in range(max(map(len, cells))):
        parts = []
        for cell, size, right in zip(cells, widths, numeric, strict=True):
            text = cell[number] if number < len(cell) else ""
            space = " " * (size - cell_len(text))
            parts.append(space + text if right else text + space)
        lines.append((" " * GAP).join(parts).rstrip())
    return lines


def _blocks(table: Table, width: int) -> list[str]:
    """Return a block of lines per row, with a line per column that has a value."""
    size = max(map(cell_len, table.columns), default=0) + GAP
    lines: list[str] = []
    for position, row in enumerate(table.rows):
        if position:
            lines.append("")
        for name, value in zip(table.columns, row, strict=True):
            if value:
                first, *others = wrapped(value, max(MIN_VALUE, width - size))
                lines.append(f"{name}{' ' * (size - cell_len(name))}{first}".rstrip())
                lines += [" " * size + other for other in others]
    return lines
