"""Folds without fine-tuning: the base model reads all rows once, and each fold fits a probe.

The scores are those that a training of the fold with ``fine_tune=False`` would give, except that the
probe's regularization, the use of label names, and a pooling that the checkpoint does not name are
chosen once, from all rows. Choosing them for each fold takes several times as long as all the rest.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from transformers import EvalPrediction, Trainer

from clx.ml.data.row_targets import row_targets
from clx.ml.data.splits import windows_of_split
from clx.ml.evaluation.evaluate import Predicted
from clx.ml.evaluation.row_targets import log_loss_of, with_targets
from clx.ml.machine.devices import choose_device, trains_on_cpu
from clx.ml.machine.quiet import quiet_transformers
from clx.ml.model.head.calibration import calibrate
from clx.ml.model.head.class_weights import label_weights
from clx.ml.model.head.fit_probe import fit_probe
from clx.ml.model.head.initialize import prepare_head
from clx.ml.model.head.label_texts import label_names_of, label_texts, text_examples
from clx.ml.model.head.layer import collect_features, model_columns
from clx.ml.model.head.probe import Examples, fit_head
from clx.ml.model.head.request import MAX_PROBE_ROWS, Collator, HeadRequest
from clx.ml.model.head.row_targets import with_row_targets
from clx.ml.model.loading import load_base_model
from clx.ml.task.author_code import author_code
from clx.ml.task.option_checks import unknown_labels

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedModel

    from clx.ml.data.splits import Split
    from clx.ml.splits.fit_fold import Start
    from clx.ml.splits.folds import Fold
    from clx.ml.task.task import Task


Collect = Callable[["PreTrainedModel", torch.nn.Linear, "Dataset", Collator], Tensor]
"""Returns the head's input for each row, shape (rows, features), in the dataset's order."""


@dataclass(frozen=True)
class Features:
    """The features of all rows, from the base model.

    Attributes:
        examples: one for each row, without label weights.
        described: examples that describe labels, None if the probe is better without them.
        C: the inverse of the probe's regularization strength.
        names: label names, by id.
        pooled: whether the features are of windows, pooled by text.
        is_cut: whether each row's text was truncated, shape (rows,), None if that is unknown.
        pooling: the pooling that made the features.
    """

    examples: Examples
    described: Examples | None
    C: float
    names: list[str]
    pooled: bool
    is_cut: np.ndarray[Any, Any] | None
    pooling: str


def shared_features(start: Start, split: Split) -> Features | None:
    """Return the features of tokenized rows, None if each fold needs its own training.

    Each fold needs its own training if the task has its own Trainer, if no probe fits its labels,
    or if a row has several results that are not windows of one text.
    """
    task = start.task
    if task.head_init != "probe" or task.trainer_class is not Trainer:
        return None
    found = probe_features(start, split)
    return None if isinstance(found, str) else found


def probe_features(
    start: Start, split: Split, collect: Collect | None = None, pooling: str | None = None
) -> Features | str:
    """Return the features of tokenized rows, or why no probe can be fitted to them.

    Args:
        start: the task with the base model.
        split: the tokenized rows.
        collect: computes the features, None for ``collect_features``.
        pooling: the pooling, None for the task's option.
    """
    task, rows = start.task, split.dataset
    windows = windows_of_split(task, split)
    one_each = windows is None and len(rows) == len(split.frame)
    if not one_each and (windows is None or task.window_pooling == "max"):
        return "a text has several rows of results, which have no features of their own"
    model = _base_model(start)
    request = HeadRequest(
        folder=start.base,
        dataset=rows,
        collator=task.load_data_collator(),
        pooling=task.pooling if pooling is None else pooling,
        init="random",
        model_args=task.model_args,
        find_layer=True,
        windows=windows,
    )
    with quiet_transformers():
        head = prepare_head(model, request)
    names = label_names_of(model)
    if head.layer is None or head.kind is None or head.reason is not None:
        return head.reason or "the labels have no probe"
    targets = torch.as_tensor(rows["labels"][:])
    if head.kind == "single" and bool((targets < 0).any()):
        return "some rows have no label"
    if not _weights_fit(task, head.kind, names):
        return "the option class_weights does not suit the labels"
    collect_rows = partial(collect or collect_features, model, head.layer)
    features = collect_rows(rows, request.collator)
    if windows is not None:
        features = torch.from_numpy(windows.pooled(features.numpy()))
        targets = targets[windows.firsts()]
    examples = Examples(features, targets, head.kind, head.layer.out_features)
    examples = with_row_targets(examples, rows, windows=windows)
    texts = label_texts(task, start.tokenizer, names, model_columns(rows))
    described = text_examples(texts, examples, lambda each: collect_rows(each, request.collator))
    sample = _weighted(task, examples.select(_sample(torch.arange(len(examples)))), names)
    judge = texts is None or not texts.certain
    probe = fit_probe(sample, described, judge_extra=judge, fine_tune=False)
    return Features(
        examples,
        described if probe.extra else None,
        probe.C,
        names,
        windows is not None,
        None if split.cut is None else np.asarray(split.cut, dtype=bool),
        head.pooling,
    )


def _base_model(start: Start) -> PreTrainedModel:
    """Return the base model on its device, in full precision."""
    model = load_base_model(start.task, start.base, start.tokenizer).float()
    on_cpu = trains_on_cpu(start.task.device, start.arguments)
    return model.to("cpu" if on_cpu else choose_device(start.task.device))


def _weights_fit(task: Task, kind: str, names: list[str]) -> bool:
    """Return whether ``class_weights`` fits the labels; if not, a training raises the reason."""
    if task.class_weights is None:
        return True
    return kind != "regression" and not unknown_labels("class_weights", task.class_weights, names)


def _weighted(task: Task, examples: Examples, names: list[str]) -> Examples:
    """Return examples with the label weights that the user asked for."""
    if task.class_weights is None:
        return examples
    targets = examples.targets.numpy()
    rows = examples.row_targets
    weights = label_weights(task.class_weights, targets, examples.kind, names, rows)
    return replace(examples, weights=weights)


def predict_with_probe(task: Task, features: Features, fold: Fold) -> Predicted:
    """Fit a probe to a fold's rows, and return the predictions of the rows that it holds out.

    Args:
        task: the task, whose decisions are set to the fold's.
        features: the features of all rows.
        fold: the rows to fit, to choose by and to hold out.
    """
    started = time.monotonic()
    train = features.examples.select(_sample(torch.from_numpy(fold.train)))
    kind = train.kind
    examples = _weighted(task, train, features.names).joined(features.described)
    head = fit_head(examples, features.C)

    def predicted(rows: np.ndarray[Any, Any], temperature: float) -> EvalPrediction:
        chosen = features.examples.select(torch.from_numpy(rows))
        scores = head(chosen.features).float() / temperature
        labels = chosen.targets if kind == "single" else chosen.targets.float()
        prediction = EvalPrediction(predictions=scores.numpy(), label_ids=labels.numpy())
        return with_targets(prediction, chosen.row_targets)

    temperature = 1.0
    if len(fold.eval):
        by = predicted(fold.eval, 1.0)
        rows = row_targets(by)
        found = calibrate(by.label_ids, by.predictions, kind, rows) if task.calibrate else None
        temperature = 1.0 if found is None else found.temperature
        with author_code(task, "fit_decisions"):
            task.fit_decisions(predicted(fold.eval, temperature))
    prediction = predicted(fold.held_out, temperature)
    loss = None if features.pooled else _loss(prediction, kind)
    cut = 0 if features.is_cut is None else int(features.is_cut[fold.held_out].sum())
    return Predicted(prediction, loss, cut, time.monotonic() - started)


def _sample(rows: Tensor) -> Tensor:
    """Return the rows, or a sample if there are very many."""
    if len(rows) <= MAX_PROBE_ROWS:
        return rows
    generator = torch.Generator().manual_seed(0)
    return rows[torch.randperm(len(rows), generator=generator)[:MAX_PROBE_ROWS].sort().values]


def _loss(prediction: EvalPrediction, kind: Any) -> float:
    """Return the mean loss as the model would report it."""
    scores, labels = map(torch.from_numpy, (prediction.predictions, prediction.label_ids))
    if kind == "regression":
        return float(functional.mse_loss(scores, labels.reshape(scores.shape)))
    return log_loss_of(prediction, kind)
