"""Tables of other libraries: pyarrow, polars, ``datasets``, and others that support Arrow.

Recognizing an object does not import its library, so a library that a user does not use stays
unloaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clx.errors import DataFormatError
from clx.ml.data.arrow_frames import table_to_frame
from clx.problems import did_you_mean, names
from clx_runtime.objects import comes_from

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

ROWS_AT_ONCE = 1000
"""The number of rows of a streaming Dataset that are read at a time."""


def has_splits(data: Any) -> bool:
    """Return whether an object is a ``DatasetDict``."""
    return isinstance(data, dict) and comes_from(data, "datasets")


def take_split(data: Any, split: str | None, what: str) -> Any:
    """Return one split of a ``DatasetDict``, and any other object unchanged.

    Args:
        data: the object.
        split: the name of the split, None if the caller has to choose one.
        what: the name of the data in messages.

    Raises:
        DataFormatError: there is no such split.
    """
    if not has_splits(data):
        return data
    if split in data:
        return data[split]
    known = [str(name) for name in data]
    missing = "" if split is None else f", but no split {split!r}{did_you_mean(split, known)}"
    raise DataFormatError(
        f"{what} is a DatasetDict with the splits {names(known)}{missing}: pass one of them, such as "
        f"dataset[{next(iter(known), 'train')!r}]"
    )


def object_to_frame(data: Any) -> pd.DataFrame | None:
    """Return a table of another library as a frame, or None if the object is not a table.

    A Dataset is read with all its columns and values, whatever its format selects. A streaming
    Dataset is read to its end.
    """
    if comes_from(data, "datasets"):
        return _dataset_to_frame(data)
    table = object_to_table(data)
    return None if table is None else table_to_frame(table)


def object_to_table(data: Any) -> pa.Table | None:
    """Return an object that supports Arrow as a table, or None if it is not a table."""
    import pyarrow as pa

    if comes_from(data, "polars") and hasattr(data, "collect"):
        data = data.collect()
    if comes_from(data, "pyarrow") and hasattr(data, "to_table"):
        return data.to_table()
    if not any(hasattr(data, f"__arrow_c_{kind}__") for kind in ("stream", "array")):
        return None
    try:
        return pa.table(data)
    except (TypeError, ValueError):
        # It is a column.
        return None


def _dataset_to_frame(data: Any) -> pd.DataFrame | None:
    import pandas as pd
    import pyarrow as pa

    if not hasattr(data, "with_format"):
        return None
    if data.features is None:
        # Without features, each part would get its own types.
        return pd.DataFrame(list(data.with_format(None)), dtype=object)
    arrow = data.with_format("arrow")
    if hasattr(data, "__len__"):
        table = arrow[:]
    else:
        schema = data.features.arrow_schema
        parts = [part.cast(schema) for part in arrow.iter(batch_size=ROWS_AT_ONCE)]
        table = pa.concat_tables(parts) if parts else schema.empty_table()
    # The names of class labels are in the metadata of the features' own schema.
    return table_to_frame(table.replace_schema_metadata(data.features.arrow_schema.metadata))
