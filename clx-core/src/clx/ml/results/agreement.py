"""The agreement of a student with its teacher."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from clx.ml.results.json_tables import is_finite_number, object_or_empty


@dataclass(frozen=True)
class Agreement:
    """Equal decisions of a student and its teacher on texts that the student has not learned from.

    Attributes:
        equal: the share of equal decisions.
        low: the lower end of its 95 % interval (Clopper and Pearson).
        high: the upper end.
        texts: the number of texts.
    """

    equal: float
    low: float
    high: float
    texts: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        return (
            f"{self.equal:.1%} of {self.texts:,} decisions equal (95 %: {self.low:.1%} to "
            f"{self.high:.1%})"
        )


def agreement_in(results: Mapping[str, Any]) -> Agreement | None:
    """Return the agreement in the content of ``results.json``, None if the run is no student."""
    values = object_or_empty(object_or_empty(results.get("distilled")).get("agreement"))
    if not all(is_finite_number(values.get(key)) for key in ("equal", "low", "high", "texts")):
        return None
    equal, low, high = (float(values[key]) for key in ("equal", "low", "high"))
    return Agreement(equal, low, high, int(values["texts"]))
