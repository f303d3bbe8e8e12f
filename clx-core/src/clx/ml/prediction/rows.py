"""The rows of predictions as a frame, beside columns of the input."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from clx.errors import ConfigError
from clx.ml.data.problems import column_problems, raise_data_problems
from clx.ml.prediction.windows import ColumnRows
from clx.problems import cell
from clx_runtime.cascade import ANSWERED_BY
from clx_runtime.columns import Columns

if TYPE_CHECKING:
    import pandas as pd

    from clx.ml.prediction.predict import CutTexts
    from clx.ml.prediction.windows import Window
    from clx.ml.task.task import Task


def window_row_function(
    predict: Callable[[list[str], CutTexts], Iterator[Window]],
    all_scores: bool,
    min_score: float | None,
) -> Callable[[list[str], CutTexts], Sequence[Mapping[str, Any]]]:
    """Return a function as :func:`row_function` does, which decides on arrays if it gets them.

    Args:
        predict: yields predictions, and records which texts were truncated.
        all_scores: whether rows have the score of every label.
        min_score: the score that a label needs, None for what the run has learned.
    """

    def rows(inputs: list[str], cut: CutTexts) -> Sequence[Mapping[str, Any]]:
        begun = len(cut.flags)
        parts = [window.rows(all_scores, min_score) for window in predict(inputs, cut)]
        flags, who = cut.flags[begun:], cut.answered_by[begun:]
        own: dict[str, list[Any]] = {"truncated": flags, **({ANSWERED_BY: who} if who else {})}
        by_column = [part for part in parts if isinstance(part, ColumnRows)]
        if parts and len(by_column) == len(parts):
            columns = {
                name: list(chain.from_iterable(part.columns[name] for part in by_column))
                for name in by_column[0].columns
            }
            return ColumnRows({**columns, **own}, len(flags))
        rows = chain.from_iterable(parts)
        return [
            {**row, **{name: values[place] for name, values in own.items()}}
            for place, row in enumerate(rows)
        ]

    return rows


def row_function(
    task: Task,
    predict: Callable[[list[str], CutTexts], Iterator[Any]],
    all_scores: bool,
    min_score: float | None,
) -> Callable[[list[str], CutTexts], list[dict[str, Any]]]:
    """Return a function that predicts texts and returns a row for each, with ``truncated``.

    Args:
        task: turns a prediction into a row.
        predict: yields the predictions, and records which texts were truncated.
        all_scores: whether rows have the score of every label.
        min_score: the score that a label needs, None for what the run has learned.
    """

    def rows(inputs: list[str], cut: CutTexts) -> list[dict[str, Any]]:
        begun, found = len(cut.flags), []
        for number, prediction in enumerate(predict(inputs, cut)):
            row = task.prediction_row(prediction, all_scores=all_scores, min_score=min_score)
            found.append(with_facts(row, text_facts(cut, begun + number)))
        return found

    return rows


def text_facts(cut: CutTexts, place: int) -> dict[str, Any]:
    """Return the columns that the row of a text gets in every task: ``truncated``, and who answered.

    Args:
        cut: what was recorded about the texts; nothing if the task predicts in its own way.
        place: the position of the text.
    """
    known: dict[str, Sequence[Any]] = {"truncated": cut.flags, ANSWERED_BY: cut.answered_by}
    return {name: values[place] for name, values in known.items() if place < len(values)}


def with_facts(row: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return a task's row with more columns; its own ones have priority."""
    return {**row, **{name: value for name, value in facts.items() if name not in row}}


def prediction_frame(
    rows: Sequence[Mapping[str, Any]], index: Any, columns: Iterable[str] | None = None
) -> pd.DataFrame:
    """Return a frame with one row per prediction, as ``prediction_row`` returns them.

    Whole numbers and booleans keep their values if some rows have None, such as the label of a run that
    abstains: the column then has the type ``Int64`` or ``boolean``, or ``object`` for numbers that
    do not fit into 64 bits. By default, pandas would convert them to floats, which changes
    large numbers.

    Args:
        rows: what ``prediction_row`` returned.
        index: the index of the frame.
        columns: the names of the columns if there are no rows to tell.
    """
    import pandas as pd

    by_column = rows.columns if isinstance(rows, ColumnRows) else None
    frame = pd.DataFrame(
        rows if by_column is None else by_column,
        index=index,
        columns=None if columns is None else list(columns),
    )
    for name in frame.columns:
        values = [row.get(name) for row in rows] if by_column is None else by_column[name]
        given = [value for value in values if value is not None]
        if not given or len(given) == len(values):
            continue
        if all(isinstance(value, bool) for value in given):
            frame[name] = pd.array(values, dtype="boolean")
        elif all(isinstance(value, int) and not isinstance(value, bool) for value in given):
            fits = all(-(2**63) <= value < 2**63 for value in given)
            frame[name] = (
                pd.array(values, dtype="Int64")
                if fits
                else pd.Series(values, index=frame.index, dtype=object)
            )
    return frame


def kept_columns(frame: pd.DataFrame, keep: Any) -> list[Any]:
    """Return the columns of the input that the caller wants beside the predictions.

    Args:
        frame: the input.
        keep: True for all columns, False for none, or names.

    Raises:
        ConfigError: ``keep`` is something else.
        DataFormatError: the input has no such column.
    """
    if isinstance(keep, bool) or keep is None:
        return list(frame.columns) if keep else []
    wanted = [keep] if isinstance(keep, str) else keep
    if not isinstance(wanted, list | tuple) and not hasattr(wanted, "tolist"):
        raise ConfigError(f"keep must be True, False or a list of columns, but is {cell(keep)}")
    columns = list(dict.fromkeys(wanted))
    raise_data_problems(column_problems(frame, columns), "the columns to keep")
    return columns


def beside_input(
    predictions: pd.DataFrame, frame: pd.DataFrame, keep: Sequence[Any], prefix: str
) -> pd.DataFrame:
    """Return predictions beside columns of the input, under the names that a file would have.

    Args:
        predictions: one row per row of the input, with the same index.
        frame: the input.
        keep: the columns of the input.
        prefix: the prefix of the names of the predicted columns.

    Raises:
        DataFormatError: the input has columns of the predictions' names.
    """
    import pandas as pd

    names = Columns(tuple(keep), prefix, option="keep").names(list(predictions.columns))
    renamed = predictions.rename(columns=names)
    return pd.concat([frame[list(keep)], renamed], axis=1) if keep else renamed
