"""What the terminal of this process can show."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

PLAIN = "CLX_PLAIN"
"""Set to anything but 0, this environment variable asks for plain mode."""

_PLAIN_VALUES: Mapping[str, tuple[str, ...]] = {
    "TERM": ("dumb", "unknown"),
    "TTY_COMPATIBLE": ("0",),
    "TTY_INTERACTIVE": ("0",),
}
"""Other environment variables that ask for it. rich, and with it many programs, reads the last two."""

NARROW = 80
"""The width that is assumed if it is unknown."""


def is_plain() -> bool:
    """Return whether the user asked for plain mode: no drawn lines, no bold text, and no moving bars."""
    if os.environ.get(PLAIN, "0") not in ("", "0"):
        return True
    return any(os.environ.get(name) in values for name, values in _PLAIN_VALUES.items())


def is_terminal(stream: Any) -> bool:
    """Return whether a stream, which may be None or closed, is a terminal."""
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):
        return False


def moves_cursor(stream: Any) -> bool:
    """Return whether a line on this stream may be redrawn, as a bar is."""
    return is_terminal(stream) and not is_plain()


def has_styles(stream: Any) -> bool:
    """Return whether text on this stream may be bold; https://no-color.org asks for plain text."""
    # Consoles of Windows before Windows Terminal show the codes themselves.
    return moves_cursor(stream) and not os.environ.get("NO_COLOR") and os.name != "nt"


def columns(stream: Any) -> int:
    """Return the width of a stream's terminal in characters: ``COLUMNS``, else its own, else 80."""
    wanted = os.environ.get("COLUMNS", "")
    if wanted.isdecimal() and int(wanted) > 0:
        return int(wanted)
    try:
        return os.get_terminal_size(stream.fileno()).columns or NARROW
    except (AttributeError, OSError, ValueError):
        return NARROW


def beneath_bars(stream: Any) -> Any:
    """Return the stream to draw bars on; the command line wraps stderr to keep text and bars apart."""
    return getattr(stream, "beneath_bars", stream)
