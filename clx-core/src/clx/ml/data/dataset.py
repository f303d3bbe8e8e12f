"""From a validated frame to the tokenized dataset that the model is fed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from clx.errors import PluginError
from clx.ml.machine.progress import progress_bar
from clx.problems import cell, names

if TYPE_CHECKING:
    import pandas as pd
    from datasets import Dataset

CHUNK_ROWS = 1000
"""Rows per call of ``tokenize``."""

ROW_OF_RESULT = "overflow_to_sample_mapping"
"""The tokenizer's name for the column that gives the row of each result, when rows have several."""


def to_dataset(
    data: pd.DataFrame,
    tokenize: Callable[[dict[str, list[Any]]], Any],
    columns: Sequence[str],
    what: str = "data",
    progress: bool = True,
    row_of: list[int] | None = None,
) -> Dataset:
    """Tokenize a frame and keep the columns that the model is fed.

    Args:
        data: the frame.
        tokenize: takes ``{column: values}`` for a chunk of rows and returns a dict of lists with one
            entry per row. To return several results per row, it adds :data:`ROW_OF_RESULT`; a
            column with one value per row is then repeated for each result of the row.
        columns: the columns to keep. A column that ``tokenize`` does not return is taken from the
            frame. A column that neither has is left out, because the model may not need it.
        what: the name of the data in the progress bar.
        progress: whether to show a progress bar.
        row_of: an empty list, filled with the row of each result. It stays empty if ``tokenize``
            returns one result per row.

    Raises:
        PluginError: ``tokenize`` returned something that is not such a dict, or none of ``columns``.
    """
    from datasets import Dataset, concatenate_datasets

    chunks = []
    starts = range(0, len(data), CHUNK_ROWS)
    for start in progress_bar(
        starts, desc=f"tokenize {what}", unit="thousand rows", delay=1, disable=not progress
    ):
        rows = data.iloc[start : start + CHUNK_ROWS]
        kept, chunk_row_of = tokenized_rows(rows, tokenize, columns)
        if row_of is not None and chunk_row_of is not None:
            row_of += [start + row for row in chunk_row_of]
        chunks.append(Dataset.from_dict(kept))
    return concatenate_datasets(chunks)


def tokenized_rows(
    rows: pd.DataFrame,
    tokenize: Callable[[dict[str, list[Any]]], Any],
    columns: Sequence[str],
) -> tuple[dict[str, list[Any]], list[int] | None]:
    """Tokenize some rows at once, and keep the columns that the model is fed; see :func:`to_dataset`.

    Returns:
        The columns, and the row of each result, None if each row has one result.

    Raises:
        PluginError: ``tokenize`` returned something that is not such a dict, or none of ``columns``.
    """
    examples = {str(name): rows[name].tolist() for name in rows.columns}
    tokenized = _check_tokenized(tokenize(examples), len(rows))
    row_of = tokenized.get(ROW_OF_RESULT)
    if row_of is not None:
        examples = {name: [values[i] for i in row_of] for name, values in examples.items()}
    kept = {
        name: tokenized[name] if name in tokenized else examples[name]
        for name in columns
        if name in tokenized or name in examples
    }
    if not kept:
        raise PluginError(
            f"tokenize() returned the columns {names(tokenized)}, and the frame has "
            f"{names(examples)}: none of dataset_cols ({names(columns)}) is among them"
        )
    return kept, row_of


def _check_tokenized(tokenized: Any, rows: int) -> dict[str, list[Any]]:
    """Return what ``tokenize`` returned for ``rows`` rows as lists with one entry per result."""
    if not hasattr(tokenized, "items"):
        raise PluginError(
            f"tokenize() must return a dict, but returned a {type(tokenized).__name__}"
        )
    columns = {name: list(values) for name, values in tokenized.items()}
    row_of = columns.get(ROW_OF_RESULT)
    if row_of is not None:
        if sorted(set(row_of)) != list(range(rows)) or row_of != sorted(row_of):
            raise PluginError(
                f"tokenize() was given {rows} rows, but {ROW_OF_RESULT} is {cell(row_of)}: it must "
                f"name each row, counted from 0, in ascending order"
            )
        for name, values in columns.items():
            if len(values) == rows:
                columns[name] = [values[row] for row in row_of]
        rows = len(row_of)
    lengths = {name: len(values) for name, values in columns.items() if len(values) != rows}
    if lengths:
        raise PluginError(
            f"tokenize() was given {rows} rows, but returned columns of other lengths: {lengths}"
        )
    return columns


def fingerprint(data: pd.DataFrame) -> str:
    """Return a SHA-256 hex digest of the frame's columns and values, in order, without the index."""
    digest = hashlib.sha256()
    for name in data.columns:
        digest.update(f"\0{name}\0".encode("utf-8", "surrogatepass"))
        for value in data[name]:
            text = f"{value}".encode("utf-8", "surrogatepass")
            # The length keeps one text from looking like two.
            digest.update(f"{type(value).__name__}:{len(text)}:".encode() + text)
    return digest.hexdigest()
