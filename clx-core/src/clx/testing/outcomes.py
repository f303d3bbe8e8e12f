"""The report of a check of the conformance kit: its result, and the exceptions behind it."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Outcome = Literal["passed", "warned", "failed", "skipped"]


class CheckFailedError(AssertionError):
    """The task does something that hurts its users: fix the place that the result names."""


class CheckWarningError(Exception):
    """The task could serve its users better; a check raises this to be reported as ``warned``."""


class NotReachedError(BaseException):
    """A check needs something that another check has already found broken.

    Like pytest's own outcomes, it does not inherit from ``Exception``: a check that catches what the
    task raises must not catch this.
    """


@dataclass(frozen=True)
class CheckResult:
    """The result of one check.

    Attributes:
        name: the id of the check.
        outcome: ``passed``, ``warned``, ``failed`` or ``skipped``.
        saw: what a user would see, or why the check was skipped; empty if it passed.
        why: why that matters.
        where: where to fix it: method, file and line.
        hides: the checks that could not run because of this failure.
        seconds: how long the check took.
    """

    name: str
    outcome: Outcome
    saw: str = ""
    why: str = ""
    where: str = ""
    hides: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether this check allows the task to be shipped."""
        return self.outcome != "failed"

    def __str__(self) -> str:
        if self.outcome == "passed":
            return f"{self.name}: passed"
        if self.outcome == "skipped":
            return f"{self.name}: skipped: {self.saw}"
        hides = f"\n  Also hides:       {', '.join(self.hides)}" if self.hides else ""
        return (
            f"{self.name}: {self.outcome}\n"
            f"  What a user sees: {self.saw}\n"
            f"  Why it matters:   {self.why}\n"
            f"  Where to fix it:  {self.where}{hides}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain values for JSON."""
        plain = {"ok": self.ok, "hides": list(self.hides), "seconds": round(self.seconds, 3)}
        return {**vars(self), **plain}


def cause_of(error: BaseException) -> tuple[str, str, str] | None:
    """Return the identity of a task's exception: its type, message and place.

    None for a finding of the kit's own, which no exception of the task has caused.
    """
    cause = error.__cause__ if isinstance(error, CheckFailedError) else error
    if cause is None:
        return None
    frames = traceback.extract_tb(cause.__traceback__)
    place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return type(cause).__name__, str(cause), place


def describe_error(error: BaseException) -> str:
    """Return an exception as a user sees it: type, message, notes, and the author's last line."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "/clx/" not in f.filename]
    own = next((f for f in reversed(frames) if "site-packages" not in f.filename), None)
    where = f" (raised from {Path(own.filename).name}:{own.lineno})" if own else ""
    notes = " ".join(getattr(error, "__notes__", ()))
    return f"{type(error).__name__}: {str(error)[:400]} {notes}{where}".strip()
