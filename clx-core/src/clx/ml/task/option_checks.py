"""The checks of each option's value; they return problems as sentences."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clx.ml.task.predicting import pipeline_task
from clx.ml.task.reporting import contradiction_problems, shape_problems
from clx.ml.task.windows import LONG_TEXT, WINDOW_POOLINGS, truncates
from clx.problems import cell, choice_problems, did_you_mean, names

if TYPE_CHECKING:
    from clx.ml.task.task import Task

HEAD_INITS = ("probe", "random")
POOLINGS = ("auto", "mean", "cls", "model")

MAX_TOKENS = 1_000_000
"""Above any model's input limit."""

CORE_SETS = {
    "return_tensors": "rows are made into tensors when a batch is formed",
    "return_overflowing_tokens": "it turns one row into several",
    "is_split_into_words": "a text is one str",
    "text": "it comes from the data",
    "text_pair": "it comes from the data",
}
"""Arguments of the tokenizer's call that only core may set, and why."""


def model_name(task: Task, option: str) -> list[str]:
    """Check the name of a base model or tokenizer."""
    value = getattr(task, option)
    is_optional = option != "base_model_name"
    if (is_optional and value in (None, "")) or (value and isinstance(value, str)):
        return []
    return [f"{option} must be a Hub id or a folder, but is {cell(value)}"]


def boolean(task: Task, option: str) -> list[str]:
    """Check a switch."""
    value = getattr(task, option)
    return (
        [] if isinstance(value, bool) else [f"{option} must be true or false, but is {cell(value)}"]
    )


def run_dir_parent(task: Task, option: str) -> list[str]:
    """Check the folder of run directories."""
    value = getattr(task, option)
    return [] if isinstance(value, Path) else [f"{option} must be a path, but is {cell(value)}"]


def device(task: Task, option: str) -> list[str]:
    """Check that the device is a name; whether the machine has it is checked on use."""
    value = getattr(task, option)
    if value is None or isinstance(value, str):
        return []
    return [f"{option} must be a str such as 'cpu', but is {cell(value)}"]


def metrics(task: Task, option: str) -> list[str]:
    """Check the list of additional metrics."""
    value = getattr(task, option)
    if value is None or isinstance(value, list):
        return []
    return [f"{option} must be a list, but is {cell(value)}"]


def text_column(task: Task, option: str) -> list[str]:
    """Check the name of the text column."""
    problems = _column_problems(task, option)
    if getattr(task, option) is not None and len(task.text_columns) != 1:
        problems.append(
            f"{option} is only for tasks that read one column; this one reads "
            f"{names(task.text_columns)}: rename the columns of the data"
        )
    return problems


def label_column(task: Task, option: str) -> list[str]:
    """Check the name of the label column."""
    value = getattr(task, option)
    problems = _column_problems(task, option)
    texts = task.text_columns if task.text_column is None else (task.text_column,)
    if value is not None and value in texts:
        problems.append(f"{option} is {value!r}, which is a column of texts")
    if value is not None and not task.label_column_names:
        problems.append(no_label_column(task))
    return problems


def weight_column(task: Task, option: str) -> list[str]:
    """Check the name of the column of weights."""
    value = getattr(task, option)
    if value is None:
        return []
    if not isinstance(value, str) or not value:
        return [f"{option} must be the name of a column, but is {cell(value)}"]
    texts = task.text_columns if task.text_column is None else (task.text_column,)
    labels = task.label_column_names if task.label_column is None else (task.label_column,)
    what = "texts" if value in texts else "labels" if value in labels else None
    return [] if what is None else [f"{option} is {value!r}, which is a column of {what}"]


def no_label_column(task: Task) -> str:
    """Return why a task cannot have the option ``label_column``."""
    return (
        f"label_column cannot be set, because the task {task.name!r} does not say which column holds "
        f"its labels: rename the columns of the data, or set label_column_names in its class"
    )


def report_to(task: Task, option: str) -> list[str]:
    """Check the type of the trackers, and that ``training_args`` does not name others."""
    value, arguments = getattr(task, option), task.training_args
    entry = arguments.get(option) if isinstance(arguments, dict) else None
    return shape_problems(value) + contradiction_problems(value, entry)


def _column_problems(task: Task, option: str) -> list[str]:
    value = getattr(task, option)
    if value is None or (isinstance(value, str) and value):
        return []
    return [f"{option} must be the name of a column, but is {cell(value)}"]


def head_init(task: Task, option: str) -> list[str]:
    """Check the initialization of the head."""
    return choice_problems(task, {option: HEAD_INITS})


def pooling(task: Task, option: str) -> list[str]:
    """Check the pooling."""
    return choice_problems(task, {option: POOLINGS})


def window_pooling(task: Task, option: str) -> list[str]:
    """Check the pooling of the logits of windows."""
    return choice_problems(task, {option: WINDOW_POOLINGS})


