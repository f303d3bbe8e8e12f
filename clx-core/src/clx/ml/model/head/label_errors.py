"""Which labels look wrong: confident learning (Northcutt et al. 2021) on out-of-fold probabilities.

The probabilities are those of probes on the base model's frozen features, each row's by a probe that
has not seen it. Northcutt, Jiang, Chuang: "Confident Learning: Estimating Uncertainty in Dataset
Labels", JAIR 70: a row counts for a label when that label is at least as probable as it is on average
in the rows that have it; from these counts follows how many labels of each name are wrong, and so many
rows, the ones in which something else leads most, are suspicious. What leads is measured in log-odds:
on planted errors that finds more than differences of probabilities, the paper's margin, do.
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
from clx.ml.model.base_models import resolve_base_model
from clx.ml.model.head.initialize import prepare_head
from clx.ml.model.head.label_texts import label_names_of
from clx.ml.model.head.layer import collect_features
from clx.ml.model.head.probe import choose_strength, out_of_fold
from clx.ml.model.loading import load_model

if TYPE_CHECKING:
    import pandas as pd
    from datasets import Dataset
    from torch import Tensor

    from clx.ml.data.splits import Split
    from clx.ml.model.head.probe import Kind
    from clx.ml.task.task import Task

MIN_ROWS = 20


@dataclass(frozen=True)
class Suspicion:
    """What confident learning says of each row.

    Attributes:
        score: the probability of what was given, shape (rows,); of the least probable decision where
            a row has several labels. Low is suspicious.
        lead: the log of how many times as probable something else is, shape (rows,).
        suspicious: shape (rows,).
        suggested: label ids, shape (rows,), or 0 and 1, shape (rows, labels).
    """

    score: Any
    lead: Any
    suspicious: Any
    suggested: Any


def suspicion(labels: Any, probabilities: Any) -> Suspicion:
    """Return what confident learning says of single labels.

    Args:
        labels: ids, shape (rows,).
        probabilities: out of fold, shape (rows, labels).
    """
    labels, probabilities = np.asarray(labels), np.asarray(probabilities, dtype=np.float64)
    rows, names = np.arange(len(labels)), range(probabilities.shape[1])
    # A label's threshold: how probable it is on average where it was given.
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
        # What is found among the rows that count is taken for all rows of the label.
        wrong = (likeliest[of_name][counting] != name).mean()
        most = of_name[np.argsort(-lead[of_name], kind="stable")]
        suspicious[most[: round(wrong * len(of_name))]] = True
    return Suspicion(score, lead, suspicious & (lead > 0), others.argmax(axis=1))


def suspicion_of_several(labels: Any, probabilities: Any) -> Suspicion:
    """Return what confident learning says of several labels a row: each one is a question of yes or no.

    Args:
        labels: 0 and 1, shape (rows, labels).
        probabilities: out of fold, shape (rows, labels).
    """
    given = np.asarray(labels) == 1
    yes = np.asarray(probabilities, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        has = np.where(given, yes, 0).sum(axis=0) / given.sum(axis=0)
        lacks = np.where(given, 0, 1 - yes).sum(axis=0) / (~given).sum(axis=0)
    of_given = np.where(given, yes, 1 - yes)
    # Both sides of a question have a threshold; the other side has to reach its own and to lead.
    limit_of_other = np.where(
        given, np.nan_to_num(lacks, nan=np.inf), np.nan_to_num(has, nan=np.inf)
    )
    flips = (1 - of_given >= limit_of_other) & (of_given < 0.5)
    least = of_given.min(axis=1)
    lead = _log(1 - least) - _log(least)
    return Suspicion(least, lead, flips.any(axis=1), (given ^ flips).astype(int))


def _log(probabilities: Any) -> Any:
    return np.log(np.maximum(probabilities, np.finfo(np.float64).tiny))


def find_label_errors(task: Task, split: Split, folds: int, top: int | None) -> pd.DataFrame:
    """Return the rows whose labels look wrong; see :meth:`TrainingRun.find_label_errors`."""
    if isinstance(folds, bool) or not isinstance(folds, int) or folds < 2:
        raise ConfigError(f"folds must be a whole number from 2 on, but is {folds!r}")
    if len(split.frame) < MIN_ROWS:
        raise DataFormatError(
            f"data has {len(split.frame)} rows: at least {MIN_ROWS} are needed to tell wrong labels"
        )
    frozen = frozen_features(task, split.dataset)
    data = frozen.features, frozen.targets, frozen.kind, len(frozen.names)
    scores = out_of_fold(*data, choose_strength(*data).strength, folds)
    several = frozen.kind == "multi"
    found = (scores.sigmoid() if several else scores.softmax(dim=1)).numpy()
    labels, judge = frozen.targets.numpy(), suspicion_of_several if several else suspicion
    return _as_frame(task, split, frozen.names, judge(labels, found), labels, top)


@dataclass(frozen=True)
class Frozen:
    """What a base model makes of labelled rows before any training.

    Attributes:
        names: of the labels, by id.
        kind: of the labels.
        features: shape (rows, features).
        targets: as :func:`clx.ml.model.head.probe.fit_head` takes them.
    """

    names: list[str]
    kind: Kind
    features: Tensor
    targets: Tensor


def frozen_features(task: Task, dataset: Dataset) -> Frozen:
    """Return the features of tokenised rows, by the base model and the run's pooling.

    Raises:
        ConfigError: no layer of the model reads features, or rows have no labels from a list.
    """
    folder: Path = resolve_base_model(task.base_model_name)
    model = load_model(task, folder, task.tokenizer).float()
    model.to(choose_device(task.device, stored=True))
    collator = task.load_data_collator()
    with quiet_transformers():
        head = prepare_head(
            model,
            folder,
            dataset,
            collator,
            pooling=task.pooling,
            init="random",
            wanted=True,
            model_args=task.model_args,
        )
    if head.layer is None or head.kind not in ("single", "multi"):
        why = head.reason or "its labels are numbers"
        raise ConfigError(f"Wrong labels of the task {task.name!r} cannot be told: {why}")
    return Frozen(
        label_names_of(model),
        head.kind,
        collect_features(model, head.layer, dataset, collator),
        torch.as_tensor(dataset["labels"][:]),
    )


def _as_frame(
    task: Task,
    split: Split,
    names: Sequence[str],
    found: Suspicion,
    labels: Any,
    top: int | None,
) -> pd.DataFrame:
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
    return pd.DataFrame(columns, index=split.frame.index[order])
