"""Keeps text on stderr and progress bars apart: a bar never shares its line with a message."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any


class AboveBars:
    """A stream that clears the bars, writes whole lines, and lets the bars be drawn again.

    Without bars, and for what bars write themselves, it is the stream that it wraps.

    Attributes:
        beneath_bars: the wrapped stream, on which clx draws its bars.
    """

    def __init__(self, stream: Any) -> None:
        self.beneath_bars = stream
        self._begun = ""

    def __getattr__(self, name: str) -> Any:
        if name == "beneath_bars":
            # A copy has no attributes yet, and would look for this one without end.
            raise AttributeError(name)
        return getattr(self.beneath_bars, name)

    def write(self, text: str) -> int:
        """Write a text; with a bar on the screen, the end of a line waits for the rest of it."""
        bars = _drawn_bars()
        # Bars that other libraries draw move the cursor; they must not wait for the end of a line.
        if not bars or (not self._begun and (text[:1] in "\r\x1b" or not text.strip())):
            self.beneath_bars.write(self._begun + text)
            self._begun = ""
            return len(text)
        whole, newline, self._begun = (self._begun + text).rpartition("\n")
        if newline:
            with bars.external_write_mode(file=self.beneath_bars):
                self.beneath_bars.write(whole + newline)
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Write some lines."""
        for line in lines:
            self.write(line)

    def end(self) -> None:
        """Write what still waits for the rest of its line."""
        begun, self._begun = self._begun, ""
        if begun:
            self.beneath_bars.write(begun)


def _drawn_bars() -> Any:
    """Return the class of bars if some are open, else None."""
    bar = getattr(sys.modules.get("tqdm.std"), "tqdm", None)
    return bar if bar is not None and len(getattr(bar, "_instances", ())) else None


@contextlib.contextmanager
def text_above_bars() -> Iterator[None]:
    """Keep text and bars apart on stderr while the block runs."""
    before, stream = sys.stderr, AboveBars(sys.stderr)
    sys.stderr = stream
    try:
        yield
    finally:
        if sys.stderr is stream:
            sys.stderr = before
        with contextlib.suppress(OSError, ValueError):
            stream.end()
