"""The progress of a prediction in parts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from clx.ml.results.cards import Card, card_html, rows_table


@dataclass(frozen=True)
class PartsStatus:
    """The progress of a prediction in parts.

    Attributes:
        directory: the folder of the parts.
        parts: the number of parts.
        done: how many are finished.
        rows: the number of rows of all parts.
        rows_done: the number of rows of the finished parts.
        errors: how many of these rows have no prediction.
        truncated: how many texts were truncated.
        rows_per_second: the rows per second of all workers together, since the first part was begun;
            None before a part is finished.
        seconds_left: the time that is left at this speed; None if it is not known.
        failed: the failed parts, each with its rows and its cause.
    """

    directory: str
    parts: int
    done: int
    rows: int
    rows_done: int
    errors: int = 0
    truncated: int = 0
    rows_per_second: float | None = None
    seconds_left: float | None = None
    failed: list[dict[str, Any]] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        """Whether all parts are finished."""
        return self.done == self.parts

    def to_dict(self) -> dict[str, Any]:
        """Return all attributes as plain values for JSON."""
        return {**vars(self), "is_complete": self.is_complete}

    def facts(self) -> dict[str, Any]:
        """Return the attributes as facts for a reader, without the failed parts."""
        found = {
            "parts": f"{self.done:,} of {self.parts:,} done",
            "rows": f"{self.rows_done:,} of {self.rows:,}",
            "rows without a prediction": f"{self.errors:,}",
            "truncated texts": f"{self.truncated:,}",
        }
        if self.rows_per_second is not None:
            found["rows per second"] = f"{self.rows_per_second:,.0f}"
        if self.seconds_left is not None:
            found["time left"] = _time(self.seconds_left)
        return found

    def _repr_html_(self) -> str:
        return card_html(self, self._card)

    def _card(self) -> Card:
        failed = [(each["rows"], each["cause"]) for each in self.failed]
        tables = [rows_table(["Failed", "Cause"], failed)] if failed else []
        return Card("Prediction in parts", self.directory, self.facts(), tables)


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
