"""How a check is declared: a function that inspects a task, with the texts of its result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from clx.testing.subject import Subject

Reads = Literal["class", "run", "sample", "training", "predictions"]
"""What a check inspects. Each includes what comes before it: predictions need a training."""

_ORDER: tuple[Reads, ...] = ("class", "run", "sample", "training", "predictions")


@dataclass(frozen=True)
class Check:
    """One check of the kit.

    Attributes:
        name: its id.
        what: the assertion, as a sentence.
        why: why that matters to a user.
        where: the attributes or methods of a task in which a failure is fixed.
        run: the check itself; it raises what it finds.
        reads: what it inspects.
        opens: what the later checks cannot inspect if this one fails, None if they can.
    """

    name: str
    what: str
    why: str
    where: tuple[str, ...]
    run: Callable[[Subject], None]
    reads: Reads
    opens: Reads | None = None

    @property
    def trains(self) -> bool:
        """Whether it needs a trained run."""
        return self.reads in ("training", "predictions")

    def hides(self, other: Check) -> bool:
        """Return whether another check cannot run while this one fails."""
        if self.opens is None or other is self:
            return False
        return _ORDER.index(other.reads) >= _ORDER.index(self.opens)


def check(
    what: str, why: str, where: str, reads: Reads, opens: Reads | None = None
) -> Callable[[Callable[[Subject], None]], Check]:
    """Return a decorator that makes a :class:`Check` of a function; its name becomes the id."""

    def make(function: Callable[[Subject], None]) -> Check:
        return Check(function.__name__, what, why, tuple(where.split()), function, reads, opens)

    return make
