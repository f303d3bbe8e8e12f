"""Keyword arguments that a method of a run does not have: the error says what to write."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from clx.errors import UnknownArgumentError
from clx.ml.run.base import Run
from clx.ml.task.guesses import argument_hint, argument_meant
from clx.ml.task.options import accepted_options
from clx.problems import raise_problems

C = TypeVar("C", bound=type)


def arguments_explained(verbs: C) -> C:
    """Let the public methods of a run explain unknown keyword arguments; a class decorator.

    It changes the methods of the class and of the classes below :class:`Run` that it consists of.
    Signatures and docstrings stay. A method with ``**arguments`` explains only the names that other
    libraries use for something else.
    """
    for part in verbs.__mro__:
        if not issubclass(part, Run):
            continue
        for name, method in list(vars(part).items()):
            if inspect.isfunction(method) and not name.startswith("_"):
                setattr(part, name, _explained(method))
    return verbs


def _explained(method: Callable[..., Any]) -> Callable[..., Any]:
    parameters = inspect.signature(method).parameters.values()
    known = frozenset(each.name for each in parameters if each.kind != each.VAR_KEYWORD)
    takes_others = any(each.kind == each.VAR_KEYWORD for each in parameters)

    @functools.wraps(method)
    def explained(self: Any, *args: Any, **arguments: Any) -> Any:
        if not arguments.keys() <= known:
            _refuse(self, method.__name__, arguments, known, takes_others)
        return method(self, *args, **arguments)

    return explained


def _refuse(
    run: Any, verb: str, arguments: dict[str, Any], known: frozenset[str], takes_others: bool
) -> None:
    """Raise for the arguments that a method does not have.

    Raises:
        UnknownArgumentError: the message says for each what to write.
    """
    names = sorted(known - {"self"})
    options = accepted_options(type(run))
    hints = {
        name: argument_hint(name, arguments, names, options)
        for name in arguments
        if name not in known
    }
    raise_problems(
        UnknownArgumentError,
        f"{verb}() was called with arguments that it does not have:",
        [
            f"there is no argument {name!r}{hint}"
            for name, hint in hints.items()
            # A pipeline may take any other argument, such as max_length.
            if not takes_others or argument_meant(name, known)
        ],
        f"The arguments of {verb}() are {', '.join(names)}.",
    )
