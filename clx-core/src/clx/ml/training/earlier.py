"""The trained run that a training continues: its weights, and its head's rows by label."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from clx.ml.model.head.label_texts import label_names_of

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from clx.ml.results.outcome import TrainingResult
    from clx.ml.run_directory.layout import RunDir
    from clx.ml.task.task import Task


@dataclass(frozen=True)
class Finished:
    """A finished training before its run is published.

    Attributes:
        task: the trained task, whose options may still be changed.
        tokenizer: its tokenizer.
        model: the trained model.
        eval_frame: the validated eval rows, or a sample of those on disk. None without eval data.
    """

    task: Task
    tokenizer: PreTrainedTokenizerBase
    model: PreTrainedModel
    eval_frame: pd.DataFrame | None


@dataclass(frozen=True)
class Earlier:
    """A trained run that a training starts from.

    Attributes:
        directory: the run.
        model: its loaded model, which does not change.
        recorded: the config entries that say where the new run comes from.
        replay_from: rows of the training frame whose index label is at least this number were
            training rows of the earlier run. None if there are no such rows.
        complete: adds to the result of the training, before the run is published.
    """

    directory: RunDir
    model: PreTrainedModel
    recorded: Mapping[str, Any]
    replay_from: int | None
    complete: Callable[[TrainingResult, Finished], TrainingResult]

    def label_rows(self, model: PreTrainedModel) -> dict[int, int]:
        """Return the id of each label in ``model`` that the earlier model has, with its id there."""
        ids = {name: number for number, name in enumerate(label_names_of(self.model))}
        names = enumerate(label_names_of(model))
        return {number: ids[name] for number, name in names if name in ids}

    def is_unseen(self, index: Any) -> np.ndarray[Any, Any]:
        """Return whether each index label is of a row that the earlier run was not trained on."""
        if self.replay_from is None:
            return np.ones(len(index), dtype=bool)
        return np.asarray(index) < self.replay_from


@torch.no_grad()
def keep_label_rows(model: PreTrainedModel, earlier: Earlier) -> None:
    """Copy the earlier labels' rows into the weights of a model that has more labels."""
    rows = earlier.label_rows(model)
    old: Mapping[str, Tensor] = earlier.model.state_dict()
    for name, value in model.state_dict().items():
        before = old.get(name)
        if before is None or before.shape == value.shape or before.shape[1:] != value.shape[1:]:
            continue
        if len(value) == model.config.num_labels and len(before) == earlier.model.config.num_labels:
            value[list(rows)] = before[list(rows.values())].to(value)
