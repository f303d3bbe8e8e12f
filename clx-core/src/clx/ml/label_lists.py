"""Several labels per row: from the cells of a column to lists of names and 0/1 matrices.

This module is public, like :mod:`clx.ml.labels`, and uses the same label space (names ↔ ids).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from clx.ml.data.label_cells import (
    is_cut_short,
    listed,
    may_be_printed,
    must_be_printed,
    postgres_list,
    printed_list,
)
from clx.ml.data.multi_hot import bit, is_multi_hot, multi_hot_problems
from clx.ml.data.problems import row_problems
from clx.ml.data.similar_names import separator_of
from clx.ml.data.soft_cells import applying, label_shares
from clx.ml.data.soft_labels import soft_label_problems
from clx.ml.labels import infer_label_names, known_label_hint, label_kind, label_names_problems
from clx.problems import MAX_PROBLEMS, cell, examples, names

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

SEPARATOR = "|"


def label_list(
    value: Any, separator: str = SEPARATOR, label_names: Sequence[str] | None = None
) -> list[Any] | None:
    """Return the labels in one cell, in order, or None if it is not a list of labels.

    A cell is a list, tuple, set, array, or a Label Studio dict ``{"choices": [...]}``. It may also
    be a string, as in a csv file: one of these as JSON or as printed by Python, NumPy or
    PostgreSQL, or labels with a separator between them. An empty string is an empty list. A soft label,
    ``{label: probability}``, is the list of the labels whose probability is at least 0.5.

    Args:
        value: the cell.
        separator: the text between labels in a string that is not a printed list.
        label_names: the label space. With it, a multi-hot row, such as ``[1, 0, 1]`` for three labels,
            is the list of names that it stands for.
    """
    shares = label_shares(value)
    if shares is not None:
        return applying(shares)
    labels = _from_text(value, separator) if isinstance(value, str) else listed(value)
    if labels is not None and label_names is not None and is_multi_hot(labels, label_names):
        return [name for name, label in zip(label_names, labels, strict=True) if bit(label)]
    return labels


def _from_text(text: str, separator: str) -> list[Any] | None:
    if may_be_printed(text):
        for parse in (printed_list, postgres_list):
            parsed = parse(text)
            if parsed is not None:
                return parsed
        if must_be_printed(text) or is_cut_short(text):
            return None
    return [part.strip() for part in text.split(separator) if part.strip()]


def column_lists(
    values: Iterable[Any], separator: str = SEPARATOR, label_names: Sequence[str] | None = None
) -> list[list[Any] | None]:
    """Return the labels in each cell of a column, or None for a cell that is not a list of labels.

    In a column of strings, as in a csv file, a missing value means no labels. In a column of lists
    its meaning is unknown, so the result is None. For ``label_names`` see :func:`label_list`.
    """
    import pandas as pd

    cells = list(values)
    gone = [c is None or c is pd.NA or (isinstance(c, float) and c != c) for c in cells]
    texts_only = all(
        isinstance(c, str) for c, missing in zip(cells, gone, strict=True) if not missing
    )
    empty: list[Any] | None = [] if texts_only and not all(gone) else None
    return [
        empty if missing else label_list(cell, separator, label_names)
        for cell, missing in zip(cells, gone, strict=True)
    ]


def label_lists(
    values: Iterable[Any], separator: str = SEPARATOR, label_names: Sequence[str] | None = None
) -> list[list[str]]:
    """Return the label names of validated cells, without repetitions within a cell.

    For ``label_names`` see :func:`label_list`.
    """
    lists = column_lists(values, separator, label_names)
    return [list(dict.fromkeys(str(label) for label in labels or ())) for labels in lists]


def repeated_rows(
    data: pd.DataFrame,
    column: str,
    separator: str = SEPARATOR,
    label_names: Sequence[str] | None = None,
) -> list[Any]:
    """Return the index of each row that has a label more than once."""
    lists = column_lists(data[column], separator, label_names)
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
    valid label space: one kind, at least two labels, none blank. Empty lists are valid, and so are
    multi-hot rows if ``label_names`` is given.
    """
    lists = column_lists(data[column], separator)
    problems = soft_label_problems(data, column, label_names or (), exclusive=False)
    problems += _cell_problems(data, column, lists) or multi_hot_problems(
        column, lists, label_names
    )
    if problems:
        return problems
    lists = _all_labels(data[column], column_lists(data[column], separator, label_names))
    flat = [label for labels in lists for label in labels or ()]
    kinds = sorted({str(label_kind(label)) for label in flat})
    if len(kinds) > 1:
        return [f"column {column!r} mixes labels of the types {names(kinds)}"]
    names_of_rows = [list(map(str, row or ())) for row in lists]
    if label_names is not None:
        return _unknown_labels(data, column, names_of_rows, label_names)
    distinct = infer_label_names(flat)
    if len(distinct) < 2:
        found = f"the single label {examples(distinct)}" if distinct else "no labels"
        return [
            f"column {column!r} has {found}: a model needs at least two. Pass label_names=[...] if "
            "there are labels missing from this data"
        ]
    problems = label_names_problems(distinct, f"column {column!r}")
    return problems + _joined_labels(data, column, names_of_rows, separator)


