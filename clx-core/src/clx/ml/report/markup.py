"""Values of any type as HTML text: escaped, formatted, shortened."""

from __future__ import annotations

import html
import json
import math
import numbers
import re
from collections.abc import Mapping, Set
from typing import Any

PREVIEW = 200
"""The number of characters of a text that are shown before a reader asks for the rest."""
TEXT_LIMIT = 1200
"""The most characters of a text in the page, which must stay small enough for email."""

MINUS, DASH = "\N{MINUS SIGN}", "\N{EN DASH}"
MISSING = f'<span class="missing" title="not available">{DASH}</span>'

_SEPARATOR = re.compile(r"(?<=\w)([_/.:-]+)(?=[^\W\d])")

# HTML has no control characters, and UTF-8 has no lone surrogates.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def clean(value: Any) -> str:
    """Return ``str(value)``; characters that HTML cannot contain become U+FFFD."""
    return _UNPRINTABLE.sub("�", str(value).replace("\r\n", "\n"))


def escape(value: Any) -> str:
    """Return a value as HTML text, safe between tags and in quoted attributes."""
    return html.escape(clean(value), quote=True)


def cut(value: Any, limit: int) -> str:
    """Return a value as one line of at most ``limit`` characters, not escaped."""
    line = " ".join(clean(value).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def cut_middle(value: Any, limit: int) -> str:
    """Return what ``cut`` returns, but cut in the middle: similar names often differ at the end."""
    line = cut(value, 1000)
    if len(line) <= limit:
        return line
    return f"{line[: (limit - 1) // 2]}…{line[-(limit // 2) :]}"


def plain(value: Any) -> Any:
    """Return NumPy scalars and arrays as Python values, and missing values as None."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if type(value).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(value, float) and math.isnan(value):
        return None
    return value


def is_number(value: Any) -> bool:
    """Return whether a plain value is a number; a bool is not."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def number(value: Any) -> str:
    """Return a number for people: three decimals below 10, fewer for larger numbers."""
    value = plain(value)
    if value is None:
        return DASH
    if not is_number(value):
        return clean(value)
    if math.isinf(value):
        text = "∞" if value > 0 else "-∞"
    elif isinstance(value, numbers.Integral):
        text = f"{int(value):,}"
    else:
        text = _decimal(float(value))
    return text.replace("-", MINUS, 1) if text.startswith("-") else text


def _decimal(value: float) -> str:
    size = abs(value)
    if size >= 1e9 or 0 < size < 0.0005:
        return f"{value:.2g}".replace("e-0", "e-").replace("e-", f"e{MINUS}").replace("e+", "e")
    if size >= 1000:
        return f"{value:,.0f}"
    return f"{value:.{3 if size < 10 else 2 if size < 100 else 1}f}"


def percent(value: float, digits: int = 1) -> str:
    """Return a share as a percentage without the sign; only 0 and 1 become 0 and 100."""
    if value in (0, 1):
        return f"{100 * value:.0f}"
    text = f"{100 * value:.{digits}f}"
    if float(text) in (0, 100):
        return f"{100 * value:.2f}"
    return text


def inline(value: Any) -> str:
    """Return any value as escaped HTML text: a list as its items, a mapping as JSON."""
    value = plain(value)
    if value is None:
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if is_number(value):
        return escape(number(value))
    if isinstance(value, list | tuple | Set):
        items = sorted(value, key=str) if isinstance(value, Set) else value
        return ", ".join(inline(item) for item in items) if items else '<i class="none">none</i>'
    if isinstance(value, Mapping):
        return escape(json.dumps(value, ensure_ascii=False, default=str))
    return breakable(escape(value))


def breakable(escaped: str) -> str:
    """Allow line breaks after the separators of a long name such as ``card_not_working``."""
    return _SEPARATOR.sub(r"\1<wbr>", escaped)


def long_text(value: Any) -> str:
    """Return a text as escaped HTML: its beginning, with the rest folded away."""
    value = plain(value)
    if value is None:
        return MISSING
    text = clean(value)
    if not text.strip():
        return '<i class="none">empty</i>'
    if len(text) <= PREVIEW + 40:
        return escape(text)
    space = text.rfind(" ", PREVIEW - 30, PREVIEW)
    end = space if space > 0 else PREVIEW
    rest = text[end:TEXT_LIMIT]
    left = len(text) - TEXT_LIMIT
    note = f' <i class="none">… and {left:,} more characters</i>' if left > 0 else ""
    return (
        f"<details><summary>{escape(text[:end])}</summary>"
        f'<span class="rest">{escape(rest)}{note}</span></details>'
    )
