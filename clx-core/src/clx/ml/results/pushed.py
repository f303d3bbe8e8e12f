"""What sharing a run returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from clx.ml.results.cards import MAX_ROWS, Card, card_html, rows_table


@dataclass(frozen=True)
class PushResult:
    """A run that was shared on the Hub.

    Attributes:
        url: the web page of the shared files, at the commit.
        repository: ``owner/name``.
        revision: the hash of the commit.
        files: the paths of the shared files in the repository.
        left_out: what was not shared, as ``file: what``.
        include_texts: whether results and report have texts of the data.
    """

    url: str
    repository: str
    revision: str
    files: tuple[str, ...] = field(default=(), repr=False)
    left_out: tuple[str, ...] = ()
    include_texts: bool = False

    def _repr_html_(self) -> str:
        return card_html(self, self._card)

    def _card(self) -> Card:
        facts = {
            "Page": self.url,
            "Address": self.address,
            "Files": len(self.files),
            "Texts of the data": "shared" if self.include_texts else "not shared",
        }
        rows = [[each] for each in self.left_out[:MAX_ROWS]]
        more = len(self.left_out) - MAX_ROWS
        notes = [f"left_out has {more:,} more entries."] if more > 0 else []
        return Card("Shared run", self.repository, facts, [rows_table(["Left out"], rows)], notes)

    @property
    def address(self) -> str:
        """What opens exactly this commit: ``training_run(load=result.address)``."""
        return f"hf://{self.repository}@{self.revision}"

    def __str__(self) -> str:
        lines = [f"Shared {len(self.files)} files: {self.url}"]
        if self.left_out:
            lines += ["Left out:", *(f"  - {each}" for each in self.left_out)]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values for JSON."""
        return {
            "url": self.url,
            "address": self.address,
            "repository": self.repository,
            "revision": self.revision,
            "files": list(self.files),
            "left_out": list(self.left_out),
            "include_texts": self.include_texts,
        }
