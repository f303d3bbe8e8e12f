"""``clx export``: export a run's model to ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clx.cli.output import Output
from clx.cli.parameters import (
    EncodingOption,
    HeaderOption,
    JsonOption,
    NoHeaderOption,
    RunArgument,
    SeparatorOption,
    TextColumnOption,
    reading_options,
)


def export(
    run_name: RunArgument,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="File of typical texts to compare the predictions on [default: English sentences]",
        ),
    ] = None,
    text_column: TextColumnOption = None,
    separator: SeparatorOption = None,
    encoding: EncodingOption = None,
    header: HeaderOption = None,
    int8: Annotated[
        bool, typer.Option("--int8/--no-int8", help="Also export the model with int8 weights.")
    ] = True,
    to: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Also write one file for clx_runtime, such as model.clx.zip."
        ),
    ] = None,
    backend: Annotated[
        str | None,
        typer.Option(
            metavar="B",
            help="With --to: as for predict [default: onnx-int8 if it has torch's decisions]",
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="With --to: replace an existing FILE.")
    ] = False,
    no_header: NoHeaderOption = False,
    as_json: JsonOption = False,
) -> None:
    """Export a run's model to ONNX Runtime and compare its predictions with torch's.

    A static student needs no export: with --to, its files are written into one.

    `clx predict --backend onnx` and `--backend onnx-int8` use the exported model, and so do `openvino`
    and `openvino-int8` where openvino and nncf are installed. In a pipe: a heading and one
    backend per line, with the share of equal decisions, the largest difference of a score, the size
    in megabytes, and how the weights are stored; fields separated by tabs.
    """
    with Output(as_json, no_header) as out:
        from clx.ml import training_run

        run = training_run(load=run_name)
        texts = None
        if data is not None:
            from clx.ml.data.frames import to_frame
            from clx.ml.data.reading import reading_of
            from clx.ml.data.task_frames import own_text_columns
            from clx.ml.data.texts import frame_inputs
            from clx_runtime.texts import columns_to_read

            reading = reading_of(**reading_options(separator, encoding, header))
            columns = columns_to_read(own_text_columns(run), text_column)
            texts = frame_inputs(to_frame(data, "data", reading, labeled=False), columns)
        report = run.export(
            "onnx", texts=texts, int8=int8, to=to, backend=backend, overwrite=overwrite
        )
        if as_json:
            out.json({"run_dir": run.run_dir, "folder": report.folder, **report.to_dict()})
            return
        if not report.checks:
            out.fields([("file", to)], "Archive")
            return
        out.table(
            ["backend", "equal decisions", "largest difference", "MB", "weights"],
            [
                [name, check.equal_decisions, check.largest_difference, check.megabytes, check.how]
                for name, check in report.checks.items()
            ],
        )
