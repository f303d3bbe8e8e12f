"""What is wrong with the rows of a frame.

A task's ``validate_data_format`` collects what the ``*_problems`` functions return and passes it to
:func:`raise_data_problems`, so that the user sees all problems at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from clx.errors import DataFormatError
from clx.problems import did_you_mean, examples, names, raise_problems
from clx_runtime.texts import has_surrogate

if TYPE_CHECKING:
    import pandas as pd


def column_problems(data: pd.DataFrame, required: Sequence[str]) -> list[str]:
    """Return a problem for each required column that the frame lacks."""
    return missing_columns(list(data.columns), required)


def missing_columns(present: Sequence[Any], required: Sequence[str]) -> list[str]:
    """Return a problem for each required column that is not among the present ones."""
    shown = [str(name) for name in present]
    return [
        f"there is no column {column!r}; the columns are {names(shown)}"
        f"{did_you_mean(column, shown)}"
        for column in required
        if column not in present
    ]


def repeated_names(columns: Iterable[Any]) -> list[str]:
    """Return the names that more than one column has, sorted."""
    return sorted(str(name) for name, count in Counter(columns).items() if count > 1)


def text_problems(data: pd.DataFrame, column: str = "text") -> list[str]:
    """Return what is wrong with a column of texts: missing values, other types, lone surrogates."""
    values = data[column]
    missing = values.isna().to_numpy()
    problems = row_problems(data, missing, f"column {column!r}: the text is missing")
    other = [not gone and not isinstance(v, str) for gone, v in zip(missing, values, strict=True)]
    problems += row_problems(data, other, f"column {column!r}: not a string", values)
    broken = [isinstance(value, str) and has_surrogate(value) for value in values]
    return problems + row_problems(
        data, broken, f"column {column!r}: invalid Unicode (half of a surrogate pair)"
    )


def row_problems(
    data: pd.DataFrame, bad: Iterable[bool], what: str, values: Any = None
) -> list[str]:
    """Return one problem that names the bad rows, or an empty list if there are none.

    Args:
        data: the frame. Rows are named by their index labels, at most five of them.
        bad: whether each row is bad, shape (rows,).
        what: what is wrong with the bad rows.
        values: the values to show for the bad rows, shape (rows,). None shows no values.
    """
    positions = [position for position, is_bad in enumerate(bad) if is_bad]
    if not positions:
        return []
    rows = examples([_plain_label(data.index[position]) for position in positions])
    shown = f" ({examples([list(values)[p] for p in positions])})" if values is not None else ""
    return [f"{what}{shown} in {len(positions)} of {len(data)} rows: {rows}"]


def _plain_label(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def raise_data_problems(problems: Sequence[str], expected: str) -> None:
    """Raise a :class:`DataFormatError` that lists all problems. Do nothing if there are none.

    Args:
        problems: what is wrong, as the ``*_problems`` functions return it.
        expected: a description of valid data.
    """
    raise_problems(
        DataFormatError,
        "The data cannot be used:",
        problems,
        f"Expected: {expected}",
    )
