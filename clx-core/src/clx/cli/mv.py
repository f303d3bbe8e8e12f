"""``clx mv``: rename a run, or move it to another folder."""

from __future__ import annotations

from typing import Annotated

import typer

from clx.cli.output import Output
from clx.cli.parameters import JsonOption, RunArgument


def mv(
    run_name: RunArgument,
    new: Annotated[
        str,
        typer.Argument(
            metavar="NEW",
            help="A new name; or, with a slash, a folder for the run or its new path.",
        ),
    ],
    as_json: JsonOption = False,
) -> None:
    """Rename a run or move it to a folder.

    The trials of its tuning and its checkpoints move with it. The name in the config, the report and
    the model card follows, and so does the manifest. Refuses an existing target, and a run in
    training. If anything fails, the run stays where it was.
    """
    with Output(as_json) as out:
        from clx.ml import move_run
        from clx.ml.run_directory.finding import find_any_run

        old = find_any_run(run_name).path
        moved = move_run(old, new)
        if as_json:
            out.json({"run": moved.name, "path": moved, "from": old})
        else:
            out.fields([("run", moved.name), ("path", moved)])
