"""The targets of rows for merged labels: 0 and 1, or probabilities."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from clx.ml.data.row_targets import PROBABILITIES, dataset_targets
from clx.ml.data.splits import Split


def merged_values(values: Tensor, ids: list[int], labels: int, sums: bool) -> Tensor:
    """Return the values of new labels, the sum or the maximum of those of the old labels."""
    merged = torch.zeros(len(values), labels, dtype=values.dtype)
    for old, at in enumerate(ids):
        own, more = merged[:, at], values[:, old]
        merged[:, at] = own + more if sums else torch.maximum(own, more)
    return merged


def with_merged_probabilities(split: Split, ids: list[int], labels: int, sums: bool) -> Split:
    """Return rows whose soft labels, if there are any, are those of the new labels."""
    old = dataset_targets(split.dataset).probabilities
    if old is None:
        return split
    new = merged_values(torch.from_numpy(old), ids, labels, sums).tolist()
    rest = split.dataset.remove_columns(PROBABILITIES)
    return replace(split, dataset=rest.add_column(PROBABILITIES, new))
