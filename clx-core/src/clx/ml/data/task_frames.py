"""The user's names for the columns that a task reads, and frames in the task's own format."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clx.errors import ConfigError, DataFormatError
from clx.ml.data.frames import to_frame
from clx.ml.data.reading import DEFAULT_READING, Reading
from clx.ml.data.row_targets import weighted_rows
from clx.ml.task.author_code import read_frame, validate_frame
from clx.ml.task.option_checks import no_label_column
from clx.problems import did_you_mean, names, raise_problems
from clx_runtime.texts import columns_to_read

if TYPE_CHECKING:
    import pandas as pd

    from clx.ml.task.task import Task


@dataclass(frozen=True)
class ColumnNames:
    """The data's names for the columns of texts and labels. None means the task's own names."""

    text: str | None = None
    label: str | None = None


def own_text_columns(task: Task) -> tuple[str, ...]:
    """Return the names of the text columns in the run's data."""
    return task.text_columns if task.text_column is None else (task.text_column,)


def column_names(
    task: Task, text_column: str = "text", label_column: str | None = None
) -> ColumnNames:
    """Return the names of the columns for a call.

    Args:
        task: the task, with the options of the run.
        text_column: the call's option. ``"text"`` means the run's own column.
        label_column: the call's option. None means the run's own column.

    Raises:
        ConfigError: the task has no single column of texts, or does not name its column of labels.
    """
    columns = columns_to_read(own_text_columns(task), text_column)
    label = task.label_column if label_column is None else label_column
    if label is not None and not task.label_column_names:
        raise ConfigError(no_label_column(task))
    if label in columns:
        raise ConfigError(f"label_column is {label!r}, which is a column of texts")
    text = columns[0] if len(columns) == 1 and columns[0] not in task.text_columns else None
    return ColumnNames(text, label)


def validated_frame(
    task: Task,
    data: Any,
    what: str = "data",
    reading: Reading = DEFAULT_READING,
    columns: ColumnNames | None = None,
    split: str | None = None,
) -> pd.DataFrame:
    """Return the data as a frame in the task's format, which the task has validated.

    Rows of weight 0 are left out.

    Args:
        task: the task, with the options of the run.
        data: the data, as for :func:`to_frame`.
        what: the name of the data in messages.
        reading: how to read a text file.
        columns: the names of the columns. None takes the run's.
        split: the split to take of a ``DatasetDict``.

    Raises:
        DataFormatError: the data cannot be read, or is not in the task's format.
    """
    columns = column_names(task) if columns is None else columns
    sources = sources_of(task, columns)
    renamed = named_frame(task, to_frame(data, what, reading, split), columns, what)
    renamed = weighted_rows(task, renamed, what)
    read_as = " and ".join(f"{old!r} as {new!r}" for new, old in sources.items() if old != new)
    shown = f"{what}, read with {read_as}" if read_as else what
    with names_of_data(task, columns):
        frame = read_frame(task, renamed, shown)
        validate_frame(task, frame, shown)
    return frame


@contextlib.contextmanager
def names_of_data(task: Task, columns: ColumnNames | None = None) -> Iterator[None]:
    """Let errors about rows name the columns of the data, where a task knows its own names only.

    Args:
        task: the task, with the options of the run.
        columns: the names of the columns. None takes the run's.
    """
    try:
        yield
    except DataFormatError as error:
        sources = sources_of(task, column_names(task) if columns is None else columns)
        own = {repr(new): repr(old) for new, old in sources.items() if new != old}
        if not own:
            raise
        known = "|".join(map(re.escape, own))
        message = re.sub(rf"(?<=column )({known})", lambda found: own[found[0]], str(error))
        raise DataFormatError(message) from error


def own_frame(
    task: Task, frame: pd.DataFrame, columns: ColumnNames | None = None, what: str = "data"
) -> pd.DataFrame:
    """Return a frame as :func:`validated_frame` does, before its validation and with all its rows.

    Raises:
        DataFormatError: a column that the user named is missing, or the task cannot read the frame.
    """
    return read_frame(task, named_frame(task, frame, columns, what), what)


def named_frame(
    task: Task, frame: pd.DataFrame, columns: ColumnNames | None = None, what: str = "data"
) -> pd.DataFrame:
    """Return a frame with the task's names for its columns; see :func:`validated_frame`.

    Raises:
        DataFormatError: a column that the user named is missing.
    """
    columns = column_names(task) if columns is None else columns
    return _renamed(task, frame, sources_of(task, columns), what)


def sources_of(task: Task, columns: ColumnNames) -> dict[str, str]:
    """Return the data's name for each of the task's columns that was named."""
    sources = {}
    if columns.text is not None:
        sources[task.text_columns[0]] = columns.text
    if columns.label is not None:
        own = task.label_column_names
        sources[columns.label if columns.label in own else own[0]] = columns.label
    return sources


def _renamed(task: Task, frame: pd.DataFrame, sources: dict[str, str], what: str) -> pd.DataFrame:
    """Return the frame with the task's names. Columns that had them before are dropped."""
    present = [str(name) for name in frame.columns]
    raise_problems(
        DataFormatError,
        f"{what} lacks a column that text_column or label_column names:",
        [
            f"there is no column {old!r}, to be read as {new!r}; the columns are {names(present)}"
            f"{did_you_mean(old, present)}"
            for new, old in sources.items()
            if old not in frame.columns
        ],
        "Rename the columns of the data, or name the right ones.",
    )
    others = _others(task, frame, sources)
    renamed = {old: new for new, old in sources.items() if old != new}
    return frame.drop(columns=others).rename(columns=renamed) if others or renamed else frame


def _others(task: Task, frame: pd.DataFrame, sources: dict[str, str]) -> list[str]:
    """Return the columns that the task would read instead of those that the user named."""
    replaced = set(sources)
    if replaced & set(task.label_column_names):
        replaced |= set(task.label_column_names)
    return [name for name in frame.columns if name in replaced and name not in sources.values()]
