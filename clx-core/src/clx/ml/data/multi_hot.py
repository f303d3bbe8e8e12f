"""Labels as 0 and 1: multi-hot rows in a column of lists, and their problems."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from clx.problems import cell, examples


def bit(value: Any) -> int | None:
    """Return 0 or 1 for a value that says whether a label applies, None for any other value.

    Valid values are 0 and 1, False and True, and the same as text, as in a csv file.
    """
    if isinstance(value, str):
        return {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "false": 0, "true": 1}.get(
            value.strip().lower()
        )
    if hasattr(value, "item") and getattr(value, "ndim", 1) == 0:
        value = value.item()
    return int(value) if isinstance(value, int | float) and value in (0, 1) else None


def is_multi_hot(labels: Sequence[Any], label_names: Sequence[str]) -> bool:
    """Return whether the labels of a row are a 0 or 1 for each label name.

    If the names of two labels are themselves 0 and 1, ``[1, 0]`` lists both.
    """
    if len(label_names) != len(labels) or len(labels) < 2:
        return False
    if len(label_names) == 2 and all(bit(name) is not None for name in label_names):
        return False
    return all(bit(label) is not None for label in labels)


def multi_hot_problems(
    column: str, lists: Sequence[list[Any] | None], label_names: Sequence[str] | None
) -> list[str]:
    """Return the problems of rows of 0 and 1, and of floats that are not multi-hot rows."""
    where, rows = f"column {column!r}", [row for row in lists if row]
    widths = {len(row) for row in rows}
    is_grid = len(widths) == 1 and widths != {1}
    if is_grid and all(bit(label) is not None for row in rows for label in row):
        return _width_problems(where, rows, label_names)
    if label_names is not None:
        others = [row for row in rows if not is_multi_hot(row, label_names)]
        if 0 < len(others) < len(rows):
            return [
                f"{where} mixes multi-hot rows of {len(label_names)} values with other lists, such as "
                f"{cell(others[0])}"
            ]
        if rows and not others:
            return []
    if any(isinstance(label, float) for row in rows for label in row):
        return [f"{where}: a label must be a str, int or bool, but there are floats"]
    return []


def _width_problems(
    where: str, rows: Sequence[list[Any]], label_names: Sequence[str] | None
) -> list[str]:
    """Return the problem of multi-hot rows whose labels are not known; ``rows`` have equal lengths."""
    width, shown = len(rows[0]), cell(rows[0])
    if label_names is None:
        return [
            f"{where} has multi-hot rows, such as {shown}, but the {width} labels have no "
            f"names: pass label_names=[...] with {width} names in the order of the values"
        ]
    texts = [{str(label) for label in row} for row in rows]
    are_names = all(row <= set(label_names) and len(row) == width for row in texts)
    if are_names or is_multi_hot(rows[0], label_names):
        return []
    remedy = "; give them names other than 0 and 1" if len(label_names) == width else ""
    return [
        f"{where} has multi-hot rows of {width} values, such as {shown}, but label_names has "
        f"{len(label_names)} names ({examples(list(label_names))}){remedy}"
    ]
