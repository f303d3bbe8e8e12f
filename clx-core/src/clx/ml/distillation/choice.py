"""Choose from which margin a student answers, so that a bound of the agreement holds.

One half of the texts fits how the risk of another decision falls with the margin (``risk.py``). It
so fixes an order of rules, from the strictest to the loosest one that it supports. The other half
tests these rules in this order: a rule passes if the lower Clopper-Pearson bound of the share of equal
decisions is at least what was asked for, and the first rule that does not pass ends the test. The last
rule that passed is chosen.

Each rule is tested at 95 %, and the chosen one still holds with 95 %, however many there are: a rule
that is worse than asked for can only be chosen if the first such rule in the order passed, and that
happens in 5 % of all cases at most. This is fixed-sequence testing (Maurer, Hothorn and Lehmacher, 1995;
for the choice of thresholds, Angelopoulos et al., "Learn then Test", 2021).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from clx.ml.distillation.binomial import LEVEL, lower_bound, most_wrong
from clx.ml.distillation.risk import Risk, fit_risk

if TYPE_CHECKING:
    import numpy as np


EVERY_TEXT = 1e6
"""A limit of the risk that no text reaches."""

SURE = 0.999
"""The confidence with which a teacher's backend must reach the agreement before a student is added."""


@dataclass(frozen=True)
class Observed:
    """What student and teacher decide about texts that the student has not learned from.

    Attributes:
        margin: the student's margin, shape (texts,).
        label: the label that it depends on, shape (texts,).
        student: whether the student decides like torch, shape (texts,).
        teacher: whether the teacher's backend decides like torch, shape (texts,).
        labels: the number of labels.
    """

    margin: np.ndarray[Any, Any]
    label: np.ndarray[Any, Any]
    student: np.ndarray[Any, Any]
    teacher: np.ndarray[Any, Any]
    labels: int

    def __len__(self) -> int:
        return len(self.margin)

    def part(self, rows: np.ndarray[Any, Any]) -> Observed:
        """Return some of the texts."""
        return replace(
            self,
            margin=self.margin[rows],
            label=self.label[rows],
            student=self.student[rows],
            teacher=self.teacher[rows],
        )

    def answered(self, margins: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Return which texts the student answers, shape (texts,).

        Args:
            margins: the margin of each label, shape (labels,).
        """
        answered: np.ndarray[Any, Any] = self.margin >= margins[self.label]
        return answered

    def wrong(self, answered: np.ndarray[Any, Any]) -> int:
        """Return how many decisions of the cascade differ from those of torch."""
        import numpy as np

        return int((~np.where(answered, self.student, self.teacher)).sum())


@dataclass(frozen=True)
class Choice:
    """The chosen rule.

    Attributes:
        margins: the margin of each label, shape (labels,); infinite if the student never answers.
        own: whether each label's margin follows from its own texts alone, shape (labels,).
        risk: what the margins follow from.
        limit: the highest risk that the student answers, as log odds.
        share: the share of the texts of the second half that the student answers.
        agreement: the share of equal decisions on the second half.
        bound: the agreement that holds with 95 %.
    """

    margins: np.ndarray[Any, Any]
    own: np.ndarray[Any, Any]
    risk: Risk
    limit: float
    share: float
    agreement: float
    bound: float


def leaves_room(first: Observed, min_agreement: float) -> bool:
    """Return whether a teacher's backend decides like torch so often that a student can differ, too.

    A backend that just reaches the agreement on one half of the texts misses it on every other half.

    Args:
        first: the texts that fix the order of the rules.
        min_agreement: the share of equal decisions to reach.
    """
    wrong = int((~first.teacher).sum())
    return not wrong or lower_bound(wrong, len(first), SURE) >= min_agreement


def choose(first: Observed, second: Observed, min_agreement: float) -> Choice | None:
    """Return the rule with which the student answers most texts, None if no rule passes.

    Args:
        first: the texts that fix the order of the rules.
        second: the texts that test them.
        min_agreement: the share of equal decisions to reach.
    """
    import numpy as np

    risk = fit_risk(first.margin, first.label, ~first.student, first.labels)
    own, theirs = risk.of(first.margin, first.label), risk.of(second.margin, second.label)
    # The loosest rule comes last: the student answers every text.
    limits = np.append(np.unique(own), EVERY_TEXT)
    supported = _wrong_by_limit(first, own, limits) <= (1 - min_agreement) * len(first)
    if not supported.any():
        return None
    limits = limits[: int(np.flatnonzero(supported)[-1]) + 1]
    passed = _wrong_by_limit(second, theirs, limits) <= most_wrong(len(second), min_agreement)
    ended = not passed.all()
    count = int(passed.argmin()) if ended else len(passed)
    for place in range(count - 1, -1, -1):
        margins = risk.margins(float(limits[place]))
        answered = second.answered(margins)
        wrong = second.wrong(answered)
        bound = lower_bound(wrong, len(second), LEVEL)
        # Rounding may change the answers of single texts.
        if bound >= min_agreement:
            return Choice(
                margins,
                risk.own,
                risk,
                float(limits[place]),
                float(answered.mean()),
                1 - wrong / len(second),
                # After a rule that failed, only the requested agreement is certain.
                min_agreement if ended else _least(second, theirs, limits[: place + 1], bound),
            )
    return None


def _least(
    second: Observed,
    risk: np.ndarray[Any, Any],
    limits: np.ndarray[Any, Any],
    bound: float,
) -> float:
    """Return the lowest bound of the rules that passed: it holds for each of them."""
    worst = int(_wrong_by_limit(second, risk, limits).max())
    return min(bound, lower_bound(worst, len(second), LEVEL))


def _wrong_by_limit(
    observed: Observed, risk: np.ndarray[Any, Any], limits: np.ndarray[Any, Any]
) -> np.ndarray[Any, Any]:
    """Return how many decisions differ from torch's if the student answers up to each limit."""
    import numpy as np

    order = np.argsort(risk, kind="stable")
    of_student = np.concatenate([[0], np.cumsum(~observed.student[order])])
    of_teacher = np.concatenate([[0], np.cumsum(~observed.teacher[order])])
    answered = np.searchsorted(risk[order], limits, side="right")
    wrong: np.ndarray[Any, Any] = of_student[answered] + of_teacher[-1] - of_teacher[answered]
    return wrong
