"""Arguments and options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def run_names() -> list[str]:
    """Return the names of runs, for the shell's completion, which takes those that fit."""
    from clx.ml.run_directory.finding import saved_runs

    return [path.name for path in saved_runs()]


RunArgument = Annotated[
    str,
    typer.Argument(
        metavar="RUN", help="A run's name or the path of its directory.", autocompletion=run_names
    ),
]
LabelledDataArgument = Annotated[
    str,
    typer.Argument(
        metavar="DATA", help="Labelled data: csv, tsv, jsonl or parquet, a folder or a quoted glob."
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON document and nothing else.")
]
DeviceOption = Annotated[
    str | None,
    typer.Option(
        "--device", metavar="D", help="Such as cpu or cuda:1 [default: the best there is]"
    ),
]
RunsDirOption = Annotated[
    Path | None,
    typer.Option(
        "--runs-dir",
        metavar="DIR",
        file_okay=False,
        help="The folder of run directories [default: LOCAL_DATA_DIR/runs]",
    ),
]


def save_option(what: str) -> Any:
    """Return the declaration of ``--save FOLDER``, for a command that writes ``what`` there."""
    return typer.Option(metavar="FOLDER", file_okay=False, help=f"Write {what} there.")


def comma_separated(text: str) -> list[str]:
    """Return the parts of ``a,b`` without the blanks around them."""
    return [part.strip() for part in text.split(",")]
