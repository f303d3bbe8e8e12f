"""The facts about a training that its defaults depend on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from clx.ml.data.row_targets import targets_of_frame
from clx.ml.machine.devices import trains_on_cpu
from clx.ml.model.base_models import read_model_config
from clx.ml.task.author_code import author_code
from clx.ml.task.lora_options import uses_lora
from clx.ml.training.defaults import Setting

if TYPE_CHECKING:
    import pandas as pd

    from clx.ml.data.splits import Split
    from clx.ml.task.task import Task

MANY_ROWS = 1_000_000
"""The assumed number of rows of a stream, which cannot be counted."""

IMBALANCED = 3
"""Labels are imbalanced if the largest row count is more than this many times the smallest."""


def setting_of(
    task: Task, base: Path, splits: Sequence[Split], arguments: dict[str, Any]
) -> Setting:
    """Return the facts that the defaults of this training depend on."""
    train = splits[0]
    return Setting(
        # If texts are read in windows, there are more rows than texts.
        rows=len(train.fed) if hasattr(train.fed, "__len__") else MANY_ROWS,
        has_eval=len(splits) > 1,
        hidden_size=_hidden_size(base),
        cuda=torch.cuda.is_available() and not trains_on_cpu(task.device, arguments),
        probe=task.head_init == "probe",
        several=has_several_labels(train),
        metric=task.imbalanced_metric if is_imbalanced(task, train.frame) else None,
        lora=uses_lora(task),
        min_steps=task.min_steps,
    )


def _hidden_size(folder: Path) -> int | None:
    config = read_model_config(folder)
    size = config.get("hidden_size") or config.get("dim") or config.get("d_model")
    return size if isinstance(size, int) else None


def has_several_labels(split: Split) -> bool:
    """Return whether rows have a number from 0 to 1 per label; token labels are whole numbers."""
    first = split.dataset[0].get("labels")
    return isinstance(first, list) and len(first) > 0 and isinstance(first[0], float)


def _weighted_counts(task: Task, frame: pd.DataFrame, labels: Sequence[Any]) -> Mapping[Any, float]:
    """Return the rows per label, by their weights and by the probabilities of soft labels."""
    targets = targets_of_frame(task, frame)
    counts: dict[Any, float] = {}
    if targets.probabilities is not None:
        expected = targets.probabilities.sum(axis=0)
        if targets.weights is not None:
            expected = targets.weights @ targets.probabilities
        return {label: count for label, count in enumerate(expected.tolist()) if count > 0}
    if targets.weights is None:
        return Counter(labels)
    for label, weight in zip(labels, targets.weights.tolist(), strict=True):
        counts[label] = counts.get(label, 0.0) + weight
    return counts


def is_imbalanced(task: Task, frame: pd.DataFrame) -> bool:
    """Return whether the most common label has several times the rows of the rarest."""
    with author_code(task, "row_labels"):
        labels = task.row_labels(frame)
    if not labels or not all(isinstance(label, Hashable) for label in labels):
        return False
    counts = _weighted_counts(task, frame, labels)
    return max(counts.values()) > IMBALANCED * min(counts.values())
