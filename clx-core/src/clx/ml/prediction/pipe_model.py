"""A run's text-classification pipeline as a loaded model: from texts to logits, as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from transformers import TextClassificationPipeline

from clx.errors import ConfigError
from clx.ml.prediction.pipe_engine import torch_engine
from clx_runtime.read import Read
from clx_runtime.settings import Settings

if TYPE_CHECKING:
    from transformers import Pipeline, PreTrainedTokenizerBase

    from clx.ml.task.task import Task

_LOGITS = {"top_k": None, "function_to_apply": "none"}


class PipeModel:
    """A pipeline of torch. Several threads may use it at once.

    Args:
        task: the run.
        pipe: its pipeline.
        tokenizer: its tokenizer.
        settings: the settings that an export of it would have.

    Raises:
        ConfigError: it is another kind of pipeline, or has other labels than the settings.
    """

    def __init__(
        self, task: Task, pipe: Pipeline, tokenizer: PreTrainedTokenizerBase, settings: Settings
    ) -> None:
        if not isinstance(pipe, TextClassificationPipeline):
            raise ConfigError(
                f"The run {task.run_name!r} predicts with {type(pipe).__name__}, which has no score for "
                f"each label"
            )
        labels = pipe_labels(pipe)
        if labels != settings.labels:
            raise ConfigError(
                f"The model of {task.run_name!r} has other labels than the cascade: call with_fast "
                f"again"
            )
        self.settings = settings
        self._task, self._pipe, self._tokenizer = task, pipe, tokenizer

    @property
    def device(self) -> str:
        """The kind of device, such as ``cpu``."""
        return str(self._pipe.device.type)

    def window(self, batch_size: int | None) -> int:
        """Return how many texts to pass at once."""
        return torch_engine(self._task, self._pipe, self._tokenizer, batch_size).window

    def read(self, texts: Sequence[str], batch_size: int | None = None) -> Read:
        """Return what the model says about texts; see :class:`clx_runtime.read.LoadedModel`."""
        import numpy as np

        engine = torch_engine(self._task, self._pipe, self._tokenizer, batch_size)
        place = {label: n for n, label in enumerate(self.settings.labels)}
        logits = np.empty((len(texts), len(place)), dtype=np.float32)
        truncated, tokens = list[bool](), list[int]()
        for start in range(0, len(texts), engine.window):
            outputs = engine(texts[start : start + engine.window], dict(_LOGITS))
            for row, entries in enumerate(outputs, start):
                for entry in entries:
                    logits[row, place[entry["label"]]] = entry["score"]
            truncated += engine.cut()
            tokens += engine.tokens()
        return Read(logits, truncated, tokens)


def pipe_labels(pipe: Pipeline) -> list[str]:
    """Return the labels of a pipeline's model, in the order of the logits."""
    config = pipe.model.config
    return [config.id2label[number] for number in range(config.num_labels)]
