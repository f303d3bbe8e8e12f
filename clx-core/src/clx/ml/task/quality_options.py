"""The options of every task that are about the quality of a model, and what is wrong with them."""

from __future__ import annotations

import math
from typing import Any

from clx.problems import cell, choice_problems, did_you_mean

POOLINGS = ("auto", "mean", "cls", "model")
HEAD_INITS = ("probe", "random")

INHERITED = ("head_init", "pooling", "calibrate")
"""Options whose default is the task's class attribute of that name."""


def set_quality_options(task: Any, class_weights: Any, label_texts: Any, **inherited: Any) -> None:
    """Set the options on a run; those that are None keep what the task's class says."""
    # JSON has no numbers as names; labels are compared as str.
    task.class_weights, task.label_texts = (
        {str(label): value for label, value in given.items()} if isinstance(given, dict) else given
        for given in (class_weights, label_texts)
    )
    for name in INHERITED:
        value = inherited[name]
        setattr(task, name, getattr(type(task), name) if value is None else value)


def quality_problems(task: Any) -> list[str]:
    """Return what is wrong with these options, as sentences."""
    problems = choice_problems(task, {"head_init": HEAD_INITS, "pooling": POOLINGS})
    if not isinstance(task.calibrate, bool):
        problems.append(f"calibrate must be true or false, but is {cell(task.calibrate)}")
    labels = getattr(task, "label_names", None)
    return [
        *problems,
        *_weight_problems(task.class_weights, labels),
        *_text_problems(task.label_texts, labels),
    ]


def _weight_problems(weights: Any, labels: Any) -> list[str]:
    if weights is None or weights == "balanced":
        return []
    if not isinstance(weights, dict):
        return [
            f"class_weights must be 'balanced' or a dict of a number for each label, but is "
            f"{cell(weights)}"
        ]
    wrong = {name: value for name, value in weights.items() if not _is_weight(value)}
    problems = [
        f"class_weights[{cell(name)}] must be a number above 0, but is {cell(value)}"
        for name, value in wrong.items()
    ]
    return problems + unknown_labels("class_weights", weights, labels)


def _text_problems(texts: Any, labels: Any) -> list[str]:
    if texts is None or texts == "names":
        return []
    if not isinstance(texts, dict):
        return [
            f"label_texts must be 'names', None, or a dict of a text or a list of texts for each "
            f"label, but is {cell(texts)}"
        ]
    problems = [
        f"label_texts[{cell(name)}] must be a text or a list of texts, but is {cell(text)}"
        for name, text in texts.items()
        if not all(
            isinstance(one, str) and one.strip()
            for one in (text if isinstance(text, list) else [text])
        )
    ]
    return problems + unknown_labels("label_texts", texts, labels)


def unknown_labels(option: str, by_label: Any, labels: Any) -> list[str]:
    """Return a problem for each name in an option by label that is no label."""
    if not isinstance(by_label, dict) or not isinstance(labels, list | tuple):
        return []
    known = [str(label) for label in labels]
    return [
        f"{option} has {cell(name)}, which is no label{did_you_mean(str(name), known)}"
        for name in by_label
        if str(name) not in known
    ]


def _is_weight(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value) and value > 0
