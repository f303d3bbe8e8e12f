"""The names that a tuning may vary, and the options that a choice of values stands for."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from clx.ml.task.argument_classes import argument_class, argument_fields
from clx.ml.task.legacy_names import name_today
from clx.ml.task.options import option_names
from clx.ml.task.training_args import OURS
from clx.problems import did_you_mean

if TYPE_CHECKING:
    from clx.ml.task.task import Task

ARGUMENTS = "training_args"
DICTS = (ARGUMENTS, "model_args", "tokenize_args")

FIXED = frozenset(
    {
        *DICTS,
        "base_model_name",
        "tokenizer_name",
        "device",
        "metrics",
        "text_column",
        "label_column",
        "label_names",
        "label_type",
        "strict_data",
        "strict_length",
        "tokenize_lazily",
        "trust_remote_code",
    }
)
"""Options that must be the same for all trials, which could not be compared otherwise."""

FIXED_ARGUMENTS = frozenset(
    {
        *OURS,
        "metric_for_best_model",
        "greater_is_better",
        "seed",
        "data_seed",
        "load_best_model_at_end",
    }
)
"""Training arguments that must be the same for all trials."""

USUAL = {
    "epochs": "num_train_epochs",
    "lr": "learning_rate",
    "batch": "per_device_train_batch_size",
    "batch_size": "per_device_train_batch_size",
    "train_batch_size": "per_device_train_batch_size",
    "label_smoothing": "label_smoothing_factor",
    "dropout": "model_args.hidden_dropout_prob",
    "max_length": "tokenize_args.max_length",
}
"""Common names for parameters → the names in clx."""


def plain_name(name: str) -> str:
    """Return the name of a parameter: a training argument needs no prefix, and has today's name."""
    plain = name.removeprefix(f"{ARGUMENTS}.").replace("-", "_")
    return name_today(plain, argument_fields())


def name_problem(task: Task, name: Any) -> str | None:
    """Return why a parameter cannot be tuned, None if it can be.

    Args:
        task: the task, which may have options of its own.
        name: an option, a training argument, or ``OPTION.KEY`` for an option that is a dict.
    """
    if not isinstance(name, str):
        return f"a name must be a str, but is {name!r}"
    arguments = set(argument_fields(argument_class(task)))
    options = set(option_names(task))
    group, dot, key = name.partition(".")
    if dot:
        is_dict = group in DICTS or (group in options and isinstance(getattr(task, group), dict))
        if is_dict and key:
            return None
        return f"there is no parameter {name!r}{did_you_mean(group, DICTS)}"
    if name in FIXED:
        keys = f"; write {name}.KEY for one of its entries" if name in DICTS else ""
        return f"{name} cannot be tuned, because it must be the same for all trials{keys}"
    if name in FIXED_ARGUMENTS:
        return f"{name} cannot be tuned, because it must be the same for all trials"
    known = (options - FIXED) | (arguments - FIXED_ARGUMENTS)
    if name in known:
        return None
    usual = USUAL.get(name)
    hint = f"; did you mean {usual!r}?" if usual else did_you_mean(name, known)
    return f"there is no option or training argument {name!r}{hint}"


def is_argument(task: Task, name: str) -> bool:
    """Return whether a valid parameter is a training argument."""
    return "." not in name and name not in option_names(task)


def options_with(
    task: Task, options: Mapping[str, Any], values: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the options that a choice of values changes, complete.

    Args:
        task: the task.
        options: the options of the run.
        values: valid parameters and their values.
    """
    changed: dict[str, Any] = {}
    for name, value in values.items():
        group, dot, key = name.partition(".")
        if not dot and not is_argument(task, name):
            changed[name] = value
            continue
        group, key = (group, key) if dot else (ARGUMENTS, name)
        changed[group] = {**(changed.get(group) or options[group]), key: value}
    return copy.deepcopy(changed)
