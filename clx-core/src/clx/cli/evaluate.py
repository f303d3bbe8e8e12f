"""``clx evaluate``: compute the metrics of a run on labeled data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from clx.cli.failures import complain
from clx.cli.metric_tables import write_evaluation
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


def evaluate(
    run_name: RunArgument,
    data: LabelledDataArgument,
    save: Annotated[Path | None, save_option("evaluation.json, report.html and all tables")] = None,
    text_column: TextColumnOption = None,
    label_column: LabelColumnOption = None,
    separator: SeparatorOption = None,
    encoding: EncodingOption = None,
    header: HeaderOption = None,
    device: DeviceOption = None,
    no_header: NoHeaderOption = False,
    as_json: JsonOption = False,
) -> None:
    """Evaluate a run on labeled data.

    Prints the metrics and a table of the labels. In a pipe: two tables with an empty line between
    them, fields separated by tabs.
    """
    with Output(as_json, no_header) as out:
        from clx.ml import training_run

        run = training_run(load=run_name, device=device)
        result = run.evaluate(
            data,
            text_column=text_column or "text",
            label_column=label_column,
            **reading_options(separator, encoding, header),
        )
        if save is not None:
            complain(f"saved in {result.save(save)}")
        if as_json:
            out.json({"run": run.run_name, "run_dir": run.run_dir, **result.to_dict()})
            return
        learned = result.learned_rows
        known = f", {learned} of which it was trained on" if learned else ""
        title = f"{run.run_name} on {result.rows} rows{known}, {result.seconds:.1f} s"
        write_evaluation(out, result, title)
