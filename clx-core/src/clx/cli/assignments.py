"""``--set KEY=VALUE``: options of a run, given on the command line."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from clx.errors import ConfigError
from clx.problems import cell, did_you_mean, raise_problems

DICTS = ("training_args", "tokenize_args", "model_args")

ELSEWHERE = {
    "run_name": "the argument NAME",
    "run_dir_parent": "--runs-dir",
    "base_model_name": "--base-model",
    "tokenizer_name": "--tokenizer",
    "label_names": "--label-names",
    "device": "--device",
}
"""Options that the command has an argument of its own for."""

REMEDY = (
    "Write --set training_args.NAME=VALUE, tokenize_args.NAME=VALUE, model_args.NAME=VALUE or "
    "OPTION=VALUE; a value is JSON (1e-4, true, null, [1, 2]) or else a text."
)


def assigned_options(assignments: Iterable[str], accepted: Iterable[str]) -> dict[str, Any]:
    """Return the options that assignments make, in their order: a later one wins.

    ``training_args.seed=1`` is an entry of the option ``training_args``; so it is for every option
    whose value is a dict.

    Args:
        assignments: such as ``training_args.learning_rate=1e-4``.
        accepted: the options that the task has.

    Raises:
        ConfigError: assignments that are none, or of options that the task has not; all are listed.
    """
    known = sorted({*accepted} - {*ELSEWHERE})
    options: dict[str, Any] = {}
    problems = []
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        name, dot, entry = key.partition(".")
        name = name.strip().replace("-", "_")
        if not equals or not name or (dot and not entry):
            problems.append(f"{cell(assignment)} is not KEY=VALUE")
        elif name in ELSEWHERE:
            problems.append(f"{name} is given by {ELSEWHERE[name]}")
        elif name not in known:
            problems.append(f"there is no option {name!r}{_hint(name, bool(dot), known)}")
        elif not dot:
            options[name] = value_of(text)
        elif isinstance(options.setdefault(name, {}), dict):
            options[name][entry] = value_of(text)
        else:
            problems.append(f"{cell(assignment)}: {name} was set to {cell(options[name])} before")
    raise_problems(ConfigError, "--set cannot be used so:", problems, REMEDY)
    return options


def _hint(name: str, dotted: bool, known: list[str]) -> str:
    meant = did_you_mean(name, known)
    if meant or dotted:
        return meant
    return f"; an argument of transformers needs its group, such as training_args.{name}"


def value_of(text: str) -> Any:
    """Return what a value stands for: JSON if it is valid, else the text as it is."""
    try:
        # NaN and Infinity are Python's additions to JSON.
        return json.loads(text, parse_constant=lambda constant: constant)
    except (ValueError, RecursionError):
        return text
