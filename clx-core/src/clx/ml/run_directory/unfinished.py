"""Trainings that were interrupted and can be resumed, found without loading anything."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from clx.ml.run_directory.layout import MANIFEST, RunDir
from clx.ml.run_directory.lock import is_being_written
from clx.ml.run_directory.marks import IDENTITY, STATE, complete_checkpoints, step_of
from clx.settings import runs_dir
from clx_runtime.files import read_json_or_empty


@dataclass(frozen=True)
class Unfinished:
    """A training that was interrupted.

    Attributes:
        path: the run directory.
        task: the name of its task, None if it is not known.
        step: the step of the newest complete checkpoint, 0 without one.
        steps: the number of steps of the whole training, None if it is not known.
        when: when that checkpoint was saved, or the training began.
        replaces: whether there is a trained run, which the training would replace.
    """

    path: Path
    task: str | None
    step: int
    steps: int | None
    when: datetime
    replaces: bool

    def to_dict(self) -> dict[str, Any]:
        """Return everything as values for JSON."""
        return {
            "name": self.path.name,
            "task": self.task,
            "step": self.step,
            "steps": self.steps,
            "saved_at": self.when.isoformat(timespec="seconds"),
            "replaces": self.replaces,
            "path": self.path,
        }


def unfinished_runs(parent: Path | None = None) -> list[Unfinished]:
    """Return the unfinished trainings in a folder, by default ``runs_dir()``, sorted by name.

    Trainings that are in progress are left out.
    """
    folder = runs_dir() if parent is None else parent
    found = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        run = RunDir(path)
        if path.name.startswith(".") or not (run.checkpoints / IDENTITY).is_file():
            continue
        if not is_being_written(run):
            found.append(_unfinished(run))
    return found


def _unfinished(run: RunDir) -> Unfinished:
    identity = run.checkpoints / IDENTITY
    complete = complete_checkpoints(run.checkpoints)
    newest = complete[-1] if complete else None
    state = {} if newest is None else read_json_or_empty(newest / STATE)
    config = read_json_or_empty(identity).get("config")
    task = config.get("task") if isinstance(config, dict) else None
    steps = state.get("max_steps")
    changed = (identity if newest is None else newest).stat().st_mtime
    return Unfinished(
        path=run.path,
        task=task if isinstance(task, str) else None,
        step=0 if newest is None else step_of(newest),
        steps=steps if isinstance(steps, int) and steps > 0 else None,
        when=datetime.fromtimestamp(changed).astimezone(),
        replaces=(run.path / MANIFEST).is_file(),
    )
