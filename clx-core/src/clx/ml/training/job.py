"""The description of one training: the task, the data, and the arguments of the call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

    from clx.ml.data.lazy_dataset import LazyDataset
    from clx.ml.data.splits import Split
    from clx.ml.task.task import Task
    from clx.ml.training.earlier import Earlier
    from clx.ml.training.time_budget import Budget


@dataclass(frozen=True)
class Call:
    """Arguments of the call of ``train`` that concern this one training.

    Attributes:
        fine_tune: whether to train all weights; false fits the head only.
        budget: the time limit, None for no limit.
        callbacks: the user's callbacks for the Trainer.
        reporters: the integrations of transformers that log the training.
        resumable: whether Ctrl-C stops the training after the step, with a checkpoint to resume.
    """

    fine_tune: bool = True
    budget: Budget | None = None
    callbacks: Sequence[Any] = ()
    reporters: Sequence[str] = ()
    resumable: bool = True


@dataclass(frozen=True)
class Job:
    """One training.

    Attributes:
        task: the task to train.
        base: the folder of the base model.
        tokenizer: the base model's tokenizer.
        splits: validated, tokenized data; one split is named ``train``, another may be ``eval``.
        arguments: the training arguments, complete except for the Trainer's own defaults.
        work_dir: the folder of the checkpoints.
        resume_from: the checkpoint to continue from, None for a new training.
        call: the other arguments of the call.
        earlier: the trained run to continue, None to start from the base model.
    """

    task: Task
    base: Path
    tokenizer: PreTrainedTokenizerBase
    splits: Sequence[Split]
    arguments: dict[str, Any]
    work_dir: Path
    resume_from: Path | None
    call: Call
    earlier: Earlier | None = None

    @property
    def train(self) -> Split:
        """The split to train on."""
        return next(split for split in self.splits if split.name == "train")

    @property
    def evaluated(self) -> Split | None:
        """The split to evaluate on between epochs, None without eval data."""
        return next((split for split in self.splits if split.name == "eval"), None)

    @property
    def eval_set(self) -> Dataset | LazyDataset | None:
        """The tokenized eval rows, or rows that are tokenized when needed; None without eval data."""
        return None if self.evaluated is None else self.evaluated.fed

    @property
    def seed(self) -> int:
        """The seed of all random numbers."""
        return int(self.arguments.get("seed", 42))
