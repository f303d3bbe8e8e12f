"""Running the checks: as a test class, as a parametrised test, or without pytest."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from clx.errors import ConfigError
from clx.problems import did_you_mean, raise_problems
from clx.testing import class_checks, data_checks, model_checks, prediction_checks
from clx.testing.results import (
    CHECKS,
    Check,
    CheckFailedError,
    CheckResult,
    CheckWarningError,
    NotReachedError,
)
from clx.testing.subject import Subject

if TYPE_CHECKING:
    import pandas as pd

CHECK_MODULES = (class_checks, data_checks, model_checks, prediction_checks)
"""What fills :data:`CHECKS` by being imported."""


def run_check(check: Check, subject: Subject, reason: str | None = None) -> CheckResult:
    """Run one check on a task.

    Args:
        check: which.
        subject: the task, with what checks share.
        reason: why the check is left out, None to run it.
    """
    if reason is not None:
        return CheckResult(check.name, "skipped", reason)
    started = time.monotonic()
    outcome, saw = "passed", ""
    try:
        check.run(subject)
    except CheckFailedError as error:
        outcome, saw = "failed", str(error)
    except CheckWarningError as error:
        outcome, saw = "warned", str(error)
    except NotReachedError as error:
        outcome, saw = "skipped", str(error)
    except Exception as error:
        notes = " ".join(getattr(error, "__notes__", ()))
        last = traceback.extract_tb(error.__traceback__)[-1]
        outcome = "failed"
        saw = f"{type(error).__name__}: {error} {notes} ({Path(last.filename).name}:{last.lineno})"
    if outcome in ("passed", "skipped"):
        return CheckResult(check.name, outcome, saw, seconds=time.monotonic() - started)  # type: ignore[arg-type]
    return CheckResult(
        check.name,
        outcome,  # type: ignore[arg-type]
        saw,
        check.why,
        subject.place_of(check.where),
        time.monotonic() - started,
    )


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
    """Yield what each check finds of a task, as it is found; no pytest is needed.

    Args:
        task: its class.
        sample: a few rows in the task's format; None takes those of its ``sample_data``.
        checks: the names of those to run, None for all.
        skip: name → the reason why that check is left out.
        options: constructor options that every run of the task needs.
        config_values: for ``add_config_attrs``, values other than the default, where the kit cannot
            think of any that the task takes.
        base_model_name: the folder of a small model, for a task that no BERT fits.

    Raises:
        ConfigError: there is no check of a name.
    """
    wanted = list(CHECKS) if checks is None else list(checks)
    raise_problems(
        ConfigError,
        "These checks are none:",
        [f"{n!r}{did_you_mean(n, CHECKS)}" for n in [*wanted, *(skip or {})] if n not in CHECKS],
    )
    subject = Subject(task, sample, options, config_values, base_model_name)
    try:
        for name in wanted:
            yield run_check(CHECKS[name], subject, (skip or {}).get(name))
    finally:
        subject.close()


def _tell(result: CheckResult) -> None:
    """Tell pytest what a check found."""
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
    """A test class: one test a check.

    A task's whole test file::

        from clx.testing import TaskConformance
        from my_package import MyTrainingRun

        class TestMyTask(TaskConformance):
            task = MyTrainingRun

    Attributes:
        task: the class under test. Required.
        sample: a few rows in its format; None takes those of the task's ``sample_data``.
        skip: name of a check → the reason why it is left out.
        options: constructor options that every run of the task needs.
        config_values: values for ``add_config_attrs``, where the kit cannot think of any.
        base_model_name: the folder of a small model, for a task that no BERT fits.
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
        """Make what the checks of one class share. Called by pytest."""
        if cls.task is None:
            raise ConfigError(f"{cls.__name__} needs the class under test: task = MyTrainingRun")
        unknown = [
            f"{name!r}{did_you_mean(name, CHECKS)}" for name in cls.skip if name not in CHECKS
        ]
        raise_problems(ConfigError, f"{cls.__name__}.skip names checks that are none:", unknown)
        cls._subject = Subject(
            cls.task, cls.sample, cls.options, cls.config_values, cls.base_model_name
        )

    @classmethod
    def teardown_class(cls) -> None:
        """Remove what they wrote. Called by pytest."""
        if cls._subject is not None:
            cls._subject.close()
            cls._subject = None


def _test_of(check: Check) -> Callable[[TaskConformance], None]:
    def test(self: TaskConformance) -> None:
        __tracebackhide__ = True
        assert self._subject is not None
        _tell(run_check(check, self._subject, self.skip.get(check.name)))

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
    """Return a decorator that runs a test once for each check, with its name as the id.

    Use it like this::

        @parametrize_with_checks(MyTrainingRun)
        def test_my_task(check):
            check()

    Args:
        task: the class under test.
        sample: as for :func:`check_task`, as are the other arguments.
        skip: name of a check → the reason why it is left out.
        **how: ``options``, ``config_values``, ``base_model_name``.
    """
    import pytest

    subject = Subject(task, sample, **how)

    def bound(check: Check) -> Callable[[], None]:
        def call() -> None:
            __tracebackhide__ = True
            _tell(run_check(check, subject, (skip or {}).get(check.name)))

        return call

    return pytest.mark.parametrize(
        "check", [pytest.param(bound(each), id=each.name) for each in CHECKS.values()]
    )
