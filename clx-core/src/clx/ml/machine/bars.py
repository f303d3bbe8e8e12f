"""What a progress bar shows: one line that fits the terminal, or a line of text now and then."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any, ClassVar

from tqdm.std import Bar, tqdm  # type: ignore[attr-defined]

from clx.ml.machine.terminal import columns

EVERY_S = 10.0
"""Seconds between two lines of progress where nothing can be redrawn."""

MIN_BAR, MAX_BAR = 10, 40
"""Characters of the bar itself."""


class _Bar(tqdm):  # type: ignore[type-arg]
    """A bar of tqdm whose values have names, the most important first."""

    def __init__(self, items: Any = None, **options: Any) -> None:
        self.values: Mapping[str, Any] = {}
        super().__init__(items, **options)

    def set_postfix(
        self, ordered_dict: Any = None, refresh: bool | None = True, **values: Any
    ) -> None:
        """Show these values; a value without a text shows its name alone."""
        self.values = {**(ordered_dict or {}), **values}
        if refresh:
            self.refresh()

    def set_postfix_str(self, s: str = "", refresh: bool = True) -> None:
        """Show this text."""
        self.set_postfix({s: ""} if s else {}, refresh)

    def has_begun(self) -> bool:
        """Return whether the bar may be shown: tqdm itself forgets the delay when it redraws a bar."""
        start: float | None = getattr(self, "start_t", None)
        delay = self.delay or 0.0
        return delay <= 0 if start is None else time.time() - start >= delay

    def facts(self) -> list[str]:
        """Return what to show beside the bar, the most important first."""
        state = self.format_dict
        elapsed, rate, left = state["elapsed"], state["rate"], None
        if not rate and elapsed and self.n > self.initial:
            rate = (self.n - self.initial) / elapsed
        if self.total and rate:
            left = max(0.0, (self.total - self.n) / rate)
        shown = [f"{self.n}/{self.total} {self.unit}" if self.total else f"{self.n} {self.unit}"]
        if left and math.isfinite(left):
            shown.append(f"{self.format_interval(left)} left")
        elif self.n:
            shown.append(f"in {self.format_interval(elapsed)}")
        shown += [
            f"{name.replace('_', ' ')} {value}".rstrip() for name, value in self.values.items()
        ]
        if rate and rate >= 1:
            shown.append(f"{rate:.0f} {self.unit}/s")
        return shown


class TerminalBar(_Bar):
    """A bar that is redrawn in its line and leaves out what does not fit, instead of cutting it."""

    def __str__(self) -> str:
        # A line of the whole width would move some terminals to the next one.
        width = columns(self.fp) - 1
        head = self.desc.removesuffix(": ")
        if not self.total:
            return _fitting(head, self.facts(), width, 0)[0]
        share = min(1.0, self.n / self.total)
        head = f"{head} {100 * share:3.0f} %"
        # Two characters enclose the bar, and two spaces are beside it.
        text, free = _fitting(head, self.facts(), width, MIN_BAR + 3)
        size = min(MAX_BAR, MIN_BAR + free)
        if free < 0:
            return text
        drawn = Bar(share, size, charset=Bar.ASCII if self.ascii else Bar.UTF)
        return text.replace(head, f"{head} |{drawn}|", 1)

    def display(self, msg: str | None = None, pos: int | None = None) -> Any:
        """Draw the line, or ``msg`` in its place, once the delay is over."""
        if not msg and not self.has_begun():
            return False
        return super().display(msg, pos)


def _fitting(head: str, facts: list[str], width: int, reserved: int) -> tuple[str, int]:
    """Return a line of the facts that fit, and the characters that are left; the first fact stays.

    Args:
        head: the beginning of the line.
        facts: the facts, the most important first.
        width: the characters of the line.
        reserved: the characters to keep free. The result is negative if there are not that many.
    """
    text = f"{head} {facts[0]}"
    for fact in facts[1:]:
        if len(text) + 2 + len(fact) + reserved <= width:
            text = f"{text}, {fact}"
    return text, width - len(text) - reserved


class LineBar(_Bar):
    """Writes a line of text now and then, for files and screen readers.

    All bars of the process write at most one line every :data:`EVERY_S` seconds together: a call with
    many short bars would fill a file otherwise.
    """

    last_line: ClassVar[float] = -math.inf

    def __init__(self, items: Any = None, **options: Any) -> None:
        super().__init__(items, mininterval=min(1.0, EVERY_S), **options)

    def __str__(self) -> str:
        name = self.desc.removesuffix(": ")
        return f"{name}: {', '.join(self.facts())}"

    def display(self, msg: str | None = None, pos: int | None = None) -> Any:
        """Write the line if the last one is old enough."""
        start, now = getattr(self, "start_t", None), time.time()
        if msg is None and start is not None and now - max(start, LineBar.last_line) >= EVERY_S:
            LineBar.last_line = now
            self.fp.write(f"{self}\n")
            self.fp.flush()
        return False

    def clear(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: a written line stays."""

    def moveto(self, n: int) -> None:
        """Do nothing: there is no other line to go to."""

    def close(self) -> None:
        """End the bar, with a last line if one is due."""
        if not self.disable:
            self.display()
        # Without this, tqdm would end the line that it believes it has drawn.
        self.leave = False
        super().close()
