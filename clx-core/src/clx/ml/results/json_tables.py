"""Numbers and tables in JSON.

A table is ``{"index": […], "columns": […], "rows": [[…]]}``. A large table of counts that are mostly 0,
such as the confusion matrix of many labels, has ``cells`` instead of ``rows``: the row, the column and
the count of each cell that is not 0. Its ``columns`` are left out if they equal its index.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

MAX_DENSE_CELLS = 10_000
"""The most cells of a table that is always written in full, such as the confusion of 100 labels."""

MAX_FILLED_SHARE = 1 / 4
"""A cell takes three numbers (row, column and count), so only a mostly empty table gets smaller."""


def json_number(value: Any) -> Any:
    """Return a value as it is, but NaN and infinity as None: JSON has neither."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def is_finite_number(value: Any) -> bool:
    """Return whether a JSON value is a number that can be shown; a Boolean counts as one."""
    return isinstance(value, int | float) and math.isfinite(value)


def object_or_empty(value: Any) -> dict[str, Any]:
    """Return a JSON object as it is, and any other value as an empty one."""
    return value if isinstance(value, dict) else {}


def table_to_json(table: pd.DataFrame) -> dict[str, Any]:
    """Return a table as plain values; a missing number is null."""
    index, columns = ([str(name) for name in names] for names in (table.index, table.columns))
    counts = _sparse_counts(table)
    if counts is not None:
        at, to = counts.nonzero()
        cells = zip(at.tolist(), to.tolist(), counts[at, to].tolist(), strict=True)
        named = {"index": index} if index == columns else {"index": index, "columns": columns}
        return {**named, "cells": [list(cell) for cell in cells]}
    return {
        "index": index,
        "columns": columns,
        "rows": [
            [json_number(value) for value in row]
            for row in table.astype(object).to_numpy().tolist()
        ],
    }


def _sparse_counts(table: pd.DataFrame) -> np.ndarray[Any, Any] | None:
    """Return the values of a large table of whole numbers that are mostly 0, None for any other."""
    import numpy as np

    if table.size <= MAX_DENSE_CELLS or not all(dtype.kind in "iu" for dtype in table.dtypes):
        return None
    counts = table.to_numpy()
    return counts if np.count_nonzero(counts) <= MAX_FILLED_SHARE * counts.size else None


def table_from_json(table: Any) -> pd.DataFrame | None:
    """Return the frame that :func:`table_to_json` wrote, or None if the value is not a table."""
    import pandas as pd

    if not isinstance(table, Mapping) or "index" not in table:
        return None
    if "cells" in table:
        return _from_cells(table)
    if not {"rows", "columns"} <= set(table):
        return None
    return pd.DataFrame(table["rows"], index=table["index"], columns=table["columns"])


def _from_cells(table: Mapping[str, Any]) -> pd.DataFrame:
    import numpy as np
    import pandas as pd

    index = table["index"]
    columns = table.get("columns", index)
    counts = np.zeros((len(index), len(columns)), dtype=np.int64)
    at, to, count = np.array(table["cells"], dtype=np.int64).reshape(-1, 3).T
    counts[at, to] = count
    return pd.DataFrame(counts, index=index, columns=columns)
