"""``clx compare``: compare two runs on the same rows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clx.cli.failures import complain
from clx.cli.metric_tables import write_frame
from clx.cli.output import Output
from clx.cli.parameters import (
    DeviceOption,
    EncodingOption,
    HeaderOption,
    JsonOption,
    LabelColumnOption,
    LabelledDataArgument,
    NoHeaderOption,
    RunArgument,
    SeparatorOption,
    TextColumnOption,
    reading_options,
    save_option,
)


def compare(
    run_name: RunArgument,
    other: Annotated[str, typer.Argument(metavar="OTHER", help="The run to compare RUN with.")],
    data: LabelledDataArgument,
    save: Annotated[
        Path | None, save_option("comparison.json, the fixed and broken rows, and report.html")
    ] = None,
    text_column: TextColumnOption = None,
    label_column: LabelColumnOption = None,
    separator: SeparatorOption = None,
    encoding: EncodingOption = None,
    header: HeaderOption = None,
    device: DeviceOption = None,
    no_header: NoHeaderOption = False,
    as_json: JsonOption = False,
) -> None:
    """Compare two runs on labeled data.

    Prints the metrics of RUN and OTHER with their difference and its 95 % interval, and the number
    of rows that OTHER fixes and breaks. In a pipe: fields separated by tabs.
    """
    with Output(as_json, no_header) as out:
        from clx.ml import training_run

        run = training_run(load=run_name, device=device)
        result = run.compare(
            training_run(load=other, device=device),
            data,
            text_column=text_column or "text",
            label_column=label_column,
            **reading_options(separator, encoding, header),
        )
        if save is not None:
            complain(f"saved in {result.save(save)}")
        if as_json:
            out.json(result.to_dict())
            return
        write_frame(out, f"own: {result.names[0]}, other: {result.names[1]}", result.metrics)
        out.blank()
        learned = zip(("own", "other"), result.learned_rows, strict=True)
        out.fields(
            [
                ("rows", result.rows),
                *((f"{run} was trained on", count) for run, count in learned if count),
                ("fixed", len(result.fixed)),
                ("broken", len(result.broken)),
                ("p_value", result.p_value),
            ]
        )
