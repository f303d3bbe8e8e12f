"""Which texts a student learns from, and which are set aside to measure it: decided by their hashes.

The same text is on the same side in every call with the same texts, in any order.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from clx.ml.data.text_hashes import text_hash

if TYPE_CHECKING:
    import numpy as np

ASIDE = 0.1
"""The share of the texts that is set aside."""

ASIDE_AT_LEAST, OF_AT_LEAST = 1000, 5000
"""Set aside at least the first number of texts if there are at least the second number."""

WATCHED = 0.05
"""The share of the remaining texts that chooses the epoch and is not learned from."""


@dataclass(frozen=True)
class Sides:
    """The positions of texts, each sorted.

    Attributes:
        learned: the texts that the student learns from.
        watched: the texts that choose the epoch.
        aside: the texts that state the agreement, and nothing else.
        variants: variants of the texts in ``learned``, which the student learns from too.
        below: the hash below which a text is set aside.
    """

    learned: np.ndarray[Any, Any]
    watched: np.ndarray[Any, Any]
    aside: np.ndarray[Any, Any]
    variants: np.ndarray[Any, Any]
    below: int

    @property
    def taught(self) -> np.ndarray[Any, Any]:
        """All texts that the student learns from; its own texts come first."""
        import numpy as np

        return np.concatenate([self.learned, self.variants])


def text_hashes(texts: Iterable[str]) -> np.ndarray[Any, Any]:
    """Return the hash of each text, shape (texts,)."""
    import numpy as np

    return np.fromiter(map(text_hash, texts), dtype=np.uint64)


def sides_of(hashes: np.ndarray[Any, Any]) -> Sides:
    """Divide texts with different hashes.

    Args:
        hashes: the result of :func:`text_hashes`.
    """
    import numpy as np

    count = len(hashes)
    order = np.argsort(hashes, kind="stable")
    aside = max(1, round(count * ASIDE))
    if count >= OF_AT_LEAST:
        aside = max(aside, ASIDE_AT_LEAST)
    watched = aside + max(1, round((count - aside) * WATCHED))
    return Sides(
        learned=np.sort(order[watched:]),
        watched=np.sort(order[aside:watched]),
        aside=np.sort(order[:aside]),
        variants=order[:0],
        below=int(hashes[order[aside]]) if aside < count else 2**64,
    )


def excluding(sides: Sides, hashes: np.ndarray[Any, Any], others: np.ndarray[Any, Any]) -> Sides:
    """Return the sides without some texts among those that are learned from.

    Args:
        sides: the sides.
        hashes: the hashes of all texts.
        others: the hashes of the texts not to learn from.
    """
    import numpy as np

    def without(rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return rows[~np.isin(hashes[rows], others)]

    return replace(sides, learned=without(sides.learned), watched=without(sides.watched))
