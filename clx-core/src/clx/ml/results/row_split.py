"""The record of how clx set eval rows aside, for a caller who gave a share instead of eval data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from clx.ml.results.cards import Card, card_html


@dataclass(frozen=True)
class RowSplit:
    """A split of one data set into rows to train on and rows to evaluate on.

    Attributes:
        share: the share of the rows to evaluate on, above 0 and below 1.
        seed: the seed of the random choice; a split by time does not use it.
        group_column: the column of groups, each of which stays on one side; None for no groups.
        time_column: the column whose newest rows are set aside, None for a random choice.
        stratified: whether each label has its share of rows on both sides, as far as possible.
    """

    share: float
    seed: int
    group_column: str | None = None
    time_column: str | None = None
    stratified: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values for JSON."""
        return asdict(self)

    def _repr_html_(self) -> str:
        return card_html(self, lambda: Card(split_sentence(self.to_dict()), "Split"))


def split_sentence(split: Mapping[str, Any]) -> str:
    """Return a sentence that says how the eval rows were chosen.

    Args:
        split: :meth:`RowSplit.to_dict`; the values may come from a file.
    """
    share = split.get("share")
    part = f"{100 * share:g}% of" if isinstance(share, int | float) else "part of"
    if split.get("time_column") is not None:
        return f"The evaluation rows are the newest {part} the data, by {split['time_column']!r}."
    how = ", stratified by label" if split.get("stratified") else ""
    text = f"The evaluation rows are {part} the data, chosen at random{how}"
    if split.get("group_column") is not None:
        text += f", with equal values of {split['group_column']!r} on one side"
    return f"{text} (seed {split.get('seed')})."
