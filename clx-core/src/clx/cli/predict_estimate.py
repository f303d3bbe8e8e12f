"""Print what a prediction or a training will cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from clx.cli.output import Output
from clx.cli.parameters import comma_separated

if TYPE_CHECKING:
    from clx.ml import TrainingRun
    from clx.ml.results.training_estimates import TrainingEstimate


def print_estimate(
    out: Output, run: TrainingRun, sources: Sequence[str], arguments: dict[str, Any]
) -> None:
    """Estimate the prediction of sources and print it; nothing is written.

    Args:
        out: the output of the command.
        run: the trained run.
        sources: files, folders, globs and addresses.
        arguments: further arguments of ``estimate``, as the command line has them.
    """
    from clx.ml.data.tables.formats import known_format

    columns, target = arguments.get("columns"), arguments.get("target")
    given = {
        **arguments,
        "text_column": arguments.get("text_column") or "text",
        "columns": None if columns is None else comma_separated(columns),
        # Parts are written into a folder, as parquet.
        "target": target if target is not None and known_format(target) else None,
    }
    found = run.estimate(list(sources), **given)
    if out.as_json:
        out.json({"run_dir": run.run_dir, **found.to_dict()})
        return
    out.fields(found.facts().items(), found.source)
    out.blank()
    out.table(*found.table(), "On this machine")


def print_training_estimate(out: Output, run: TrainingRun, found: TrainingEstimate) -> None:
    """Print what a training will cost."""
    if out.as_json:
        out.json({"task": run.name, "run_name": run.run_name, **found.to_dict()})
        return
    out.fields(found.facts().items(), f"The training of {run.run_name}")
    out.blank()
    out.table(*found.table(), "On this machine")
