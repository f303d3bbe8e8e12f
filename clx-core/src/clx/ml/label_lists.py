"""Several labels per row: from the cells of a column to lists of names and 0/1 matrices.

This module is public, like :mod:`clx.ml.labels`, and uses the same label space (names ↔ ids).
"""

from __future__ import annotations

import ast
import contextlib
import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from clx.ml.data.problems import row_problems
from clx.ml.labels import infer_label_names, label_kind, label_names_problems
from clx.problems import MAX_PROBLEMS, cell, did_you_mean, examples, names

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

SEPARATOR = "|"


def label_list(value: Any, separator: str = SEPARATOR) -> list[Any] | None:
    """Return the labels in one cell, in order, or None if it is not a list of labels.

    A cell is a list, tuple, set or array. It may also be a string, as in a csv file: a JSON list, a
    printed Python list, or labels with a separator between them. An empty string is an empty list.
    """
    if isinstance(value, str):
        return _from_text(value, separator)
    if hasattr(value, "tolist") and getattr(value, "ndim", 0) == 1:
        value = value.tolist()
    if isinstance(value, set | frozenset):
        # The order of a set differs between processes.
        value = sorted(value, key=lambda label: (str(type(label)), str(label)))
    return list(value) if isinstance(value, list | tuple) else None


def _from_text(text: str, separator: str) -> list[Any] | None:
    if not (text.lstrip().startswith("[") and text.rstrip().endswith("]")):
        return [part.strip() for part in text.split(separator) if part.strip()]
    for parse in (json.loads, ast.literal_eval):
        with contextlib.suppress(ValueError, SyntaxError, RecursionError, MemoryError):
            parsed = parse(text.strip())
            return parsed if isinstance(parsed, list) else None
    return None


def column_lists(values: Iterable[Any], separator: str = SEPARATOR) -> list[list[Any] | None]:
    """Return the labels in each cell of a column, or None for a cell that is not a list of labels.

    In a column of strings, as in a csv file, a missing value means no labels. In a column of lists
    its meaning is unknown, so the result is None.
    """
    import pandas as pd

    cells = list(values)
    gone = [c is None or c is pd.NA or (isinstance(c, float) and c != c) for c in cells]
    texts_only = all(
        isinstance(c, str) for c, missing in zip(cells, gone, strict=True) if not missing
    )
    empty: list[Any] | None = [] if texts_only and not all(gone) else None
    return [
        empty if missing else label_list(cell, separator)
        for cell, missing in zip(cells, gone, strict=True)
    ]


def label_lists(values: Iterable[Any], separator: str = SEPARATOR) -> list[list[str]]:
    """Return the label names of validated cells, without repetitions within a cell."""
    lists = column_lists(values, separator)
    return [list(dict.fromkeys(str(label) for label in labels or ())) for labels in lists]


def repeated_rows(data: pd.DataFrame, column: str, separator: str = SEPARATOR) -> list[Any]:
    """Return the index of each row that has a label more than once."""
    lists = column_lists(data[column], separator)
    return [
        index
        for index, labels in zip(data.index, lists, strict=True)
        if len({str(label) for label in labels or ()}) < len(labels or ())
    ]


def label_list_problems(
    data: pd.DataFrame,
    column: str,
    label_names: Sequence[str] | None = None,
    separator: str = SEPARATOR,
) -> list[str]:
    """Return the problems of a column of label lists.

    If ``label_names`` is given, each label must be one of them. Otherwise the labels must form a
    valid label space: one kind, at least two labels, none blank. Empty lists are valid.
    """
    lists = column_lists(data[column], separator)
    problems = row_problems(
        data,
        [labels is None for labels in lists],
        f"column {column!r}: not a list of labels (use an empty list for no labels)",
        data[column],
    )
    strange = [any(label_kind(label) is None for label in labels or ()) for labels in lists]
    problems += row_problems(
        data, strange, f"column {column!r}: a label must be a str, int or bool", data[column]
    )
    if problems:
        return problems
    flat = [label for labels in lists for label in labels or ()]
    kinds = sorted({str(label_kind(label)) for label in flat})
    if len(kinds) > 1:
        return [f"column {column!r} mixes labels of the types {names(kinds)}"]
    if label_names is not None:
        return _unknown_labels(
            data, column, [list(map(str, row or ())) for row in lists], label_names
        )
    distinct = infer_label_names(flat)
    if len(distinct) < 2:
        found = f"the single label {examples(distinct)}" if distinct else "no labels"
        return [
            f"column {column!r} has {found}: a model needs at least two. Pass label_names=[...] if "
            "there are labels missing from this data"
        ]
    return label_names_problems(distinct, f"column {column!r}")


def _unknown_labels(
    data: pd.DataFrame, column: str, lists: list[list[str]], label_names: Sequence[str]
) -> list[str]:
    known = set(label_names)
    unknown = list(dict.fromkeys(label for row in lists for label in row if label not in known))
    problems = []
    for label in unknown[:MAX_PROBLEMS]:
        problems += row_problems(
            data,
            [label in row for row in lists],
            f"column {column!r}: the label {cell(label)} is not in label_names ("
            f"{examples(list(label_names))}){did_you_mean(label, label_names)}",
        )
    return problems


def multi_hot(lists: Sequence[Sequence[str]], label_names: Sequence[str]) -> np.ndarray[Any, Any]:
    """Return a 0/1 matrix of shape (rows, num_labels), in float32 as the loss requires.

    Args:
        lists: the label names of each row.
        label_names: the label space.

    Raises:
        KeyError: a label is not in ``label_names``.
    """
    import numpy as np

    ids = {name: position for position, name in enumerate(label_names)}
    matrix = np.zeros((len(lists), len(label_names)), dtype=np.float32)
    for row, labels in enumerate(lists):
        matrix[row, [ids[label] for label in labels]] = 1
    return matrix
