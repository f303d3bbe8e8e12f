"""From whatever the user passes to a validated frame, and from a frame to a tokenised dataset.

:func:`to_frame` is the one door for training and evaluation data. The ``*_problems`` functions
are for a task's ``validate_data_format``: collect what they return, then raise it together.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from clx.errors import DataFormatError, PluginError
from clx.ml.plugins.manager import plugins
from clx.problems import cell, did_you_mean, examples, names, raise_problems

if TYPE_CHECKING:
    import pandas as pd
    from datasets import Dataset

CHUNK_ROWS = 1000

ROW_OF_RESULT = "overflow_to_sample_mapping"
"""What a tokenizer calls the column that says which row each of several results is of."""


def to_frame(data: Any, what: str = "data") -> pd.DataFrame:
    """Return ``data`` as a frame: a DataFrame, a ``datasets.Dataset``, or a path (see below).

    A path or string goes to the plugins' ``clx_open_data``; core reads csv, tsv, jsonl and
    parquet files, folders of them, and globs. Class labels of a Dataset become their names.

    Raises:
        DataFormatError: of another type, empty, or with two columns of one name.
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
            + (". pd.DataFrame(...) makes one of it" if isinstance(data, dict | list) else "")
        )
    if data.columns.nlevels > 1:
        raise DataFormatError(
            f"{what} has columns of {data.columns.nlevels} levels: give them single names, such as "
            f"data.columns = ['text', 'label']"
        )
    repeated = sorted({str(name) for name in data.columns[data.columns.duplicated()]})
    if repeated:
        raise DataFormatError(f"{what} has more than one column called {names(repeated)}")
    if data.empty:
        raise DataFormatError(f"{what} has no rows")
    return data


def _from_dataset(data: Any, what: str) -> Any:
    if isinstance(data, dict):
        raise DataFormatError(
            f"{what} is a DatasetDict with the splits {names(data)}: pass one of them, such as "
            f"dataset[{next(iter(data), 'train')!r}]"
        )
    frame = data.to_pandas()
    for column, feature in (data.features or {}).items():
        if type(feature).__name__ == "ClassLabel":
            # Unlabelled splits have -1.
            ids = [None if i is None else int(i) for i in data[column]]
            frame[column] = [None if i is None or i < 0 else feature.int2str(i) for i in ids]
    return frame


def column_problems(data: pd.DataFrame, required: Sequence[str]) -> list[str]:
    """Return a problem for each required column that the frame lacks."""
    present = [str(name) for name in data.columns]
    return [
        f"there is no column {column!r}; the columns are {names(present)}"
        f"{did_you_mean(column, present)}"
        for column in required
        if column not in data.columns
    ]


def text_problems(data: pd.DataFrame, column: str = "text") -> list[str]:
    """Return what is wrong with a column of texts: missing values, other types, lone surrogates."""
    values = data[column]
    missing = values.isna().to_numpy()
    problems = row_problems(data, missing, f"column {column!r}: the text is missing")
    other = [not gone and not isinstance(v, str) for gone, v in zip(missing, values, strict=True)]
    problems += row_problems(data, other, f"column {column!r}: not a string", values)
    broken = [isinstance(value, str) and has_surrogate(value) for value in values]
    return problems + row_problems(
        data, broken, f"column {column!r}: half of a surrogate pair, which is not Unicode text"
    )


