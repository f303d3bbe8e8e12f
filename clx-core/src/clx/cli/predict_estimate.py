"""Print what a prediction will cost, for ``clx estimate`` and ``clx predict --dry-run``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from clx.cli.output import Output

if TYPE_CHECKING:
    from clx.ml import TrainingRun


def print_estimate(
    out: Output, run: TrainingRun, sources: Sequence[str], arguments: dict[str, Any]
) -> None:
    """Estimate the prediction of sources and print it; nothing is written.

    Args:
        out: the output of the command.
        run: the trained run.
        sources: files, folders, globs and addresses.
        arguments: further arguments of ``estimate``.
    """
    found = run.estimate(list(sources), **arguments)
    if out.as_json:
        out.json({"run_dir": run.run_dir, **found.to_dict()})
        return
    out.fields(found.facts().items(), found.source)
    out.blank()
    columns, rows = found.table()
    out.table(columns, rows, "On this machine", heading=True)
