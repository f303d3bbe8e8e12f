"""The description of one option of every task."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clx.ml.task.task import Task


@dataclass(frozen=True)
class Option:
    """One option of every task.

    Attributes:
        name: the name of the argument, of the attribute, and of the config key.
        default: the argument's default; ``BY_TASK`` for the task's class attribute.
        doc: what it does, in a sentence or two.
        check: returns the problems of a task's value, as sentences; None if any value is valid.
        kept: whether the config keeps it.
        convert: turns the caller's value into the attribute's, None to take it as it is.
        anew: whether a continued training may set it, because it says how to train and not what
            the trained model is.
    """

    name: str
    default: Any
    doc: str
    check: Callable[[Task, str], list[str]] | None = None
    kept: bool = True
    convert: Callable[[Any], Any] | None = None
    anew: bool = False
