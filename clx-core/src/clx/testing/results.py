"""What a check of the conformance kit says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from clx.testing.subject import Subject

Outcome = Literal["passed", "warned", "failed", "skipped"]


class CheckFailedError(AssertionError):
    """A task does something that its users would suffer from: mend the place that is named."""


class CheckWarningError(Exception):
    """A task could be better to its users; raised within a check and reported as ``warned``."""


class NotReachedError(BaseException):
    """A check needs something that another check has already found broken.

    Like pytest's own outcomes it is no ``Exception``, so that a check that tries something and catches
    what the task raises does not take it for the task's.
    """


@dataclass(frozen=True)
class Check:
    """One check of the kit.

    Attributes:
        name: its id.
        what: what it asserts, as a sentence.
        why: why that matters to a user.
        where: the attributes or methods of a task where a failure is mended.
        run: the check itself; it raises what is found.
        trains: whether it needs a training.
    """

    name: str
    what: str
    why: str
    where: tuple[str, ...]
    run: Callable[[Subject], None]
    trains: bool


@dataclass(frozen=True)
class CheckResult:
    """What one check found.

    Attributes:
        name: the check's id.
        outcome: ``passed``, ``warned``, ``failed`` or ``skipped``.
        saw: what a user would see, or the reason for leaving the check out; empty when it passed.
        why: why that matters.
        where: where to mend it: method, file and line.
        seconds: how long it took.
    """

    name: str
    outcome: Outcome
    saw: str = ""
    why: str = ""
    where: str = ""
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether the task may be shipped as far as this check goes."""
        return self.outcome != "failed"

    def __str__(self) -> str:
        if self.outcome == "passed":
            return f"{self.name}: passed"
        if self.outcome == "skipped":
            return f"{self.name}: skipped: {self.saw}"
        return (
            f"{self.name}: {self.outcome}\n"
            f"  What a user sees: {self.saw}\n"
            f"  Why it matters:   {self.why}\n"
            f"  Where to mend it: {self.where}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values for JSON."""
        return {**vars(self), "ok": self.ok, "seconds": round(self.seconds, 3)}


CHECKS: dict[str, Check] = {}
"""All checks by name, in the order in which they run."""


def check(
    what: str, why: str, where: str, trains: bool = False
) -> Callable[[Callable[[Subject], None]], Callable[[Subject], None]]:
    """Add the decorated function, whose name is the id, to :data:`CHECKS`."""

    def add(function: Callable[[Subject], None]) -> Callable[[Subject], None]:
        name = function.__name__
        CHECKS[name] = Check(name, what, why, tuple(where.split()), function, trains)
        return function

    return add