def long_text(task: Task, option: str) -> list[str]:
    """Check the treatment of long texts, and whether the task can read windows."""
    problems = choice_problems(task, {option: LONG_TEXT})
    if getattr(task, option) != "window":
        return problems
    pipeline = pipeline_task(task)
    why = None
    if pipeline is None:
        why = "reads long texts to predict them, but the task does not predict"
    elif pipeline != "text-classification":
        why = f"pools the logits of a text, but the task's pipeline is {pipeline!r}"
    elif len(task.text_columns) != 1:
        why = f"reads one text per row, but the task reads {names(task.text_columns)}"
    elif (task.pipeline_args or {}).get("pipeline_class") is not None:
        why = "needs the stock pipeline, but the task has a pipeline_class of its own"
    elif isinstance(task.tokenize_args, dict) and not truncates(task.tokenize_args):
        why = "cuts texts into windows, but tokenize_args has truncation=False"
    return problems if why is None else [*problems, f"long_text='window' {why}"]


def model_args(task: Task, option: str) -> list[str]:
    """Check the arguments of ``from_pretrained``."""
    value = getattr(task, option)
    if not isinstance(value, dict):
        return [f"{option} must be a dict, but is {cell(value)}"]
    if "trust_remote_code" in value:
        return [
            f"{option} must not have trust_remote_code, which is never stored: pass "
            f"trust_remote_code=True as an option of its own"
        ]
    return []


def tokenize_args(task: Task, option: str) -> list[str]:
    """Check for values that would fail, or use up all memory, at the first text."""
    arguments = getattr(task, option)
    if not isinstance(arguments, dict):
        return [f"{option} must be a dict, but is {cell(arguments)}"]
    problems = [
        f"{option}: {name} cannot be set: {CORE_SETS[name]}"
        for name, value in arguments.items()
        if name in CORE_SETS and value not in (None, False)
    ]
    return [
        *problems,
        *_whole_number_problems(arguments, option),
        *_tokenizer_choice_problems(arguments, option),
    ]


def _whole_number_problems(arguments: Mapping[str, Any], option: str) -> list[str]:
    problems = []
    for name, least in {"max_length": 1, "stride": 0, "pad_to_multiple_of": 1}.items():
        value = arguments.get(name)
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        if value is not None and not (is_whole and least <= value <= MAX_TOKENS):
            problems.append(
                f"{option}: {name} must be a whole number from {least} to {MAX_TOKENS}, but is "
                f"{cell(value)}"
            )
    return problems


def _tokenizer_choice_problems(arguments: Mapping[str, Any], option: str) -> list[str]:
    choices: dict[str, Sequence[str]] = {
        "padding": ("longest", "max_length", "do_not_pad"),
        "truncation": ("longest_first", "only_first", "do_not_truncate"),
        "split_special_tokens": (),
        "add_special_tokens": (),
    }
    problems = []
    for name, words in choices.items():
        value = arguments.get(name)
        if value is None or isinstance(value, bool) or value in words:
            continue
        known = f", or one of {', '.join(map(repr, words))}" if words else ""
        problems.append(f"{option}: {name} must be true or false{known}, but is {cell(value)}")
    return problems


def class_weights(task: Task, option: str) -> list[str]:
    """Check the weights of labels in the loss."""
    weights = getattr(task, option)
    if weights is None or weights == "balanced":
        return []
    if not isinstance(weights, dict):
        return [
            f"{option} must be 'balanced' or a dict with a number for each label, but is "
            f"{cell(weights)}"
        ]
    problems = [
        f"{option}[{cell(name)}] must be a number above 0, but is {cell(value)}"
        for name, value in weights.items()
        if not _is_weight(value)
    ]
    return problems + unknown_labels(option, weights, getattr(task, "label_names", None))


def label_texts(task: Task, option: str) -> list[str]:
    """Check the texts that describe labels."""
    texts = getattr(task, option)
    if texts is None or texts == "names":
        return []
    if not isinstance(texts, dict):
        return [
            f"{option} must be 'names', None, or a dict with a text or a list of texts for each "
            f"label, but is {cell(texts)}"
        ]
    problems = [
        f"{option}[{cell(name)}] must be a text or a list of texts, but is {cell(text)}"
        for name, text in texts.items()
        if not all(
            isinstance(one, str) and one.strip()
            for one in (text if isinstance(text, list) else [text])
        )
    ]
    return problems + unknown_labels(option, texts, getattr(task, "label_names", None))


def unknown_labels(option: str, by_label: Any, labels: Any) -> list[str]:
    """Return a problem for each key of a per-label option that is not a label."""
    if not isinstance(by_label, dict) or not isinstance(labels, list | tuple):
        return []
    known = [str(label) for label in labels]
    return [
        f"{option} has {cell(name)}, which is not a label{did_you_mean(str(name), known)}"
        for name in by_label
        if str(name) not in known
    ]


def _is_weight(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value) and value > 0
