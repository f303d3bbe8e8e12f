"""``clx runs``: list the trained runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from clx.cli.failures import complain
from clx.cli.metric_tables import headline
from clx.cli.output import Output
from clx.cli.parameters import JsonOption, NoHeaderOption, RunsDirOption
from clx.errors import RunDirError, RunNotFoundError


@dataclass(frozen=True)
class Summary:
    """One line of the list.

    Attributes:
        path: the run directory.
        when: when the run was written.
        task: the name of its task; None if the run is damaged.
        metrics: the metrics on its eval data.
        damage: what is wrong with the run, or None if no damage is visible.
    """

    path: Path
    when: datetime
    task: str | None = None
    metrics: dict[str, Any] | None = None
    damage: str | None = None

    @property
    def result(self) -> str:
        """The metric that the list shows, or why the run cannot be read."""
        if self.damage is not None:
            return f"damaged: {self.damage}"
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
            "path": self.path,
            "damage": self.damage,
        }


def summary(path: Path) -> Summary:
    """Return what the list shows for a run, including a damaged one."""
    from clx.cli.saved import trained_at
    from clx.ml.run_directory.layout import RunDir

    run = RunDir(path)
    when = trained_at(run)
    try:
        task, metrics = run.read_config()["task"], run.read_results().get("metrics")
    except RunDirError as error:
        return Summary(path, when, damage=str(error))
    return Summary(path, when, task, metrics if isinstance(metrics, dict) else {})


def runs(
    runs_dir: RunsDirOption = None,
    no_header: NoHeaderOption = False,
    as_json: JsonOption = False,
) -> None:
    """List the trained runs, newest first.

    Prints the name, task, time of training, one metric and path of each run. In a pipe: a heading
    and one run per line, fields separated by tabs.
    """
    with Output(as_json, no_header) as out:
        from clx.ml.run_directory.finding import saved_runs
        from clx.settings import runs_dir as default_runs_dir

        folder = default_runs_dir() if runs_dir is None else runs_dir.expanduser().absolute()
        if runs_dir is not None and not folder.is_dir():
            raise RunNotFoundError(f"There is no folder {folder}")
        found = sorted(map(summary, saved_runs(folder)), key=lambda run: run.path.name)
        found.sort(key=lambda run: run.when, reverse=True)
        if as_json:
            out.json([run.to_dict() for run in found])
            return
        if not found:
            complain(f"There are no trained runs in {folder}. Use `clx train` to train one.")
            return
        rows = (
            (run.path.name, run.task, f"{run.when:%Y-%m-%d %H:%M}", run.result, run.path)
            for run in found
        )
        out.table(("run", "task", "trained", "metric", "path"), rows)
