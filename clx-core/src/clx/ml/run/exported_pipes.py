"""The pipeline of a task over its exported model, for a task with a pipeline of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import Pipeline, PreTrainedTokenizerBase

    from clx.ml.run_directory.layout import RunDir
    from clx.ml.task.task import Task
    from clx_runtime.exported_model import ExportedModel


def pipe_over(
    exported: ExportedModel, task: Task, directory: RunDir, tokenizer: PreTrainedTokenizerBase
) -> Pipeline:
    """Return a task's pipeline in which an exported model computes; the weights are not loaded.

    Args:
        exported: the exported model.
        task: the run.
        directory: its directory, which has the config of the model.
        tokenizer: its tokenizer.
    """
    from transformers import AutoConfig

    from clx.ml.model.loading import make_pipeline
    from clx.ml.prediction.session_model import session_model

    config = AutoConfig.from_pretrained(str(directory.model))
    return make_pipeline(task, session_model(exported, config), tokenizer)