def _all_labels(values: Iterable[Any], lists: Sequence[list[Any] | None]) -> list[list[Any] | None]:
    """Return the labels of each cell, also the unlikely ones of a soft label."""
    soft = map(label_shares, values)
    return [
        row if shares is None else list(shares) for shares, row in zip(soft, lists, strict=True)
    ]


def _cell_problems(data: pd.DataFrame, column: str, lists: Sequence[list[Any] | None]) -> list[str]:
    """Return the problems of single cells."""
    values, where = data[column], f"column {column!r}"
    short = [
        row is None and isinstance(value, str) and is_cut_short(value)
        for row, value in zip(lists, values, strict=True)
    ]
    problems = row_problems(
        data,
        [row is None and not is_short for row, is_short in zip(lists, short, strict=True)],
        f"{where}: not a list of labels (use an empty list for no labels)",
        values,
    )
    problems += row_problems(
        data,
        short,
        f"{where}: the list was cut short when it was printed, and the labels at '...' are lost. "
        f"Write the data again, as jsonl or parquet",
        values,
    )
    strange = [any(_kind(label) is None for label in labels or ()) for labels in lists]
    return problems + row_problems(
        data, strange, f"{where}: a label must be a str, int or bool", values
    )


def _kind(label: Any) -> str | None:
    # A multi-hot row may have floats.
    return "bit" if isinstance(label, float) and bit(label) is not None else label_kind(label)


def _unknown_labels(
    data: pd.DataFrame, column: str, lists: list[list[str]], label_names: Sequence[str]
) -> list[str]:
    known = set(label_names)
    unknown = list(dict.fromkeys(label for row in lists for label in row if label not in known))
    problems = []
    for label in unknown[:MAX_PROBLEMS]:
        between = separator_of(label, known)
        hint = (
            f"; if {between!r} stands between labels, pass label_separator={between!r}"
            if between
            else known_label_hint(label, label_names)
        )
        problems += row_problems(
            data,
            [label in row for row in lists],
            f"column {column!r}: the label {cell(label)} is not in label_names ("
            f"{examples(list(label_names))}){hint}",
        )
    return problems


def _joined_labels(
    data: pd.DataFrame, column: str, lists: list[list[str]], separator: str
) -> list[str]:
    """Return a problem for each label that another separator would split into several other labels."""
    texts = [isinstance(value, str) and not may_be_printed(value) for value in data[column]]
    distinct = {label for row in lists for label in row}
    split = dict.fromkeys(
        label for row, is_text in zip(lists, texts, strict=True) if is_text for label in row
    )
    joined = [(label, between) for label in split if (between := separator_of(label, distinct))]
    problems = []
    for label, between in joined[:MAX_PROBLEMS]:
        problems += row_problems(
            data,
            [label in row for row in lists],
            f"column {column!r}: the label {cell(label)} consists of labels of other rows; pass "
            f"label_separator={between!r} (now {separator!r}), or label_names=[...] if it is one label,",
        )
    return problems


def one_hot_problems(data: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    """Return the problems of one-hot columns: a column for each label, with 0 or 1 in each row.

    False and True are valid too, and so are the strings of a csv file.
    """
    return [
        problem
        for column in columns
        for problem in row_problems(
            data,
            [bit(value) is None for value in data[column]],
            f"column {column!r}: not 0 or 1",
            data[column],
        )
    ]


def one_hot_lists(columns: Mapping[str, Iterable[Any]]) -> list[list[str]]:
    """Return the label names of each row of validated one-hot columns, ``{label name: values}``."""
    marks = [[bit(value) for value in values] for values in columns.values()]
    return [
        [name for name, mark in zip(columns, row, strict=True) if mark]
        for row in zip(*marks, strict=True)
    ]


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
