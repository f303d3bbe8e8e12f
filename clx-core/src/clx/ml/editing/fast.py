"""Remove the student that answers first when an edit changes its run's decisions or labels.

They need a new choice of its margins. New names change no decision: ``rename_fast.py``.
"""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Mapping
from typing import Any

from clx.errors import ClxWarning
from clx.ml.prediction.cascaded import has_cascade
from clx.ml.results.cascade import CASCADE
from clx.ml.run_directory.layout import RunDir
from clx.ml.task.task import Task
from clx_runtime.callers import user_level
from clx_runtime.cascade import read_cascade


def without_cascade(new: RunDir, results: Mapping[str, Any]) -> dict[str, Any]:
    """Remove the student from a changed copy of a run, and return the results without it."""
    shutil.rmtree(new.fast.path, ignore_errors=True)
    return {name: value for name, value in results.items() if name != CASCADE}


def still_holds(task: Task, place: RunDir) -> bool:
    """Return whether a run has no student, or one whose margins hold for the task's decisions."""
    if not has_cascade(place):
        return True
    rule = task.decision_rule()
    return rule is not None and rule.to_dict() == read_cascade(place.fast.path).settings.decision


def tell_removed(name: str, why: str) -> None:
    """Warn that the student of a run was removed.

    Args:
        name: the name of the run.
        why: what its margins were not chosen for.
    """
    warnings.warn(
        f"The student that answered first was removed from {name!r}: its margins were not chosen for "
        f"{why}. Call with_fast again",
        ClxWarning,
        stacklevel=user_level(),
    )
