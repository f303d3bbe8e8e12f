"""Numbers and tables in JSON; a table is ``{"index": […], "columns": […], "rows": [[…]]}``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def json_number(value: Any) -> Any:
    """Return a value as it is, but NaN and infinity as None: JSON has neither."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def table_to_json(table: pd.DataFrame) -> dict[str, Any]:
    """Return a table as plain values; a missing number is null."""
    return {
        "index": [str(label) for label in table.index],
        "columns": [str(column) for column in table.columns],
        "rows": [
            [json_number(value) for value in row]
            for row in table.astype(object).to_numpy().tolist()
        ],
    }


def table_from_json(table: Any) -> pd.DataFrame | None:
    """Return the frame that :func:`table_to_json` wrote, or None if the value is not a table."""
    import pandas as pd

    if not isinstance(table, Mapping) or not {"rows", "index", "columns"} <= set(table):
        return None
    return pd.DataFrame(table["rows"], index=table["index"], columns=table["columns"])
