"""The task ``distill-mlm``: a small language model learns from a large one."""

from __future__ import annotations

from clx_tasks_pretraining.masked import MaskedLanguageModelRun


class DistilledLanguageModelRun(MaskedLanguageModelRun):
    """A smaller student of a masked language model."""

    name = "distill-mlm"
