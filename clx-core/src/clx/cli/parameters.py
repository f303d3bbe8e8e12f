"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

NO_NAMES = "none"
"""The value of ``--header`` for a csv file without a heading whose columns get no names."""


def run_names() -> list[str]:
    """Return the names of all runs; shell completion picks those that match."""
    from clx.ml.run_directory.finding import saved_runs

    return [path.name for path in saved_runs()]


RunArgument = Annotated[
    str,
    typer.Argument(metavar="RUN", help="Name or directory of a run.", autocompletion=run_names),
]
OptionalRunArgument = Annotated[
    str | None,
    typer.Argument(metavar="RUN", help="Name or directory of a run.", autocompletion=run_names),
]
LabelledDataArgument = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        help="Labeled data: a file, a folder, a quoted glob, a query or an address.",
    ),
]
TextColumnOption = Annotated[
    str | None,
    typer.Option(
        "--text-column", metavar="NAME", help="The column of texts [default: the run's own]"
    ),
]
LabelColumnOption = Annotated[
    str | None,
    typer.Option(
        "--label-column", metavar="NAME", help="The column of labels [default: the run's own]"
    ),
]
SeparatorOption = Annotated[
    str | None,
    typer.Option(
        "--separator",
        metavar="C",
        help="The character between the cells of a csv file, such as ; or \\t [default: a comma]",
    ),
]
EncodingOption = Annotated[
    str | None,
    typer.Option(
        "--encoding",
        metavar="E",
        help="The encoding of a text file, such as cp1252 [default: UTF-8]",
    ),
]
HeaderOption = Annotated[
    str | None,
    typer.Option(
        "--header",
        metavar="A,B",
        help="The column names of a csv file that has no heading; none numbers the columns.",
    ),
]
NoHeaderOption = Annotated[
    bool, typer.Option("--no-header", help="Leave out the headings of tables in a pipe.")
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
    typer.Option(
        metavar="COLUMN", help="Column of groups, each of which stays on one side of a split."
    ),
]
TimeColumnOption = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN", help="Column of times: evaluate on the newest rows, not on random ones."
    ),
]


def save_option(what: str) -> Any:
    """Return the declaration of ``--save FOLDER`` for a command that writes ``what`` there."""
    return typer.Option(metavar="FOLDER", file_okay=False, help=f"Write {what} to this folder.")


def comma_separated(text: str) -> list[str]:
    """Split ``a,b`` at commas and strip each part."""
    return [part.strip() for part in text.split(",")]


def reading_options(
    separator: str | None, encoding: str | None, header: str | None
) -> dict[str, Any]:
    """Return the options ``--separator``, ``--encoding`` and ``--header`` as arguments."""
    has_names = header is not None and header.strip().lower() != NO_NAMES
    # A shell passes the two characters of \t unchanged.
    return {
        "separator": "\t" if separator == r"\t" else separator,
        "encoding": encoding,
        "header": comma_separated(str(header)) if has_names else header is None,
    }
