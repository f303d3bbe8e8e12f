"""Search for texts that are the same or nearly the same; its time grows linearly with them.

Texts are compared by their words, without case, punctuation and spacing. Texts with the same words are
one group, so repeated texts cost nothing. :mod:`clx.ml.data.check.minhash` finds similar groups.
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
"""Texts are compared by their first words only: few models read more."""

UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
"""The characters of scripts without spaces between words, for a regular expression."""

_PUNCTUATION = r"!-/:-@\[-`{-\u00bf\u060c\u061b\u061f\u0964\u0965\u2000-\u206f\u3000-\u303f"
# Each character of a script without spaces counts as a word.
_WORD = re.compile(rf"[{UNSPACED}]|[^\s{_PUNCTUATION}{UNSPACED}]+")


def compared_words(text: str) -> list[str]:
    """Return the words that a text is compared by: NFKC-normalized, case-folded, no punctuation.

    In scripts without spaces, each character is a word. A text of punctuation alone has no words.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return _WORD.findall(text.casefold())[:MAX_WORDS]


def near_duplicates(
    first: Sequence[str], second: Sequence[str] | None = None, similarity: float = 0.8
) -> pd.DataFrame:
    """Return the best match of each text that has one, as a frame sorted by ``position_b``.

    Blank texts match nothing. Texts without words (``"???"``) match equal strings only.

    Args:
        first: the texts to search in.
        second: the texts to find matches for. None finds matches for the texts of ``first``, each among
            those before it.
        similarity: the lowest similarity of a match, above 0 and at most 1. At 0.8, one word in fifteen
            may differ.

    Returns:
        A frame with the columns ``position_a`` (in ``first``), ``position_b`` (in ``second``, or in
        ``first``) and ``similarity``. Each ``position_b`` occurs at most once. Texts with the same
        words have a similarity of 1.0, and equal strings are preferred among them. Every pair returned
        is similar enough, but the search misses about 1 in 70 of the pairs that are just similar
        enough, and fewer of those that are more similar.

    Raises:
        ValueError: ``similarity`` is out of range.
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

    first_of_group = np.full(len(corpus), -1, dtype=np.int64)
    worded = np.flatnonzero(groups_a >= 0)[::-1]
    first_of_group[groups_a[worded]] = worded  # reversed, so that the first text of a group wins
    match = _equal_strings(first, texts, within=second is None)
    unequal = (match < 0) & (groups_b >= 0)
    match[unequal] = first_of_group[groups_b[unequal]]
    if second is None:
        match[match >= np.arange(len(match))] = -1
    scores = np.where(match >= 0, 1.0, 0.0)

    queries = np.arange(0 if second is None else in_first, len(corpus))
    best, best_score = best_matches(corpus.words(), queries, in_first, similarity)
    near = (match < 0) & (groups_b >= 0)
    near[near] = best[groups_b[near]] >= 0
    match[near] = first_of_group[best[groups_b[near]]]
    scores[near] = best_score[groups_b[near]]
    found = np.flatnonzero(match >= 0)
    return pd.DataFrame(
        {"position_a": match[found], "position_b": found, "similarity": scores[found]}
    )


def _equal_strings(first: Sequence[str], texts: Sequence[str], within: bool) -> Array:
    """Return the first position in ``first`` of each text, shape (texts,), -1 if there is none.

    ``within`` says that ``texts`` is ``first``: then a text does not match itself.
    """
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
    """Groups of texts with the same words, numbered in order of appearance, with their word ids."""

    vocabulary: dict[str, int] = field(default_factory=dict)
    by_text: dict[str, int] = field(default_factory=dict)
    by_words: dict[str, int] = field(default_factory=dict)
    ids: array[int] = field(default_factory=lambda: array("i"))
    sizes: array[int] = field(default_factory=lambda: array("q"))

    def __len__(self) -> int:
        return len(self.sizes)

    def group(self, text: str) -> int:
        """Return the number of the text's group, -1 if the text has no words."""
        number = self.by_text.get(text)
        if number is None:
            number = self.by_text[text] = self._add(compared_words(text))
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
