"""What ``correct_labels`` and ``drop_duplicates`` return: the data, and what was done to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clx.ml.results.cards import Card, card_html, frame_table

if TYPE_CHECKING:
    import pandas as pd

CONFIDENT = 0.9
"""The confidence from which a suggested label is accepted, if the user says nothing else."""

ORIGINAL = "original_label"
"""The column that keeps the old labels of corrected rows."""


@dataclass(frozen=True, repr=False)
class CorrectedLabels:
    """Data with the suggested labels in the rows where they are confident.

    Attributes:
        data: all rows and columns of the data, in their order, and the column ``original_label``, which
            has the old label of each row that was corrected, as it was in the data.
        found: the suspicious rows as ``find_label_errors`` returns them, with the column
            ``accepted``: whether the row has the suggested label now.
        min_confidence: the confidence from which suggestions were accepted.
    """

    data: pd.DataFrame
    found: pd.DataFrame
    min_confidence: float

    @property
    def left(self) -> pd.DataFrame:
        """The suspicious rows that kept their label, for a person to look at."""
        return self.found[~self.found["accepted"]]

    def __str__(self) -> str:
        accepted = int(self.found["accepted"].sum())
        return (
            f"{accepted} of {len(self.found)} suspicious labels were replaced, those with a confidence "
            f"of at least {self.min_confidence:g}; {len(self.found) - accepted} are left to look at."
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        def make() -> Card:
            return Card("Labels", "Correction", tables=[frame_table(self.found)], notes=[str(self)])

        return card_html(self, make)

    def to_frame(self) -> pd.DataFrame:
        """Return :attr:`found`."""
        return self.found


@dataclass(frozen=True, repr=False)
class DistinctRows:
    """Data without the rows that repeat the text and labels of an earlier row.

    Attributes:
        data: the rows that stay, with all columns, in their order.
        dropped: the rows that were left out, with all columns.
        conflicts: the rows of ``data`` whose text other rows have with other labels: a column per
            text column, and ``labels``. Rows with the same text follow each other.
    """

    data: pd.DataFrame
    dropped: pd.DataFrame
    conflicts: pd.DataFrame

    def __str__(self) -> str:
        rows = len(self.data) + len(self.dropped)
        said = f"{len(self.dropped)} of {rows} rows repeat an earlier row and were left out."
        if len(self.conflicts):
            said += (
                f" {len(self.conflicts)} rows have the same text as another row but other labels, and "
                f"stay: decide which labels are right."
            )
        return said

    __repr__ = __str__

    def _repr_html_(self) -> str:
        def make() -> Card:
            tables = [frame_table(self.conflicts, "Conflicts")] if len(self.conflicts) else []
            return Card("Rows", "Without duplicates", tables=tables, notes=[str(self)])

        return card_html(self, make)

    def to_frame(self) -> pd.DataFrame:
        """Return :attr:`data`."""
        return self.data

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers of rows and the conflicts as plain values for JSON."""
        rows = zip(self.conflicts.index.tolist(), self.conflicts.to_dict("records"), strict=True)
        return {
            "rows": len(self.data),
            "dropped": len(self.dropped),
            "conflicts": [{"row": row, **values} for row, values in rows],
        }
