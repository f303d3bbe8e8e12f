"""The units that get a label: words and signs of a text, each one or more tokens of the tokenizer.

A unit never ends within a word or a character that a reader sees as one, such as an emoji with a skin
tone. Scripts that write no blanks between words, such as Chinese and Thai, have a unit for each token.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

Offset = tuple[int, int]

JOINER = "\u200d"
"""Joins the characters before and after it, as in an emoji of a family."""

SKIN_TONES = range(0x1F3FB, 0x1F400)

WITHOUT_BLANKS = (
    range(0x0E00, 0x0F00),  # Thai, Lao
    range(0x1000, 0x10A0),  # Myanmar
    range(0x1780, 0x1800),  # Khmer
    range(0x3040, 0x3100),  # kana
    range(0x3400, 0x4DC0),  # Chinese characters
    range(0x4E00, 0xA000),
    range(0xAC00, 0xD7B0),  # Korean: particles follow a name without a blank
    range(0xF900, 0xFB00),
    range(0x20000, 0x32000),
)


@dataclass
class Unit:
    """A word or sign of a text.

    Attributes:
        start: its first character.
        end: the position after its last character.
        tokens: the numbers of its tokens, ascending.
    """

    start: int
    end: int
    tokens: list[int]


def text_units(text: str, offsets: Sequence[Offset]) -> list[Unit]:
    """Return the units of a text in order.

    Args:
        text: the text.
        offsets: the characters of each token, as ``(start, end)``. Tokens of blanks or of no characters
            belong to no unit.
    """
    units: list[Unit] = []
    for token, (first, behind) in enumerate(offsets):
        start, end = _trimmed(text, first, behind)
        if start >= end:
            continue
        last = units[-1] if units else None
        if last is not None and (
            start < last.end or (start == last.end and _joined(text[start - 1], text[start]))
        ):
            last.tokens.append(token)
            last.end = max(last.end, end)
        else:
            units.append(Unit(start, end, [token]))
    limits = [*(unit.start for unit in units[1:]), len(text)]
    for unit, limit in zip(units, limits, strict=False):
        # Some tokenizers leave accents out of their tokens.
        while unit.end < limit and _continues(text[unit.end]):
            unit.end += 1
    return units


def _trimmed(text: str, start: int, end: int) -> Offset:
    """Return the offsets without the blanks that some tokenizers count to a word."""
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end


def _joined(before: str, after: str) -> bool:
    """Return whether two neighboring characters belong to one unit."""
    if _continues(after) or before == JOINER:
        return True
    return _is_letter(before) and _is_letter(after)


def _continues(character: str) -> bool:
    """Return whether a character belongs to the one before it, such as a combining accent."""
    if character < "\u0300":
        return False
    return (
        character == JOINER
        or ord(character) in SKIN_TONES
        or unicodedata.category(character).startswith("M")
    )


def _is_letter(character: str) -> bool:
    if character < "\u0e00":
        return character.isalnum() or _continues(character)
    code = ord(character)
    if any(code in script for script in WITHOUT_BLANKS):
        return False
    return character.isalnum() or _continues(character)
