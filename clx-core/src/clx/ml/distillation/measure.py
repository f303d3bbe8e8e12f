"""Fit a student's probabilities and decisions, and measure how often it agrees with its teacher."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from transformers import EvalPrediction

from clx.errors import ClxWarning
from clx.ml.distillation.binomial import lower_bound
from clx.ml.distillation.gathering import Lesson
from clx.ml.distillation.soft_loss import best_temperature
from clx.ml.distillation.teacher import MULTI, SINGLE, Teacher
from clx.ml.evaluation.evaluate import Predicted, evaluate_predictions
from clx.ml.model.head.calibration import Calibration, calibrate
from clx.ml.results.agreement import Agreement
from clx.ml.task.author_code import author_code
from clx_runtime.callers import user_level
from clx_runtime.scores import scores_of

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from clx.ml.distillation.student import Student
    from clx.ml.results.outcome import EvaluationResult
    from clx.ml.task.task import Task

LOW = 0.8
"""Warn if the share of equal decisions is lower than this."""

FIT_TEXTS = 500
"""The lowest number of texts that decisions are fitted on, if there are enough texts."""

_TWO_SIDES = 0.975


def fitted_on_eval(
    task: Task, student: Student, kind: str, frame: pd.DataFrame, run_dir: Path
) -> tuple[EvaluationResult, Calibration | None]:
    """Calibrate a student and fit the task's decisions on labeled rows, and evaluate it.

    Args:
        task: the student's task; its decisions are set.
        student: the student.
        kind: the kind of the scores.
        frame: validated rows.
        run_dir: where the student will be.
    """
    predicted, found = student.predicted(task, frame), None
    if task.calibrate:
        labels, logits = predicted.prediction.label_ids, predicted.prediction.predictions
        found = calibrate(labels, logits, "single" if kind == SINGLE else "multi")
        if found is not None and not student.divide(found.temperature):
            found = None
        if found is not None:
            predicted = student.predicted(task, frame)
    _fit_decisions(task, predicted)
    return evaluate_predictions(task, frame, predicted, run_dir), found


def fitted_on_teacher(
    task: Task, student: Student, teacher: Teacher, lesson: Lesson, order: Sequence[int]
) -> float | None:
    """Fit a student's probabilities to the teacher's, and its decisions to the teacher's decisions.

    Args:
        task: the student's task; its decisions are set.
        student: the student.
        teacher: the teacher.
        lesson: the texts, with scores in the order of the logits.
        order: the position of each logit's label among the teacher's labels.

    Returns:
        The temperature, None if the scores are not calibrated.
    """
    rows, temperature = _to_fit(lesson), None
    scores = lesson.scores[rows]
    if task.calibrate:
        logits = student.logits(rows)
        found = best_temperature(logits, torch.from_numpy(scores), teacher.kind)
        temperature = found if student.divide(found) else None
    decisions = teacher.rule.decide_all(scores[:, np.argsort(order)])
    labels = _label_ids(decisions, scores, [teacher.labels[n] for n in order], teacher.kind)
    prediction = EvalPrediction(predictions=student.logits(rows).numpy(), label_ids=labels)
    _fit_decisions(task, Predicted(prediction, None, 0, 0.0))
    return temperature


def _to_fit(lesson: Lesson) -> np.ndarray[Any, Any]:
    """Return the watched texts and, if they are too few, some that the student learned from."""
    sides = lesson.sides
    missing = max(0, FIT_TEXTS - len(sides.watched))
    return np.concatenate([sides.watched, sides.learned[:missing]])


def _fit_decisions(task: Task, predicted: Predicted) -> None:
    with author_code(task, "fit_decisions"):
        task.fit_decisions(predicted.prediction)


def _label_ids(
    decisions: Sequence[Any], scores: np.ndarray[Any, Any], labels: Sequence[str], kind: str
) -> np.ndarray[Any, Any]:
    """Return decisions as a task's labels: ids, or 0 and 1 for each label."""
    if kind == MULTI:
        chosen = [
            set(names or ()) if not isinstance(names, str) else {names} for names in decisions
        ]
        return np.array([[name in row for name in labels] for row in chosen], dtype=np.float32)
    # Where the teacher abstains, the student still learns its best label.
    return np.asarray(scores.argmax(axis=1))


def agreement_of(
    task: Task, student: Student, teacher: Teacher, lesson: Lesson, order: Sequence[int]
) -> Agreement:
    """Return how often the student agrees with the teacher on the texts that were set aside.

    Args:
        task: the student's task, with its decisions.
        student: the student.
        teacher: the teacher.
        lesson: the texts, with scores in the order of the logits.
        order: the position of each logit's label among the teacher's labels.
    """
    rows, back = lesson.sides.aside, np.argsort(order)
    function = "softmax" if teacher.kind == SINGLE else "sigmoid"
    own = scores_of(student.logits(rows).numpy(), function)
    rule: Any = task.decision_rule()
    made = rule.decide_all(own[:, back])
    right = teacher.rule.decide_all(lesson.scores[rows][:, back])
    equal = sum(one == two for one, two in zip(made, right, strict=True))
    count = len(rows)
    return Agreement(
        equal / count,
        lower_bound(count - equal, count, _TWO_SIDES),
        1 - lower_bound(equal, count, _TWO_SIDES),
        count,
    )


def warn_if_low(agreement: Agreement, teacher: Teacher, lesson: Lesson) -> None:
    """Warn if the student often disagrees with the teacher, and say what the texts may lack."""
    if agreement.equal >= LOW:
        return
    sure = lesson.scores.max(axis=1).mean()
    said = (
        f" The teacher's highest score is {sure:.2f} on average." if teacher.kind == SINGLE else ""
    )
    warnings.warn(
        f"The student often disagrees with {teacher.task.run_name!r}: {agreement}.{said} The "
        f"texts are few ({len(lesson.sides.learned):,} learned from), or of another kind than those "
        f"that the teacher was trained on. Distill with more texts of its domain, or use "
        f"student='layers'.",
        ClxWarning,
        stacklevel=user_level(),
    )


def in_order(lesson: Lesson, order: Sequence[int]) -> Lesson:
    """Return the lesson with its scores in the order of the logits."""
    return replace(lesson, scores=np.ascontiguousarray(lesson.scores[:, list(order)]))
