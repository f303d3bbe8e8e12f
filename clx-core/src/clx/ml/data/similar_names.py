"""Label names that probably mean the same, and names that probably join several labels."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable

SEPARATORS = (",", ";", "|", "\t", "\n")
"""The separators that files use between labels, besides the one that clx was given."""

_INVISIBLE = re.compile("[\ufe00-\ufe0f\u034f\u115f\u1160\u3164]")
"""Characters without a glyph that are not in the Unicode category of format characters."""


def folded_name(name: str) -> str:
    """Return a name with folded case and NFKC form, without invisible characters and extra blanks."""
    if name.isascii():
        return " ".join(name.casefold().split())
    visible = "".join(c for c in _INVISIBLE.sub("", name) if unicodedata.category(c) != "Cf")
    folded = unicodedata.normalize("NFKC", visible).casefold()
    return " ".join(unicodedata.normalize("NFKC", folded).split())


def similar_names(label_names: Iterable[str]) -> list[list[str]]:
    """Return the groups of names that are equal when folded, each with at least two names."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name in dict.fromkeys(label_names):
        groups[folded_name(name)].append(name)
    return [group for group in groups.values() if len(group) > 1]


def shown_name(name: str, others: Iterable[str]) -> str:
    """Return the repr of a name; with escapes if its characters look like those of another name."""
    normal = unicodedata.normalize("NFC", name)
    alike = any(other != name and unicodedata.normalize("NFC", other) == normal for other in others)
    return ascii(name) if alike else repr(name)


def separator_of(label: str, label_names: Collection[str]) -> str | None:
    """Return the separator that splits a label into other labels, None if no separator does."""
    for separator in SEPARATORS:
        pieces = pieces_of(label, separator)
        if len(pieces) > 1 and all(piece in label_names and piece != label for piece in pieces):
            return separator
    return None


def pieces_of(label: str, separator: str) -> list[str]:
    """Return the parts of a label between separators, without blanks around them."""
    return [part.strip() for part in label.split(separator) if part.strip()]
