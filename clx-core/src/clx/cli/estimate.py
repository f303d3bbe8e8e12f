"""``clx estimate``: say what the prediction of a file will cost."""

from __future__ import annotations

from typing import Annotated

import typer

from clx.cli.output import Output
from clx.cli.parameters import (
    DeviceOption,
    EncodingOption,
    HeaderOption,
    JsonOption,
    NoHeaderOption,
    RunArgument,
    SeparatorOption,
    TextColumnOption,
    reading_options,
)
from clx.cli.predict_estimate import print_estimate


def estimate(
    run_name: RunArgument,
    sources: Annotated[
        list[str],
        typer.Argument(metavar="SOURCE", help="Files, folders, globs and addresses of rows."),
    ],
    target: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="TARGET",
            help="The file that would be written; its suffix says the format [default: parquet]",
        ),
    ] = None,
    text_column: TextColumnOption = None,
    columns: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="The input columns to keep [default: all]"),
    ] = None,
    separator: SeparatorOption = None,
    encoding: EncodingOption = None,
    header: HeaderOption = None,
    batch_size: Annotated[
        int | None,
        typer.Option(metavar="N", help="Texts per batch [default: depends on their length]"),
    ] = None,
    backend: Annotated[
        str | None,
        typer.Option(
            metavar="B", help="torch, onnx or onnx-int8 [default: each one that the run has]"
        ),
    ] = None,
    all_scores: Annotated[
        bool, typer.Option("--all-scores", help="Include the score of every label.")
    ] = False,
    shards: Annotated[
        int | None,
        typer.Option(metavar="N", help="Divide the rows into this number of shards."),
    ] = None,
    device: DeviceOption = None,
    no_header: NoHeaderOption = False,
    as_json: JsonOption = False,
) -> None:
    """Say what the prediction of a file will cost; nothing is written.

    Prints the rows, their tokens and the size of the output, and for each backend of the run the
    time, the time to start, the rows per second and the memory on this machine, from a measurement
    of two seconds. In a pipe: one name and value per line, an empty line, and a table with headings;
    tabs separate the fields.
    """
    with Output(as_json, no_header) as out:
        from clx.ml import training_run

        run = training_run(load=run_name, device=device)
        arguments = {
            "target": target,
            "text_column": text_column,
            "columns": columns,
            "batch_size": batch_size,
            "backend": backend,
            "all_scores": all_scores,
            "shards": shards,
            **reading_options(separator, encoding, header),
        }
        print_estimate(out, run, sources, arguments)
