"""``clx decisions``: show or set how a trained run decides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from clx.cli.assignments import assigned_options
from clx.cli.metric_tables import write_frame
from clx.cli.output import Output
from clx.cli.parameters import (
    DeviceOption,
    EncodingOption,
    HeaderOption,
    JsonOption,
    LabelColumnOption,
    NoHeaderOption,
    RunArgument,
    SeparatorOption,
    TextColumnOption,
    reading_options,
)

if TYPE_CHECKING:
    import pandas as pd

    from clx.ml import TrainingRun
    from clx.ml.results.decisions import DecisionChange

UNSET = "none"
"""The word for a decision that is not set."""


def decisions(
    run_name: RunArgument,
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="A decision, such as min_score=0.8, target_accuracy=0.95 or thresholds.LABEL=0.3.",
        ),
    ] = None,
    on: Annotated[
        str | None,
        typer.Option(
            "--on",
            metavar="DATA",
            help="Labeled data to choose the other decisions on, and to measure.",
        ),
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
    """Show how a run turns scores into decisions, or set it without a training.

    Without --set and --on, prints the decisions. With them, prints each decision before and after
    and, with --on, each metric. In a pipe: fields separated by tabs.
    """
    with Output(as_json, no_header) as out:
        from clx.ml import training_run

        run = training_run(load=run_name, device=device)
        names = [name.replace("-", "_") for name in run.decision_options]
        about = {"run": run.run_name, "run_dir": run.run_dir}
        if not assignments and on is None:
            values = {name: run.config[name] for name in names}
            history = run.results.get("decisions_history") or []
            if as_json:
                out.json({**about, "decisions": values, "history": history})
            else:
                shown = {name: _in_words(run, name, value) for name, value in values.items()}
                out.fields(shown.items(), title=run.run_name)
            return
        change = run.set_decisions(
            on=on,
            text_column=text_column or "text",
            label_column=label_column,
            **reading_options(separator, encoding, header),
            **assigned_options(assignments or (), names),
        )
        if as_json:
            out.json({**about, **change.to_dict()})
        else:
            write_frame(out, run.run_name, _change_in_words(change))


def _in_words(run: TrainingRun, name: str, value: Any) -> Any:
    """Return a decision, or if it is not set, the one that the run makes instead."""
    if value is not None:
        return value
    rule = run.decision_rule()
    found = getattr(rule, name, None)
    if rule is None or found is None:
        return UNSET
    if not isinstance(found, tuple):
        return found
    return found[0] if len(set(found)) == 1 else dict(zip(rule.labels, found, strict=True))


def _change_in_words(change: DecisionChange) -> pd.DataFrame:
    """Return the table of a change with a word for decisions that are not set."""
    frame = change.to_frame()
    decided = [name not in {*change.metrics_before, *change.metrics} for name in frame.index]
    frame.loc[decided] = frame.loc[decided].where(frame.loc[decided].notna(), UNSET)
    return frame
