"""Which texts are the same, or nearly: a search whose time grows with the number of texts.

A text is its words, without case, punctuation and spacing. Texts with the same words are one group,
so that repeated texts cost nothing; how similar groups are found is in :mod:`clx.ml.data.check.minhash`.
"""

from __future__ import annotations

import re
import unicodedata
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from clx.ml.data.check.minhash import Words, best_matches

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    Array = np.ndarray[Any, Any]

MAX_WORDS = 512
"""Only so many words of a text are compared: few models are given more."""

# Scripts that are written without blanks: one character is one word.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_PUNCTUATION = r"!-/:-@\[-`{-\u00bf\u060c\u061b\u061f\u0964\u0965\u2000-\u206f\u3000-\u303f"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\s{_PUNCTUATION}{_UNSPACED}]+")


def words_of(text: str) -> list[str]:
    """Return the words of a text by which it is compared: NFKC, case folded, no punctuation.

    Characters of scripts without blanks are words. A text of punctuation alone has none.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return _WORD.findall(text.casefold())[:MAX_WORDS]


def near_duplicates(
    first: Sequence[str], second: Sequence[str] | None = None, similarity: float = 0.8
) -> pd.DataFrame:
    """Return the best match of each text that has one, in a frame sorted by ``position_b``.

    Args:
        first: the texts among which matches are looked for.
        second: the texts for which they are looked for. None searches ``first`` itself, each text
            among those before it.
        similarity: how similar two texts have to be, above 0 and at most 1. At 0.8 one word may
            differ in fifteen.

    Returns:
        ``position_a`` (in ``first``), ``position_b`` (in ``second``, or in ``first``) and
        ``similarity``; a ``position_b`` occurs at most once. The same words are 1.0, and among
        them an equal string is preferred. Blank texts match nothing; texts without words
        (``"???"``) match equal strings. Of the pairs that are just similar enough about 1 in 70
        is missed, the more similar the fewer; every pair returned is similar enough.
    """
    import numpy as np
    import pandas as pd

    if not 0 < similarity <= 1:
        raise ValueError(f"similarity must be above 0 and at most 1, but is {similarity!r}")
    corpus = _Corpus()
    groups_a = np.array([corpus.group(text) for text in first], dtype=np.int64)
    in_first = len(corpus)
    texts = first if second is None else second
    groups_b = groups_a if second is None else np.array([corpus.group(t) for t in texts], np.int64)

    position = np.full(len(corpus), -1, dtype=np.int64)
    worded = np.flatnonzero(groups_a >= 0)[::-1]
    position[groups_a[worded]] = worded  # the first of a group is written last
    same = _equal_strings(first, texts, within=second is None)
    other = (same < 0) & (groups_b >= 0)
    same[other] = position[groups_b[other]]
    if second is None:
        same[same >= np.arange(len(same))] = -1
    scores = np.where(same >= 0, 1.0, 0.0)

    queries = np.arange(0 if second is None else in_first, len(corpus))
    best, best_score = best_matches(corpus.words(), queries, in_first, similarity)
    near = (same < 0) & (groups_b >= 0)
    near[near] = best[groups_b[near]] >= 0
    same[near] = position[best[groups_b[near]]]
    scores[near] = best_score[groups_b[near]]
    found = np.flatnonzero(same >= 0)
    return pd.DataFrame(
        {"position_a": same[found], "position_b": found, "similarity": scores[found]}
    )


def _equal_strings(first: Sequence[str], texts: Sequence[str], within: bool) -> Array:
    """Return the first position of each text in ``first``, shape (texts,), -1 for none."""
    import numpy as np

    positions: dict[str, int] = {}
    for number, text in enumerate(first):
        if not text.isspace() and text:
            positions.setdefault(text, number)
    found = np.array([positions.get(text, -1) for text in texts], dtype=np.int64)
    if within:
        found[found == np.arange(len(found))] = -1
    return found


@dataclass
class _Corpus:
    """Groups of texts with the same words, numbered as they come, with the ids of their words."""

    vocabulary: dict[str, int] = field(default_factory=dict)
    by_text: dict[str, int] = field(default_factory=dict)
    by_words: dict[str, int] = field(default_factory=dict)
    ids: array[int] = field(default_factory=lambda: array("i"))
    sizes: array[int] = field(default_factory=lambda: array("q"))

    def __len__(self) -> int:
        return len(self.sizes)

    def group(self, text: str) -> int:
        """Return the number of the text's group, -1 for a text without words."""
        number = self.by_text.get(text)
        if number is None:
            number = self.by_text[text] = self._add(words_of(text))
        return number

    def _add(self, words: list[str]) -> int:
        if not words:
            return -1
        number = self.by_words.setdefault(" ".join(words), len(self.sizes))
        if number == len(self.sizes):
            vocabulary = self.vocabulary
            self.ids.extend([vocabulary.setdefault(word, len(vocabulary)) for word in words])
            self.sizes.append(len(words))
        return number

    def words(self) -> Words:
        """Return the words of all groups."""
        import numpy as np

        return Words(np.array(self.ids, dtype=np.uint64), np.array(self.sizes, dtype=np.int64))
