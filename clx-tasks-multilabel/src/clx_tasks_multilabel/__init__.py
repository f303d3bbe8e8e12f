"""The task ``multi-label-classification`` of clx: any number of labels per text."""

from clx_tasks_multilabel.run import MultiLabelRun

__all__ = ["MultiLabelRun"]
