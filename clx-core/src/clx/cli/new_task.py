"""``clx new-task``: a complete task package to begin with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clx.cli.output import Output
from clx.cli.parameters import JsonOption


def new_task(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The task's name, such as my-task.")],
    folder: Annotated[
        Path | None,
        typer.Option("--folder", "-o", help="Where to write it [default: ./clx-tasks-NAME]"),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write a task package that installs, with tests that pass.

    It has one task, which gives a text a number, tests with the conformance kit, a README and a CI
    file: change the task to yours. Prints the files that it wrote.
    """
    with Output(as_json) as out:
        from clx.cli.task_template import write_package

        root, files = write_package(name, folder)
        if as_json:
            out.json({"folder": root, "files": files})
        else:
            out.fields([("written", root / file) for file in files])
            out.line(f"Next: pip install -e '{root}[test]' && python -m pytest {root}")
