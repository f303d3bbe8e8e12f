"""Check and complete the options of the task."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from clx.errors import ConfigError
from clx.ml.labels import label_names_problems, label_share_problems
from clx.ml.thresholds import OBJECTIVES
from clx.problems import cell

DEFAULT = 0.5


def names_as_texts(names: Iterable[Any] | None) -> Any:
    """Return valid names as a list of str, and anything else unchanged."""
    if isinstance(names, Iterator):
        names = list(names)
    if names is None or label_names_problems(names):
        return names
    return [str(name) for name in names]


def given_thresholds(thresholds: Any, label_names: Sequence[str]) -> dict[str, float]:
    """Return the threshold of each label: the one given for it or for all labels, else 0.5."""
    if isinstance(thresholds, dict):
        return {name: float(thresholds.get(name, DEFAULT)) for name in label_names}
    return dict.fromkeys(label_names, DEFAULT if thresholds is None else float(thresholds))


def new_decisions(given: Mapping[str, Any], limits: Mapping[str, float]) -> dict[str, Any]:
    """Return the options that a user's decisions set; thresholds are None if data must choose them.

    Args:
        given: the user's decisions. Thresholds by name may leave labels out.
        limits: the threshold of each label so far.

    Raises:
        ConfigError: thresholds are given together with what chooses them.
    """
    values: dict[str, Any] = {"thresholds": None, **given}
    thresholds = values["thresholds"]
    if thresholds is not None and len(values) > 1:
        raise ConfigError(
            "thresholds cannot be set together with threshold_objective or threshold_target, which "
            "choose them"
        )
    if isinstance(thresholds, dict):
        changed = {str(name): value for name, value in thresholds.items()}
        values["thresholds"] = {**limits, **changed}
    if values.get("threshold_objective") == "f1":
        values.setdefault("threshold_target", None)
    return values


def objective_option_problems(objective: Any, target: Any) -> list[str]:
    """Return the problems of ``threshold_objective`` together with ``threshold_target``."""
    problems = []
    if objective not in OBJECTIVES:
        problems.append(
            f"threshold_objective must be one of {', '.join(OBJECTIVES)}, but is {cell(objective)}"
        )
    needs_target = objective != "f1"
    if needs_target != (target is not None):
        rule = "needs a threshold_target" if needs_target else "takes no threshold_target"
        problems.append(f"threshold_objective {cell(objective)} {rule}")
    return problems


def threshold_problems(
    thresholds: Any, target: Any, label_names: Sequence[str] | None
) -> list[str]:
    """Return the problems of ``thresholds`` and ``threshold_target``, as sentences."""
    problems = []
    if target is not None and not _is_probability(target):
        problems.append(f"threshold_target must be a number from 0 to 1, but is {cell(target)}")
    return problems + label_share_problems("thresholds", thresholds, label_names)


def _is_probability(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
