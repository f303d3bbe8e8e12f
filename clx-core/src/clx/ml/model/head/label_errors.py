"""Find wrong labels in training data by confident learning, on out-of-fold probabilities.

Source: Northcutt, Jiang, Chuang (2021), "Confident Learning: Estimating Uncertainty in Dataset Labels",
JAIR 70.

1. Probes on the base model's frozen features give each row its probabilities. The probe that scores a
   row was not fitted to it.
2. A row counts for a label if the label is at least as probable as it is on average in the rows that
   have it. These counts give the number of wrong rows of each label.
3. That many rows are suspicious: those in which another label leads the row's own label the most. The
   lead is measured in log odds, which finds more planted errors than the paper's margin, a
   difference of probabilities.

:func:`clx.ml.results.mistakes.suspicious_labels` answers a smaller question: which evaluated rows of a
trained model look wrong. Only two probabilities per row are kept there, so it applies only the threshold
of the second step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from clx.errors import ConfigError, DataFormatError
from clx.ml.labels import original
from clx.ml.machine.devices import choose_device
from clx.ml.machine.quiet import quiet_transformers
from clx.ml.model.head.initialize import prepare_head
from clx.ml.model.head.label_texts import label_names_of
from clx.ml.model.head.layer import collect_features
from clx.ml.model.head.padding import settle_padding
from clx.ml.model.head.probe import Examples
from clx.ml.model.head.request import HeadRequest
from clx.ml.model.head.row_targets import with_row_targets
from clx.ml.model.head.validation import choose_c, out_of_fold
from clx.ml.model.loading import base_folder, load_base_model

if TYPE_CHECKING:
    import pandas as pd
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

    from clx.ml.data.splits import Split
    from clx.ml.task.task import Task

MIN_ROWS = 20


@dataclass(frozen=True)
class Suspicion:
    """The results of confident learning for each row.

    Attributes:
        score: the probability of the row's label, shape (rows,). If rows have several labels, it is
            the probability of the least probable yes or no. A low score is suspicious.
        lead: the log odds of the likeliest alternative against the row's label, shape (rows,).
        suspicious: whether the label looks wrong, shape (rows,).
        suggested: the label ids, shape (rows,), or 0 and 1, shape (rows, labels), to use instead.
        confidence: the probability of the suggestion, shape (rows,). If rows have several labels, it
            is that of the least probable yes or no that the suggestion changes.
    """

    score: Any
    lead: Any
    suspicious: Any
    suggested: Any
    confidence: Any


def suspicion(labels: Any, probabilities: Any) -> Suspicion:
    """Apply confident learning to rows with one label each.

    Args:
        labels: label ids, shape (rows,).
        probabilities: out-of-fold probabilities, shape (rows, labels).
    """
    labels, probabilities = np.asarray(labels), np.asarray(probabilities, dtype=np.float64)
    rows, names = np.arange(len(labels)), range(probabilities.shape[1])
    # The threshold of a label is its mean probability in the rows that have it.
    limits = np.array(
        [probabilities[labels == n, n].mean() if (labels == n).any() else np.inf for n in names]
    )
    confident = np.where(probabilities >= limits, probabilities, -1.0)
    likeliest = confident.argmax(axis=1)
    counted = confident.max(axis=1) >= 0
    others = probabilities.copy()
    others[rows, labels] = -1.0
    score = probabilities[rows, labels]
    lead = _log(others.max(axis=1)) - _log(score)
    suspicious = np.zeros(len(labels), dtype=bool)
    for name in names:
        of_name = np.flatnonzero(labels == name)
        counting = counted[of_name]
        if not counting.any():
            continue
        # The share of errors among the rows that count is taken as the share among all rows.
        wrong = (likeliest[of_name][counting] != name).mean()
        most = of_name[np.argsort(-lead[of_name], kind="stable")]
        suspicious[most[: round(wrong * len(of_name))]] = True
    suspicious &= lead > 0
    return Suspicion(score, lead, suspicious, others.argmax(axis=1), others.max(axis=1))


def suspicion_of_several(labels: Any, probabilities: Any) -> Suspicion:
    """Apply confident learning to rows with several labels: each label is a yes-or-no question.

    Args:
        labels: 0 and 1, shape (rows, labels).
        probabilities: out-of-fold probabilities, shape (rows, labels).
    """
    given = np.asarray(labels) == 1
    yes = np.asarray(probabilities, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        has = np.where(given, yes, 0).sum(axis=0) / given.sum(axis=0)
        lacks = np.where(given, 0, 1 - yes).sum(axis=0) / (~given).sum(axis=0)
    of_given = np.where(given, yes, 1 - yes)
    # Yes and no have a threshold each. An answer is wrong if the other one reaches its threshold and
    # is more probable.
    limit_of_other = np.where(
        given, np.nan_to_num(lacks, nan=np.inf), np.nan_to_num(has, nan=np.inf)
    )
    flips = (1 - of_given >= limit_of_other) & (of_given < 0.5)
    least = of_given.min(axis=1)
    lead = _log(1 - least) - _log(least)
    changes = flips.any(axis=1)
    confidence = np.where(changes, np.where(flips, 1 - of_given, np.inf).min(axis=1), least)
    return Suspicion(least, lead, changes, (given ^ flips).astype(int), confidence)


def _log(probabilities: Any) -> Any:
    return np.log(np.maximum(probabilities, np.finfo(np.float64).tiny))


def find_label_errors(
    task: Task, tokenizer: PreTrainedTokenizerBase, split: Split, folds: int, top: int | None
) -> pd.DataFrame:
    """Return the rows whose labels look wrong; see :meth:`TrainingRun.find_label_errors`.

    Args:
        task: the task that the rows belong to.
        tokenizer: the one that tokenized the rows.
        split: validated and tokenized rows.
        folds: the number of probes, each of which scores its share of the rows.
        top: the number of rows to return; None for the suspicious ones.

    Raises:
        ConfigError: ``folds`` is not valid, or the task's labels are not from a list.
        DataFormatError: there are too few rows.
    """
    if isinstance(folds, bool) or not isinstance(folds, int) or folds < 2:
        raise ConfigError(f"folds must be an integer of at least 2, but is {folds!r}")
    if len(split.frame) < MIN_ROWS:
        raise DataFormatError(
            f"data has {len(split.frame)} rows: at least {MIN_ROWS} are needed to find wrong labels"
        )
    frozen = frozen_features(task, tokenizer, split.dataset)
    examples = frozen.examples
    scores = out_of_fold(examples, choose_c(examples).C, folds)
    labels = examples.targets.numpy()
    if examples.kind == "multi":
        found = suspicion_of_several(labels, scores.sigmoid().numpy())
    else:
        found = suspicion(labels, scores.softmax(dim=1).numpy())
    return _as_frame(task, split, frozen.names, found, labels, top)


@dataclass(frozen=True)
class Frozen:
    """Labeled rows as features of a base model that was not trained on them.

    Attributes:
        names: label names, by id.
        examples: the features and labels of the rows.
    """

    names: list[str]
    examples: Examples


def frozen_features(task: Task, tokenizer: PreTrainedTokenizerBase, dataset: Dataset) -> Frozen:
    """Return the features of tokenized rows, from the base model with the task's pooling.

    Raises:
        ConfigError: no layer of the model reads features, or the labels are not from a list.
    """
    folder: Path = base_folder(task)
    model = load_base_model(task, folder, tokenizer).float()
    model.to(choose_device(task.device, stored=True))
    collator = task.load_data_collator()
    settle_padding(model, tokenizer, dataset, collator)
    request = HeadRequest(
        folder=folder,
        dataset=dataset,
        collator=collator,
        pooling=task.pooling,
        init="random",
        model_args=task.model_args,
        find_layer=True,
    )
    with quiet_transformers():
        head = prepare_head(model, request)
    if head.layer is None or head.kind not in ("single", "multi"):
        why = head.reason or "its labels are numbers"
        raise ConfigError(f"Wrong labels cannot be found for the task {task.name!r}: {why}")
    features = collect_features(model, head.layer, dataset, request.collator)
    targets = torch.as_tensor(dataset["labels"][:])
    names = label_names_of(model)
    examples = Examples(features, targets, head.kind, len(names))
    return Frozen(names, with_row_targets(examples, dataset))


def _as_frame(
    task: Task,
    split: Split,
    names: Sequence[str],
    found: Suspicion,
    labels: Any,
    top: int | None,
) -> pd.DataFrame:
    """Return rows with the columns that :meth:`TrainingRun.find_label_errors` documents."""
    import pandas as pd

    values = [original(name, getattr(task, "label_type", None) or "str") for name in names]

    def shown(label: Any) -> Any:
        several = np.ndim(label) > 0
        return [values[i] for i in np.flatnonzero(label)] if several else values[int(label)]

    order = np.argsort(-found.lead, kind="stable")
    order = order[found.suspicious[order]] if top is None else order[:top]
    texts = [name for name in task.text_columns if name in split.frame.columns]
    columns: dict[str, list[Any]] = {name: split.frame[name].iloc[order].tolist() for name in texts}
    columns["given"] = [shown(labels[row]) for row in order]
    columns["suggested"] = [shown(found.suggested[row]) for row in order]
    columns["score"] = [round(float(found.score[row]), 6) for row in order]
    columns["confidence"] = [round(float(found.confidence[row]), 6) for row in order]
    return pd.DataFrame(columns, index=split.frame.index[order])
