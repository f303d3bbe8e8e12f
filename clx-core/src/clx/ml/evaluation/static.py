"""The predictions of a static student for labeled rows, as the Trainer gives those of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from transformers import EvalPrediction

from clx.errors import PluginError
from clx.ml.data.dataset import to_dataset
from clx.ml.data.lengths import warn_truncated
from clx.ml.data.no_tokens import stand_in, with_tokens
from clx.ml.data.row_targets import targets_of_frame
from clx.ml.data.texts import frame_inputs
from clx.ml.evaluation.row_targets import log_loss_of, with_targets
from clx.ml.model.head.calibration import log_loss
from clx.ml.task.author_code import author_code
from clx_runtime.windows import first_windows, refuse_long

if TYPE_CHECKING:
    import pandas as pd
    from transformers import PreTrainedTokenizerBase

    from clx.ml.model.head.probe import Kind
    from clx.ml.task.task import Task
    from clx_runtime.static_model import StaticModel

LABELS = "labels"
_IGNORED = -100


def predict_static(
    task: Task, tokenizer: PreTrainedTokenizerBase, model: StaticModel, frame: pd.DataFrame
) -> tuple[EvalPrediction, float | None, int]:
    """Return the predictions, the mean loss, and the number of truncated texts of a validated frame.

    Args:
        task: the run.
        tokenizer: the student's tokenizer, with which the task turns labels into numbers.
        model: the student.
        frame: the rows.

    Raises:
        DataFormatError: a text is too long, and the run has ``strict_length``.
        PluginError: the task's ``tokenize`` returns no labels.
    """
    labels = _label_ids(task, tokenizer, frame)
    inputs = frame_inputs(frame, task.text_columns)
    logits, cut = list[Any](), list[bool]()
    size = model.window(None)
    for start in range(0, len(inputs), size):
        read = model.read(inputs[start : start + size])
        logits.append(read.logits)
        cut += read.truncated
    limit = model.settings.limit
    if task.strict_length:
        refuse_long(frame.index[np.asarray(cut)], limit, len(frame), "evaluation data")
    warn_truncated(limit, sum(cut), len(frame), "the evaluation data")
    predictions = np.concatenate(logits)
    prediction = EvalPrediction(predictions=predictions, label_ids=labels)
    kind: Kind = (
        "multi" if model.settings.problem_type == "multi_label_classification" else "single"
    )
    targets = targets_of_frame(task, frame)
    if targets:
        prediction = with_targets(prediction, targets)
        return prediction, log_loss_of(prediction, kind), sum(cut)
    return prediction, _mean_loss(predictions, labels, kind), sum(cut)


def _label_ids(
    task: Task, tokenizer: PreTrainedTokenizerBase, frame: pd.DataFrame
) -> np.ndarray[Any, Any]:
    """Return the labels of each row as the task gives them to a model."""
    row_of: list[int] = []
    token = stand_in(tokenizer)
    with author_code(task, "tokenize"):
        dataset = to_dataset(
            frame,
            lambda examples: with_tokens(task.tokenize(examples), token),
            [LABELS],
            "evaluation",
            row_of=row_of,
        )
    labels = np.asarray(dataset[LABELS][:])
    if labels.dtype.kind not in "iufb":
        raise PluginError(
            f"tokenize() of the task {task.name!r} returns {LABELS} that are not numbers, so a static "
            f"student cannot be evaluated"
        )
    # With long_text="window" a text has several rows; the student reads it whole.
    return labels[first_windows(row_of)] if row_of else labels


def _mean_loss(
    logits: np.ndarray[Any, Any], labels: np.ndarray[Any, Any], kind: Kind
) -> float | None:
    """Return the mean loss as transformers computes it, None if the shapes fit no loss.

    Args:
        logits: shape (rows, labels).
        labels: ids, shape (rows,), or numbers from 0 to 1, shape (rows, labels).
        kind: the kind of the labels.
    """
    if labels.shape == logits.shape:
        truth = labels.astype(logits.dtype)
    elif kind == "single" and labels.shape == logits.shape[:1] and labels.dtype.kind in "iu":
        truth = labels.astype(np.int64)
        if not (truth != _IGNORED).any():
            return None
    else:
        return None
    return log_loss(torch.from_numpy(logits), torch.from_numpy(truth), kind)
