"""``clx demo``: what clx does, shown on a few hundred messages."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from clx.cli.output import Output


def demo(
    context: typer.Context,
    directory: Annotated[
        Path,
        typer.Option(
            "--directory",
            "-d",
            metavar="DIR",
            file_okay=False,
            help="New folder for all that the demo writes.",
        ),
    ] = Path("clx-demo"),
    data_only: Annotated[
        bool, typer.Option("--data-only", help="Write the messages as csv files, and end.")
    ] = False,
) -> None:
    """Show clx in two minutes: check data, train, correct labels, evaluate, predict.

    Works on 425 messages to a shop in eight topics, which come with clx, and prints each command and
    each line of Python before it runs. Writes to one new folder only.
    """
    from clx.cli.demo_data import write_data
    from clx.cli.demo_tour import give_tour, require_tasks

    root = context.find_root().command

    def run(words: Sequence[str]) -> None:
        # Without obj: the options before `clx demo`, such as --debug, stay as they are.
        status = root.main(args=list(words), prog_name="clx", standalone_mode=False)
        if isinstance(status, int) and status:
            raise typer.Exit(status)

    if not data_only:
        require_tasks()
    files = write_data(directory)
    if data_only:
        with Output() as out:
            out.fields([("written", path) for path in files])
    else:
        give_tour(directory, files, run)
