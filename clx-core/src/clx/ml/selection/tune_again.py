"""Tune a tuned run again: tell options that the earlier tuning chose from the user's own."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from clx.ml.selection.tune_names import ARGUMENTS, options_with

if TYPE_CHECKING:
    from clx.ml.task.task import Task

BEFORE = "before"
"""The entry in the results of a tuning: each option that it changed, with its value before."""


def values_before(options: Mapping[str, Any], changed: Collection[str]) -> dict[str, Any]:
    """Return the values of the options that a tuning changed, as the results keep them."""
    return {name: value for name, value in options.items() if name in changed}


def untuned_options(
    task: Task, options: Mapping[str, Any], tuning: Any, given: Collection[str]
) -> dict[str, Any]:
    """Return options without the values that an earlier tuning chose.

    Args:
        task: the task.
        options: the options that the run was made with.
        tuning: the entry of the results about the earlier tuning, if there was one.
        given: the names of the options that the user set when the run was made, which stay.
    """
    found = copy.deepcopy(dict(options))
    best = tuning.get("best") if isinstance(tuning, Mapping) else None
    if not isinstance(best, Mapping):
        return found
    before = tuning.get(BEFORE)
    if not isinstance(before, Mapping):
        # The results of an earlier version do not say what the user had set.
        arguments = {k: v for k, v in found[ARGUMENTS].items() if k not in best}
        before = {ARGUMENTS: arguments}
    chosen = options_with(task, {**found, **before}, best)
    for name, value in before.items():
        # The user set the options that have changed since then.
        if name in found and name not in given and found[name] == chosen.get(name):
            found[name] = copy.deepcopy(value)
    return found
