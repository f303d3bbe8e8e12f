"""The export of a task with a pipeline of its own, which also runs when the exported model predicts."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clx.errors import ClxError, ExportError
from clx.ml.prediction.onnx_check import BackendCheck, Expected, refuse_unequal
from clx.ml.prediction.pipe_arguments import divided
from clx_runtime.exports import SAME_DECISIONS

if TYPE_CHECKING:
    from transformers import Pipeline, PreTrainedTokenizerBase

    from clx.ml.task.task import Task
    from clx_runtime.exported_model import ExportedModel


@dataclass(frozen=True)
class ExpectedOfPipeline(Expected):
    """What a pipeline returns with torch; an exported model is compared in a copy of that pipeline.

    Attributes:
        pipe: the run's pipeline.
        tokenizer: the run's tokenizer.
    """

    pipe: Pipeline
    tokenizer: PreTrainedTokenizerBase

    def computed(self, model: ExportedModel) -> list[Any]:
        """Return what the pipeline returns for each text, with the exported model.

        Raises:
            ExportError: the pipeline needs more of a model.
        """
        import torch

        from clx.ml.prediction.session_model import session_model

        # Any: the model of this copy is not a PreTrainedModel.
        copied: Any = copy.copy(self.pipe)
        copied.model = session_model(model, self.pipe.model.config)
        copied.device = torch.device("cpu")
        try:
            return pipeline_outputs(self.task, copied, self.tokenizer, self.texts)
        except (ClxError, torch.OutOfMemoryError):
            raise
        except Exception as error:
            if type(error).__module__.startswith("onnxruntime"):
                raise
            raise ExportError(
                f"{type(self.pipe).__name__} cannot run with the exported model, which has the outputs "
                f"{', '.join(model.settings.outputs)} ({type(error).__name__}: {str(error)[:300]}). "
                f"Nothing was written; the task's onnx_outputs must list what its pipeline reads"
            ) from error

    def differences(self, outputs: list[Any]) -> tuple[float, int]:
        """Return the largest difference between two numbers, and how many decisions are equal.

        Decisions are equal if they differ in nothing but numbers with a fraction, such as scores.
        """
        largest, equal = 0.0, 0
        for output, expected in zip(outputs, self.outputs, strict=True):
            difference = _difference(self._decision(output), self._decision(expected))
            if difference is not None:
                equal += 1
                # In this order, NaN counts as the largest.
                largest = largest if difference <= largest else difference
        return largest, equal

    def refuse(self, check: BackendCheck) -> None:
        """Refuse an fp32 export whose predictions are not those of torch.

        Raises:
            ExportError: a number differs, or fewer decisions are equal than an 8-bit model needs.
        """
        refuse_unequal(check, SAME_DECISIONS)

    def _decision(self, output: Any) -> Any:
        return self.task.decide(self.task.post_process_prediction(copy.deepcopy(output)))


def pipeline_outputs(
    task: Task, pipe: Pipeline, tokenizer: PreTrainedTokenizerBase, texts: Any
) -> list[Any]:
    """Return what a pipeline returns for each text, called as ``predict`` calls it."""
    from clx.ml.prediction.pipe_engine import torch_engine

    arguments, _ = divided(task, task.predict_args)
    return torch_engine(task, pipe, tokenizer, None)(texts, arguments)


def _difference(one: Any, other: Any) -> float | None:
    """Return the largest difference of two numbers in two values, None if anything else differs."""
    one, other = (value.tolist() if hasattr(value, "tolist") else value for value in (one, other))
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other)
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        if list(one) != list(other):
            return None
        one, other = list(one.values()), list(other.values())
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        if len(one) != len(other):
            return None
        found = [_difference(*pair) for pair in zip(one, other, strict=True)]
        return None if None in found else max([0.0, *(each for each in found if each is not None)])
    return 0.0 if type(one) is type(other) and one == other else None
