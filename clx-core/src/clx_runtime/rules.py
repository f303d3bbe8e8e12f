"""The decision rules by name, read from the settings of an export."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from clx_runtime.decisions import KINDS
from clx_runtime.label_set import LabelSet
from clx_runtime.one_label import OneLabel
from clx_runtime.problems import cell, names

_RULES: dict[str, type[OneLabel] | type[LabelSet]] = {
    rule.kind: rule for rule in (OneLabel, LabelSet)
}


def rule_of(values: Mapping[str, Any]) -> OneLabel | LabelSet:
    """Return the rule that ``to_dict`` wrote.

    Raises:
        ValueError: the values do not describe a rule.
    """
    rule = _RULES.get(str(values.get("kind")))
    if rule is None:
        raise ValueError(
            f"the kind of a decision is one of {names(_RULES)}, not {cell(values.get('kind'))}"
        )
    known = {field.name for field in fields(rule)}
    made: Any = {name: _frozen(value) for name, value in values.items() if name in known}
    return _checked(rule(**made))


def _checked(rule: OneLabel | LabelSet) -> OneLabel | LabelSet:
    if not rule.labels or not all(isinstance(name, str) for name in rule.labels):
        raise ValueError(f"labels are {cell(rule.labels)}")
    if rule.label_type not in KINDS:
        raise ValueError(f"label_type is {cell(rule.label_type)}")
    limits = rule.thresholds if isinstance(rule, LabelSet) else [rule.min_score]
    if not all(limit is None or _is_number(limit) for limit in limits):
        raise ValueError(f"the limits of the scores are {cell(list(limits))}")
    if isinstance(rule, LabelSet) and len(rule.thresholds) != len(rule.labels):
        raise ValueError(f"{len(rule.thresholds)} thresholds for {len(rule.labels)} labels")
    return rule


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
