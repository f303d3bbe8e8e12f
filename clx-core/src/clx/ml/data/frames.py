"""Data from any source as a DataFrame: all training and evaluation data goes through ``to_frame``."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING, Any

from clx.errors import DataFormatError, DataWarning
from clx.ml.data.annotations import labeled_rows, texts_of_export
from clx.ml.data.hub_datasets import load_hub_dataset, may_be_dataset_id
from clx.ml.data.objects import has_splits, object_to_frame, take_split
from clx.ml.data.problems import repeated_names
from clx.ml.data.reading import DEFAULT_READING, Reading
from clx.ml.plugins.manager import plugins
from clx.problems import names
from clx_runtime.callers import user_level
from clx_runtime.objects import comes_from

if TYPE_CHECKING:
    import pandas as pd

TRAIN, VALIDATION, TEST = "train", "validation", "test"
"""The splits of a ``DatasetDict``, as the Hub calls them."""


def to_frame(
    data: Any,
    what: str = "data",
    reading: Reading = DEFAULT_READING,
    split: str | None = None,
    labeled: bool = True,
) -> pd.DataFrame:
    """Return ``data`` as a DataFrame.

    Args:
        data: a DataFrame, a table of pyarrow, polars or another library that supports Arrow, a
            ``datasets.Dataset``, or a source for :func:`open_source`. Class labels become their
            names.
        what: the name of the data in messages, such as ``train_data``.
        reading: how to read a text file.
        split: the split to take of a ``DatasetDict``. None raises an error that names the splits.
        labeled: whether the caller needs labels. If so, unlabeled rows of an annotation tool's
            export are left out, and a warning counts them.

    Raises:
        DataFormatError: the data has another type, no rows, or two columns with the same name.
    """
    frame = _as_frame(take_split(open_source(data, reading), split, what), what)
    if frame.columns.nlevels > 1:
        raise DataFormatError(
            f"{what} has columns with {frame.columns.nlevels} levels: give them single names, such "
            f"as data.columns = ['text', 'label']"
        )
    if repeated := repeated_names(frame.columns):
        raise DataFormatError(f"{what} has more than one column called {names(repeated)}")
    if frame.empty:
        raise DataFormatError(f"{what} has no rows")
    return labeled_rows(frame, what) if labeled else texts_of_export(frame)


def open_source(data: Any, reading: Reading = DEFAULT_READING) -> Any:
    """Open what a path or string stands for, and return any other object unchanged.

    A source goes to the plugins' ``clx_open_data`` hooks. clx itself reads files, folders, globs,
    queries and addresses. A string that no hook can open may be the id of a data set on the Hub;
    the result then has all its splits.

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


def training_sources(
    train_data: Any, eval_data: Any, reading: Reading = DEFAULT_READING
) -> tuple[Any, Any]:
    """Return the data to train on and the data to evaluate on, from the arguments of a call.

    From a ``DatasetDict``, this is the split ``train`` and, unless ``eval_data`` is given, the
    split ``validation`` if there is one. Other splits are not read.

    Raises:
        DataFormatError: the source cannot be opened, or has splits but none called ``train``.
    """
    opened = open_source(train_data, reading)
    if eval_data is None and has_splits(opened):
        eval_data = opened.get(VALIDATION)
    return take_split(opened, TRAIN, "train_data"), eval_data


def _as_frame(data: Any, what: str) -> pd.DataFrame:
    import pandas as pd

    if isinstance(data, pd.DataFrame):
        return data
    if comes_from(data, "datasets") and not hasattr(data, "__len__"):
        warnings.warn(
            f"{what} is a streaming Dataset: all its rows are read into memory first. To train while "
            f"they are read, make the run with tokenize_lazily=True and set max_steps",
            DataWarning,
            stacklevel=user_level(),
        )
    try:
        frame = object_to_frame(data)
    except DataFormatError as error:
        raise DataFormatError(f"{what}: {error}") from error
    if frame is None:
        raise DataFormatError(
            f"{what} must be a pandas DataFrame, a datasets.Dataset, a table of pyarrow or polars, or "
            f"a path to files, but is a {type(data).__name__}"
            + (". Convert it with pd.DataFrame(...)" if isinstance(data, dict | list) else "")
        )
    return frame
