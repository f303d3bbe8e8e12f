"""Finding values for a task's own options that differ from their defaults."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

CANDIDATES: dict[type, Any] = {
    bool: lambda value: [not value],
    int: lambda value: [value + 1, value - 1, 1, 2],
    float: lambda value: [value / 2, value + 0.25, 0.5, 1.0],
    str: lambda value: [f"{value}-changed", "changed", "a", "b"],
    list: lambda value: [[*value, *value[-1:]], value[:-1], value[::-1], ["changed", "other"]],
    tuple: lambda value: [[*value[::-1]], ["changed", "other"]],
    dict: lambda value: [{**value, "changed": 1}, {}, {"changed": 0.5}],
}
FOR_NONE = ("changed", 7, 0.5, True, ["changed", "other"], [1, 2], {"changed": 0.5})


@dataclass(frozen=True)
class ChangedOptions:
    """A task's own options, each with a value other than its default.

    Attributes:
        values: the values that a run accepts and keeps.
        lost: the options that a run accepts but does not keep.
        not_found: the options for which no other value is accepted.
    """

    values: dict[str, Any]
    lost: list[str]
    not_found: list[str]


def change_options(
    options: Iterable[str],
    given: Mapping[str, Any],
    make_run: Callable[..., Any],
    trained_run: Callable[[], Any],
) -> ChangedOptions:
    """Find a value other than the default for each option.

    Args:
        options: the names of the options.
        given: values that the author provides.
        make_run: makes a run with the options that it is called with.
        trained_run: returns a run that has learned its options from data, or raises.
    """
    # The author's values may be valid only together.
    values = dict(given)
    run = make_run(**values)
    lost = [name for name, value in values.items() if getattr(run, name) != value]
    not_found: list[str] = []
    for name in options:
        if name in values:
            continue
        default = getattr(make_run(), name)
        accepted = False
        for candidate in _candidates(name, default, trained_run):
            try:
                run = make_run(**{**values, name: candidate})
            except Exception:
                # The task rejects this value; the next one may be valid.
                continue
            accepted, kept = True, getattr(run, name)
            if kept == candidate or (kept != default and not isinstance(candidate, bool)):
                values[name] = candidate
                break
        else:
            (lost if accepted else not_found).append(name)
    return ChangedOptions(values, lost, not_found)


def _candidates(name: str, default: Any, trained_run: Callable[[], Any]) -> list[Any]:
    learned = None
    with contextlib.suppress(Exception):
        learned = getattr(trained_run(), name)
    first = [] if learned is None else [learned]
    of_type = CANDIDATES.get(type(default))
    others = list(FOR_NONE) if of_type is None else of_type(default)
    return [value for value in [*first, *others] if value != default]
