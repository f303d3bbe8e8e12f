"""Arrow columns of predictions as the columns of other libraries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clx.ml.data.arrow_values import is_json
from clx.ml.prediction.text_rows import column_values

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa


def storage(array: pa.Array) -> pa.Array:
    """Return JSON as its text, for libraries that do not know Arrow's JSON type."""
    return array.storage if is_json(array.type) else array


def list_column(array: pa.Array) -> list[Any]:
    """Return a list of Python values, None for null."""
    return column_values(array)


def numpy_column(array: pa.Array) -> np.ndarray[Any, Any]:
    """Return an array of floats (NaN for null), of bool or int64 without nulls, or of objects."""
    import numpy as np
    import pyarrow as pa

    kind = array.type
    is_number = pa.types.is_boolean(kind) or pa.types.is_integer(kind)
    if pa.types.is_floating(kind) or (is_number and not array.null_count):
        found: np.ndarray[Any, Any] = array.to_numpy(zero_copy_only=False)
        return found
    # np.array would make lists of equal lengths a matrix.
    objects = np.empty(len(array), dtype=object)
    for place, value in enumerate(column_values(array)):
        objects[place] = value
    return objects


def frame_column(array: pa.Array, index: Any) -> pd.Series[Any]:
    """Return a Series with the index. Its dtype follows from the type, with and without nulls."""
    import pandas as pd
    import pyarrow as pa

    kind = array.type
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind):
        dtype = "boolean" if pa.types.is_boolean(kind) else "Int64"
        return pd.Series(array.to_pylist(), index=index, dtype=dtype)
    if pa.types.is_floating(kind):
        return pd.Series(array.to_numpy(zero_copy_only=False), index=index)
    if pa.types.is_string(kind):
        return pd.Series(array.to_pandas().array, index=index)
    return pd.Series(column_values(array), index=index, dtype=object)
