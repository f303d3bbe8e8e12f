"""A small record of many texts that recognizes a known share of them.

It is a bottom-k sketch (Cohen and Kaplan, 2007): the smallest hashes of the texts. Of other texts, those
whose hash is not larger than the largest kept one can be looked up exactly, and they are a random
sample, because a hash does not depend on what a text says.
"""

from __future__ import annotations

import base64
import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clx.ml.data.text_hashes import HASH_BYTES, text_hash

LEARNED_TEXTS = "learned_texts"
"""The entry of the results that holds the sketch of the texts of the training."""

MOST_LEARNED = 0.1
"""From this share of learned texts, a comparison on them is called optimistic."""

_KEPT = 1024
_FEWEST = 10


@dataclass(frozen=True)
class TextSketch:
    """The smallest hashes of some texts.

    Attributes:
        hashes: the distinct hashes, in ascending order.
        complete: whether these are the hashes of all texts.
    """

    hashes: tuple[int, ...] = ()
    complete: bool = True

    @classmethod
    def of(cls, texts: Iterable[str]) -> TextSketch:
        """Return the sketch of some texts."""
        return cls._smallest({text_hash(text) for text in texts}, complete=True)

    @classmethod
    def _smallest(cls, hashes: set[int], complete: bool) -> TextSketch:
        kept = tuple(heapq.nsmallest(_KEPT, hashes))
        return cls(kept, complete and len(kept) == len(hashes))

    def joined(self, other: TextSketch) -> TextSketch:
        """Return the sketch of the texts of both."""
        unfinished = [each for each in (self, other) if not each.complete]
        if not all(each.hashes for each in unfinished):
            # One of the sketches holds no texts.
            return TextSketch(complete=False)
        limits = [each.hashes[-1] for each in unfinished]
        both = {*self.hashes, *other.hashes}
        # Beyond the end of an incomplete sketch, only the other sketch knows its texts.
        known = {each for each in both if not limits or each <= min(limits)}
        return self._smallest(known, complete=not limits)

    def share(self, texts: Iterable[str]) -> float | None:
        """Return about which share of some texts are among these, from 0 to 1.

        It is None if the sketch can look up fewer than 10 of the texts.
        """
        found = [each for each in self.look_up(texts) if each is not None]
        return sum(found) / len(found) if len(found) >= _FEWEST else None

    def look_up(self, texts: Iterable[str]) -> list[bool | None]:
        """Return for each text whether it is among these, None if the sketch cannot look it up."""
        known, limit = frozenset(self.hashes), self.hashes[-1] if self.hashes else -1
        hashes = map(text_hash, texts)
        return [each in known if self.complete or each <= limit else None for each in hashes]

    def count(self, texts: Sequence[str]) -> int | None:
        """Return how many of some texts are among these.

        If the sketch is not complete, it is an estimate, or None as for :meth:`share`.
        """
        if self.complete:
            return self.look_up(texts).count(True)
        share = self.share(texts)
        return None if share is None else round(share * len(texts))

    def to_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        kept = b"".join(each.to_bytes(HASH_BYTES, "big") for each in self.hashes)
        return {"hashes": base64.b64encode(kept).decode("ascii"), "complete": self.complete}

    @classmethod
    def of_results(cls, results: Mapping[str, Any]) -> TextSketch | None:
        """Return the sketch in the results of a run, None if there is none."""
        return cls.from_json(results.get(LEARNED_TEXTS))

    @classmethod
    def from_json(cls, stored: Any) -> TextSketch | None:
        """Return the sketch that :meth:`to_json` wrote, None for anything else."""
        if not isinstance(stored, Mapping) or not isinstance(stored.get("hashes"), str):
            return None
        try:
            kept = base64.b64decode(stored["hashes"], validate=True)
        except ValueError:
            return None
        starts = range(0, len(kept) - HASH_BYTES + 1, HASH_BYTES)
        hashes = tuple(int.from_bytes(kept[start : start + HASH_BYTES], "big") for start in starts)
        return cls(hashes, stored.get("complete") is True)
