"""Compare the predictions of an exported model with those of torch, on the same texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clx.errors import ExportError
from clx.ml.results.cards import plain_card
from clx.ml.task.task import Task
from clx_runtime.exported_model import ExportedModel
from clx_runtime.exports import export_in
from clx_runtime.settings import FILES

LARGEST_DIFFERENCE = 1e-3
"""The largest difference between scores of torch and of ONNX in fp32 that rounding explains."""


@dataclass(frozen=True)
class BackendCheck:
    """How an exported model compares with torch on the same texts.

    Attributes:
        largest_difference: the largest difference between two scores of one text and label.
        equal_decisions: the share of the texts with equal decisions.
        megabytes: the size of the file.
        how: the format of the weights.
    """

    largest_difference: float
    equal_decisions: float
    megabytes: float
    how: str = "fp32"

    def _repr_html_(self) -> str:
        return plain_card(self, self.how)


@dataclass(frozen=True)
class Expected:
    """The outputs of torch that an exported model is compared with.

    Attributes:
        task: decides from an output.
        texts: the compared texts.
        outputs: what the pipeline returns for each, with all labels.
    """

    task: Task
    texts: Sequence[str]
    outputs: list[Any]

    def compare(self, folder: Path, backend: str, how: str) -> BackendCheck:
        """Run the texts through an exported file, and return how its outputs compare.

        Args:
            folder: the folder of the exported files.
            backend: the backend to compare.
            how: the format of the weights, for the report.

        Raises:
            ExportError: the backend cannot run the file on some text.
        """
        try:
            outputs = self.computed(ExportedModel(export_in(folder), backend, "cpu"))
        except Exception as error:
            # The exceptions of ONNX Runtime have no common base class.
            if not type(error).__module__.startswith("onnxruntime"):
                raise
            raise ExportError(
                f"The exported model fails in ONNX Runtime: {str(error)[:300]}. Nothing was written; "
                f"backend='torch' predicts with this model"
            ) from error
        largest, equal = self.differences(outputs)
        size = (folder / FILES[backend]).stat().st_size / 1e6
        return BackendCheck(float(largest), equal / len(self.texts), round(size, 3), how)

    def computed(self, model: ExportedModel) -> list[Any]:
        """Return the outputs of an exported model for the texts."""
        from clx_runtime.engine import Engine

        return Engine(model, None)(self.texts, {"top_k": None})

    def differences(self, outputs: list[Any]) -> tuple[float, int]:
        """Return the largest difference between two scores, and how many decisions are equal."""
        largest, equal = 0.0, 0
        for output, expected in zip(outputs, self.outputs, strict=True):
            scores = {entry["label"]: entry["score"] for entry in expected}
            largest = max(largest, *(abs(e["score"] - scores[e["label"]]) for e in output))
            equal += _decision(self.task, output) == _decision(self.task, expected)
        return largest, equal

    def refuse(self, check: BackendCheck) -> None:
        """Refuse an fp32 export that does not answer like torch; see :func:`refuse_unequal`."""
        refuse_unequal(check)


def _decision(task: Task, output: list[dict[str, Any]]) -> Any:
    """Return the run's decision, or the best label for a task that makes no decisions."""
    if type(task).decide is Task.decide and task.decision_rule() is None:
        return output[0]["label"]
    return task.decide(task.post_process_prediction([dict(entry) for entry in output]))


def refuse_unequal(check: BackendCheck, least_equal: float = 0.0) -> None:
    """Refuse an fp32 export whose scores are not those of torch.

    Args:
        check: how the export compares.
        least_equal: the share of the decisions that must be equal.

    Raises:
        ExportError: a score differs by more than ``LARGEST_DIFFERENCE``, or too few decisions are equal.
    """
    is_close = check.largest_difference <= LARGEST_DIFFERENCE
    if not (is_close and check.equal_decisions >= least_equal):
        raise ExportError(
            f"The exported model answers differently: scores differ by up to "
            f"{check.largest_difference:.3g}, and {check.equal_decisions:.1%} of the decisions are "
            f"equal. Nothing was written; backend='torch' predicts with this model"
        )
