"""What a cascade needs to know about the run's pipeline, so that it can answer without torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clx.errors import ConfigError
from clx.ml.data.lengths import input_limit
from clx.ml.distillation.static_files import static_settings
from clx.ml.prediction.pipe_model import pipe_labels
from clx_runtime.scores import score_function
from clx_runtime.settings import Settings

if TYPE_CHECKING:
    from transformers import Pipeline, PreTrainedTokenizerBase

    from clx.ml.task.task import Task


def cascade_settings(
    task: Task, pipe: Pipeline, tokenizer: PreTrainedTokenizerBase
) -> tuple[Settings, str]:
    """Return the settings of a cascade, and the function of its scores.

    Args:
        task: the run.
        pipe: its pipeline.
        tokenizer: its tokenizer.

    Raises:
        ConfigError: the model's labels are not those that the task decides between.
    """
    from transformers import TextClassificationPipeline

    rule = task.decision_rule()
    labels = pipe_labels(pipe) if isinstance(pipe, TextClassificationPipeline) else []
    if rule is None or set(labels) != set(rule.labels):
        raise ConfigError(
            f"The model of {task.run_name!r} has no score for each label of the task {task.name!r}: a "
            f"cascade needs one"
        )
    config = pipe.model.config
    configured = getattr(config, "function_to_apply", None)
    limit = input_limit(task, tokenizer)
    settings = static_settings(task, labels, config.problem_type, limit, configured)
    asked = task.predict_args.get("function_to_apply") or settings.scoring["function"]
    return settings, score_function(asked, config.problem_type, len(labels), configured)
