"""Parses ``--set KEY=VALUE``, which sets options of a run."""

from __future__ import annotations

import copy
import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from clx.errors import ConfigError
from clx.problems import cell, did_you_mean, raise_problems

ELSEWHERE = {
    "run_name": "the argument NAME",
    "run_dir_parent": "--runs-dir",
    "base_model_name": "--base-model",
    "tokenizer_name": "--tokenizer",
    "label_names": "--label-names",
    "device": "--device",
    "text_column": "--text-column",
    "label_column": "--label-column",
}
"""Options that have their own command-line argument."""

FLAGS = {
    "num_train_epochs": "--epochs",
    "learning_rate": "--learning-rate",
    "per_device_train_batch_size": "--batch-size",
    "seed": "--seed",
}
"""Entries of ``training_args`` that have their own command-line option in ``clx train``."""

_ARGUMENTS = {
    "eval_data": "--eval FILE or --eval 0.2",
    "overwrite": "--overwrite",
    "resume": "--resume",
    "group_column": "--group-column NAME",
    "time_column": "--time-column NAME",
    "fine_tune": "--no-fine-tune",
    "time_budget": "--time-budget TIME",
}
"""Arguments of ``run.train`` → their command-line arguments."""

REMEDY = (
    "Write --set training_args.NAME=VALUE, tokenize_args.NAME=VALUE, model_args.NAME=VALUE or "
    "OPTION=VALUE. A value that is not JSON (1e-4, true, null, [1, 2]) is taken as text."
)


def assigned_options(
    assignments: Iterable[str],
    accepted: Iterable[str],
    before: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the options that assignments set. Later assignments override earlier ones.

    ``training_args.seed=1`` sets an entry of the option ``training_args``. This works for every option
    whose value is a dict.

    Args:
        assignments: texts such as ``training_args.learning_rate=1e-4``.
        accepted: the names of the task's options.
        before: options that were set before, which the assignments override.

    Raises:
        ConfigError: an assignment is not valid, or sets an option that the task does not have. The
            message lists all of them.
    """
    known = sorted({*accepted} - {*ELSEWHERE})
    options: dict[str, Any] = copy.deepcopy(dict(before or {}))
    problems = []
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        name, dot, entry = key.partition(".")
        name = name.strip().replace("-", "_")
        if not equals or not name or (dot and not entry):
            problems.append(f"{cell(assignment)} is not KEY=VALUE")
        elif name in ELSEWHERE:
            problems.append(f"{name} must be set with {ELSEWHERE[name]}")
        elif name not in known:
            problems.append(f"there is no option {name!r}{_hint(name, bool(dot), known)}")
        elif not dot:
            options[name] = value_of(text)
        elif isinstance(options.setdefault(name, {}), dict):
            options[name][entry] = value_of(text)
        else:
            problems.append(f"{cell(assignment)}: {name} was already set to {cell(options[name])}")
    raise_problems(ConfigError, "These uses of --set are not valid:", problems, REMEDY)
    return options


def _hint(name: str, dotted: bool, known: list[str]) -> str:
    guess = None if dotted else line_for(name)
    meant = f"; write {guess}" if guess else did_you_mean(name, known)
    if meant or dotted:
        return meant
    return f"; a transformers argument needs a prefix, such as training_args.{name}"


def line_for(name: str, flags: Collection[str] = ()) -> str | None:
    """Return what to write on the command line of ``clx train`` for a guessed name, if it is known.

    Args:
        name: a name such as ``epochs`` or ``model_name``.
        flags: the command-line options that the command has.
    """
    from clx.ml.task.guesses import CALL_GUESSES, ENTRIES, OPTION_GUESSES

    if name == "no_header" and "--header" in flags:
        return "--header none for a csv file without a heading"
    for option, entries in ENTRIES.items():
        if name in entries:
            flag = FLAGS.get(entries[name], "") if option == "training_args" else ""
            own = f"{flag} VALUE" if flag in flags else ""
            return own or f"--set {option}.{entries[name]}=VALUE"
    option = OPTION_GUESSES.get(name, "")
    if option:
        return ELSEWHERE.get(option, f"--set {option}=VALUE")
    call = CALL_GUESSES.get(name, "")
    return next((word for key, word in _ARGUMENTS.items() if key in call), None)


def options_help() -> str:
    """Return the help of the options that ``--set`` sets, one paragraph per option."""
    from clx.ml.task.options import OPTIONS

    entries = [
        f"{option.name}: {option.doc.replace('`', '')}"
        for option in OPTIONS
        if option.name not in ELSEWHERE
    ]
    return "\n\n".join(["Options for --set, in addition to those of the task:", *entries])


def value_of(text: str) -> Any:
    """Parse a value as JSON; if it is not valid JSON, return the text unchanged."""
    try:
        # Python's parser accepts NaN and Infinity, which are not JSON.
        return json.loads(text, parse_constant=lambda constant: constant)
    except (ValueError, RecursionError):
        return text
