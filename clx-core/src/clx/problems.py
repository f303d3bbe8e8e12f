"""Formatting problems: clx collects them, then raises one error that lists all of them."""

from clx_runtime.problems import (
    IN_WARNINGS,
    MAX_CELL,
    MAX_EXAMPLES,
    MAX_PROBLEMS,
    cell,
    choice_problems,
    closest,
    did_you_mean,
    examples,
    names,
    raise_problems,
    report,
)

__all__ = [
    "IN_WARNINGS",
    "MAX_CELL",
    "MAX_EXAMPLES",
    "MAX_PROBLEMS",
    "cell",
    "choice_problems",
    "closest",
    "did_you_mean",
    "examples",
    "names",
    "raise_problems",
    "report",
]
