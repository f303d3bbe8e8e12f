"""``clx new-task``: write a complete task package to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clx.cli.output import Output
from clx.cli.parameters import JsonOption


def new_task(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="The name of the new task, such as my-task.")
    ],
    folder: Annotated[
        Path | None,
        typer.Option("--folder", "-o", help="Folder to write [default: ./clx-tasks-NAME]"),
    ] = None,
    template: Annotated[
        str,
        typer.Option(
            "--template",
            "-t",
            help="What the task predicts: classification (a label), pairs (a number for two texts), "
            "spans (labeled parts of a text), or number (a number for a text).",
        ),
    ] = "number",
    as_json: JsonOption = False,
) -> None:
    """Write a complete task package with passing tests.

    The package contains an example task of the kind that --template names, tests with the
    conformance kit, a README and a CI file. Replace the example with your own task. Prints the files
    written; in a pipe: one file per line, fields separated by tabs.
    """
    with Output(as_json) as out:
        from clx.cli.task_template import write_package

        root, files = write_package(name, folder, template)
        if as_json:
            out.json({"folder": root, "files": files})
        else:
            out.fields([("written", root / file) for file in files])
            out.line(f"Next: pip install -e '{root}[test]' && python -m pytest {root}")
