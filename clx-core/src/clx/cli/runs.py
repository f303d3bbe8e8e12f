"""``clx runs``: list the trained runs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from clx.cli.failures import complain
from clx.cli.metric_tables import headline
from clx.cli.output import Output, clipped
from clx.cli.parameters import JsonOption, NoHeaderOption, RunsDirOption
from clx.cli.task_names import own_name, task_names
from clx.cli.unfinished import write_unfinished
from clx.errors import ConfigError, RunDirError, RunNotFoundError
from clx.problems import did_you_mean, names

NOTE_WIDTH = 60
"""How many characters of a note a terminal shows in the list."""


@dataclass(frozen=True)
class Summary:
    """One line of the list.

    Attributes:
        path: the run directory.
        when: when the run was written.
        task: the name of its task; None if the run is damaged.
        metrics: the metrics on its eval data.
        damage: what is wrong with the run, or None if no damage is visible.
        note: the user's note about the run; empty if there is none.
    """

    path: Path
    when: datetime
    task: str | None = None
    metrics: dict[str, Any] | None = None
    damage: str | None = None
    note: str = ""

    def result(self, metric: str | None = None) -> str:
        """Return what the list shows: a metric, or why the run cannot be read.

        Args:
            metric: the metric to show, None for the headline metric.
        """
        if self.damage is not None:
            return f"damaged: {self.damage}"
        if metric is not None:
            value = metric_of(self, metric)
            return "" if value is None else f"{metric} {value:.4f}"
        best = headline(self.metrics or {})
        return "" if best is None else f"{best[0]} {best[1]:.4f}"

    def to_dict(self) -> dict[str, Any]:
        """Return the summary as values for JSON."""
        best = headline(self.metrics or {})
        return {
            "name": self.path.name,
            "task": self.task,
            "trained_at": self.when.isoformat(timespec="seconds"),
            "headline": None if best is None else {"metric": best[0], "value": best[1]},
            "metrics": self.metrics or {},
            "note": self.note,
            "path": self.path,
            "damage": self.damage,
        }


def summary(path: Path) -> Summary:
    """Return what the list shows for a run, including a damaged one."""
    from clx.cli.saved import trained_at
    from clx.ml.run_directory.layout import RunDir
    from clx.ml.run_directory.notes import read_note

    run = RunDir(path)
    when, note = trained_at(run), ""
    try:
        note = read_note(run)
        task, metrics = run.read_config()["task"], run.read_results().get("metrics")
    except RunDirError as error:
        return Summary(path, when, damage=str(error), note=note)
    return Summary(path, when, task, metrics if isinstance(metrics, dict) else {}, note=note)


def metric_of(run: Summary, name: str) -> float | None:
    """Return a metric of a run, None if it has none of this name or if it is not a finite number."""
    value = (run.metrics or {}).get(name)
    if not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


COLUMNS: dict[str, Callable[[Summary], Any]] = {
    "run": lambda run: run.path.name,
    "task": lambda run: run.task or None,
    "trained": lambda run: -run.when.timestamp(),
    "note": lambda run: run.note or None,
    "path": lambda run: str(run.path),
}
"""What the list can be sorted by besides metrics, ascending; None comes last."""


def runs(
    runs_dir: RunsDirOption = None,
    sort: Annotated[
        str,
        typer.Option(
            metavar="KEY",
            help="Sort by a metric, such as accuracy, the best run first; or by trained (newest first), "
            "run, task, note or path.",
        ),
    ] = "trained",
    task: Annotated[
        str | None,
        typer.Option(
            metavar="TASK", help="List runs of this task only.", autocompletion=task_names
        ),
    ] = None,
    unfinished: Annotated[
        bool,
        typer.Option(
            "--unfinished", help="List trainings that were interrupted and can be resumed."
        ),
    ] = False,
    no_header: NoHeaderOption = False,
    as_json: JsonOption = False,
) -> None:
    """List the trained runs, newest first.

    Prints the name, task, time of training, one metric, path and note of each run. In a pipe: a
    heading and one run per line, fields separated by tabs. With --unfinished: name, task, steps, time
    of the newest checkpoint, and path of each training that `clx train … --resume` can continue.
    """
    with Output(as_json, no_header) as out:
        from clx.ml.run_directory.finding import saved_runs
        from clx.settings import runs_dir as default_runs_dir

        folder = default_runs_dir() if runs_dir is None else runs_dir.expanduser().absolute()
        if runs_dir is not None and not folder.is_dir():
            raise RunNotFoundError(f"There is no folder {folder}")
        if unfinished:
            write_unfinished(out, folder, task)
            return
        found = sorted(map(summary, saved_runs(folder)), key=lambda run: run.path.name)
        found = of_task(found, task)
        found, metric = in_order(found, sort)
        if as_json:
            out.json([run.to_dict() for run in found])
            return
        if not found:
            of = "" if task is None else f" of the task {task}"
            complain(f"There are no trained runs{of} in {folder}. Use `clx train` to train one.")
            return
        _write(out, found, metric)


def _write(out: Output, found: list[Summary], metric: str | None) -> None:
    columns = ["run", "task", "trained", "metric", "path"]
    rows = [
        [run.path.name, run.task, f"{run.when:%Y-%m-%d %H:%M}", run.result(metric), run.path]
        for run in found
    ]
    # A pipe always has the same columns.
    if not out.is_terminal or any(run.note for run in found):
        columns.append("note")
        rows = [[*row, _shown(out, run.note)] for row, run in zip(rows, found, strict=True)]
    out.table(columns, rows)


def _shown(out: Output, note: str) -> str:
    return clipped(note.partition("\n")[0], NOTE_WIDTH) if out.is_terminal else note


def of_task(found: list[Summary], task: str | None) -> list[Summary]:
    """Return the runs of a task, which may be given by an alias; None stands for all.

    Raises:
        TaskNotFoundError: there is no such task, and no run of it.
    """
    if task is None:
        return found
    return [run for run in found if run.task == own_name(task, {run.task for run in found})]


def in_order(found: list[Summary], key: str) -> tuple[list[Summary], str | None]:
    """Return the runs in the order of a key, and the key if it is a metric.

    Runs without the key come last, and runs with the same value stay in their order.

    Raises:
        ConfigError: no run has such a key.
    """
    if key in COLUMNS:
        value, metric = COLUMNS[key], None
    else:
        known = sorted({name for run in found for name in run.metrics or {}})
        if found and key not in known:
            raise ConfigError(
                f"There is nothing called {key!r} to sort by{did_you_mean(key, [*COLUMNS, *known])}. "
                f"The columns are {names(COLUMNS)}, and the metrics {names(known)}"
            )
        from clx.ml.metrics import higher_is_better

        sign, metric = -1 if higher_is_better(key) else 1, key

        def value(run: Summary) -> Any:
            number = metric_of(run, key)
            return None if number is None else sign * number

    keyed = [(value(run), run) for run in found]
    there = sorted(((v, run) for v, run in keyed if v is not None), key=lambda pair: pair[0])
    return [run for _, run in there] + [run for v, run in keyed if v is None], metric
