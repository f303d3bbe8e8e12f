"""Check that a student was distilled from this run and has the same labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from clx.errors import ConfigError
from clx.ml.prediction.exported import python_methods
from clx.ml.results.json_tables import object_or_empty
from clx.ml.run_directory.config import STUDENT_OF
from clx.ml.run_directory.identities import identities
from clx.ml.run_directory.layout import RunDir
from clx.problems import examples, names
from clx_runtime.label_set import LabelSet
from clx_runtime.one_label import OneLabel

if TYPE_CHECKING:
    from clx.ml.task.task import Task


def rule_of_run(task: Task) -> OneLabel | LabelSet:
    """Return the rule by which a run decides.

    Raises:
        ConfigError: the run has no rule, or its task decides in Python.
    """
    rule, methods = task.decision_rule(), python_methods(task)
    if not isinstance(rule, OneLabel | LabelSet) or methods:
        why = f"decides in Python ({names(methods)})" if methods else "has no decision_rule()"
        raise ConfigError(
            f"The task {task.name!r} {why}: a cascade needs a score for each label, and a rule that "
            f"decides by them"
        )
    return rule


def known_agreement(where: RunDir) -> float | None:
    """Return the share of equal decisions measured at distillation, None if unknown."""
    distilled = object_or_empty(where.read_results().get("distilled"))
    share = object_or_empty(distilled.get("agreement")).get("equal")
    return share if isinstance(share, float) else None


def student_entry(task: Task, place: RunDir, student: Task, where: RunDir) -> Mapping[str, Any]:
    """Return what a student says about its teacher, after checking that it is this run.

    Args:
        task: the teacher.
        place: its directory.
        student: the student.
        where: its directory.

    Raises:
        ConfigError: it is not a student, belongs to another run, or has other labels or texts.
    """
    who = f"The run {student.run_name!r}"
    entry = where.read_config().get(STUDENT_OF)
    if not isinstance(entry, Mapping):
        raise ConfigError(
            f"{who} is not the student of a run: make one with run.distill(texts, name=...)"
        )
    if student.name != task.name:
        raise ConfigError(f"{who} has the task {student.name!r}, not {task.name!r}")
    rule, other = rule_of_run(task), rule_of_run(student)
    if rule.labels != other.labels:
        raise ConfigError(
            f"{who} has other labels, or the same in another order: {examples(list(other.labels))}. "
            f"Those of {task.run_name!r} are {examples(list(rule.labels))}. Distill the run again"
        )
    if student.text_columns != task.text_columns:
        raise ConfigError(
            f"{who} reads {names(student.text_columns)}, not {names(task.text_columns)}"
        )
    if entry.get("identity") not in identities(place):
        raise ConfigError(
            f"{who} is a student of {entry.get('run_name')!r} as it was then, which is another run, "
            f"or was trained again since. Distill {task.run_name!r} again"
        )
    return entry
