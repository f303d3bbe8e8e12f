"""Parameters that the estimator does not have: the error says what to write."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping
from inspect import signature
from typing import Any

from clx.errors import UnknownArgumentError
from clx.ml.task.guesses import argument_meant, option_hint
from clx.problems import did_you_mean, raise_problems


def parameters_explained(initialize: Callable[..., None]) -> Callable[..., None]:
    """Let an ``__init__`` explain unknown keyword arguments; its signature stays."""
    known = frozenset(signature(initialize).parameters) - {"self"}

    @functools.wraps(initialize)
    def explained(self: Any, *args: Any, **parameters: Any) -> None:
        refuse_unknown(parameters, known)
        initialize(self, *args, **parameters)

    return explained


def refuse_unknown(given: Mapping[str, Any], known: Collection[str]) -> None:
    """Raise for parameters that the estimator does not have.

    Args:
        given: the parameters with their values.
        known: the names of the estimator's parameters.

    Raises:
        UnknownArgumentError: the message says for each what to write.
    """
    unknown = {name: value for name, value in given.items() if name not in known}
    raise_problems(
        UnknownArgumentError,
        "ClxClassifier has no such parameters:",
        [f"there is no {name!r}{_hint(name, unknown, known)}" for name in unknown],
    )


def _hint(name: str, unknown: Mapping[str, Any], known: Collection[str]) -> str:
    if meant := argument_meant(name, known):
        return f"; write {meant}={unknown[name]!r}"
    return option_hint(name, unknown, known) or did_you_mean(name, known)
