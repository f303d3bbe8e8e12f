"""Cells of a label column with other labels in some rows, each in the form of the old cell.

The functions are public in :mod:`clx.ml.data`, for ``label_cells`` of a task.
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any

from clx.ml.data.label_cells import CHOICES, listed, may_be_printed, printed_list
from clx.ml.data.multi_hot import bit, is_multi_hot
from clx.ml.data.soft_cells import label_shares


def relabeled_cells(
    values: Iterable[Any], labels: Mapping[int, Any], label_names: Sequence[str] = ()
) -> list[Any]:
    """Return the cells of a column with one label per row, with other labels in some rows.

    A cell keeps its form: text stays text, and a list of one label stays a list. A soft label becomes
    a certain one.

    Args:
        values: the cells.
        labels: the new labels, by position.
        label_names: label names that are never parsed.
    """
    cells, known = list(values), frozenset(label_names)
    for position, label in labels.items():
        cells[position] = _with_label(cells[position], label, known)
    return cells


def relabeled_lists(
    values: Iterable[Any],
    labels: Mapping[int, Sequence[Any]],
    separator: str = "|",
    label_names: Sequence[str] | None = None,
) -> list[Any]:
    """Return the cells of a column with several labels per row, with other labels in some rows.

    A cell keeps its form: a list, its JSON, names with a separator between them, or a row of 0 and 1
    in the order of ``label_names``. Soft labels become certain ones.

    Args:
        values: the cells.
        labels: the new labels, by position.
        separator: the text between labels in a cell that is not a printed list.
        label_names: the label space, if it is known.
    """
    cells = list(values)
    for position, names in labels.items():
        cells[position] = _with_labels(cells[position], list(names), separator, label_names or ())
    return cells


def relabeled_marks(values: Iterable[Any], marks: Mapping[int, bool]) -> list[Any]:
    """Return the cells of the column of 0 and 1 of a label, with other marks in some rows.

    Args:
        values: the cells.
        marks: whether the label applies, by position.
    """
    cells = list(values)
    for position, applies in marks.items():
        if bit(cells[position]) != applies:
            cells[position] = _mark(cells[position], applies)
    return cells


def _with_label(cell: Any, label: Any, known: Container[str]) -> Any:
    if isinstance(cell, str):
        is_list = cell not in known and may_be_printed(cell) and printed_list(cell) is not None
        return _json([str(label)]) if is_list else str(label)
    if label_shares(cell) is not None or listed(cell) is None:
        return label
    return _listed_like(cell, [label])


def _with_labels(cell: Any, names: list[Any], separator: str, space: Sequence[str]) -> Any:
    is_text = isinstance(cell, str)
    items = (printed_list(cell) if may_be_printed(cell) else None) if is_text else listed(cell)
    if items is not None and is_multi_hot(items, space):
        texts = {str(name) for name in names}
        marks = [_mark(old, name in texts) for old, name in zip(items, space, strict=True)]
        return _json(marks) if is_text else marks
    if items is not None:
        return _json(names) if is_text else _listed_like(cell, names)
    if label_shares(cell) is not None:
        return _json(names) if is_text else names
    if is_text and may_be_printed(cell):
        return _json(names)
    # In a column of texts, a missing value means no labels.
    return _joined([str(name) for name in names], separator)


def _joined(names: list[str], separator: str) -> str:
    text = separator.join(names)
    parts = [part.strip() for part in text.split(separator) if part.strip()]
    return text if parts == names and not may_be_printed(text) else _json(names)


def _listed_like(cell: Any, items: list[Any]) -> Any:
    if isinstance(cell, Mapping):
        return {**cell, CHOICES: items}
    return type(cell)(items) if isinstance(cell, tuple | set | frozenset) else items


def _mark(old: Any, applies: bool) -> Any:
    """Return 0 or 1 as a value of the type of ``old``."""
    return str(int(applies)) if isinstance(old, str) else type(old)(applies)


def _json(items: list[Any]) -> str:
    return json.dumps(items, ensure_ascii=False)
