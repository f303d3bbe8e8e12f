"""Frozen features of a data set's rows, and how good a head on them is."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from torch import Tensor

import data
from clx.ml import training_run
from clx.ml.data.splits import tokenised_split
from clx.ml.model.head.label_errors import Frozen, frozen_features


def frozen(task: str, frame: pd.DataFrame, labels: Sequence[str]) -> Frozen:
    """Return what the default base model makes of rows that are cut at ``data.CUT`` tokens."""
    run = training_run(
        task,
        "frozen",
        label_names=list(labels),
        tokenize_args={"max_length": data.CUT},
    )
    rows = tokenised_split(run, run.tokenizer, "data", frame).dataset
    return frozen_features(run, run.tokenizer, rows)


def score(logits: Tensor, truth: Tensor) -> float:
    """Return accuracy, or micro-F1 at 0.5 where rows have several labels."""
    if truth.ndim == 1:
        return float((logits.argmax(dim=1) == truth).float().mean())
    found = logits > 0
    return float(2 * (found & (truth > 0)).sum() / (found.sum() + (truth > 0).sum()).clamp(min=1))
