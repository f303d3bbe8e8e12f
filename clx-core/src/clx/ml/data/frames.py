"""Data from any source as a DataFrame: all training and evaluation data goes through ``to_frame``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from clx.errors import DataFormatError
from clx.ml.data.hub_datasets import load_hub_dataset, may_be_dataset_id
from clx.ml.data.objects import object_to_frame, take_split
from clx.ml.data.reading import DEFAULT_READING, Reading
from clx.ml.plugins.manager import plugins
from clx.problems import names

if TYPE_CHECKING:
    import pandas as pd


def to_frame(
    data: Any,
    what: str = "data",
    reading: Reading = DEFAULT_READING,
    split: str | None = None,
) -> pd.DataFrame:
    """Return ``data`` as a DataFrame.

    Args:
        data: a DataFrame, a table of pyarrow, polars or another library that speaks Arrow, a
            ``datasets.Dataset``, or a source as :func:`open_source` takes it. Class labels become
            their names.
        what: the name of the data in messages, such as ``train_data``.
        reading: how to read a text file.
        split: the split to take of a ``DatasetDict``. None raises an error that names the splits.

    Raises:
        DataFormatError: the data has another type, no rows, or two columns with the same name.
    """
    import pandas as pd

    data = take_split(open_source(data, reading), split, what)
    if not isinstance(data, pd.DataFrame):
        found = _object_to_frame(data, what)
        if found is None:
            raise DataFormatError(
                f"{what} must be a pandas DataFrame, a datasets.Dataset, a table of pyarrow or polars, "
                f"or a path to csv, tsv, jsonl or parquet, but is a {type(data).__name__}"
                + (". Convert it with pd.DataFrame(...)" if isinstance(data, dict | list) else "")
            )
        data = found
    if data.columns.nlevels > 1:
        raise DataFormatError(
            f"{what} has columns with {data.columns.nlevels} levels: give them single names, such "
            f"as data.columns = ['text', 'label']"
        )
    repeated = sorted({str(name) for name in data.columns[data.columns.duplicated()]})
    if repeated:
        raise DataFormatError(f"{what} has more than one column called {names(repeated)}")
    if data.empty:
        raise DataFormatError(f"{what} has no rows")
    return data


def open_source(data: Any, reading: Reading = DEFAULT_READING) -> Any:
    """Return what a path or string stands for, and any other object unchanged.

    A source goes to the plugins' ``clx_open_data`` hooks. clx itself reads csv, tsv, jsonl and
    parquet files, folders of them, and globs. A string that no hook can open may be the id of a data
    set on the Hub, of which all splits are returned.

    Raises:
        DataFormatError: the source cannot be opened.
    """
    if not isinstance(data, str | os.PathLike):
        return data
    source = os.fspath(data)
    try:
        return plugins().call("clx_open_data", source=source, reading=reading)
    except DataFormatError as error:
        if not isinstance(data, str) or not may_be_dataset_id(source):
            raise
        return load_hub_dataset(source, error)


def _object_to_frame(data: Any, what: str) -> pd.DataFrame | None:
    try:
        return object_to_frame(data)
    except DataFormatError as error:
        raise DataFormatError(f"{what}: {error}") from error
