"""Cross-validation, in the order of its steps."""

from __future__ import annotations

import contextlib
import copy
import gc
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from clx.ml.data.lengths import input_limit, warn_truncated
from clx.ml.machine.distributed import broadcast, wait
from clx.ml.machine.progress import with_progress
from clx.ml.model.base_notes import warn_about_base
from clx.ml.model.loading import base_folder
from clx.ml.results.outcome import EvaluationResult
from clx.ml.run_directory.config import raise_config_problems
from clx.ml.splits.combine import combined, result_of_fold
from clx.ml.splits.fit_fold import Start, predict_after_training
from clx.ml.splits.folds import Fold, FoldRequest, check_request, make_folds
from clx.ml.splits.probes import predict_with_probe, shared_features
from clx.ml.task.lora_options import require_peft
from clx.ml.task.options import options_of_task
from clx.ml.task.training_args import check_training_args
from clx.ml.training.data import tokenized_splits, training_frame
from clx.ml.training.processes import join_all

if TYPE_CHECKING:
    import pandas as pd

    from clx.ml.data.splits import Split
    from clx.ml.evaluation.evaluate import Predicted
    from clx.ml.task.task import Task


def cross_validate(task: Task, request: FoldRequest) -> EvaluationResult:
    """Evaluate a task on out-of-fold predictions; see ``TrainingRun.cross_validate``.

    Args:
        task: the task, whose options the data and the folds change.
        request: the arguments of the call.
    """
    started = time.monotonic()
    check_request(request)
    frame = training_frame(task, request.data, "data")
    arguments, problems = check_training_args(task.training_args, task.device, task)
    if request.fine_tune:
        require_peft(task)
    raise_config_problems(problems, f"The cross-validation of {task.run_name!r}")
    folds = make_folds(task, frame, request)
    join_all(task, arguments)
    start = Start(task, base_folder(task), task.tokenizer, arguments)
    warn_about_base(task, start.base, start.tokenizer)
    (split,) = tokenized_splits(task, start.tokenizer, {"data": frame})
    limit = input_limit(task, start.tokenizer)
    warn_truncated(limit, split.truncated, len(frame), "data")
    predictor = _Predictor(start, split, request.fine_tune)
    options, results = copy.deepcopy(options_of_task(task)), []
    for number, fold in enumerate(with_progress(folds, "cross-validate", "folds", arguments), 1):
        for name, value in copy.deepcopy(options).items():
            setattr(task, name, value)
        with _interrupt_explained(number, len(folds)):
            results.append(result_of_fold(task, fold, predictor.predict(frame, fold)))
        gc.collect()
    about = {
        "run": task.run_name,
        "Task": task.name,
        "Base model": task.base_model_name,
        "Cross-validation": str(request),
    }
    evaluation = combined(task, frame, results, about)
    return replace(evaluation, seconds=time.monotonic() - started)


class _Predictor:
    """Predicts the rows that a fold holds out, if possible with a probe on shared features."""

    def __init__(self, start: Start, split: Split, fine_tune: bool) -> None:
        self.start, self.fine_tune = start, fine_tune
        self.features = None if fine_tune else shared_features(start, split)

    def predict(self, frame: pd.DataFrame, fold: Fold) -> Predicted:
        task = self.start.task
        if self.features is not None:
            return predict_with_probe(task, self.features, fold)
        with _work_folder() as folder:
            return predict_after_training(self.start, frame, fold, self.fine_tune, folder)


@contextlib.contextmanager
def _work_folder() -> Iterator[Path]:
    """Provide a folder that is removed after one training; all processes get the same folder."""
    with tempfile.TemporaryDirectory(prefix="clx-fold-") as own:
        yield Path(broadcast(own))
        wait()


@contextlib.contextmanager
def _interrupt_explained(number: int, folds: int) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt(
            f"The cross-validation was interrupted in fold {number} of {folds}; nothing was written"
        ) from error
