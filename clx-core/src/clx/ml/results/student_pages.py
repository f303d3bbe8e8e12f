"""The section of a report about the distillation of a student."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clx.ml.report import Section
from clx.ml.results.agreement import agreement_in
from clx.ml.results.json_tables import is_finite_number, object_or_empty

_COUNTS = {
    "learned": "learned from",
    "variants": "made from those, and learned from",
    "watched": "watched to choose the epoch",
    "aside": "set aside to measure the agreement",
}


def student_sections(results: Mapping[str, Any]) -> list[Section]:
    """Return the sections of a report about a distillation; none if the run is no student.

    Args:
        results: ``results.json``.
    """
    agreement = agreement_in(results)
    if agreement is None:
        return []
    import pandas as pd

    distilled = object_or_empty(results.get("distilled"))
    counts = object_or_empty(distilled.get("texts"))
    speed = distilled.get("texts_per_second")
    said = [
        f"On texts that it has not learned from, the student agrees with its teacher "
        f"{distilled.get('student_of')!r}: {agreement}."
    ]
    if is_finite_number(speed) and speed:
        said.append(f"It processes {speed:,.0f} texts per second on the machine that trained it.")
    if distilled.get("decided_on") == "teacher":
        said.append(
            "Its decisions and probabilities were fitted to the teacher's, because there was "
            "no eval data."
        )
    used = {
        words: counts[key]
        for key, words in _COUNTS.items()
        if is_finite_number(counts.get(key)) and counts[key]
    }
    table = pd.DataFrame({"texts": pd.Series(used, dtype="int64")})
    table.index.name = "texts that were"
    return [Section("Student", " ".join(said), table if used else None)]
