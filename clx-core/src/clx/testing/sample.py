"""Whether the kit can use an author's sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from clx.problems import cell, names


def sample_problem(
    task_name: str, sample: Any, text_columns: Sequence[str], inputs: Any = None
) -> str | None:
    """Return why the checks cannot use a sample, or None if they can.

    Args:
        task_name: the name of the task's class.
        sample: the sample that the author provides.
        text_columns: the columns that predictions are made from; empty if their cells do not matter.
        inputs: what the author's ``sample_inputs`` returns; None if predictions are made from the
            sample.
    """
    import pandas as pd

    if not isinstance(sample, pd.DataFrame) or len(sample) < 2:
        return (
            f"the kit needs a sample of at least two rows for {task_name}, but got {cell(sample)}: "
            f"set `sample` to a DataFrame, or return one from sample_data()"
        )
    if inputs is not None:
        return _inputs_problem(task_name, inputs, len(text_columns))
    made_from = f"predictions are made from the columns in text_columns ({names(text_columns)})"
    for name in text_columns:
        if name not in sample.columns:
            return (
                f"{made_from}, but the sample has no column {name!r}, only "
                f"{names(str(column) for column in sample.columns)}: name the columns of texts in "
                f"text_columns, or add the column to sample_data() (the kit's `sample`)"
            )
        for row, value in zip(sample.index, sample[name], strict=True):
            if not isinstance(value, str):
                return (
                    f"{made_from}, which must contain str, but the sample's column {name!r} is "
                    f"{cell(value)} in row {cell(row)}: name a column of texts in text_columns, and "
                    f"include it in sample_data() (the kit's `sample`); a list of words, for "
                    f"example, must be joined to one text"
                )
    return None


def _inputs_problem(task_name: str, inputs: Any, columns: int) -> str | None:
    expected = "texts" if columns == 1 else f"tuples of {columns} texts"
    if not isinstance(inputs, list) or len(inputs) < 2:
        return (
            f"{task_name}.sample_inputs() must return a list of at least two {expected}, but returns "
            f"{cell(inputs)}"
        )
    for given in inputs:
        texts = (given,) if columns == 1 else given
        is_row = isinstance(texts, tuple) and len(texts) == columns
        if not is_row or not all(isinstance(text, str) for text in texts):
            return f"{task_name}.sample_inputs() must return {expected}, but has {cell(given)}"
    return None
