"""What a task reports about rows of the data, for :meth:`Task.data_findings`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class RowFinding:
    """Rows in which a task found something that a user should look at.

    Attributes:
        kind: a short name, such as ``"misaligned_spans"``.
        what: the problem of the rows, as a clause that "in 3 of 20 rows" can follow.
        remedy: what the user can do, as a sentence without a final period.
        positions: the positions of the rows in the frame, ascending.
        examples: what was found in each of these rows, in words; empty for nothing more to say.
    """

    kind: str
    what: str
    remedy: str
    positions: Sequence[int]
    examples: Sequence[str] = ()
