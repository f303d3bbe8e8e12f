"""``clx note``: write a note about a run, or print it."""

from __future__ import annotations

from typing import Annotated

import typer

from clx.cli.output import Output
from clx.cli.parameters import JsonOption, RunArgument


def note(
    run_name: RunArgument,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="TEXT", help='The new note. "" removes the note.'),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write or print a note about a run.

    `clx runs` and `clx show` display the note. It lies in the run directory as `note.txt`, moves with
    the run, and stays when the run is trained again. Without TEXT, prints the note.
    """
    with Output(as_json) as out:
        from clx.ml import note_run
        from clx.ml.run_directory.finding import find_any_run

        path = find_any_run(run_name).path
        text = note_run(path, None if words is None else " ".join(words))
        if as_json:
            out.json({"run": path.name, "path": path, "note": text})
        elif words is None:
            out.records([line] for line in text.splitlines())
