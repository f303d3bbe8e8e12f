"""``clx cascade``: let a student answer first where it decides like its teacher."""

from __future__ import annotations

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


def cascade(
    run_name: RunArgument,
    student: Annotated[
        str, typer.Argument(metavar="STUDENT", help="Name or directory of a student of the run.")
    ],
    data: Annotated[
        str,
        typer.Argument(metavar="DATA", help="Texts that the student has not learned from."),
    ],
    min_agreement: Annotated[
        float,
        typer.Option(metavar="P", help="The share of decisions equal to torch's, at least."),
    ] = 0.99,
    teacher: Annotated[
        str | None,
        typer.Option(
            metavar="B",
            help="Backend for the other texts [default: the fastest export with torch's decisions]",
        ),
    ] = None,
    monitor: Annotated[
        float,
        typer.Option(metavar="P", help="The share of the student's answers to check later."),
    ] = 0.01,
    text_column: TextColumnOption = None,
    label_column: LabelColumnOption = None,
    separator: SeparatorOption = None,
    encoding: EncodingOption = None,
    header: HeaderOption = None,
    device: DeviceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a student answer first, after proving on texts that it decides like the run.

    The student is copied into the run, and `clx predict --backend cascade` uses it. Nothing changes if
    too few decisions are equal. In a pipe: one figure per line; fields separated by tabs.
    """
    with Output(as_json) as out:
        from clx.ml import training_run

        run = training_run(load=run_name, device=device)
        result = run.with_fast(
            student,
            min_agreement,
            data,
            teacher,
            monitor=monitor,
            text_column=text_column or "text",
            label_column=label_column,
            **reading_options(separator, encoding, header),
        )
        if as_json:
            out.json({"run_dir": run.run_dir, **result.to_dict()})
            return
        out.fields(
            [
                ("teacher", result.teacher),
                ("answered by the student", result.share),
                ("equal decisions", result.agreement),
                ("with 95 % confidence", result.bound),
                ("margin", result.margin),
                ("texts to choose", result.texts["chosen_on"]),
                ("texts to measure", result.texts["measured_on"]),
                *((f"accuracy of {name}", value) for name, value in result.accuracy.items()),
                *((f"texts per second, {name}", round(v, 1)) for name, v in result.speeds.items()),
            ],
            "Cascade",
        )
