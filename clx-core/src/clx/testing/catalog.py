"""How a check is declared: a function that inspects a task, with the texts of its result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from clx.testing.subject import Subject


@dataclass(frozen=True)
class Check:
    """One check of the kit.

    Attributes:
        name: its id.
        what: the assertion, as a sentence.
        why: why that matters to a user.
        where: the attributes or methods of a task in which a failure is fixed.
        run: the check itself; it raises what it finds.
        trains: whether it needs a trained run.
    """

    name: str
    what: str
    why: str
    where: tuple[str, ...]
    run: Callable[[Subject], None]
    trains: bool


def check(
    what: str, why: str, where: str, trains: bool = False
) -> Callable[[Callable[[Subject], None]], Check]:
    """Return a decorator that makes a :class:`Check` of a function; its name becomes the id."""

    def make(function: Callable[[Subject], None]) -> Check:
        return Check(function.__name__, what, why, tuple(where.split()), function, trains)

    return make
