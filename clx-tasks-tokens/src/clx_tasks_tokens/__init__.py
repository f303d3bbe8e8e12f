"""The task ``token-classification`` of clx (alias ``ner``): labeled spans in texts."""

from clx_tasks_tokens.run import TokenClassificationRun

__all__ = ["TokenClassificationRun"]
