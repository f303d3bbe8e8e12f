"""DataFrames from Arrow tables, with the values unchanged.

pandas' own conversion turns integers with a missing value into floats and lists into arrays, and takes
a column that was an index out of the data.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from clx.errors import DataFormatError
from clx.ml.data.arrow_values import Decode, decoder, features_of, is_list, stored_ranges
from clx.ml.data.problems import repeated_names
from clx.problems import names
from clx_runtime.texts import has_surrogate

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

UNNAMED_INDEX = re.compile(r"__index_level_\d+__")
"""The column in which pandas stores an index without a name."""


def table_to_frame(table: pa.Table) -> pd.DataFrame:
    """Return a table as a frame that has the same columns and values.

    Integers with missing values become pandas' nullable integers. Nested values become lists and
    dicts, with exact integers, and a map becomes a dict if its keys are unique. Dictionary codes
    become their values, JSON is parsed, and a class id becomes its name from the metadata of
    ``datasets``; -1 means unlabeled. A named pandas index becomes a column, and an unnamed one the
    index of the frame.

    Raises:
        DataFormatError: two columns have the same name, or a cell is not valid JSON or a class id.
    """
    import pandas as pd

    if repeated := repeated_names(table.column_names):
        raise DataFormatError(f"there is more than one column called {names(repeated)}")
    features = features_of(table.schema)
    columns = {
        field.name: _series(column, field, features.get(field.name))
        for field, column in zip(table.schema, table.columns, strict=True)
    }
    ranges = stored_ranges(table.schema, table.num_rows)
    columns |= {name: values for name, values in ranges.items() if name is not None}
    frame = pd.DataFrame(columns, index=None if columns else range(table.num_rows))
    index = [name for name in _stored_index(table) if UNNAMED_INDEX.fullmatch(name)]
    if index:
        return frame.set_index(index).rename_axis([None] * len(index))
    if None in ranges:
        frame.index = pd.RangeIndex(ranges[None])
    return frame


def _series(column: pa.ChunkedArray, field: pa.Field, feature: Any) -> Any:
    decode = decoder(field.type, feature)
    try:
        return _decoded(column) if decode is None else _changed(column, decode)
    except DataFormatError as error:
        raise DataFormatError(f"column {field.name!r}: {error}") from error


def _changed(column: pa.ChunkedArray, decode: Decode) -> Any:
    import pandas as pd

    values = [decode(value) for value in column.to_pylist()]
    # pandas may choose the dtype of class names, as of any texts. It must not guess other types.
    plain = all(value is None or _is_text(value) for value in values)
    return pd.Series(values) if plain and values else pd.Series(values, dtype=object)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and not has_surrogate(value)


def _decoded(column: pa.ChunkedArray) -> Any:
    import pandas as pd
    import pyarrow as pa

    kind = column.type
    if pa.types.is_dictionary(kind):
        chunks = [_without_view(chunk.dictionary).take(chunk.indices) for chunk in column.chunks]
        return _decoded(pa.chunked_array(chunks) if chunks else pa.chunked_array([[]]))
    if pa.types.is_string_view(kind):
        return _decoded(_without_view(column))
    if _needs_python(kind):
        return pd.Series(column.to_pylist(), dtype=object)
    return column.to_pandas(types_mapper=_nullable_integer if column.null_count else None)


def _without_view(values: Any) -> Any:
    """Return texts in Arrow's older layout; some Arrow functions do not support the newer one."""
    import pyarrow as pa

    return values.cast(pa.large_string()) if pa.types.is_string_view(values.type) else values


def _needs_python(kind: pa.DataType) -> bool:
    import pyarrow as pa

    if isinstance(kind, pa.BaseExtensionType):
        # pandas registered its own types with Arrow, for periods and intervals.
        return not kind.extension_name.startswith("pandas.")
    test = pa.types
    return (
        is_list(kind)
        or test.is_struct(kind)
        or test.is_union(kind)
        or test.is_run_end_encoded(kind)
    )


def _nullable_integer(kind: pa.DataType) -> Any:
    import pandas as pd
    import pyarrow as pa

    if not pa.types.is_integer(kind):
        return None
    return pd.api.types.pandas_dtype(str(kind).replace("int", "Int").replace("uI", "UI"))


def _stored_index(table: pa.Table) -> list[str]:
    """Return the columns of the table that pandas stored for an index."""
    stored = (table.schema.pandas_metadata or {}).get("index_columns", [])
    return [name for name in stored if isinstance(name, str) and name in table.column_names]
