"""The columns that control a split: groups that stay together, and times to sort by."""

from __future__ import annotations

import datetime
import math
import numbers
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clx.errors import DataFormatError
from clx.ml.data.problems import column_problems, row_problems
from clx.problems import raise_problems

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

TIMES = "dates, times, numbers, or ISO 8601 texts such as 2024-05-31 or 2024-05-31T12:00:00Z"


_ZONE = re.compile(r":\d\d(\.\d+)?\s*(Z|[+-]\d\d(:?\d\d)?)$", re.IGNORECASE)


@dataclass(frozen=True)
class Groups:
    """The group of each row.

    Attributes:
        numbers: shape (rows,), counted from 0.
        names: the value of the column for each number.
    """

    numbers: np.ndarray[Any, Any]
    names: list[Any]


def groups_of(frame: pd.DataFrame, column: str, what: str) -> Groups:
    """Return the groups of a column: equal values are one group.

    Raises:
        DataFormatError: there is no such column, or a cell is missing or cannot be compared.
    """
    import numpy as np

    values = _present(frame, column, what, "group_column")
    strange = [not _hashable(value) for value in values]
    _refuse(
        what,
        "group_column",
        row_problems(frame, strange, f"column {column!r}: not a single value", values),
    )
    known: dict[Any, int] = {}
    numbers = np.fromiter((known.setdefault(v, len(known)) for v in values), np.int64, len(values))
    return Groups(numbers, list(known))


def time_ranks(frame: pd.DataFrame, column: str, what: str) -> np.ndarray[Any, Any]:
    """Return the rank of each row's time, shape (rows,): 0 for the oldest, equal for equal times.

    Raises:
        DataFormatError: there is no such column, or a cell is missing or is not a time.
    """
    import numpy as np

    values = _present(frame, column, what, "time_column")
    times = values if all(map(_is_number, values)) else _timestamps(frame, column, values, what)
    rank = {time: place for place, time in enumerate(sorted(set(times)))}
    return np.fromiter((rank[time] for time in times), np.int64, len(times))


def _is_number(value: Any) -> bool:
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    return is_number and math.isfinite(value)


def _timestamps(frame: pd.DataFrame, column: str, values: list[Any], what: str) -> list[Any]:
    """Return dates, times and ISO 8601 texts as timestamps in UTC."""
    import pandas as pd

    # pandas would parse the word "now" as a time, and a number as nanoseconds.
    shaped = [_start_of_period(v) if _looks_like_time(v) else None for v in values]
    parsed = pd.to_datetime(
        pd.Series(shaped, dtype=object), format="ISO8601", utc=True, errors="coerce"
    )
    bad = parsed.isna().tolist()
    problems = row_problems(frame, bad, f"column {column!r}: not a time", values)
    remedy = f"Times can be {TIMES}, all of one kind; pd.to_datetime(..., format=...) reads others."
    _refuse(what, "time_column", problems, remedy)
    zoned = [_has_zone(value) for value in values]
    if any(zoned) and not all(zoned):
        rest = [not has for has in zoned]
        problems = row_problems(frame, rest, f"column {column!r}: the time zone is missing")
        _refuse(what, "time_column", problems, "Give all times a time zone, or none of them.")
    return parsed.tolist()


def _looks_like_time(value: Any) -> bool:
    if isinstance(value, str):
        return value[:1].isdecimal()
    return isinstance(value, datetime.date) or hasattr(value, "to_timestamp")


def _start_of_period(value: Any) -> Any:
    return value.to_timestamp() if hasattr(value, "to_timestamp") else value


def _has_zone(value: Any) -> bool:
    if isinstance(value, str):
        return _ZONE.search(value) is not None
    return getattr(value, "tzinfo", None) is not None


def _present(frame: pd.DataFrame, column: str, what: str, option: str) -> list[Any]:
    """Return the values of a column, which must exist and have no missing values."""
    _refuse(what, option, column_problems(frame, [column]))
    missing = frame[column].isna().to_numpy()
    _refuse(what, option, row_problems(frame, missing, f"column {column!r}: the value is missing"))
    return list(frame[column].tolist())


def _refuse(what: str, option: str, problems: list[str], remedy: str = "") -> None:
    raise_problems(
        DataFormatError,
        f"{what} cannot be split by {option}:",
        problems,
        remedy or "Correct or drop these rows, or split the data without this column.",
    )


def _hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True
