"""``clx distill``: train a small, fast student of a run."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from clx.cli.metric_tables import write_metrics
from clx.cli.output import Output
from clx.cli.parameters import (
    DeviceOption,
    EncodingOption,
    HeaderOption,
    JsonOption,
    LabelColumnOption,
    RunArgument,
    RunsDirOption,
    SeparatorOption,
    TextColumnOption,
    reading_options,
)
from clx.cli.train import reference


def distill(
    run_name: RunArgument,
    texts: Annotated[
        str,
        typer.Argument(
            metavar="TEXTS",
            help="Texts without labels: a file, a folder, a quoted glob, a query or an address.",
        ),
    ],
    name: Annotated[
        str | None,
        typer.Option(
            "-o", "--output", metavar="NAME", help="Name of the student [default: RUN-static]"
        ),
    ] = None,
    student: Annotated[
        str,
        typer.Option(metavar="KIND", help="static, about 50 times faster, or layers."),
    ] = "static",
    eval_data: Annotated[
        str | None,
        typer.Option(
            "--eval",
            metavar="DATA",
            help="Labeled data to fit thresholds and calibration on, and to evaluate the student.",
        ),
    ] = None,
    layers: Annotated[
        int | None,
        typer.Option(metavar="N", help="With --student layers: the number of layers [default: 3]"),
    ] = None,
    dim: Annotated[int, typer.Option(metavar="N", help="Size of a token's vector.")] = 256,
    int8: Annotated[
        bool, typer.Option("--int8/--no-int8", help="Write the vectors in 8 bits.")
    ] = True,
    max_texts: Annotated[
        int, typer.Option(metavar="N", help="Stop after this number of different texts.")
    ] = 500_000,
    augment: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Variants of each text to learn from too [default: up to 4, for few texts]",
        ),
    ] = None,
    backend: Annotated[
        str | None,
        typer.Option(metavar="B", help="Backend that scores the texts [default: torch]"),
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(metavar="N", help="Texts per batch [default: by their lengths]")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(metavar="N", help="Random seed [default: the run's]")
    ] = None,
    runs_dir: RunsDirOption = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a trained run of this name.")
    ] = False,
    text_column: TextColumnOption = None,
    label_column: LabelColumnOption = None,
    separator: SeparatorOption = None,
    encoding: EncodingOption = None,
    header: HeaderOption = None,
    device: DeviceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train a small, fast student of a run on texts without labels.

    The run scores each text once, and an interrupted call continues. Prints the metrics on the data
    of --eval, and how often the student decides as the run on texts that it has not learned from.
    In a pipe: fields separated by tabs.
    """
    with Output(as_json) as out:
        from clx.ml import training_run

        run = training_run(load=run_name, device=device)
        result = run.distill(
            texts,
            name,
            student,
            eval_data,
            layers=layers,
            dim=dim,
            int8=int8,
            max_texts=max_texts,
            augment=augment,
            backend=backend,
            batch_size=batch_size,
            seed=seed,
            run_dir_parent=None if runs_dir is None else Path(runs_dir),
            overwrite=overwrite,
            text_column=text_column or "text",
            label_column=label_column,
            **reading_options(separator, encoding, header),
        )
        if as_json:
            out.json({"run_dir": result.run_dir, **result.to_dict()})
            return
        if result.metrics:
            write_metrics(out, result.metrics, result.run_dir.name, heading=False)
            out.blank()
        agreement = result.agreement
        out.fields(
            [
                ("student of", result.student_of),
                ("kind", result.kind),
                ("equal decisions", agreement.equal),
                ("equal decisions, low", agreement.low),
                ("equal decisions, high", agreement.high),
                ("measured on", agreement.texts),
                *result.texts.items(),
                ("texts per second", round(result.texts_per_second)),
                ("seconds", round(result.seconds, 1)),
                ("run directory", result.run_dir),
                ("next", f'clx predict {shlex.quote(reference(result.run_dir))} "some text"'),
            ]
        )
