"""Where a task's code is, so that a result can say where to fix it."""

from __future__ import annotations

import contextlib
import inspect
from typing import Any


def source_file(task: Any) -> str | None:
    """Return the file of a task's class, or None if it has none."""
    try:
        return inspect.getsourcefile(task)
    except (TypeError, OSError):
        return None


def locate(task: Any, names: tuple[str, ...]) -> str:
    """Return where the named methods or attributes of a task are, with file and line if known.

    Those that the task inherits from clx are left out; if it inherits all of them, the result is the
    class. The names ``module`` and ``class`` stand for the task's module and for the class itself.
    """
    found = [place for place in (_location(task, name) for name in names) if place is not None]
    return ", ".join(found or [_location(task, "class") or task.__name__])


def _location(task: Any, name: str) -> str | None:
    where = f"{task.__name__}.{name}"
    if name in ("module", "class"):
        where = task.__module__ if name == "module" else task.__name__
    owner = next((klass for klass in task.__mro__ if name in vars(klass)), None)
    is_own = name in ("module", "class") or name == "__init__"
    if owner is None and not is_own:
        return None
    if owner is not None and owner.__module__.startswith(("clx.ml.", "builtins")):
        return None
    function = getattr(owner, name, None) if owner else None
    with contextlib.suppress(TypeError, OSError):
        target: Any = function if inspect.isroutine(function) else task
        file, line = inspect.getsourcefile(target), inspect.getsourcelines(target)[1]
        return f"{where} ({file}:{line})"
    return where
