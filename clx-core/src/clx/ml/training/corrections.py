"""Changes to labeled data by what its checks found: other labels in some rows, or fewer rows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from clx.errors import ConfigError, DataFormatError, PluginError
from clx.ml.data.check.check import labeled_texts
from clx.ml.data.check.findings import conflicting_texts, repeated_rows
from clx.ml.data.check.labeled_texts import TextIndex, label_set
from clx.ml.data.frames import to_frame, training_sources
from clx.ml.data.task_frames import (
    ColumnNames,
    column_names,
    named_frame,
    own_frame,
    sources_of,
)
from clx.ml.results.corrections import ORIGINAL, CorrectedLabels, DistinctRows
from clx.ml.results.data_check import TRAIN
from clx.ml.task.author_code import author_code
from clx.ml.task.task import Task
from clx.ml.training.data import Data, label_errors, training_frame
from clx.problems import cell, examples

if TYPE_CHECKING:
    import pandas as pd


def correct_labels(
    task: Task, data: Data, found: pd.DataFrame | None, min_confidence: float, folds: int
) -> CorrectedLabels:
    """Return data with suggested labels; see ``TrainingRun.correct_labels``."""
    is_number = isinstance(min_confidence, int | float) and not isinstance(min_confidence, bool)
    if not is_number or not 0 <= min_confidence <= 1:
        raise ConfigError(
            f"min_confidence must be a number from 0 to 1, but is {cell(min_confidence)}"
        )
    if type(task).label_cells is Task.label_cells:
        raise ConfigError(
            f"clx cannot write labels of the task {task.name!r}, which has no label_cells(): look at "
            f"what find_label_errors returns, and correct the data by hand"
        )
    frame, columns = _frame_of(data), data.columns or column_names(task)
    rows = frame.reset_index(drop=True)
    if found is None:
        by_row = label_errors(task, replace(data, train_data=rows), folds, None)
        found = by_row.set_axis(frame.index[by_row.index])
    else:
        _refuse_others(found)
        training_frame(task, replace(data, train_data=rows), "data")
        by_row = found.set_axis(_positions(frame.index, found.index))
    _refuse_other_labels(task, rows, columns, by_row)
    accepted = _accepted(by_row, min_confidence)
    corrected = _relabeled(task, rows, columns, by_row[accepted])
    return CorrectedLabels(
        corrected.set_axis(frame.index),
        found.assign(accepted=accepted.to_numpy()),
        min_confidence,
    )


def drop_duplicates(task: Task, data: Data) -> DistinctRows:
    """Return data without repeated rows; see ``TrainingRun.drop_duplicates``."""
    import numpy as np

    frame = _frame_of(data)
    rows = frame.reset_index(drop=True)
    valid = training_frame(task, replace(data, train_data=rows), "data")
    texts = labeled_texts(task, valid)
    if texts is None:
        raise ConfigError(
            f"The task {task.name!r} has rows without texts, so clx cannot find those that repeat others"
        )
    if texts.labels is None and texts.marks is None:
        # What clx does not know as a label may be one.
        texts = replace(texts, marks=list(map(repr, valid.astype(object).to_numpy().tolist())))
    index = TextIndex(TRAIN, texts)
    kept = np.ones(len(frame), dtype=bool)
    repeats = repeated_rows(index)
    kept[[valid.index[position] for position in repeats]] = False
    conflicts = [
        position
        for text in conflicting_texts(index)
        for position in index.positions[text]
        if position not in repeats
    ]
    shown = valid.iloc[conflicts][list(task.text_columns)]
    shown = shown.assign(labels=[(texts.labels or ())[position] for position in conflicts])
    return DistinctRows(frame[kept], frame[~kept], shown.set_axis(frame.index[shown.index]))


def _frame_of(data: Data) -> pd.DataFrame:
    source, _ = training_sources(data.train_data, None, data.reading)
    return to_frame(source, "data", data.reading)


def _refuse_others(found: pd.DataFrame) -> None:
    """Raise if a frame is not from ``find_label_errors``."""
    needed = ["given", "suggested", "score", "confidence"]
    lacking = [name for name in needed if name not in getattr(found, "columns", ())]
    if lacking:
        raise DataFormatError(
            f"found must be what find_label_errors returned, or some of its rows, but lacks the columns "
            f"{', '.join(lacking)}"
        )


def _positions(index: pd.Index, wanted: pd.Index) -> Any:
    """Return the positions of rows that are known by their index labels."""
    if not index.is_unique:
        raise DataFormatError(
            "data has the same index label in several rows, so found does not say which row it means: "
            "number the rows with data.reset_index(drop=True), and search again"
        )
    positions = index.get_indexer(wanted)
    lacking = wanted[positions < 0]
    if len(lacking) or not wanted.is_unique:
        rows = lacking if len(lacking) else wanted[wanted.duplicated()]
        why = "that data does not have" if len(lacking) else "more than once"
        raise DataFormatError(f"found has rows {why}: {examples(rows.tolist())}")
    return positions


def _refuse_other_labels(
    task: Task, rows: pd.DataFrame, columns: ColumnNames, found: pd.DataFrame
) -> None:
    """Raise if the labels of the rows are not those that the search was given."""
    names = _names(task, rows, columns, found)
    for row, name, given in zip(found.index, names, found["given"], strict=True):
        if label_set(name) != label_set(given):
            raise DataFormatError(
                f"found is about other data: the row at position {row} has the label {cell(name)}, but "
                f"had {cell(given)} when the labels were searched"
            )


def _accepted(found: pd.DataFrame, min_confidence: float) -> pd.Series:
    """Return whether each suggestion is confident, and more probable than the given label."""
    import numpy as np

    differs = [
        label_set(given) != label_set(suggested)
        for given, suggested in zip(found["given"], found["suggested"], strict=True)
    ]
    confidence = found["confidence"]
    is_best = (confidence >= min_confidence) & (confidence > found["score"])
    return is_best & np.array(differs, dtype=bool)


def _relabeled(
    task: Task, rows: pd.DataFrame, columns: ColumnNames, accepted: pd.DataFrame
) -> pd.DataFrame:
    """Return the rows with other labels in some of them, and the column of the old ones.

    Raises:
        PluginError: the task reads other labels than it wrote.
    """
    import pandas as pd

    labels = dict(zip(accepted.index.tolist(), accepted["suggested"].tolist(), strict=True))
    old = dict(zip(labels, accepted["given"].tolist(), strict=True))
    result = rows.copy(deep=False)
    if labels:
        with author_code(task, "label_cells"):
            cells = task.label_cells(named_frame(task, rows, columns), labels) or {}
        in_data = sources_of(task, columns)
        for name, values in cells.items():
            column = in_data.get(name, name)
            result[column] = _column(rows[column], values)
            if len(cells) == 1:
                # Soft labels, for example, say more than the name of the label.
                before = rows[column].tolist()
                old |= {row: before[row] for row in old if _is_there(before[row])}
    names = _names(task, result, columns, accepted)
    for row, name, label in zip(labels, names, labels.values(), strict=True):
        if label_set(name) != label_set(label):
            raise PluginError(
                f"label_cells() of the task {task.name!r} wrote {cell(label)} into the row at position "
                f"{row}, but row_labels() reads {cell(name)}"
            )
    earlier = rows[ORIGINAL].tolist() if ORIGINAL in rows else [None] * len(rows)
    known = [first if _is_there(first) else old.get(n) for n, first in enumerate(earlier)]
    result[ORIGINAL] = pd.Series(known, index=rows.index, dtype=object)
    return result


def _is_there(value: Any) -> bool:
    """Return whether a cell has a value, and not only an empty text."""
    from pandas import isna
    from pandas.api.types import is_scalar

    return not is_scalar(value) or not (isna(value) or value == "")


def _names(task: Task, rows: pd.DataFrame, columns: ColumnNames, found: pd.DataFrame) -> list[Any]:
    """Return the label names of the rows that were found, as the task reads them."""
    if found.empty:
        return []
    frame = own_frame(task, rows.iloc[found.index], columns)
    with author_code(task, "row_labels"):
        names = task.row_labels(frame)
    if names is None:
        raise PluginError(
            f"The task {task.name!r} has label_cells(), but row_labels() returns None"
        )
    return names


def _column(old: pd.Series, values: list[Any]) -> pd.Series:
    """Return values as a column with the type of the old one, if that has room for them."""
    import pandas as pd

    kind: Any = old.dtype
    if isinstance(kind, pd.CategoricalDtype):
        known = set(kind.categories)
        new = dict.fromkeys(value for value in values if _is_there(value) and value not in known)
        kind = old.cat.add_categories(list(new)).dtype
    if pd.api.types.is_bool_dtype(kind) and not set(map(type, values)) <= {bool}:
        # pandas would make True of any word.
        kind = object
    column: pd.Series
    try:
        column = pd.Series(values, index=old.index, dtype=kind)
    except (OverflowError, TypeError, ValueError):
        column = pd.Series(values, index=old.index, dtype=object)
    return column
