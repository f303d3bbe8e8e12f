"""``training_args``: check what the user set, when a run is made."""

from __future__ import annotations

import dataclasses
import math
import tempfile
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from clx.errors import ConfigError
from clx.ml.machine.devices import trains_on_cpu
from clx.ml.machine.distributed import process_count
from clx.ml.machine.launch import WHOLE_MODEL, launch_problems
from clx.ml.task.argument_classes import (
    argument_class,
    argument_fields,
    class_problems,
    type_of_field,
)
from clx.ml.task.evaluation_hooks import needs_predictions
from clx.ml.task.guesses import entry_hint
from clx.ml.task.json_values import json_problems
from clx.ml.task.legacy_names import translate
from clx.ml.task.trainer_parts import part_problems, plain
from clx.problems import cell, did_you_mean, names

if TYPE_CHECKING:
    from transformers import TrainingArguments

    from clx.ml.task.task import Task

OURS = {
    "output_dir": "the run directory is run_dir_parent / run_name",
    "hub_token": "config.json would show it to everybody; use `hf auth login`",
    "label_names": (
        "the names of labels are an option of the run, training_run(..., label_names=[...]), and the "
        "model's class says which columns are labels"
    ),
    "include_for_metrics": (
        "compute_metrics() gets only predictions and label ids (also with the old name, "
        "include_inputs_for_metrics)"
    ),
    "eval_do_concat_batches": "metrics need all rows in one array",
    "batch_eval_metrics": "metrics are computed once, from all rows",
    "prediction_loss_only": "the metrics of this task need the predictions",
    "push_to_hub": (
        "it would upload checkpoints and not the finished run; call run.push_to_hub('owner/name') "
        "after the training"
    ),
    "fsdp": WHOLE_MODEL,
    "deepspeed": WHOLE_MODEL,
    "parallelism_config": "it is a Python object, which config.json cannot keep",
}
"""Arguments that must keep their defaults, with the reason."""

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


def check_training_args(
    given: Any, device: Any = None, task: Task | None = None
) -> tuple[dict[str, Any], list[str]]:
    """Return the arguments under today's names, and everything that is wrong with them, as sentences.

    Types and ranges are checked first, then ``TrainingArguments`` checks the values; transformers
    is imported only if there is an argument.

    Args:
        given: what should be a dict of arguments.
        device: the run's device, None for the best available; some arguments depend on it.
        task: the task, whose class may have arguments of its own; None for those of transformers.
    """
    if wrong := class_problems(task):
        return {}, wrong
    if not isinstance(given, dict):
        return {}, [f"training_args must be a dict, but is {cell(given)}"]
    if not given:
        return {}, []
    kind = argument_class(task)
    fields, only_loss = argument_fields(kind), task is not None and not needs_predictions(task)
    arguments, problems = translate(given, fields)
    for name, value in arguments.items():
        if name == "prediction_loss_only" and only_loss:
            continue
        if name in OURS and not _is_off(value, fields[name]):
            problems.append(f"training_args: {name} cannot be set: {OURS[name]}")
        elif name == "auto_find_batch_size" and value and process_count() > 1:
            problems.append(
                "training_args: auto_find_batch_size cannot be used in several processes, which may not "
                "find the same size; set per_device_train_batch_size"
            )
        elif name == "ddp_backend" and value and process_count() == 1:
            problems.append(
                "training_args: ddp_backend is for a training in several processes (torchrun)"
            )
        elif name not in fields:
            problems.append(
                f"training_args: {_shown_class(kind)} has no {name!r}"
                f"{entry_hint('training_args', str(name), fields)}"
            )
        elif reason := _value_problem(name, value, fields[name]):
            problems.append(f"training_args: {name} {reason}, but is {cell(value)}")
    problems = problems or [f"training_args: {problem}" for problem in json_problems(arguments)]
    return arguments, problems or _transformers_problems(kind, arguments, device)


def _shown_class(kind: type) -> str:
    is_stock = kind.__module__.partition(".")[0] == "transformers"
    return f"transformers.{kind.__name__}" if is_stock else kind.__name__


def _is_off(value: Any, field: dataclasses.Field[Any]) -> bool:
    """Return whether a value changes nothing: it is empty, None or the default of transformers."""
    made = field.default_factory
    default = field.default if made is dataclasses.MISSING else made()
    return value is None or value == "" or bool(value == default)


def _value_problem(name: str, value: Any, field: dataclasses.Field[Any]) -> str | None:
    """Return the requirement that a value fails, None if it is fine."""
    annotation, choices = type_of_field(field), field.metadata.get("choices")
    if choices and isinstance(value, str) and value not in choices:
        return f"must be one of {names(choices)}{did_you_mean(value, choices)}"
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


def _transformers_problems(
    kind: type[TrainingArguments], arguments: dict[str, Any], device: Any
) -> list[str]:
    # The Trainer of the run gets this argument too.
    here = {"use_cpu": True} if trains_on_cpu(device, arguments) else {}
    # TrainingArguments would wait for processes that do not exist.
    if problems := launch_problems(on_cpu=bool(here)):
        return problems
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with_evaluation = with_matching_strategies(arguments, has_eval=True)
            args = kind(output_dir=folder, **{**arguments, **with_evaluation, **here})
            problems = part_problems(args, arguments)
        except ConfigError as error:
            return [f"training_args: {error}"]
        except Exception as error:
            return [f"training_args: {error}"]
    return [f"training_args: {problem}" for problem in problems]


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


def divides(evaluate: Any, save: Any) -> bool:
    """Return whether each save falls on an evaluation."""
    return bool(evaluate == save or (min(save, evaluate) >= 1 and save % evaluate == 0))
