"""Calling a task's own code, so that an error says where it was raised."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from clx.errors import ClxError, DataFormatError, PluginError

if TYPE_CHECKING:
    import pandas as pd

    from clx.ml.task.task import Task


@contextlib.contextmanager
def author_code(task: Task, step: str) -> Iterator[None]:
    """Add a note with task, run and step to an exception that is not from clx."""
    try:
        yield
    except ClxError:
        raise
    except Exception as error:
        error.add_note(f"[clx] in {step}() of the task {task.name!r}, run {task.run_name!r}")
        raise


def read_frame(task: Task, frame: pd.DataFrame, what: str) -> pd.DataFrame:
    """Return the frame in the form in which the task works with it.

    Raises:
        DataFormatError: the task cannot read the frame.
        PluginError: the task returned other rows.
    """
    try:
        with author_code(task, "read_data"):
            read = task.read_data(frame)
    except DataFormatError as error:
        raise DataFormatError(f"{what}: {error}") from error
    if read is not frame and not read.index.equals(frame.index):
        raise PluginError(
            f"read_data() of the task {task.name!r} must return a frame with the rows and the index "
            f"that it was given"
        )
    return read


def validate_frame(task: Task, frame: pd.DataFrame, what: str) -> None:
    """Run the task's validation and say which data it was about.

    Raises:
        DataFormatError: whatever the task raised, except a :class:`PluginError`.
    """
    try:
        task.validate_data_format(frame)
    except PluginError:
        raise
    except Exception as error:
        raise DataFormatError(f"{what}: {error}") from error
