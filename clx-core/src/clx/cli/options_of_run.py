"""The arguments of commands that make a run: its task, its models, its labels and its options."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from clx.cli.assignments import assigned_options
from clx.cli.parameters import comma_separated
from clx.cli.train_flags import refuse_contradictions, with_entries


def task_names() -> list[str]:
    """Return the names of all installed tasks; shell completion picks those that match."""
    from clx.ml import task_registry

    return list(task_registry)


TaskArgument = Annotated[
    str,
    typer.Argument(
        metavar="TASK",
        help="The task, such as classification; `clx tasks` lists them.",
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
        given: the options that have their own arguments, None for those left out; ``label_names``
            and ``label_columns`` hold the text of the argument.
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
