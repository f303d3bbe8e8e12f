"""The conformance kit: does a task do all that its users rely on?

A task's whole test file::

    from clx.testing import TaskConformance
    from my_package import MyTrainingRun

    class TestMyTask(TaskConformance):
        task = MyTrainingRun

``clx check-task NAME`` runs the same checks without pytest, and so does :func:`check_task`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clx.testing.conformance import TaskConformance, check_task, parametrize_with_checks
    from clx.testing.results import CHECKS, CheckResult
    from clx.testing.tiny_model import make_tiny_model

__all__ = [
    "CHECKS",
    "CheckResult",
    "TaskConformance",
    "check_task",
    "make_tiny_model",
    "parametrize_with_checks",
]


def __getattr__(name: str) -> Any:
    # Lazy, since `clx.testing.fresh` looks at what a task's import pulls in.
    import importlib

    if name in __all__:
        home = "tiny_model" if name == "make_tiny_model" else "conformance"
        return getattr(importlib.import_module(f"clx.testing.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
