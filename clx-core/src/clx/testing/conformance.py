"""Runs the checks: as a test class, as a parametrized test, or without pytest."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from clx.errors import ConfigError
from clx.problems import did_you_mean, raise_problems
from clx.testing import (
    class_checks,
    data_checks,
    prediction_checks,
    saved_model_checks,
    tokenize_checks,
    training_checks,
)
from clx.testing.catalog import Check
from clx.testing.locations import locate
from clx.testing.outcomes import (
    CheckFailedError,
    CheckResult,
    CheckWarningError,
    NotReachedError,
    Outcome,
    cause_of,
)
from clx.testing.subject import Subject

if TYPE_CHECKING:
    import pandas as pd

CHECKS: dict[str, Check] = {
    value.name: value
    for module in (
        class_checks,
        data_checks,
        training_checks,
        tokenize_checks,
        saved_model_checks,
        prediction_checks,
    )
    for value in vars(module).values()
    if isinstance(value, Check)
}
"""All checks by name, in the order in which they run."""


def run_check(check: Check, subject: Subject, reason: str | None = None) -> CheckResult:
    """Run one check on a task.

    Args:
        check: the check to run.
        subject: the task, with what the checks share.
        reason: why to skip the check, or None to run it.
    """
    if reason is not None:
        return CheckResult(check.name, "skipped", reason)
    if check.reads == "predictions" and not subject.predicts:
        return CheckResult(check.name, "skipped", "this task does not predict")
    started = time.monotonic()
    outcome: Outcome = "passed"
    saw = ""
    raised: Exception | None = None
    try:
        if check.reads == "predictions" and check.opens is None:
            subject.predictions  # noqa: B018 (stops here if there are none)
        check.run(subject)
    except CheckFailedError as error:
        outcome, saw, raised = "failed", str(error), error
    except CheckWarningError as error:
        outcome, saw = "warned", str(error)
    except NotReachedError as error:
        outcome, saw = "skipped", str(error)
    except Exception as error:
        notes = " ".join(getattr(error, "__notes__", ()))
        last = traceback.extract_tb(error.__traceback__)[-1]
        outcome, raised = "failed", error
        saw = f"{type(error).__name__}: {error} {notes} ({Path(last.filename).name}:{last.lineno})"
    cause = None if raised is None else cause_of(raised)
    first = check.name if cause is None else subject.causes.setdefault(cause, check.name)
    if first != check.name:
        outcome, saw = "skipped", f"it has the cause that the check `{first}` reports"
    seconds = time.monotonic() - started
    if outcome in ("passed", "skipped"):
        return CheckResult(check.name, outcome, saw, seconds=seconds)
    hides: tuple[str, ...] = ()
    if outcome == "failed" and check.opens is not None and subject.is_closed(check.opens):
        hides = tuple(other.name for other in CHECKS.values() if check.hides(other))
    where = locate(subject.task, check.where)
    return CheckResult(check.name, outcome, saw, check.why, where, hides, seconds)


def check_task(
    task: Any,
    sample: pd.DataFrame | None = None,
    *,
    checks: Iterable[str] | None = None,
    skip: Mapping[str, str] | None = None,
    options: Mapping[str, Any] | None = None,
    config_values: Mapping[str, Any] | None = None,
    base_model_name: str | Path | None = None,
) -> Iterator[CheckResult]:
    """Run checks on a task and yield each result as soon as it is known. Does not need pytest.

    Args:
        task: the class to check.
        sample: a few rows in the task's format, or None to use its ``sample_data``.
        checks: the names of the checks to run, or None to run all of them.
        skip: maps the name of each check to skip to the reason.
        options: constructor options that every run of the task needs.
        config_values: values for ``add_config_attrs`` other than their defaults, where the kit does
            not find any that the task accepts.
        base_model_name: the folder of a small model, for a task that does not work with a BERT.

    Raises:
        ConfigError: ``checks`` or ``skip`` names a check that does not exist.
    """
    wanted = list(CHECKS) if checks is None else list(checks)
    raise_problems(
        ConfigError,
        "These checks do not exist:",
        [f"{n!r}{did_you_mean(n, CHECKS)}" for n in [*wanted, *(skip or {})] if n not in CHECKS],
    )
    subject = Subject(task, sample, options, config_values, base_model_name)
    try:
        for name in wanted:
            yield run_check(CHECKS[name], subject, (skip or {}).get(name))
    finally:
        subject.close()


def report_to_pytest(result: CheckResult) -> None:
    """Skip, warn or fail in the running pytest test, according to the outcome of a check."""
    import warnings

    import pytest

    from clx.errors import ClxWarning

    __tracebackhide__ = True
    if result.outcome == "skipped":
        pytest.skip(result.saw)
    if result.outcome == "warned":
        warnings.warn(f"\n{result}", ClxWarning, stacklevel=2)
    if result.outcome == "failed":
        pytest.fail(f"\n{result}", pytrace=False)


class TaskConformance:
    """A test class with one test per check.

    A complete test file for a task::

        from clx.testing import TaskConformance
        from my_package import MyTrainingRun

        class TestMyTask(TaskConformance):
            task = MyTrainingRun

    Attributes:
        task: the class under test. Required.
        sample: a few rows in the task's format, or None to use its ``sample_data``.
        skip: maps the name of each check to skip to the reason.
        options: constructor options that every run of the task needs.
        config_values: values for ``add_config_attrs``, where the kit does not find any.
        base_model_name: the folder of a small model, for a task that does not work with a BERT.
    """

    task: ClassVar[Any] = None
    sample: ClassVar[Any] = None
    skip: ClassVar[dict[str, str]] = {}
    options: ClassVar[dict[str, Any]] = {}
    config_values: ClassVar[dict[str, Any]] = {}
    base_model_name: ClassVar[str | Path | None] = None
    _subject: ClassVar[Subject | None] = None

    @classmethod
    def setup_class(cls) -> None:
        """Create the objects that the checks of one class share; pytest calls this."""
        if cls.task is None:
            raise ConfigError(f"{cls.__name__} needs the class under test: task = MyTrainingRun")
        unknown = [
            f"{name!r}{did_you_mean(name, CHECKS)}" for name in cls.skip if name not in CHECKS
        ]
        raise_problems(ConfigError, f"{cls.__name__}.skip names checks that do not exist:", unknown)
        cls._subject = Subject(
            cls.task, cls.sample, cls.options, cls.config_values, cls.base_model_name
        )

    @classmethod
    def teardown_class(cls) -> None:
        """Remove the files that the checks wrote. pytest calls this."""
        if cls._subject is not None:
            cls._subject.close()
            cls._subject = None


def _test_of(check: Check) -> Callable[[TaskConformance], None]:
    def test(self: TaskConformance) -> None:
        __tracebackhide__ = True
        assert self._subject is not None
        report_to_pytest(run_check(check, self._subject, self.skip.get(check.name)))

    test.__name__ = test.__qualname__ = f"test_{check.name}"
    test.__doc__ = check.what
    return test


for _check in CHECKS.values():
    setattr(TaskConformance, f"test_{_check.name}", _test_of(_check))


def parametrize_with_checks(
    task: Any,
    sample: pd.DataFrame | None = None,
    *,
    skip: Mapping[str, str] | None = None,
    **how: Any,
) -> Any:
    """Return a decorator that runs a test once per check, with the check's name as the test id.

    Usage::

        @parametrize_with_checks(MyTrainingRun)
        def test_my_task(check):
            check()

    Args:
        task: the class under test.
        sample: a few rows in the task's format, or None to use its ``sample_data``.
        skip: maps the name of each check to skip to the reason.
        **how: ``options``, ``config_values`` and ``base_model_name`` of :func:`check_task`.
    """
    import pytest

    subject = Subject(task, sample, **how)

    def bound(check: Check) -> Callable[[], None]:
        def call() -> None:
            __tracebackhide__ = True
            report_to_pytest(run_check(check, subject, (skip or {}).get(check.name)))

        return call

    return pytest.mark.parametrize(
        "check", [pytest.param(bound(each), id=each.name) for each in CHECKS.values()]
    )
