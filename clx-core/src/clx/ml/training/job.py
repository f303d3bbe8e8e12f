"""One training: what is trained, on what, and how."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

    from clx.ml.data.splits import Split
    from clx.ml.task.task import Task
    from clx.ml.training.time_budget import Budget


@dataclass(frozen=True)
class Call:
    """What the caller of ``train`` asked for, for this one training.

    Attributes:
        fine_tune: whether more than the head is fitted.
        budget: the time limit, None for none.
        callbacks: the user's.
    """

    fine_tune: bool = True
    budget: Budget | None = None
    callbacks: Sequence[Any] = ()


@dataclass(frozen=True)
class Job:
    """One training.

    Attributes:
        task: whose model is fitted.
        base: the folder of the base model.
        tokenizer: the base model's tokenizer.
        splits: validated and tokenized; one is named ``train``, another may be ``eval``.
        arguments: complete, except for the Trainer's own defaults.
        work_dir: where the checkpoints are.
        resume_from: the checkpoint to continue from, None for a training from the start.
        call: what else the caller asked for.
    """

    task: Task
    base: Path
    tokenizer: PreTrainedTokenizerBase
    splits: Sequence[Split]
    arguments: dict[str, Any]
    work_dir: Path
    resume_from: Path | None
    call: Call

    @property
    def train(self) -> Split:
        """The split to train on."""
        return next(split for split in self.splits if split.name == "train")

    @property
    def evaluated(self) -> Split | None:
        """The split to evaluate on between epochs, None without eval data."""
        return next((split for split in self.splits if split.name == "eval"), None)

    @property
    def eval_set(self) -> Dataset | None:
        """The eval rows as the model is fed them."""
        return None if self.evaluated is None else self.evaluated.dataset

    @property
    def seed(self) -> int:
        """The seed of everything random."""
        return int(self.arguments.get("seed", 42))
