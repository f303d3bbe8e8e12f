"""``clx doctor``: report what is installed, what is broken, and what to do."""

from __future__ import annotations

import warnings
from typing import Annotated

import typer

from clx.cli.failures import BROKEN
from clx.cli.output import Output
from clx.cli.parameters import JsonOption, NoHeaderOption, run_names


def doctor(
    run_name: Annotated[
        str | None,
        typer.Argument(
            metavar="RUN",
            help="Name or directory of a run to check too: its files, its safety, and its model.",
            autocompletion=run_names,
        ),
    ] = None,
    no_header: NoHeaderOption = False,
    as_json: JsonOption = False,
) -> None:
    """Report what is installed, what is broken, and what to do.

    The exit status is 1 if something is broken. In a pipe: a heading and one finding per line
    (ok, note or broken), fields separated by tabs.
    """
    with Output(as_json, no_header) as out:
        from clx.cli.diagnoses import installation, whole_run
        from clx.errors import ClxWarning
        from clx.ml.run_directory.finding import locate

        # A run that does not exist is a usage error, not a finding, so look for it first.
        path = None if run_name is None else locate(run_name)
        with warnings.catch_warnings():
            # The findings contain what the warnings would say.
            warnings.simplefilter("ignore", ClxWarning)
            findings = [*installation(), *(() if path is None else [whole_run(path)])]
        broken = [finding for finding in findings if finding.status == "broken"]
        if as_json:
            out.json({"ok": not broken, "findings": [vars(finding) for finding in findings]})
        else:
            rows = (vars(finding).values() for finding in findings)
            out.table(("status", "what", "found", "what to do"), map(list, rows))
            some = "1 thing is" if len(broken) == 1 else f"{len(broken)} things are"
            out.line(f"{some} broken." if broken else "Nothing is broken.")
    if broken:
        raise typer.Exit(BROKEN)
