"""The result of ``with_fast``, and its part of the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from clx.ml.results.cards import MAX_ROWS, Card, card_html, rows_table
from clx.ml.results.json_tables import object_or_empty, table_from_json, table_to_json

if TYPE_CHECKING:
    import pandas as pd

CASCADE = "cascade"
"""The key in ``results.json``."""

CURVE = ("share", "agreement", "bound", "texts_per_second")
"""The columns of every curve; with labels, it has ``accuracy`` too."""


@dataclass(frozen=True)
class CascadeResult:
    """A student that answers first, and how the cascade decides on texts that chose nothing.

    Attributes:
        student: the name of the student's run.
        teacher: the backend that answers the other texts.
        margin: the margin from which the student answers, for labels without one of their own; None if
            no margin is enough.
        margins: label → the margin from which the student answers, None if it never does.
        min_agreement: the share of decisions equal to those of torch that was asked for.
        agreement: this share on the second half of the texts.
        bound: the share that holds with 95 % confidence.
        share: the share of the texts of the second half that the student answers.
        student_agreement: the share of equal decisions if the student answered all texts.
        teacher_agreement: the teacher's own share of decisions that are equal to torch's.
        texts: the number of texts: ``chosen_on``, ``measured_on``, and those left out.
        accuracy: the accuracy of ``torch``, ``student``, ``teacher`` and ``cascade`` on the second half;
            empty without labels. For several labels per text, all of them must be right.
        speeds: texts per second of ``torch``, ``student``, ``teacher`` and ``cascade``.
        curve: what other margins give; see :data:`CURVE`. ``chosen`` marks the chosen one.
        monitor: the share of the student's answers that the teacher checks later.
    """

    student: str
    teacher: str
    margin: float | None
    margins: Mapping[str, float | None] = field(repr=False)
    min_agreement: float
    agreement: float
    bound: float
    share: float
    student_agreement: float
    teacher_agreement: float
    texts: Mapping[str, int]
    accuracy: Mapping[str, float]
    speeds: Mapping[str, float]
    curve: pd.DataFrame = field(repr=False)
    monitor: float = 0.0

    @property
    def speedup(self) -> float:
        """How many times faster than torch the cascade is."""
        return self.speeds["cascade"] / self.speeds["torch"]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values for JSON."""
        values = {**vars(self), "curve": table_to_json(self.curve)}
        for name in ("margins", "texts", "accuracy", "speeds"):
            values[name] = dict(values[name])
        return values

    def __str__(self) -> str:
        return "\n".join(
            [
                f"{self.student!r} answers {self.share:.1%} of the texts, and {self.teacher} the "
                f"rest.",
                f"{self.agreement:.2%} of {self.texts['measured_on']:,} decisions are equal to torch's, "
                f"at least {self.bound:.2%} with 95 % confidence.",
                f"{self.speeds['cascade']:,.0f} texts per second, {self.speedup:.1f} times as fast as "
                "torch.",
            ]
        )

    def _repr_html_(self) -> str:
        return card_html(self, self._card)

    def _card(self) -> Card:
        facts = {
            "Answered by the student": f"{self.share:.1%}",
            "Equal decisions": f"{self.agreement:.2%}",
            "With 95 % confidence": f"at least {self.bound:.2%}",
            "Margin": "none" if self.margin is None else f"{self.margin:.4g}",
            "Texts": f"{self.texts['chosen_on']:,} to choose, {self.texts['measured_on']:,} to measure",
        }
        rows = [
            [name, f"{speed:,.0f}", _percent(self.accuracy.get(name))]
            for name, speed in self.speeds.items()
        ]
        own = [
            [label, "never" if margin is None else f"{margin:.4g}"]
            for label, margin in list(self.margins.items())[:MAX_ROWS]
        ]
        tables = [
            rows_table(["", "Texts per second", "Accuracy"], rows),
            rows_table(["Label", "Margin"], own),
        ]
        more = len(self.margins) - MAX_ROWS
        notes = [f"margins has {more:,} more labels."] if more > 0 else []
        return Card(f"{self.student} + {self.teacher}", "Cascade", facts, tables, notes)


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.2%}"


def cascade_curve(results: Mapping[str, Any]) -> pd.DataFrame | None:
    """Return the curve of a run's cascade, None if it has none."""
    curve = table_from_json(object_or_empty(results.get(CASCADE)).get("curve"))
    # Another program may have written the results.
    return curve if curve is not None and set(CURVE) <= set(curve.columns) else None


def cascade_in_words(results: Mapping[str, Any]) -> str | None:
    """Return a sentence about a run's cascade, None if it has no cascade."""
    values = object_or_empty(results.get(CASCADE))
    try:
        return (
            f"{values['student']} answers {values['share']:.1%} of the texts, and "
            f"{values['teacher']} the rest; {values['agreement']:.2%} equal decisions, at least "
            f"{values['bound']:.2%} with 95 % confidence"
        )
    except (KeyError, TypeError, ValueError):
        return None
