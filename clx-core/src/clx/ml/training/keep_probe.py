"""The probe against what the fine-tuning made of it: on eval data the better one is kept.

The base model does not change by a probe, so that its last layer is all that has to be remembered.
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
"""An evaluation that takes more of the time that is left is not made for this."""


def score_probe(
    trainer: Trainer, dataset: Any, head: Head, folder: Path, budget: Budget | None
) -> float | None:
    """Return the metric by which the best model is chosen, of the probe; its layer is remembered.

    Args:
        trainer: before its training.
        dataset: eval rows, None without any.
        head: whose layer is remembered in ``folder``.
        folder: of the training's checkpoints.
        budget: the time that there is, with what an evaluation takes.

    Returns:
        None where there is no probe, or nothing is chosen by eval data.
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
    """Return whether the probe's score is better than that of the best model of the training."""
    best = trainer.state.best_metric
    if score is None or best is None or not (folder / WEIGHTS).is_file():
        return False
    return bool(score > best if trainer.args.greater_is_better else score < best)


def restored_probe(
    load: Callable[[], tuple[PreTrainedModel, Head]], head: Head, folder: Path
) -> PreTrainedModel:
    """Return the base model with the probe that is remembered; ``head`` points into it.

    Args:
        load: returns the base model with its pooling, and its head.
        head: what is known of the probe.
        folder: of the training's checkpoints.
    """
    model, fresh = load()
    assert fresh.layer is not None
    fresh.layer.load_state_dict(load_file(folder / WEIGHTS))
    head.layer = fresh.layer
    return model.eval()
