"""``clx export``: export a run's model to ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clx.cli.output import Output
from clx.cli.parameters import JsonOption, RunArgument


def export(
    run_name: RunArgument,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="File of typical texts to compare the predictions on: csv, tsv, jsonl or parquet "
            "[default: English sentences]",
        ),
    ] = None,
    text_column: Annotated[
        str, typer.Option(metavar="NAME", help="The column of texts in the file.")
    ] = "text",
    int8: Annotated[
        bool, typer.Option("--int8/--no-int8", help="Also export the model with int8 weights.")
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Export a run's model to ONNX Runtime and compare its predictions with torch's.

    `clx predict --backend onnx` and `--backend onnx-int8` use the exported model. In a pipe: one
    backend per line, with the share of equal decisions, the largest difference of a score, the size
    in megabytes, and how the weights are stored; fields separated by tabs.
    """
    with Output(as_json) as out:
        from clx.ml import training_run

        run = training_run(load=run_name)
        texts = None
        if data is not None:
            from clx.ml.data.frames import to_frame
            from clx.ml.data.texts import columns_to_read, frame_inputs

            texts = frame_inputs(
                to_frame(data, labeled=False), columns_to_read(run.text_columns, text_column)
            )
        report = run.export("onnx", texts=texts, int8=int8)
        if as_json:
            out.json({"run_dir": run.run_dir, "folder": report.folder, **report.to_dict()})
            return
        out.table(
            ["backend", "equal decisions", "largest difference", "MB", "weights"],
            [
                [name, check.equal_decisions, check.largest_difference, check.megabytes, check.how]
                for name, check in report.checks.items()
            ],
        )
