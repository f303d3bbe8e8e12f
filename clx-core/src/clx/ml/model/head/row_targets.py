"""Examples with the weights and the soft labels of the tokenized rows that they come from."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from clx.ml.data.row_targets import dataset_targets
from clx.ml.model.head.probe import Examples

if TYPE_CHECKING:
    from clx.ml.data.windows import TextWindows

MAX_MEAN = 2.0
"""The largest mean weight of a probe's rows, relative to the row of median weight."""


def with_row_targets(
    examples: Examples, dataset: Any, rows: Tensor | None = None, windows: TextWindows | None = None
) -> Examples:
    """Return examples with the weights and probabilities of the dataset that they come from.

    A probe's loss is a sum, in which a row of weight 2 counts as two rows. So the row of median weight
    counts as one row.

    Args:
        examples: the rows.
        dataset: the tokenized rows with their targets.
        rows: the positions of the rows in the dataset, None for all.
        windows: the windows of texts among these rows, if each example is a text.
    """
    found = dataset_targets(dataset)
    if not found:
        return examples
    positions = np.arange(len(dataset)) if rows is None else rows.numpy()
    if windows is not None:
        positions = positions[windows.firsts()]
    found = found.select(positions)
    weights, soft = found.weights, found.probabilities
    if weights is not None:
        weights = weights / max(np.median(weights), weights.mean() / MAX_MEAN)
    return replace(
        examples,
        row_weights=None if weights is None else torch.from_numpy(weights),
        soft=None if soft is None else torch.from_numpy(soft),
    )
