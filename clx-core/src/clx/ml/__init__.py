"""The programming interface of clx.

::

    from clx.ml import training_run, TrainingRun, task_registry, hookimpl

Importing it imports none of torch, transformers, datasets and pandas, and no plugin. Heavy modules
are imported on first use.
"""

from __future__ import annotations

from clx.ml.plugins.hookspecs import hookimpl
from clx.ml.plugins.manager import register_plugin, unregister_plugin
from clx.ml.run.opening import task_registry, training_run
from clx.ml.run.run import TrainingRun
from clx.ml.run.tidying import move_run, note_run, remove_run

__all__ = [
    "TrainingRun",
    "hookimpl",
    "move_run",
    "note_run",
    "register_plugin",
    "remove_run",
    "task_registry",
    "training_run",
    "unregister_plugin",
]
