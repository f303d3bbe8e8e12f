"""Calling a task's own code, so that what it raises says where it was raised."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from clx.errors import ClxError


@contextlib.contextmanager
def author_code(task: Any, step: str) -> Iterator[None]:
    """Add a note with task, run and step to an exception that is not one of clx's own."""
    try:
        yield
    except ClxError:
        raise
    except Exception as error:
        error.add_note(f"[clx] in {step}() of the task {task.name!r}, run {task.run_name!r}")
        raise
