"""Fit a temperature and the task's decisions on eval rows, after the training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clx.ml.evaluation.evaluate import Predicted, predict_split
from clx.ml.task.author_code import author_code
from clx.ml.training.calibrate import calibrated

if TYPE_CHECKING:
    from clx.ml.data.splits import Split
    from clx.ml.training.fit import Fitted
    from clx.ml.training.job import Job


def decided(job: Job, fitted: Fitted, split: Split) -> Predicted:
    """Predict eval rows, calibrate the model on them, and let the task fit its decisions.

    Returns:
        The predictions of the calibrated model.
    """
    predicted = predict_split(job.task, job.tokenizer, fitted.model, split)
    predicted = calibrated(job.task, fitted, predicted)
    with author_code(job.task, "fit_decisions"):
        job.task.fit_decisions(predicted.prediction)
    return predicted
