"""What ``compare`` returns: two runs on the same rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clx.ml.report.words import metric_name
from clx.ml.results.cards import Card, card_html, interval, rows_table
from clx.ml.results.json_tables import table_to_json
from clx.ml.results.pages import comparison_report
from clx.ml.run_directory.files import write_json, writing
from clx.ml.run_directory.layout import REPORT

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Comparison:
    """Two runs on the rows that both were evaluated on.

    Attributes:
        names: the names of the two runs: this run ("own") and the other one.
        metrics: one row per metric; columns ``own``, ``other``, ``difference`` (other − own), ``low``
            and ``high``. The last two are the 95% paired bootstrap interval of the difference, NaN
            if the task has none.
        fixed: the rows that only the other run predicts correctly, with the predictions of both.
        broken: the rows that only this run predicts correctly, with the predictions of both.
        p_value: McNemar's test of fixed against broken rows, None for a task whose predictions are
            not right or wrong.
        rows: the number of rows.
        learned_rows: how many of the rows each run was trained on, None if that is not known; an
            estimate for a run that was trained on more than 1,024 texts.
    """

    names: tuple[str, str]
    metrics: pd.DataFrame
    fixed: pd.DataFrame = field(repr=False)
    broken: pd.DataFrame = field(repr=False)
    p_value: float | None
    rows: int
    learned_rows: tuple[int | None, int | None] = (None, None)

    def to_frame(self) -> pd.DataFrame:
        """Return the metrics of both runs with their differences."""
        return self.metrics

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values for JSON; missing intervals are null."""
        return {
            "own": self.names[0],
            "other": self.names[1],
            "rows": self.rows,
            "learned_rows": list(self.learned_rows),
            "p_value": self.p_value,
            "metrics": table_to_json(self.metrics),
            "fixed": len(self.fixed),
            "broken": len(self.broken),
        }

    def save(self, folder: str | Path) -> Path:
        """Write ``comparison.json``, ``fixed.csv``, ``broken.csv`` and ``report.html``.

        Args:
            folder: created if it does not exist.

        Returns:
            The folder.

        Raises:
            RunDirError: the folder cannot be written.
        """
        folder = Path(folder)
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            write_json(folder / "comparison.json", self.to_dict())
            self.fixed.to_csv(folder / "fixed.csv")
            self.broken.to_csv(folder / "broken.csv")
            page = comparison_report(
                self.names,
                self.metrics,
                self.fixed,
                self.broken,
                self.p_value,
                self._learned(),
            )
            (folder / REPORT).write_text(page, encoding="utf-8")
        return folder

    def _repr_html_(self) -> str:
        return card_html(self, self._card)

    def _card(self) -> Card:
        own, other = self.names
        facts = {
            "Rows": self.rows,
            "Fixed": f"{len(self.fixed):,} rows that only {other} predicts correctly",
            "Broken": f"{len(self.broken):,} rows that only {own} predicts correctly",
            "p-value": self.p_value,
        }
        if self.p_value is None:
            facts = {"Rows": self.rows}
        facts |= self._learned()
        return Card(
            f"{other} compared with {own}",
            "Comparison",
            facts,
            [comparison_table(self)],
            [*self._verdict(), "save(folder) writes this comparison with a report."],
        )

    def _learned(self) -> dict[str, str]:
        """Return how many of the rows each run was trained on, if it was on any, for a page."""
        return {
            f"Rows that {name} was trained on": f"{learned:,} of {self.rows:,}"
            for name, learned in zip(self.names, self.learned_rows, strict=True)
            if learned
        }

    def _verdict(self) -> list[str]:
        """Return a sentence about the metrics whose difference is not chance."""
        clear = self.metrics[(self.metrics["low"] > 0) | (self.metrics["high"] < 0)]
        if not len(self.metrics["low"].dropna()):
            return []
        if not len(clear):
            return ["No interval of a difference excludes 0: the runs may be equally good."]
        listed = ", ".join(metric_name(str(key)) for key in clear.index)
        return [f"The interval of the difference excludes 0 for: {listed}."]


def comparison_table(comparison: Comparison, caption: str = "") -> str:
    """Return the metrics of both runs as a table of a card."""
    columns = ["own", "other", "difference", "low", "high"]
    cells = [
        (metric_name(str(key)), one, two, difference, interval(low, high))
        for key, one, two, difference, low, high in comparison.metrics[columns].itertuples()
    ]
    headings = ["Metric", *comparison.names, "Difference", "95 % interval"]
    return rows_table(headings, cells, caption)
