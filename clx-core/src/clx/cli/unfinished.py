"""``clx runs --unfinished``: list the trainings that were interrupted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from clx.cli.failures import complain
from clx.cli.output import Output
from clx.cli.task_names import own_name

if TYPE_CHECKING:
    from clx.ml.run_directory.unfinished import Unfinished


def write_unfinished(out: Output, folder: Path, task: str | None) -> None:
    """Write the unfinished trainings in a folder, the newest first.

    Args:
        out: the output of the command.
        folder: the parent of run directories.
        task: the task whose trainings are listed, None for all.

    Raises:
        TaskNotFoundError: there is no such task, and no training of it.
    """
    from clx.ml.run_directory.unfinished import unfinished_runs

    found = unfinished_runs(folder)
    if task is not None:
        name = own_name(task, {run.task for run in found})
        found = [run for run in found if run.task == name]
    found.sort(key=lambda run: run.when, reverse=True)
    if out.as_json:
        out.json([run.to_dict() for run in found])
        return
    if not found:
        complain(f"There are no unfinished trainings in {folder}.")
        return
    out.table(("run", "task", "steps", "saved", "path"), map(_row, found))
    out.line("To continue one, repeat its `clx train` command with --resume.")


def _row(run: Unfinished) -> tuple[Any, ...]:
    steps = f"{run.step} of {run.steps}" if run.steps else str(run.step)
    return run.path.name, run.task, steps, f"{run.when:%Y-%m-%d %H:%M}", run.path
