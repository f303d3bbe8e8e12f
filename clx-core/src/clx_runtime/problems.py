"""Formatting problems: clx collects them, then raises one error that lists all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

MAX_PROBLEMS = 10
MAX_EXAMPLES = 5
IN_WARNINGS = 3
"""How many examples a warning has; an error has more, because the user has to correct them all."""
MAX_CELL = 60


def closest(name: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate closest to ``name``, None if no candidate is similar."""
    import difflib

    by_folded = {_fold(candidate): candidate for candidate in candidates}
    matches = difflib.get_close_matches(_fold(name), by_folded, n=1, cutoff=0.6)
    return by_folded[matches[0]] if matches else None


def choice_problems(owner: Any, choices: Mapping[str, Sequence[str]]) -> list[str]:
    """Return a problem for each attribute of ``owner`` that is not one of its allowed values."""
    problems = []
    for name, known in choices.items():
        value = getattr(owner, name)
        if value not in known:
            hint = did_you_mean(value, known) if isinstance(value, str) else ""
            problems.append(f"{name} must be one of {names(known)}, but is {cell(value)}{hint}")
    return problems


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the closest candidate, or an empty string."""
    match = closest(name, candidates)
    return f"; did you mean {match!r}?" if match else ""


def _fold(name: str) -> str:
    return name.lower().replace("_", "-")


def cell(value: Any) -> str:
    """Return the repr of a value for a message, truncated to 60 characters, at a space if possible."""
    text = repr(value)
    if len(text) <= MAX_CELL:
        return text
    quote = text[-1] if text[-1] in "'\"" else ""
    begun = text[: MAX_CELL - 1 - len(quote)]
    whole_words, space, _ = begun.rpartition(" ")
    if space and len(whole_words) > MAX_CELL // 2:
        begun = f"{whole_words} "
    return f"{begun}…{quote}"


def examples(values: Sequence[Any], limit: int = MAX_EXAMPLES) -> str:
    """Return at most ``limit`` values, each truncated, and the number of the rest."""
    shown = ", ".join(cell(value) for value in values[:limit])
    more = len(values) - limit
    return f"{shown} and {more} more" if more > 0 else shown


def names(values: Iterable[str]) -> str:
    """Return names separated by commas, ``(none)`` if there are none."""
    return ", ".join(values) or "(none)"


def report(heading: str, problems: Sequence[str], remedy: str = "") -> str:
    """Return one message: the heading, at most ten problems on one line each, and the remedy."""
    lines = [heading, *(f"  - {problem}" for problem in problems[:MAX_PROBLEMS])]
    if len(problems) > MAX_PROBLEMS:
        lines.append(f"  … and {len(problems) - MAX_PROBLEMS} more problems")
    if remedy:
        lines.append(remedy)
    return "\n".join(lines)


def raise_problems(
    error: type[Exception], heading: str, problems: Sequence[str], remedy: str = ""
) -> None:
    """Raise ``error`` with a list of ``problems``; do nothing if there are none."""
    if problems:
        raise error(report(heading, problems, remedy))
