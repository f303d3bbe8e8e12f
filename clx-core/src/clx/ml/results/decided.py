"""What a training decided, and why, in words: from the config and the results of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clx.ml.report.markup import number
from clx.ml.results.ending import kept_in_words, stopped_in_words
from clx.ml.results.row_split import split_sentence

_NOT_DECISIONS = frozenset({"label_names", "label_type"})
"""Options that a training takes from the data. They have their own place on a card."""

_WHY = {
    "validation": "chosen by validation",
    "checkpoint": "named by the checkpoint",
    "option": "set by the option",
}
"""Reasons for a pooling that are not phrases yet."""


def decisions(config: Mapping[str, Any], results: Mapping[str, Any]) -> dict[str, str]:
    """Return the decisions: the name of each one → the choice and its reason.

    Args:
        config: the content of ``config.json``; may be empty.
        results: the content of ``results.json``; may be empty. Entries of another type than clx writes
            are left out.
    """
    found = {
        "Kept": kept_in_words(results),
        "Stopped by": stopped_in_words(results),
        "Pooling": _pooling(results.get("head")),
        "Calibration": _temperature(config.get("temperature")),
        **_learned(config),
    }
    split = results.get("split")
    if isinstance(split, Mapping):
        found["Split"] = split_sentence(split)
    return {name: value for name, value in found.items() if value}


def labels_in_words(names: Any) -> str | None:
    """Return the number of labels and the first of their names, None without a list of names."""
    if not isinstance(names, list | tuple) or not names:
        return None
    shown = ", ".join(map(str, names[:8]))
    return f"{len(names)}: {shown}" + (", …" if len(names) > 8 else "")


def _pooling(head: Any) -> str | None:
    if not isinstance(head, Mapping) or not isinstance(head.get("pooling"), str):
        return None
    why = head.get("pooling_chosen_by")
    return str(head["pooling"]) + (f" ({_WHY.get(why, why)})" if isinstance(why, str) else "")


def _temperature(value: Any) -> str | None:
    if not isinstance(value, int | float):
        return None
    return f"scores divided by the temperature {number(value)}, which fits the evaluation data best"


def _learned(config: Mapping[str, Any]) -> dict[str, str | None]:
    """Return the options that the training set on the eval data, such as thresholds."""
    learned = config.get("learned")
    names = learned if isinstance(learned, Mapping) else {}
    return {
        str(name).replace("_", " ").capitalize(): _value(name, config)
        for name in names
        if name not in _NOT_DECISIONS and config.get(name) is not None
    }


def _value(name: str, config: Mapping[str, Any]) -> str:
    value = config[name]
    if isinstance(value, Mapping):
        numbers = [each for each in value.values() if isinstance(each, int | float)]
        text = (
            f"{number(min(numbers))} to {number(max(numbers))}, one for each of {len(numbers)} labels"
            if numbers
            else str(dict(value))
        )
    else:
        text = number(value)
    return f"{text}, chosen on the evaluation data{_aim(name, config)}"


def _aim(name: str, config: Mapping[str, Any]) -> str:
    """Return what a decision was chosen for, such as the accuracy that the user asked for."""
    if name == "min_score" and isinstance(config.get("target_accuracy"), int | float):
        return (
            f" to reach an accuracy of {number(config['target_accuracy'])}; below, the run abstains"
        )
    if name == "thresholds" and config.get("threshold_objective"):
        return f" for the objective {config['threshold_objective']}"
    return ""
