"""Options given while a saved run is opened, which has its own, and what to write instead."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from clx.ml.task.guesses import ENTRIES, OPTION_GUESSES, option_hint, shown
from clx.ml.task.options import ANEW
from clx.problems import cell, did_you_mean

AT_LOAD = ("device", "verify", "trust_remote_code")
"""What may be given beside ``load``."""

OF_PREDICTION: Mapping[str, str] = {
    **dict.fromkeys(
        ("batch", "batch_size", "bs", "eval_batch_size", "per_device_eval_batch_size"),
        "batch_size",
    ),
    **dict.fromkeys(("backend", "engine"), "backend"),
}
"""Guess → the argument of ``predict`` that it means."""

DECISIONS = ("min_score", "thresholds", "target_accuracy")
"""Options that turn scores into decisions, which a trained run can change."""


def load_hint(
    name: str, given: Mapping[str, Any], stored: Mapping[str, Any], accepted: Collection[str]
) -> str:
    """Return what to write instead of an option that a saved run does not have.

    Args:
        name: the name that the user gave.
        given: all options that the user gave, with their values.
        stored: the options of the saved run, with their values.
        accepted: the names of the options that the task has.

    Returns:
        The end of a sentence.
    """
    value = shown(given[name])
    if name in OF_PREDICTION:
        return f"; write run.predict(texts, {OF_PREDICTION[name]}={value})"
    option = name if name in accepted else _meant(name)
    if option is None:
        hint = option_hint(name, given, accepted)
        return hint if hint.startswith("; ") else did_you_mean(name, [*stored, *AT_LOAD])
    if option in AT_LOAD:
        return f"; write {option}={value}"
    if option in ("run_name", "run_dir_parent"):
        return "; write load= with the path of the run directory"
    if option in DECISIONS and option in stored:
        return f"; write run.set_decisions({option}={value})"
    if option in ANEW:
        line = f"{option}={value}" if option == name else option_hint(name, given, accepted)
        return f"; write run.continue_training(data, {line.removeprefix('; write ')})"
    return f"; the option {option} is {cell(stored.get(option))} in the saved run"


def _meant(name: str) -> str | None:
    """Return the option that a guess is or belongs to, None if there is none."""
    entries = (option for option, guesses in ENTRIES.items() if name in guesses)
    return next(entries, OPTION_GUESSES.get(name))
