"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def run_names() -> list[str]:
    """Return the names of all runs; shell completion picks those that match."""
    from clx.ml.run_directory.finding import saved_runs

    return [path.name for path in saved_runs()]


RunArgument = Annotated[
    str,
    typer.Argument(metavar="RUN", help="Name or directory of a run.", autocompletion=run_names),
]
LabelledDataArgument = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        help="Labeled data: csv, tsv, jsonl or parquet; a file, a folder or a quoted glob.",
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON document and nothing else.")
]
DeviceOption = Annotated[
    str | None,
    typer.Option(
        "--device", metavar="D", help="Device, such as cpu or cuda:1 [default: the best available]"
    ),
]
RunsDirOption = Annotated[
    Path | None,
    typer.Option(
        "--runs-dir",
        metavar="DIR",
        file_okay=False,
        help="Folder that contains the run directories [default: LOCAL_DATA_DIR/runs]",
    ),
]

GroupColumnOption = Annotated[
    str | None,
    typer.Option(metavar="COLUMN", help="Column whose equal values stay on one side of a split."),
]
TimeColumnOption = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN", help="Column of times: the newest rows are evaluated, not random ones."
    ),
]


def save_option(what: str) -> Any:
    """Return the declaration of ``--save FOLDER`` for a command that writes ``what`` there."""
    return typer.Option(metavar="FOLDER", file_okay=False, help=f"Write {what} to this folder.")


def comma_separated(text: str) -> list[str]:
    """Split ``a,b`` at commas and strip each part."""
    return [part.strip() for part in text.split(",")]
