"""The kinds of tables that a model predicts: how to read their columns, and how to add some."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from clx_runtime.errors import DataFormatError
from clx_runtime.objects import comes_from
from clx_runtime.problems import cell

Column = tuple[list[Any], Any]
"""The values of a column, and their type: a type, a list of one type, or object for any value."""


class Kind(Protocol):
    """One kind of table."""

    def names(self, table: Any) -> list[Any]:
        """Return the names of the columns."""

    def values(self, table: Any, name: str) -> list[Any]:
        """Return the values of a column as Python objects."""

    def extended(self, table: Any, kept: Sequence[str] | None, added: Mapping[str, Column]) -> Any:
        """Return a table of the same kind with the kept columns (None for all) and the added ones."""


class _Arrow:
    """``pyarrow.Table`` and ``pyarrow.RecordBatch``."""

    def names(self, table: Any) -> list[Any]:
        return list(table.schema.names)

    def values(self, table: Any, name: str) -> list[Any]:
        values: list[Any] = table.column(name).to_pylist()
        return values

    def extended(self, table: Any, kept: Sequence[str] | None, added: Mapping[str, Column]) -> Any:
        import pyarrow as pa

        table = table if kept is None else table.select(list(kept))
        schema, arrays = table.schema, list(table.columns)
        for name, (values, kind) in added.items():
            arrays.append(pa.array(values, _arrow_type(kind)))
            schema = schema.append(pa.field(name, arrays[-1].type))
        return type(table).from_arrays(arrays, schema=schema)


class _Pandas:
    """``pandas.DataFrame``; the index stays."""

    def names(self, table: Any) -> list[Any]:
        return list(table.columns)

    def values(self, table: Any, name: str) -> list[Any]:
        values: list[Any] = table[name].tolist()
        return values

    def extended(self, table: Any, kept: Sequence[str] | None, added: Mapping[str, Column]) -> Any:
        import pandas as pd

        dtypes = {bool: "boolean", int: "Int64", float: "float64", str: "str"}
        table = table if kept is None else table[list(kept)]
        columns = {
            name: pd.Series(
                values,
                index=table.index,
                dtype=dtypes.get(kind, "object") if isinstance(kind, type) else "object",
            )
            for name, (values, kind) in added.items()
        }
        return pd.concat([table, pd.DataFrame(columns, index=table.index)], axis=1)


class _Polars:
    """``polars.DataFrame``."""

    def names(self, table: Any) -> list[Any]:
        return list(table.columns)

    def values(self, table: Any, name: str) -> list[Any]:
        values: list[Any] = table[name].to_list()
        return values

    def extended(self, table: Any, kept: Sequence[str] | None, added: Mapping[str, Column]) -> Any:
        import polars as pl

        def dtype(kind: Any) -> Any:
            if isinstance(kind, list):
                return pl.List(dtype(kind[0]))
            return {bool: pl.Boolean, int: pl.Int64, float: pl.Float64}.get(kind, pl.String)

        table = table if kept is None else table.select(list(kept))
        return table.with_columns(
            [pl.Series(name, values, dtype(kind)) for name, (values, kind) in added.items()]
        )


class _Columns:
    """A dict of columns, each a NumPy array or a list."""

    def names(self, table: Any) -> list[Any]:
        return list(table)

    def values(self, table: Any, name: str) -> list[Any]:
        column = table[name]
        if isinstance(column, str | bytes) or not hasattr(column, "__len__"):
            raise DataFormatError(
                f"The column {name!r} of a dict must be an array or a list, but is {cell(column)}"
            )
        return column.tolist() if hasattr(column, "tolist") else list(column)

    def extended(self, table: Any, kept: Sequence[str] | None, added: Mapping[str, Column]) -> Any:
        as_lists = isinstance(table[next(iter(table))], list)
        found = {name: table[name] for name in (table if kept is None else kept)}
        for name, (values, kind) in added.items():
            found[name] = values if as_lists else _numpy(values, kind)
        return found


def kind_of(table: Any) -> Kind:
    """Return the kind of a table.

    Raises:
        DataFormatError: the table has another type.
    """
    types = {each.__name__ for each in type(table).__mro__}
    if comes_from(table, "pyarrow") and types & {"Table", "RecordBatch"}:
        return _Arrow()
    if comes_from(table, "pandas") and "DataFrame" in types:
        return _Pandas()
    if comes_from(table, "polars") and "DataFrame" in types:
        return _Polars()
    if isinstance(table, Mapping):
        return _Columns()
    raise DataFormatError(
        f"predict_batch takes a dict of arrays, or a table of pyarrow, pandas or polars, but got "
        f"{cell(table)}"
    )


def _arrow_type(kind: Any) -> Any:
    import pyarrow as pa

    if isinstance(kind, list):
        return pa.list_(_arrow_type(kind[0]))
    known = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    return known.get(kind, pa.string())


def _numpy(values: list[Any], kind: Any) -> Any:
    import numpy as np

    if kind is float:
        return np.array([np.nan if value is None else value for value in values], dtype=float)
    if kind in (bool, int) and None not in values:
        return np.array(values, dtype=kind)
    # np.array would make lists of equal lengths a matrix.
    objects = np.empty(len(values), dtype=object)
    objects[:] = values
    return objects
