"""Calibration of a fitted model: the temperature is folded into the head."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from transformers import EvalPrediction

from clx.errors import ConfigError
from clx.ml.data.row_targets import row_targets
from clx.ml.evaluation.evaluate import Predicted
from clx.ml.evaluation.row_targets import with_scores
from clx.ml.model.head.calibration import calibrate
from clx.ml.model.head.layer import divide_head
from clx.ml.task.evaluation_hooks import preprocessing

if TYPE_CHECKING:
    from clx.ml.task.task import Task
    from clx.ml.training.fit import Fitted


def calibrated(task: Task, fitted: Fitted, predicted: Predicted) -> Predicted:
    """Fold the temperature that fits eval predictions into the head.

    Returns:
        The predictions of the calibrated model; ``fitted`` records the calibration.
    """
    head, prediction = fitted.head, predicted.prediction
    if not task.calibrate or head.layer is None or head.kind not in ("single", "multi"):
        return predicted
    _require_logits(task, prediction)
    targets = row_targets(prediction)
    found = calibrate(prediction.label_ids, prediction.predictions, head.kind, targets)
    if found is None:
        return predicted
    divide_head(head.layer, found.temperature)
    fitted.calibration = found
    loss = predicted.loss
    if loss is not None and math.isclose(loss, found.log_loss_before, rel_tol=1e-3):
        # The loss is the log loss, which is known for the calibrated scores.
        loss = found.log_loss_after
    scaled = prediction.predictions / found.temperature
    return replace(predicted, prediction=with_scores(prediction, scaled), loss=loss)


def _require_logits(task: Task, prediction: EvalPrediction) -> None:
    """Raise if the task keeps something other than the logits of an evaluation.

    Raises:
        ConfigError: the task's ``preprocess_logits_for_metrics`` keeps something else.
    """
    if np.ndim(prediction.predictions) != 2 and preprocessing(task) is not None:
        raise ConfigError(
            f"calibrate=True needs the logits of the eval data, but preprocess_logits_for_metrics() "
            f"of the task {task.name!r} keeps something else: leave calibrate out"
        )
