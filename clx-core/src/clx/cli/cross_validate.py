"""``clx cv``: estimate the quality of a model by cross-validation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clx.cli.failures import complain
from clx.cli.metric_tables import write_evaluation
from clx.cli.options_of_run import (
    AssignmentsOption,
    BaseModelOption,
    LabelColumnsOption,
    LabelNamesOption,
    TokenizerOption,
    given_options,
    run_options,
)
from clx.cli.output import Output
from clx.cli.parameters import (
    DeviceOption,
    EncodingOption,
    GroupColumnOption,
    HeaderOption,
    JsonOption,
    LabelColumnOption,
    NoHeaderOption,
    SeparatorOption,
    TextColumnOption,
    TimeColumnOption,
    reading_options,
    save_option,
)
from clx.cli.task_names import DEFAULT_TASK, task_names
from clx.errors import ConfigError
from clx.problems import cell

NAME = "cross-validation"
"""The name of the run in tables and reports; it has no directory."""


def cv(
    context: typer.Context,
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="DATA",
            help="Labeled data: a file, a folder, a quoted glob, a query or an address. The older form "
            "TASK DATA works too.",
        ),
    ],
    task: Annotated[
        str | None,
        typer.Option(
            metavar="TASK",
            help=f"The task; `clx tasks` lists them. [default: {DEFAULT_TASK}]",
            autocompletion=task_names,
        ),
    ] = None,
    folds: Annotated[int, typer.Option(metavar="N", help="Number of folds, and of models.")] = 5,
    no_fine_tune: Annotated[
        bool,
        typer.Option("--no-fine-tune", help="Fit the last layer only, which takes seconds."),
    ] = False,
    group_column: GroupColumnOption = None,
    time_column: TimeColumnOption = None,
    label_names: LabelNamesOption = None,
    label_columns: LabelColumnsOption = None,
    text_column: TextColumnOption = None,
    label_column: LabelColumnOption = None,
    separator: SeparatorOption = None,
    encoding: EncodingOption = None,
    header: HeaderOption = None,
    base_model: BaseModelOption = None,
    tokenizer: TokenizerOption = None,
    assignments: AssignmentsOption = None,
    save: Annotated[Path | None, save_option("evaluation.json, report.html and all tables")] = None,
    device: DeviceOption = None,
    no_header: NoHeaderOption = False,
    as_json: JsonOption = False,
) -> None:
    """Cross-validate a task on labeled data; no run is written.

    Prints each metric, its standard deviation over the folds, and a table of the labels. In a pipe:
    two tables with an empty line between them, fields separated by tabs.
    """
    with Output(as_json, no_header) as out:
        from clx.ml import training_run

        task, data = task_and_data(words, task)
        run = training_run(task, NAME, **run_options(task, given_options(context), assignments))
        how = reading_options(separator, encoding, header)
        result = run.cross_validate(data, folds, not no_fine_tune, group_column, time_column, **how)
        if save is not None:
            complain(f"saved in {result.save(save)}")
        if as_json:
            out.json({"task": run.config["task"], "folds": folds, **result.to_dict()})
            return
        title = f"{folds} folds, {result.rows} rows, {result.seconds:.1f} s"
        write_evaluation(out, result, title)


def task_and_data(words: list[str], task: str | None) -> tuple[str, str]:
    """Return the task and the data, from the arguments ``DATA``, or ``TASK DATA`` as in older forms.

    Raises:
        ConfigError: there are more arguments, or two different tasks.
    """
    if len(words) == 1:
        return task or DEFAULT_TASK, words[0]
    from clx.ml import task_registry

    if len(words) > 2 or words[0] not in task_registry:
        raise ConfigError(
            f"clx cv takes one argument, the data, but got {len(words)}: {' '.join(map(cell, words))}. "
            f"Quote a glob, and name another task with --task"
        )
    if task is not None and task != words[0]:
        raise ConfigError(f"The task is {words[0]!r} as an argument, but {task!r} with --task")
    return words[0], words[1]
