"""Variants of texts: the same words in other combinations, for a student that has few texts.

The teacher answers them like any other text, so that they need no label and no meaning (Tang et al.
2019, "Distilling Task-Specific Knowledge from BERT into Simple Neural Networks").
"""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from clx.ml.data.check.near_duplicates import UNSPACED
from clx_runtime.texts import TextRow

DROPPED = 0.3
"""The share of the words that a variant leaves out."""

# A word, or one character of a script without spaces, and the space behind it.
_PIECE = re.compile(rf"[{UNSPACED}]\s*|[^\s{UNSPACED}]+\s*")
_UNSPACED_PIECE = re.compile(f"[{UNSPACED}]")
# The ends of texts that are joined without a space; the others are punctuation of these scripts.
_UNSPACED_END = re.compile(f"[{UNSPACED}\u3000-\u303f\uff01-\uff65]$")

_Pieces: TypeAlias = list[str]
_Make: TypeAlias = Callable[[random.Random, _Pieces, _Pieces], _Pieces]


def variants(texts: Sequence[str], count: int, seed: int) -> Iterator[str]:
    """Yield ``count`` variants of each text; a variant may be empty, or equal to a text.

    Each kind of variant is made equally often. Other texts of ``texts`` lend their words.

    Args:
        texts: the texts; a row of several texts gives a row whose texts are variants of its own.
        count: the number of variants of a text.
        seed: the same seed gives the same variants.
    """
    chance = random.Random(seed)
    for number in range(count):
        for position, text in enumerate(texts):
            other = texts[chance.randrange(len(texts))]
            yield _variant(_KINDS[(position + number) % len(_KINDS)], chance, text, other)


def _variant(make: _Make, chance: random.Random, text: str, other: str) -> str:
    if isinstance(text, TextRow) and isinstance(other, TextRow):
        pairs = zip(text.texts, other.texts, strict=True)
        return TextRow(_variant(make, chance, one, two) for one, two in pairs)
    own, lent = _pieces(text), _pieces(other)
    return "".join(make(chance, own, lent)).strip() if own and lent else text


def _pieces(text: str) -> _Pieces:
    """Return the parts that a text may be cut into, so that their concatenation can be read."""
    pieces: _Pieces = []
    for piece in _PIECE.findall(text):
        # Vowels and tones of some scripts are marks on the character before them.
        if pieces and unicodedata.category(piece[0]).startswith("M"):
            pieces[-1] += piece
        else:
            pieces.append(piece)
    if pieces and not pieces[-1][-1].isspace() and not _UNSPACED_END.search(pieces[-1]):
        pieces[-1] += " "
    return pieces


def _without_some(chance: random.Random, own: _Pieces, lent: _Pieces) -> _Pieces:
    """Leave out some words."""
    if 2 * sum(map(bool, map(_UNSPACED_PIECE.match, own))) > len(own):
        # Without some of its characters, a word is no word.
        return _half(chance, own, lent)
    return [piece for piece in own if chance.random() >= DROPPED] or own[:1]


def _joined(chance: random.Random, own: _Pieces, lent: _Pieces) -> _Pieces:
    """Append another text."""
    return [*own, *lent]


def _half(chance: random.Random, own: _Pieces, lent: _Pieces) -> _Pieces:
    """Keep half of a text, from any position."""
    size = max(1, len(own) // 2)
    start = chance.randrange(len(own) - size + 1)
    return own[start : start + size]


def _swapped(chance: random.Random, own: _Pieces, lent: _Pieces) -> _Pieces:
    """Replace the end of a text by the end of another."""
    return own[: chance.randint(0, len(own))] + lent[chance.randint(0, len(lent)) :]


_KINDS: tuple[_Make, ...] = (_without_some, _joined, _half, _swapped)
