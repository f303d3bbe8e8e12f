"""The result of ``distill``: the student's training, and its agreement with the teacher."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from clx.ml.results.agreement import Agreement
from clx.ml.results.cards import Card
from clx.ml.results.outcome import TrainingResult


@dataclass(frozen=True)
class Distillation(TrainingResult):
    """The result of a distillation.

    The attributes of a training are those of the student: ``rows`` counts the texts that it learned
    from, and ``metrics`` are those on ``eval_data``.

    Attributes:
        student_of: the name of the teacher.
        kind: ``"static"`` or ``"layers"``.
        agreement: the equal decisions on the texts that were set aside.
        texts: the number of texts ``read``, ``different`` ones, ``learned`` from, ``variants`` of
            these, ``watched`` to choose the epoch, and set ``aside``.
        durations: the seconds of the ``teacher`` and of the ``student``.
        texts_per_second: the student's speed on this machine, in texts per second.
        facts: what the student is made of, such as ``dim``.
        decided_on: what thresholds and calibration were fitted on: ``"eval_data"`` or ``"teacher"``.
    """

    student_of: str = ""
    kind: str = "static"
    agreement: Agreement = field(default_factory=lambda: Agreement(0.0, 0.0, 1.0, 0))
    texts: dict[str, int] = field(default_factory=dict)
    durations: dict[str, float] = field(default_factory=dict)
    texts_per_second: float = 0.0
    facts: dict[str, Any] = field(default_factory=dict)
    decided_on: str = "teacher"

    def _card(self) -> Card:
        card = super()._card()
        facts = {
            "Student of": self.student_of,
            "Kind": self.kind,
            "Equal decisions": str(self.agreement),
            "Texts per second": f"{self.texts_per_second:,.0f}",
        }
        return replace(card, facts={**facts, **card.facts})

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values for JSON (``results.json``)."""
        return {
            **super().to_dict(),
            "distilled": {
                "student_of": self.student_of,
                "kind": self.kind,
                "agreement": self.agreement.to_dict(),
                "texts": self.texts,
                "durations": {name: round(value, 3) for name, value in self.durations.items()},
                "texts_per_second": round(self.texts_per_second, 1),
                "facts": self.facts,
                "decided_on": self.decided_on,
            },
        }
