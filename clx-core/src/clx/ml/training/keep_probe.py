"""Keep the probe if it scores better on eval data than the fine-tuned model.

Fitting a probe does not change the base model, so only the last layer has to be saved.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors.torch import load_file, save_file

from clx.ml.machine.distributed import broadcast
from clx.ml.model.head.initialize import Head
from clx.ml.trainer.trainer import predict_before_training

if TYPE_CHECKING:
    from collections.abc import Callable

    from transformers import PreTrainedModel, Trainer

    from clx.ml.training.time_budget import Budget

WEIGHTS = "probe.safetensors"
SHARE_OF_BUDGET = 0.1
"""The probe is not scored if that takes more than this share of the remaining time."""


def score_probe(
    trainer: Trainer, dataset: Any, head: Head, folder: Path, budget: Budget | None
) -> float | None:
    """Save the probe, and return its value of the metric that chooses the best model.

    Args:
        trainer: the Trainer, before its training.
        dataset: the eval rows, None without eval data.
        head: the head whose layer is saved in ``folder``.
        folder: the folder of the checkpoints.
        budget: the time budget, None for no limit; it has the duration of an evaluation.

    Returns:
        None if there is no probe, eval data does not choose the best model, the evaluation would
        take too much of the budget, or the metric is missing or not finite.
    """
    if dataset is None or head.init != "probe" or not trainer.args.load_best_model_at_end:
        return None
    if budget is not None and broadcast(
        budget.evaluation_seconds > SHARE_OF_BUDGET * budget.left()
    ):
        return None
    assert head.layer is not None
    name = f"eval_{trainer.args.metric_for_best_model.removeprefix('eval_')}"
    score = predict_before_training(trainer, dataset).get(name)
    if score is None or not math.isfinite(score):
        return None
    if trainer.is_world_process_zero():
        layer = {key: value.detach().cpu() for key, value in head.layer.state_dict().items()}
        save_file(layer, folder / WEIGHTS)
    return float(score)


def is_better(trainer: Trainer, score: float | None, folder: Path) -> bool:
    """Return whether the probe's score is better than the best score of the training."""
    best = trainer.state.best_metric
    if score is None or best is None or not (folder / WEIGHTS).is_file():
        return False
    return bool(score > best if trainer.args.greater_is_better else score < best)


def restored_probe(
    load: Callable[[], tuple[PreTrainedModel, Head]], head: Head, folder: Path
) -> PreTrainedModel:
    """Return the base model with the saved probe, and point ``head.layer`` to its layer.

    Args:
        load: returns the base model with its pooling, and its head.
        head: the record of the probe.
        folder: the folder of the checkpoints.
    """
    model, fresh = load()
    assert fresh.layer is not None
    fresh.layer.load_state_dict(load_file(folder / WEIGHTS))
    head.layer = fresh.layer
    return model.eval()
