"""The arguments of commands that make a run: its task, its models, its labels and its options."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from clx.cli.assignments import assigned_options
from clx.cli.parameters import comma_separated
from clx.cli.task_names import task_names
from clx.cli.train_flags import refuse_contradictions, with_entries

TaskArgument = Annotated[
    str,
    typer.Argument(
        metavar="TASK",
        help="The task, such as classification; `clx tasks` lists them.",
        autocompletion=task_names,
    ),
]
TaskOption = Annotated[
    str,
    typer.Option(
        "--task",
        metavar="TASK",
        help="The task; `clx tasks` lists them.",
        autocompletion=task_names,
    ),
]
OptionalTaskArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="TASK",
        help="The task, such as classification; `clx tasks` lists them.",
        autocompletion=task_names,
    ),
]
LabelNamesOption = Annotated[
    str | None,
    typer.Option(
        metavar="A,B", help="Label names in order, or a JSON list [default: from the data]"
    ),
]
LabelColumnsOption = Annotated[
    str | None,
    typer.Option(
        metavar="A,B",
        help="For several labels per text: the columns of 0 and 1, one per label, or a JSON list "
        "[default: the column labels]",
    ),
]
BaseModelOption = Annotated[
    str | None,
    typer.Option(
        metavar="M",
        help="Model to fine-tune: a folder, a preset (small, fast, best, multilingual), a trained run, "
        "or a Hub id.",
    ),
]
TokenizerOption = Annotated[
    str | None,
    typer.Option(metavar="M", help="Tokenizer: a Hub id or a folder [default: the base model's]"),
]
AssignmentsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Set an option, such as training_args.learning_rate=1e-4 or label_type=int. A value "
        "that is not JSON is taken as text. May be repeated.",
    ),
]


OPTIONS = {
    "base_model": "base_model_name",
    "tokenizer": "tokenizer_name",
    "runs_dir": "run_dir_parent",
    "device": "device",
    "text_column": "text_column",
    "label_column": "label_column",
    "label_names": "label_names",
    "label_columns": "label_columns",
}
"""Argument of a command → option of a run, for the options that have their own arguments."""


def given_options(context: typer.Context) -> dict[str, Any]:
    """Return the options of a run that have their own arguments in a command, as the user gave them."""
    given = context.params
    return {option: given[name] for name, option in OPTIONS.items() if name in given}


def run_options(
    task: str,
    given: Mapping[str, Any],
    assignments: Sequence[str] | None,
    entries: Mapping[str, Any] | None = None,
    before: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the options of a new run.

    Args:
        task: the name of the task.
        given: the options that have their own arguments, None for those left out, as of
            :func:`given_options`; ``label_names`` and ``label_columns`` hold the text of the argument.
        assignments: the values of ``--set``.
        entries: the entries of ``training_args`` that have their own arguments.
        before: the options from a file, which the others override.

    Raises:
        ConfigError: an assignment is not valid, or contradicts an argument.
        TaskNotFoundError: there is no such task.
    """
    from clx.ml import task_registry
    from clx.ml.task.options import accepted_options

    options = {key: value for key, value in given.items() if value is not None}
    for name in ("label_names", "label_columns"):
        if name in options:
            options[name] = labels_of(options[name])
    accepted = accepted_options(task_registry[task])
    assigned = assigned_options(assignments or (), accepted)
    refuse_contradictions(options, entries or {}, assigned)
    if before:
        assigned = assigned_options(assignments or (), accepted, before)
    return with_entries({**assigned, **options}, entries or {})


def labels_of(text: str) -> list[Any]:
    """Parse label names given as ``a,b`` or, for names that contain commas, as a JSON list."""
    if text.lstrip().startswith("["):
        try:
            names = json.loads(text)
        except ValueError:
            return comma_separated(text)
        return list(names)
    return comma_separated(text)
