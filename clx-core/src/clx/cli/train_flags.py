"""The options of ``clx train`` that set entries of ``training_args``, and what contradicts them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from clx.cli.assignments import FLAGS
from clx.errors import ConfigError
from clx.problems import cell, raise_problems

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)

ARGUMENTS = "training_args"
EPOCHS = "num_train_epochs"
STEPS = "max_steps"

EpochsOption = Annotated[
    float | None,
    typer.Option(metavar="N", help="Number of epochs [default: by the number of rows]"),
]
LearningRateOption = Annotated[
    float | None,
    typer.Option(metavar="X", help="Highest learning rate, such as 1e-4 [default: by the task]"),
]
BatchSizeOption = Annotated[
    int | None,
    typer.Option(metavar="N", help="Training texts per batch and device [default: by the rows]"),
]
SeedOption = Annotated[int | None, typer.Option(metavar="N", help="Random seed [default: 42]")]
TimeBudgetOption = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="Time limit of the whole command, such as 5m or 90."),
]
FineTuneOption = Annotated[
    bool | None,
    typer.Option(
        "--fine-tune/--no-fine-tune",
        help="Train the whole model, or fit its last layer only, which takes seconds "
        "[default: fine-tune]",
    ),
]


def training_entries(
    epochs: float | None, learning_rate: float | None, batch_size: int | None, seed: int | None
) -> dict[str, Any]:
    """Return the entries of ``training_args`` that the options of the command set."""
    if epochs is not None and epochs.is_integer():
        epochs = int(epochs)
    values = (epochs, learning_rate, batch_size, seed)
    return {key: value for key, value in zip(FLAGS, values, strict=True) if value is not None}


def refuse_contradictions(
    given: Mapping[str, Any], entries: Mapping[str, Any], assigned: Mapping[str, Any]
) -> None:
    """Raise if ``--set`` says something else than an option of the command.

    Args:
        given: the options of the run that options of the command set.
        entries: the entries of ``training_args`` that options of the command set.
        assigned: the options of the run that ``--set`` sets.

    Raises:
        ConfigError: they contradict each other; all contradictions are listed.
    """
    problems = [
        f"{name} is {cell(value)}, but --set says {cell(assigned[name])}"
        for name, value in given.items()
        if name in assigned and assigned[name] != value
    ]
    arguments = assigned.get(ARGUMENTS)
    arguments = arguments if isinstance(arguments, dict) else {}
    for name, value in entries.items():
        problems += [
            f"{FLAGS[name]} is {cell(value)}, but --set {ARGUMENTS}.{each} is {cell(arguments[each])}"
            for each in (name, *_old_names(name))
            if each in arguments and arguments[each] != value
        ]
    if EPOCHS in entries and arguments.get(STEPS, -1) != -1:
        problems.append(f"{FLAGS[EPOCHS]} and --set {ARGUMENTS}.{STEPS} both limit the training")
    raise_problems(ConfigError, "These arguments contradict each other:", problems)


def with_entries(options: Mapping[str, Any], entries: Mapping[str, Any]) -> dict[str, Any]:
    """Return options of a run in which entries of ``training_args`` override those of a file."""
    arguments = options.get(ARGUMENTS, {})
    if not entries or not isinstance(arguments, dict):
        return dict(options)
    replaced = {old for name in entries for old in _old_names(name)}
    # The Trainer ignores the epochs if there is a number of steps.
    replaced |= {STEPS} if EPOCHS in entries else set()
    kept = {name: value for name, value in arguments.items() if name not in replaced}
    return {**options, ARGUMENTS: {**kept, **entries}}


def _old_names(name: str) -> list[str]:
    from clx.ml.task.legacy_names import RENAMED

    return [old for old, (new, _) in RENAMED.items() if new == name]


def seconds_or_text(text: str) -> float | str:
    """Return a number of seconds as a number, and any other time as it is."""
    try:
        return float(text)
    except ValueError:
        return text
