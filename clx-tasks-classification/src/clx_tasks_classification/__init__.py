"""The task ``classification`` of clx: one label per text."""

from clx_tasks_classification.run import ClassificationRun

__all__ = ["ClassificationRun"]
