"""Train one fold: fit a base model to the fold's rows, and score the held-out rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clx.ml.evaluation.evaluate import Predicted, predict_split
from clx.ml.machine.disk import full_disk_named, training_bytes
from clx.ml.machine.memory import memory_for_training
from clx.ml.plugins.calls import proposed_arguments
from clx.ml.task.lora_options import uses_lora
from clx.ml.training.data import tokenized_splits
from clx.ml.training.decide import decided
from clx.ml.training.defaults import choose_arguments
from clx.ml.training.fit import Fitted, fit
from clx.ml.training.job import Call, Job
from clx.ml.training.setting import setting_of

if TYPE_CHECKING:
    import pandas as pd
    from transformers import PreTrainedTokenizerBase

    from clx.ml.splits.folds import Fold
    from clx.ml.task.task import Task


@dataclass(frozen=True)
class Start:
    """The common starting point of all folds.

    Attributes:
        task: the task, whose config was inferred from all rows.
        base: the folder of the base model.
        tokenizer: the base model's tokenizer.
        arguments: the checked training arguments of the user.
    """

    task: Task
    base: Path
    tokenizer: PreTrainedTokenizerBase
    arguments: dict[str, Any]


def predict_after_training(
    start: Start,
    frame: pd.DataFrame,
    fold: Fold,
    fine_tune: bool,
    work_dir: Path,
    callbacks: Sequence[Any] = (),
) -> Predicted:
    """Train on a fold's rows, and return the predictions of the rows that it holds out.

    Args:
        start: the common starting point; the task's decisions are set to the fold's.
        frame: all rows.
        fold: the rows to train on and to hold out.
        fine_tune: whether to train all weights; false fits the head only.
        work_dir: an empty folder for the checkpoints.
        callbacks: callbacks for the Trainer.
    """
    parts = {"train": frame.iloc[fold.train], "eval": frame.iloc[fold.eval]}
    parts = {name: part for name, part in parts.items() if len(part)}
    (held_out,) = tokenized_splits(
        start.task, start.tokenizer, {"held out": frame.iloc[fold.held_out]}
    )
    fitted, _ = trained(start, parts, Call(fine_tune, None, callbacks, resumable=False), work_dir)
    return predict_split(start.task, start.tokenizer, fitted.model, held_out)


def trained(
    start: Start, parts: dict[str, pd.DataFrame], call: Call, work_dir: Path
) -> tuple[Fitted, Predicted | None]:
    """Train without publishing, and fit the decisions.

    Args:
        start: the starting point; the task's decisions are set to those of this training.
        parts: validated frames: ``train`` and, if there is eval data, ``eval``.
        call: the arguments of the call.
        work_dir: an empty folder for the checkpoints.

    Returns:
        The fitted model, and its predictions of the eval rows, None without any.
    """
    task, base, tokenizer = start.task, start.base, start.tokenizer
    splits = tokenized_splits(task, tokenizer, parts)
    proposed = proposed_arguments(task, start.arguments, len(parts["train"]), "eval" in parts)
    complete = choose_arguments(proposed, setting_of(task, base, splits, proposed))
    all_weights = not uses_lora(task)
    needed = training_bytes(base, complete, all_weights)
    with full_disk_named(work_dir.parent, needed), memory_for_training(complete, all_weights):
        job = Job(task, base, tokenizer, splits, complete, work_dir, None, call)
        fitted = fit(job)
        predicted = None if job.evaluated is None else decided(job, fitted, job.evaluated)
    return fitted, predicted
