"""The kinds of tables that engines pass: how to read their columns, and how to add some."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from clx.errors import DataFormatError
from clx.ml.data.objects import comes_from
from clx.problems import cell

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa


class Kind(Protocol):
    """One kind of tables."""

    def names(self, batch: Any) -> list[str]:
        """Return the names of the columns."""

    def size(self, batch: Any) -> int:
        """Return the number of rows."""

    def values(self, batch: Any, name: str) -> list[Any]:
        """Return the values of a column."""

    def extended(self, batch: Any, kept: Sequence[str], added: Mapping[str, pa.Array]) -> Any:
        """Return a table of the same kind with the kept and the added columns."""


class ArrowKind:
    """``pyarrow.Table`` and ``pyarrow.RecordBatch``."""

    def names(self, batch: Any) -> list[str]:
        return list(batch.schema.names)

    def size(self, batch: Any) -> int:
        return int(batch.num_rows)

    def values(self, batch: Any, name: str) -> list[Any]:
        from clx.ml.prediction.text_rows import column_values

        return column_values(batch.column(name))

    def extended(self, batch: Any, kept: Sequence[str], added: Mapping[str, pa.Array]) -> Any:
        table = batch.select(list(kept))
        for name, array in added.items():
            table = table.append_column(name, array)
        return table


def kind_of(batch: Any) -> Kind:
    """Return the kind of a table.

    Raises:
        DataFormatError: it is none that engines pass.
    """
    kinds = {each.__name__ for each in type(batch).__mro__}
    if comes_from(batch, "pyarrow") and kinds & {"Table", "RecordBatch"}:
        return ArrowKind()
    raise DataFormatError(
        f"A Predictor takes a dict of arrays, or a table of pyarrow, pandas or polars, but got "
        f"{cell(batch)}"
    )
