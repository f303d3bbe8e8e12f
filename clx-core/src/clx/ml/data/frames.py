"""Data from any source as a DataFrame: all training and evaluation data goes through ``to_frame``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from clx.errors import DataFormatError
from clx.ml.data.annotations import labeled_rows, texts_of_export
from clx.ml.plugins.manager import plugins
from clx.problems import names

if TYPE_CHECKING:
    import pandas as pd


def to_frame(data: Any, what: str = "data", labeled: bool = True) -> pd.DataFrame:
    """Return ``data`` as a DataFrame.

    Args:
        data: a DataFrame, a ``datasets.Dataset``, or a path. A path goes to the plugins'
            ``clx_open_data`` hooks; clx itself reads csv, tsv, jsonl and parquet files, folders of
            them, and globs. A Dataset's class labels become their names.
        what: the name of the data in messages, such as ``train_data``.
        labeled: whether the rows are for their labels. If so, rows of an annotation tool's export
            without labels are left out, and a warning counts them.

    Raises:
        DataFormatError: the data has another type, no rows, or two columns with the same name.
    """
    import pandas as pd

    if isinstance(data, str | os.PathLike):
        data = plugins().call("clx_open_data", source=os.fspath(data))
    elif type(data).__module__.startswith("datasets."):
        data = _from_dataset(data, what)
    if not isinstance(data, pd.DataFrame):
        raise DataFormatError(
            f"{what} must be a pandas DataFrame, a datasets.Dataset or a path to csv, tsv, jsonl or "
            f"parquet, but is a {type(data).__name__}"
            + (". Convert it with pd.DataFrame(...)" if isinstance(data, dict | list) else "")
        )
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
    return labeled_rows(data, what) if labeled else texts_of_export(data)


def _from_dataset(data: Any, what: str) -> Any:
    if isinstance(data, dict):
        raise DataFormatError(
            f"{what} is a DatasetDict with the splits {names(data)}: pass one of them, such as "
            f"dataset[{next(iter(data), 'train')!r}]"
        )
    frame = data.to_pandas()
    for column, feature in (data.features or {}).items():
        if type(feature).__name__ == "ClassLabel":
            # Unlabeled splits have -1.
            ids = [None if i is None else int(i) for i in data[column]]
            frame[column] = [None if i is None or i < 0 else feature.int2str(i) for i in ids]
    return frame
