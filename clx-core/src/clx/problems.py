"""Formatting problems: clx collects them, then raises one error that lists all of them.

:func:`user_level` lets a warning point at the user's line.
"""

from clx_runtime.callers import user_level
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
    "user_level",
]
