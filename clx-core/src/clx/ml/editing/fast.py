"""The student that answers first, when its run is edited: it gets the new names, or it is removed.

New names change no decision, so the student keeps answering. Other decisions or labels need a new choice
of its margins.
"""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Mapping
from typing import Any

from clx.errors import ClxWarning
from clx.ml.editing.renamed_results import renamed_value
from clx.ml.prediction.cascaded import has_cascade
from clx.ml.results.cascade import CASCADE
from clx.ml.run_directory.copying import replace_text
from clx.ml.run_directory.files import json_text
from clx.ml.run_directory.layout import MANIFEST, RunDir
from clx.ml.task.task import Task
from clx_runtime.callers import user_level
from clx_runtime.cascade import FILE, read_cascade
from clx_runtime.files import file_sha256, read_json


def without_cascade(new: RunDir, results: Mapping[str, Any]) -> dict[str, Any]:
    """Remove the student from a changed copy of a run, and return the results without it."""
    shutil.rmtree(new.fast.path, ignore_errors=True)
    return {name: value for name, value in results.items() if name != CASCADE}


def still_holds(task: Task, place: RunDir) -> bool:
    """Return whether a run has no student, or one whose margins hold for how the task decides."""
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


def rename_in_cascade(copy: RunDir, new: Mapping[str, str], kind: str) -> None:
    """Give the margins of a copy's student new names.

    Args:
        copy: a copy of a run with a student.
        new: old name → new name, for every label.
        kind: the type of the labels after it.
    """
    path = copy.fast.path / FILE
    values = read_json(path)
    settings = values["settings"]
    settings["labels"] = renamed_value(settings["labels"], new)
    names = renamed_value(settings["decision"]["labels"], new)
    settings["decision"] |= {"labels": names, "label_type": kind}
    values["margins"] = {new[name]: margin for name, margin in values["margins"].items()}
    replace_text(path, json_text(values))
    entry = {"size": path.stat().st_size, "sha256": file_sha256(path)}
    replace_text(copy.fast.path / MANIFEST, json_text({"files": {FILE: entry}}))
