"""``clx check-task``: run the conformance kit without pytest."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from clx.cli.failures import BROKEN, complain
from clx.cli.output import Output
from clx.cli.parameters import JsonOption, NoHeaderOption, comma_separated


def check_task(
    task: Annotated[str, typer.Argument(metavar="TASK", help="The name of an installed task.")],
    sample: Annotated[
        Path | None,
        typer.Option(help="File with a few rows in the task's format [default: its own sample]"),
    ] = None,
    only: Annotated[
        str | None, typer.Option(metavar="A,B", help="Names of the checks to run [default: all]")
    ] = None,
    no_header: NoHeaderOption = False,
    as_json: JsonOption = False,
) -> None:
    """Check that a task does everything its users rely on.

    Trains the task on its sample with a tiny model, offline, in about half a minute. Prints each
    check with its outcome: passed, warned, failed or skipped. The exit status is 1 if a check failed.
    In a pipe: a heading and one check per line, fields separated by tabs.
    """
    with Output(as_json, no_header) as out:
        from clx.ml.data.frames import to_frame
        from clx.ml.run.opening import task_registry
        from clx.testing import check_task as run_checks

        results: list[Any] = []
        found = run_checks(
            task_registry[task],
            None if sample is None else to_frame(str(sample)),
            checks=None if only is None else comma_separated(only),
        )
        for result in found:
            results.append(result)
            if len(results) == 1 and not (as_json or out.is_terminal):
                out.heading(("check", "outcome", "time"))
            if not as_json:
                out.records([_row(result)])
        failed = [result for result in results if not result.ok]
        if as_json:
            checks = [result.to_dict() for result in results]
            out.json({"task": task, "ok": not failed, "checks": checks})
        for result in results:
            if result.outcome in ("failed", "warned") and not as_json:
                complain(f"\n{result}")
    if failed:
        raise typer.Exit(BROKEN)


def _row(result: Any) -> list[str]:
    return [result.name, result.outcome, f"{result.seconds:.1f} s"]
