"""Continued pretraining of masked language models, and smaller students of them: tasks for clx."""

from clx_tasks_pretraining.distillation import DistilledLanguageModelRun
from clx_tasks_pretraining.masked import MaskedLanguageModelRun

__all__ = ["DistilledLanguageModelRun", "MaskedLanguageModelRun"]
