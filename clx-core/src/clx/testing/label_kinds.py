"""The kind of a task's labels: ids of its label names, token ids, or anything else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clx.ml.run.run import TrainingRun

CLASSES, TOKENS, VALUES = LABEL_KINDS = ("classes", "tokens", "values")


def label_kind(run: TrainingRun) -> str:
    """Return one of :data:`LABEL_KINDS`: the author's ``labels_are``, or a kind that clx infers.

    Labels are ids of names if the pipeline answers with names, or if the run has ``label_names``. Else
    they are token ids if the model scores every token of its vocabulary.
    """
    if run.labels_are is not None:
        return str(run.labels_are)
    if getattr(run, "label_names", None) or (run.pipeline_args is not None and _names_labels(run)):
        return CLASSES
    return TOKENS if _vocabulary(run) else VALUES


def _names_labels(run: TrainingRun) -> bool:
    from transformers import (
        TextClassificationPipeline,
        TokenClassificationPipeline,
        ZeroShotClassificationPipeline,
    )

    named = (
        TextClassificationPipeline,
        TokenClassificationPipeline,
        ZeroShotClassificationPipeline,
    )
    return isinstance(run.pipe, named)


def _vocabulary(run: TrainingRun) -> int:
    """Return how many tokens the model scores, 0 if it does not score tokens."""
    head = run.model.get_output_embeddings()
    return 0 if head is None else int(head.weight.shape[0])


def number_of_ids(run: TrainingRun, kind: str) -> int:
    """Return how many ids labels of a kind can have, 0 if any value is valid."""
    if kind == TOKENS:
        return _vocabulary(run)
    classes = len(run.model.config.id2label or {})
    return classes if kind == CLASSES and classes > 1 else 0


def label_inputs(run: TrainingRun) -> list[str]:
    """Return the names under which the stock Trainer looks for labels in a batch."""
    from transformers.utils.generic import find_labels

    return list(find_labels(type(run.model)))


def has_own_loss(run: TrainingRun) -> bool:
    """Return whether the task's Trainer computes its loss, or looks for labels, in its own way."""
    methods = ("__init__", "compute_loss", "prediction_step")
    homes = [str(getattr(run.trainer_class, name).__module__) for name in methods]
    return any(home.split(".")[0] != "transformers" for home in homes)


def token_columns(names: Iterable[str]) -> list[str]:
    """Return the model inputs that hold token ids, such as ``input_ids_chosen``."""
    return [name for name in names if "input_ids" in name]


def plain(value: Any) -> Any:
    """Return a tensor or array as numbers in nested lists."""
    return value.tolist() if hasattr(value, "tolist") else value
