"""clx: fine-tune, evaluate and run Hugging Face text models; tasks are plugins.

The programming interface is :mod:`clx.ml`; folders are in :mod:`clx.settings`, exceptions in
:mod:`clx.errors`. Importing this package imports nothing else: ``from clx import training_run``
imports :mod:`clx.ml` when it asks for the name. ``__init__.pyi`` says the same to type checkers.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

__all__ = ["TrainingRun", "__version__", "hookimpl", "task_registry", "training_run"]


def __getattr__(name: str) -> Any:
    # Not an import statement: every module may import the version, and clx.ml is above most of them.
    if name in __all__:
        return getattr(importlib.import_module("clx.ml"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
