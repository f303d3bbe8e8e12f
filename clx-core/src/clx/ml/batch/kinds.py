"""The kinds of tables that engines pass: how to read their columns, and how to add some."""

from __future__ import annotations

import copy
from collections.abc import Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from clx.errors import DataFormatError
from clx.ml.batch.arrays import frame_column, list_column, numpy_column, storage
from clx.ml.prediction.text_rows import column_values
from clx.problems import cell
from clx_runtime.objects import comes_from

if TYPE_CHECKING:
    import pyarrow as pa


class Kind(Protocol):
    """One kind of table. ``kept`` are the columns of the batch to keep, None for all."""

    def names(self, batch: Any) -> list[Any]:
        """Return the names of the columns."""

    def values(self, batch: Any, name: str) -> list[Any]:
        """Return the values of a column as Python objects."""

    def extended(
        self, batch: Any, kept: Sequence[str] | None, added: Mapping[str, pa.Array]
    ) -> Any:
        """Return a table of the same kind with the kept and the added columns."""


class _ArrowKind:
    """``pyarrow.Table`` and ``pyarrow.RecordBatch``; the metadata of the schema stays."""

    def names(self, batch: Any) -> list[Any]:
        return list(batch.schema.names)

    def values(self, batch: Any, name: str) -> list[Any]:
        return column_values(batch.column(name))

    def extended(
        self, batch: Any, kept: Sequence[str] | None, added: Mapping[str, pa.Array]
    ) -> Any:
        import pyarrow as pa

        table = batch if kept is None else batch.select(list(kept))
        schema = table.schema
        for name, array in added.items():
            schema = schema.append(pa.field(name, array.type))
        return type(batch).from_arrays([*table.columns, *added.values()], schema=schema)


class _PandasKind:
    """``pandas.DataFrame``; the index stays."""

    def names(self, batch: Any) -> list[Any]:
        return list(batch.columns)

    def values(self, batch: Any, name: str) -> list[Any]:
        values: list[Any] = batch[name].tolist()
        return values

    def extended(
        self, batch: Any, kept: Sequence[str] | None, added: Mapping[str, pa.Array]
    ) -> Any:
        import pandas as pd

        table = batch if kept is None else batch[list(kept)]
        columns = {name: frame_column(array, batch.index) for name, array in added.items()}
        joined = pd.concat([table, pd.DataFrame(columns, index=batch.index)], axis=1)
        joined.attrs = copy.copy(batch.attrs)
        return joined


class _PolarsKind:
    """``polars.DataFrame``."""

    def names(self, batch: Any) -> list[Any]:
        return list(batch.columns)

    def values(self, batch: Any, name: str) -> list[Any]:
        values: list[Any] = batch[name].to_list()
        return values

    def extended(
        self, batch: Any, kept: Sequence[str] | None, added: Mapping[str, pa.Array]
    ) -> Any:
        import polars as pl

        table = batch if kept is None else batch.select(list(kept))
        columns = [pl.Series(name, pl.from_arrow(storage(array))) for name, array in added.items()]
        return table.hstack(columns) if table.width else pl.DataFrame(columns)


class _MappingKind:
    """A dict of columns, each a NumPy array or a list; also the lazy batch of ``datasets``."""

    def names(self, batch: Any) -> list[Any]:
        return list(batch)

    def values(self, batch: Any, name: str) -> list[Any]:
        column = batch[name]
        if hasattr(column, "to_pylist"):
            return column_values(column)
        if isinstance(column, str | bytes) or not hasattr(column, "__len__"):
            raise DataFormatError(
                f"The column {name!r} of a dict must be an array or a list, but is {cell(column)}"
            )
        return column.tolist() if hasattr(column, "tolist") else list(column)

    def extended(
        self, batch: Any, kept: Sequence[str] | None, added: Mapping[str, pa.Array]
    ) -> Any:
        # A lazy batch decodes a column when it is read, so the columns are not read here.
        table = copy.copy(batch) if isinstance(batch, MutableMapping) else dict(batch)
        for name in [] if kept is None else [name for name in batch if name not in kept]:
            del table[name]
        convert = list_column if self._has_lists(batch) else numpy_column
        for name, array in added.items():
            table[name] = convert(array)
        return table

    def _has_lists(self, batch: Any) -> bool:
        first = batch[next(iter(batch))]
        return isinstance(first, list)


def kind_of(batch: Any) -> Kind:
    """Return the kind of a table.

    Raises:
        DataFormatError: engines do not pass tables of this type.
    """
    types = {each.__name__ for each in type(batch).__mro__}
    if comes_from(batch, "pyarrow") and types & {"Table", "RecordBatch"}:
        return _ArrowKind()
    if comes_from(batch, "pandas") and "DataFrame" in types:
        return _PandasKind()
    if comes_from(batch, "polars") and "DataFrame" in types:
        return _PolarsKind()
    if isinstance(batch, Mapping) and not comes_from(batch, "polars"):
        return _MappingKind()
    raise DataFormatError(
        f"A Predictor takes a dict of arrays, or a table of pyarrow, pandas or polars, but got "
        f"{cell(batch)}{_hint(batch, types)}"
    )


def _hint(batch: Any, types: set[str]) -> str:
    if "LazyFrame" in types:
        return ": use frame.map_batches(predictor), or frame.collect()"
    if comes_from(batch, "datasets"):
        return ": use dataset.map(predictor, batched=True)"
    if comes_from(batch, "dask"):
        return ": use frame.map_partitions(predictor)"
    if comes_from(batch, "ray"):
        return ": use dataset.map_batches(predictor)"
    return ""
