"""Measure the answers and the speed of the student and of the run's backends on the same texts."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clx.ml.distillation.choice import Observed
from clx.ml.machine.progress import progress_bar
from clx_runtime.cascade import Cascade, closest, same_decisions
from clx_runtime.label_set import LabelSet
from clx_runtime.one_label import OneLabel
from clx_runtime.read import LoadedModel

if TYPE_CHECKING:
    import numpy as np

CHUNK = 1024
_WARM_UP = 8


@dataclass(frozen=True)
class Answers:
    """The answers of one model.

    Attributes:
        logits: shape (texts, labels).
        speed: texts per second, with tokenization.
    """

    logits: np.ndarray[Any, Any]
    speed: float


@dataclass(frozen=True)
class Measured:
    """The answers of all models to the same texts.

    Attributes:
        student: the student.
        torch: the run with torch, which equality is measured against.
        teacher: the backend that answers what the student leaves; torch itself, or an export.
    """

    student: Answers
    torch: Answers
    teacher: Answers

    def observed(self, cascade: Cascade, rule: OneLabel | LabelSet) -> Observed:
        """Return which decisions are equal, and the student's margins.

        Args:
            cascade: knows how scores follow from logits.
            rule: decides.
        """
        student, torch, teacher = (
            cascade.scores(each.logits, rule) for each in (self.student, self.torch, self.teacher)
        )
        margin, label = closest(student, rule)
        return Observed(
            margin,
            label,
            same_decisions(student, torch, rule),
            same_decisions(teacher, torch, rule),
            len(rule.labels),
        )

    def speed_at(self, share: float) -> float:
        """Return the texts per second of a cascade whose student answers a share of them."""
        return 1 / (1 / self.student.speed + (1 - share) / self.teacher.speed)


def answers(model: LoadedModel, texts: Sequence[str], what: str) -> Answers:
    """Return the answers of a model, behind a progress bar."""
    import numpy as np

    # The first call loads code, and is not measured.
    model.read(list(texts[:_WARM_UP]))
    found, begun = [], time.perf_counter()
    for some in _chunks(texts, max(CHUNK, model.window(None)), what):
        found.append(model.read(some).logits)
    taken = time.perf_counter() - begun
    return Answers(np.concatenate(found), len(texts) / max(taken, 1e-9))


def _chunks(texts: Sequence[str], size: int, what: str) -> Iterable[list[str]]:
    with progress_bar(total=len(texts), desc=what, unit="texts", delay=1) as bar:
        for start in range(0, len(texts), size):
            some = list(texts[start : start + size])
            yield some
            bar.update(len(some))