def has_surrogate(text: str) -> bool:
    """Return whether the text has a lone surrogate, which no tokenizer takes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def row_problems(
    data: pd.DataFrame, bad: Iterable[bool], what: str, values: Any = None
) -> list[str]:
    """Return one problem that names the rows where ``bad`` is true, none if it never is.

    Rows are named by their index labels, at most five of them, with their value if ``values`` (as
    long as the frame) is given.
    """
    positions = [position for position, is_bad in enumerate(bad) if is_bad]
    if not positions:
        return []
    rows = examples([_label(data.index[position]) for position in positions])
    shown = f" ({examples([list(values)[p] for p in positions])})" if values is not None else ""
    return [f"{what}{shown} in {len(positions)} of {len(data)} rows: {rows}"]


def _label(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def raise_data_problems(problems: Sequence[str], expected: str) -> None:
    """Raise a :class:`DataFormatError` that lists all problems; do nothing when there are none."""
    raise_problems(
        DataFormatError,
        "The data cannot be used:",
        problems,
        f"Expected: {expected}",
    )


def to_dataset(
    data: pd.DataFrame,
    tokenize: Callable[[dict[str, list[Any]]], Any],
    columns: Sequence[str],
    what: str = "data",
    progress: bool = True,
    row_of: list[int] | None = None,
) -> Dataset:
    """Tokenise a frame and keep the columns that the model is fed.

    ``tokenize`` gets ``{column: values}`` for some rows at a time and returns lists of the same
    length, or longer ones with :data:`ROW_OF_RESULT` beside them; a column of one value a row is then
    repeated for each result of the row. A wanted column that it does not return is taken from the
    frame; one that neither has is left out when the model can do without it, which is for the model to
    say. ``row_of`` is filled with the row of each result, and left empty where there is one a row.

    Raises:
        PluginError: ``tokenize`` returned something of another form.
    """
    from datasets import Dataset, concatenate_datasets
    from tqdm.auto import tqdm

    chunks = []
    starts = range(0, len(data), CHUNK_ROWS)
    for start in tqdm(starts, desc=f"tokenise {what}", unit="k", delay=1, disable=not progress):
        rows = data.iloc[start : start + CHUNK_ROWS]
        examples = {str(name): rows[name].tolist() for name in data.columns}
        tokenised = _check_tokenised(tokenize(examples), len(rows))
        if ROW_OF_RESULT in tokenised:
            of_row = tokenised[ROW_OF_RESULT]
            if row_of is not None:
                row_of += [start + row for row in of_row]
            examples = {name: [values[i] for i in of_row] for name, values in examples.items()}
        kept = {
            name: tokenised.get(name, examples.get(name))
            for name in columns
            if name in tokenised or name in examples
        }
        if not kept:
            raise PluginError(
                f"tokenize() returned the columns {names(tokenised)}, and the frame has "
                f"{names(examples)}: none of dataset_cols ({names(columns)}) is among them"
            )
        chunks.append(Dataset.from_dict(kept))
    return concatenate_datasets(chunks)


def _check_tokenised(tokenised: Any, rows: int) -> dict[str, list[Any]]:
    if not hasattr(tokenised, "items"):
        raise PluginError(
            f"tokenize() must return a dict, but returned a {type(tokenised).__name__}"
        )
    columns = {name: list(values) for name, values in tokenised.items()}
    of_row = columns.get(ROW_OF_RESULT)
    if of_row is not None:
        if sorted(set(of_row)) != list(range(rows)) or of_row != sorted(of_row):
            raise PluginError(
                f"tokenize() was given {rows} rows, but {ROW_OF_RESULT} is {cell(of_row)}: it must "
                f"name each row, counted from 0, in order"
            )
        for name, values in columns.items():
            if len(values) == rows:
                columns[name] = [values[row] for row in of_row]
        rows = len(of_row)
    lengths = {name: len(values) for name, values in columns.items() if len(values) != rows}
    if lengths:
        raise PluginError(
            f"tokenize() was given {rows} rows, but returned columns of other lengths: {lengths}"
        )
    return columns


def fingerprint(data: pd.DataFrame) -> str:
    """Return a SHA-256 over the frame's columns and values, in order; the index does not count."""
    digest = hashlib.sha256()
    for name in data.columns:
        digest.update(f"\0{name}\0".encode("utf-8", "surrogatepass"))
        for value in data[name]:
            text = f"{value}".encode("utf-8", "surrogatepass")
            # With its length, so that no text can look like two.
            digest.update(f"{type(value).__name__}:{len(text)}:".encode() + text)
    return digest.hexdigest()
