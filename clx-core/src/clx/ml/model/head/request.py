"""The input for preparing a head: the request, and the rows that a probe can be fitted to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from datasets import Dataset

    from clx.ml.data.windows import TextWindows
    from clx.ml.model.head.label_texts import LabelTexts
    from clx.ml.model.head.probe import Kind

MAX_PROBE_ROWS = 50_000

Collator = Callable[[list[dict[str, Any]]], Any]
"""Makes a batch of rows."""


@dataclass(frozen=True)
class HeadRequest:
    """The request to :func:`clx.ml.model.head.initialize.prepare_head`.

    Attributes:
        folder: the checkpoint that the model was loaded from.
        dataset: tokenized rows, with ``labels``.
        collator: makes a batch of rows.
        pooling: ``auto``, ``mean``, ``cls`` or ``model``.
        init: ``probe`` or ``random``.
        model_args: the arguments that the model was loaded with.
        find_layer: whether to find the head's layer even if neither pooling nor probe needs it.
        fine_tune: whether a fine-tuning follows; if so, the probe must not be too steep.
        label_weights: see :class:`clx.ml.model.head.probe.Examples`.
        texts: texts that describe the labels.
        windows: which rows are windows of one text; the probe is fitted to a text's pooled features.
        seed: the seed of the sample that is drawn from more than ``MAX_PROBE_ROWS`` rows.
    """

    folder: Path
    dataset: Dataset
    collator: Collator
    pooling: str
    init: str
    model_args: dict[str, Any]
    find_layer: bool = False
    fine_tune: bool = True
    label_weights: Tensor | None = None
    texts: LabelTexts | None = None
    windows: TextWindows | None = None
    seed: int = 42


@dataclass(frozen=True)
class LabeledRows:
    """The rows of a dataset that a probe can be fitted to.

    Attributes:
        positions: the positions of the rows in the dataset, ascending, shape (rows,).
        targets: the labels of the rows, as in :class:`clx.ml.model.head.probe.Examples`.
        kind: the kind of the labels.
    """

    positions: Tensor
    targets: Tensor
    kind: Kind

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.positions)


def labeled_rows(request: HeadRequest, kind: Kind) -> LabeledRows:
    """Return the rows that have a label, sampled down to about ``MAX_PROBE_ROWS``.

    A sample holds either all windows of a text or none.
    """
    targets = torch.as_tensor(request.dataset["labels"][:])
    rows = torch.arange(len(targets))
    if kind == "single":
        rows = rows[targets >= 0]
    if len(rows) > MAX_PROBE_ROWS:
        generator = torch.Generator().manual_seed(request.seed)
        windows = request.windows
        text_of = rows if windows is None else torch.as_tensor(windows.row_of)[rows]
        texts = torch.unique(text_of)
        kept = len(texts) * MAX_PROBE_ROWS // len(rows)
        sample = texts[torch.randperm(len(texts), generator=generator)[:kept]]
        rows = rows[torch.isin(text_of, sample)]
    return LabeledRows(rows, targets[rows], kind)
