"""What an object is, by the names of its type: recognizing one does not import its library."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

TABLES = {
    "polars": ("LazyFrame",),
    "pyarrow": ("Table", "RecordBatch", "RecordBatchReader"),
    "datasets": ("Dataset", "DatasetDict", "IterableDataset", "IterableDatasetDict"),
}
"""The types that hold several columns, by library, in addition to those named ``DataFrame``."""


def comes_from(data: Any, library: str) -> bool:
    """Return whether the type of an object, or a type that it inherits from, belongs to a library."""
    return any(kind.__module__.partition(".")[0] == library for kind in type(data).__mro__)


def is_table(data: Any) -> bool:
    """Return whether an object is a table rather than a column of texts."""
    kinds = [kind.__name__ for kind in type(data).__mro__]
    return "DataFrame" in kinds or any(
        name in kinds and comes_from(data, library)
        for library, known in TABLES.items()
        for name in known
    )


def is_column(data: Any) -> bool:
    """Return whether an object is a column of values: a list, an iterator, or a Series or array."""
    if is_table(data):
        return False
    if isinstance(data, list | tuple | Iterator) or getattr(data, "ndim", None) == 1:
        return True
    kinds = [kind.__name__ for kind in type(data).__mro__]
    return (
        "Series" in kinds
        or (comes_from(data, "pyarrow") and hasattr(data, "to_pylist"))
        or (comes_from(data, "datasets") and "Column" in kinds)
    )
