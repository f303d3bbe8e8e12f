"""The conformance kit checks that a task does everything its users rely on.

A complete test file for a task::

    from clx.testing import TaskConformance
    from my_package import MyTrainingRun

    class TestMyTask(TaskConformance):
        task = MyTrainingRun

``clx check-task NAME`` and :func:`check_task` run the same checks without pytest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clx.testing.conformance import (
        CHECKS,
        TaskConformance,
        check_task,
        parametrize_with_checks,
    )
    from clx.testing.outcomes import CheckResult
    from clx.testing.tiny_model import make_tiny_model

__all__ = [
    "CHECKS",
    "CheckResult",
    "TaskConformance",
    "check_task",
    "make_tiny_model",
    "parametrize_with_checks",
]

_HOMES = {"CheckResult": "outcomes", "make_tiny_model": "tiny_model"}


def __getattr__(name: str) -> Any:
    # Lazy, because `clx.testing.fresh` measures what the import of a task pulls in.
    import importlib

    if name in __all__:
        home = _HOMES.get(name, "conformance")
        return getattr(importlib.import_module(f"clx.testing.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
