"""``clx report``: write the report page of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clx.cli.output import Output
from clx.cli.parameters import (
    DeviceOption,
    EncodingOption,
    HeaderOption,
    JsonOption,
    LabelColumnOption,
    RunArgument,
    SeparatorOption,
    TextColumnOption,
    reading_options,
)


def report(
    run_name: RunArgument,
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="[DATA]",
            help="Labeled data to evaluate on [default: use the results of training]",
        ),
    ] = None,
    target: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="TARGET",
            help="File or folder to write [default: the run directory]",
        ),
    ] = None,
    text_column: TextColumnOption = None,
    label_column: LabelColumnOption = None,
    separator: SeparatorOption = None,
    encoding: EncodingOption = None,
    header: HeaderOption = None,
    device: DeviceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write report.html, one self-contained file to open in a browser or send."""
    with Output(as_json) as out:
        from clx.ml import training_run

        run = training_run(load=run_name, device=device)
        written = run.report(
            target,
            data,
            text_column=text_column or "text",
            label_column=label_column,
            **reading_options(separator, encoding, header),
        )
        if as_json:
            out.json({"run_dir": run.run_dir, "report": written})
        else:
            out.fields([("written", written)])
