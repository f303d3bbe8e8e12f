"""``training_args``: check what the user set, when a run is made."""

from __future__ import annotations

import dataclasses
import math
import tempfile
import warnings
from collections.abc import Mapping
from typing import Any

from clx.errors import ConfigError
from clx.ml.machine.devices import trains_on_cpu
from clx.ml.task.json_values import json_problems
from clx.ml.task.legacy_names import translate
from clx.problems import cell, did_you_mean

OURS = {
    "output_dir": "the run directory is run_dir_parent / run_name",
    "hub_token": "config.json would show it to everybody; use `hf auth login`",
}

_POSITIVE = ("num_train_epochs", "logging_steps", "save_steps", "eval_steps", "adam_epsilon")
_AT_LEAST_ONE = (
    "per_device_train_batch_size",
    "per_device_eval_batch_size",
    "gradient_accumulation_steps",
    "eval_accumulation_steps",
    "save_total_limit",
)
_NOT_NEGATIVE = (
    "learning_rate",
    "weight_decay",
    "max_grad_norm",
    "warmup_steps",
    "seed",
    "data_seed",
    "dataloader_num_workers",
    "eval_delay",
)
_FRACTION = ("label_smoothing_factor", "adam_beta1", "adam_beta2")

DEFAULT_STEPS = 500


def check_training_args(given: Any, device: Any = None) -> tuple[dict[str, Any], list[str]]:
    """Return the arguments under today's names, and everything that is wrong with them, as sentences.

    Types and ranges are checked first, then ``TrainingArguments`` checks the values; transformers
    is imported only if there is an argument.

    Args:
        given: what should be a dict of arguments.
        device: the run's device, None for the best available; some arguments depend on it.
    """
    if not isinstance(given, dict):
        return {}, [f"training_args must be a dict, but is {cell(given)}"]
    if not given:
        return {}, []
    from transformers import TrainingArguments

    arguments, problems = translate(given)
    fields = {field.name: field for field in dataclasses.fields(TrainingArguments) if field.init}
    for name, value in arguments.items():
        if name in OURS and value is not None:
            problems.append(f"training_args: {name} cannot be set: {OURS[name]}")
        elif name not in fields:
            problems.append(
                f"training_args: transformers.TrainingArguments has no {name!r}"
                f"{did_you_mean(str(name), fields)}"
            )
        elif reason := _value_problem(name, value, fields[name].type):
            problems.append(f"training_args: {name} {reason}, but is {cell(value)}")
    problems = problems or [f"training_args: {problem}" for problem in json_problems(arguments)]
    return arguments, problems or _transformers_problems(arguments, device)


def _value_problem(name: str, value: Any, annotation: Any) -> str | None:
    """Return the requirement that a value fails, None if it is fine."""
    if value is None and annotation not in (bool, int, float):
        return None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if annotation is bool:
        return None if isinstance(value, bool) else "must be true or false"
    whole = annotation is int or name in (*_AT_LEAST_ONE, "data_seed")
    if whole and not (is_number and isinstance(value, int)):
        return "must be a whole number"
    numeric = annotation in (int, float) or name in (*_POSITIVE, *_AT_LEAST_ONE, *_NOT_NEGATIVE)
    if not numeric and name not in _FRACTION:
        return None
    if not is_number or not math.isfinite(value):
        return "must be a finite number"
    if name in _POSITIVE and value <= 0:
        return "must be above 0"
    if name in _AT_LEAST_ONE and value < 1:
        return "must be at least 1"
    if name in _NOT_NEGATIVE and value < 0:
        return "must not be negative"
    if name in _FRACTION and not 0 <= value < 1:
        return "must be from 0 to below 1"
    if name == "max_steps" and value != -1 and value < 1:
        return "must be at least 1, or -1 for no limit"
    return None


def _transformers_problems(arguments: dict[str, Any], device: Any) -> list[str]:
    from transformers import TrainingArguments

    # The Trainer of the run gets this argument too.
    here = {"use_cpu": True} if trains_on_cpu(device, arguments) else {}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with_evaluation = with_matching_strategies(arguments, has_eval=True)
            TrainingArguments(output_dir=folder, **{**arguments, **with_evaluation, **here})
        except ConfigError as error:
            return [f"training_args: {error}"]
        except Exception as error:
            return [f"training_args: {error}"]
    return []


def with_matching_strategies(
    user: Mapping[str, Any], has_eval: bool, every: float = DEFAULT_STEPS
) -> dict[str, Any]:
    """Return strategies of evaluation and saving that match each other and what the user set.

    By default each epoch ends with an evaluation, and the best epoch's model is kept. A strategy that
    the user sets for one of the two applies to the other too.

    Args:
        user: the arguments that the user set.
        has_eval: whether there is eval data.
        every: the number of steps between evaluations if the user sets steps without a number.
    """
    if not has_eval:
        return {
            "eval_strategy": "no",
            "save_strategy": user.get("save_strategy", "no"),
            "load_best_model_at_end": False,
        }
    wanted_eval, wanted_save = user.get("eval_strategy"), user.get("save_strategy")
    follows = wanted_save if plain(wanted_save) in ("steps", "epoch") else "epoch"
    evaluate = plain(wanted_eval or follows)
    save = plain(wanted_save or evaluate)
    chosen: dict[str, Any] = {"eval_strategy": evaluate, "save_strategy": save}
    steps = user.get("eval_steps") or user.get("save_steps") or every
    if evaluate == "steps":
        chosen["eval_steps"] = user.get("eval_steps") or steps
    if save == "steps":
        chosen["save_steps"] = user.get("save_steps") or steps
    together = evaluate != "no" and (
        save == "best"
        or (
            evaluate == save
            and (save != "steps" or divides(chosen["eval_steps"], chosen["save_steps"]))
        )
    )
    chosen["load_best_model_at_end"] = user.get("load_best_model_at_end", together)
    return chosen


def plain(strategy: Any) -> str:
    """Return a strategy, given as a str or as an enum of transformers, as a str."""
    return str(getattr(strategy, "value", strategy))


def divides(evaluate: Any, save: Any) -> bool:
    """Return whether each save falls on an evaluation."""
    return bool(evaluate == save or (min(save, evaluate) >= 1 and save % evaluate == 0))
