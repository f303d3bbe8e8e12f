"""Run the kit on a task without its slow checks, which start processes or train several times."""

from __future__ import annotations

from typing import Any

from clx.testing import CHECKS
from clx.testing.conformance import run_check
from clx.testing.outcomes import CheckResult
from clx.testing.subject import Subject

IN_PROCESSES = ("moved_and_reopened", "config_round_trip", "quick_import")
SLOW = (*IN_PROCESSES, "resumes")


def results(task: Any, leave_out: tuple[str, ...] = SLOW, steps: int = 12, **given: Any):
    """Return the result of each check by its name."""
    subject = Subject(task, steps=steps, **given)
    try:
        return {
            name: run_check(check, subject)
            for name, check in CHECKS.items()
            if name not in leave_out
        }
    finally:
        subject.close()


def found_by(task: Any, check: str, steps: int = 4, **given: Any) -> CheckResult:
    """Return the result of one check."""
    subject = Subject(task, steps=steps, **given)
    try:
        return run_check(CHECKS[check], subject)
    finally:
        subject.close()


def not_passed(found: dict[str, CheckResult]) -> dict[str, str]:
    """Return the outcomes of the checks that did not pass."""
    return {name: result.outcome for name, result in found.items() if result.outcome != "passed"}
