"""A new last layer for merged labels, fitted to the frozen features of a trained model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import EvalPrediction

from clx.errors import DataFormatError, ModelError
from clx.ml.data.row_targets import dataset_targets, row_targets
from clx.ml.data.splits import windows_of_split
from clx.ml.editing.groups import Merging
from clx.ml.editing.merged_targets import merged_values, with_merged_probabilities
from clx.ml.evaluation.evaluate import Predicted, pool_windows
from clx.ml.evaluation.row_targets import log_loss_of, with_scores
from clx.ml.labels import label_maps
from clx.ml.model.head.calibration import Calibration, calibrate
from clx.ml.model.head.class_weights import label_weights
from clx.ml.model.head.fit_probe import Probe, fit_probe
from clx.ml.model.head.label_texts import LabelTexts, text_examples
from clx.ml.model.head.layer import (
    collect_features,
    divide_head,
    find_head,
    first_rows,
    set_head,
)
from clx.ml.model.head.probe import Examples, Kind
from clx.ml.model.head.row_targets import with_row_targets
from clx.problems import names

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from clx.ml.data.splits import Split
    from clx.ml.task.task import Task


@dataclass(frozen=True)
class Encoded:
    """Rows as the last layer reads them.

    Attributes:
        split: the tokenized rows.
        features: shape (rows of the dataset, features).
        targets: with the new labels: ids, shape (rows of the dataset,), or 0 and 1, shape (rows of
            the dataset, labels).
    """

    split: Split
    features: Tensor
    targets: Tensor


@dataclass(frozen=True)
class Refitted:
    """A model with a new last layer.

    Attributes:
        model: the model, which was changed in place.
        probe: how the layer was fitted.
        calibration: the temperature in the layer, None without calibration.
        eval: the predictions of the eval rows, None without eval rows.
        counts: for each split, the number of texts per label.
    """

    model: PreTrainedModel
    probe: Probe
    calibration: Calibration | None
    eval: Predicted | None
    counts: dict[str, dict[str, int]]


@dataclass(frozen=True)
class LastLayer:
    """The last layer of a model.

    Attributes:
        layer: the layer.
        kind: the kind of its labels.
    """

    layer: nn.Linear
    kind: Kind


def head_to_refit(task: Task, model: PreTrainedModel, split: Split) -> LastLayer:
    """Return the last layer of a model, and the kind of its labels.

    Raises:
        ModelError: no linear layer scores the labels, so it cannot be fitted again.
    """
    collator = task.load_data_collator()
    layer = find_head(model, first_rows(model, split.dataset, collator))
    if layer is None:
        raise ModelError(
            f"The labels of the task {task.name!r} cannot be merged: no linear layer with a bias "
            f"computes the scores of {type(model).__name__}. Change the labels in the data, and train"
        )
    kind = _kind(model, split)
    if kind is None:
        raise ModelError(
            f"The labels of the task {task.name!r} cannot be merged: its rows have neither one label "
            f"nor a list of labels each"
        )
    return LastLayer(layer, kind)


def _kind(model: PreTrainedModel, split: Split) -> Kind | None:
    """Return the kind of the labels, whose number may differ from that of the model's outputs."""
    targets = np.asarray(split.dataset["labels"][:])
    if model.config.problem_type == "regression":
        return None
    if targets.ndim == 1 and targets.dtype.kind in "iu":
        return "single"
    return "multi" if targets.ndim == 2 and targets.dtype.kind in "iufb" else None


def encoded(
    task: Task, model: PreTrainedModel, layer: nn.Linear, split: Split, ids: list[int], labels: int
) -> Encoded:
    """Return the features and the new targets of tokenized rows.

    Args:
        task: the run.
        model: its model.
        layer: the model's last layer.
        split: the rows, with the labels that ``ids`` maps.
        ids: the new id of each label of the rows.
        labels: the number of new labels.
    """
    features = collect_features(model, layer, split.dataset, task.load_data_collator())
    targets = torch.as_tensor(split.dataset["labels"][:])
    split = with_merged_probabilities(split, ids, labels, sums=targets.ndim == 1)
    merged = dataset_targets(split.dataset).probabilities
    if targets.ndim == 1 and merged is not None:
        return Encoded(split, features, torch.from_numpy(merged).argmax(dim=1))
    if targets.ndim == 1:
        new = torch.tensor(ids)[targets.long().clamp(min=0)]
        return Encoded(split, features, torch.where(targets < 0, targets.long(), new))
    return Encoded(split, features, merged_values(targets, ids, labels, sums=False))


def refit(
    task: Task,
    model: PreTrainedModel,
    head: LastLayer,
    rows: dict[str, Encoded],
    merging: Merging,
    texts: LabelTexts | None,
) -> Refitted:
    """Fit a new last layer to rows, calibrate it, and put it into the model.

    Args:
        task: the run, with the new label names.
        model: its model.
        head: its last layer.
        rows: the rows ``train`` and, if there are any, ``eval``.
        merging: the labels.
        texts: the texts that describe the new labels.
    """
    train = rows["train"]
    counts = {name: _counts(task, each, merging) for name, each in rows.items()}
    _refuse_missing(counts["train"], texts, merging)
    kind, collator = head.kind, task.load_data_collator()
    examples = _examples(task, train, kind, merging)
    collect = partial(collect_features, model, head.layer, collator=collator)
    described = text_examples(texts, examples, collect)
    judge = texts is not None and not texts.certain
    probe = fit_probe(examples, described, judge_extra=judge, fine_tune=False)
    fresh = _replace_layer(model, head.layer, merging)
    set_head(fresh, probe.head)
    evaluated, found, predicted = rows.get("eval"), None, None
    if evaluated is not None:
        prediction = _prediction(task, fresh, evaluated, kind)
        if task.calibrate:
            targets = row_targets(prediction)
            found = calibrate(prediction.label_ids, prediction.predictions, kind, targets)
        temperature = 1.0 if found is None else found.temperature
        divide_head(fresh, temperature)
        predicted = _predicted(task, evaluated, prediction, temperature, kind)
    return Refitted(model, probe, found, predicted, counts)


def _predicted(
    task: Task, rows: Encoded, prediction: EvalPrediction, temperature: float, kind: Kind
) -> Predicted:
    """Return the predictions of the calibrated model with the loss that it would report."""
    calibrated = with_scores(prediction, prediction.predictions / temperature)
    loss = None
    # The Trainer's loss would be the mean over windows, not over texts.
    if windows_of_split(task, rows.split) is None:
        loss = log_loss_of(calibrated, kind)
    return Predicted(calibrated, loss, rows.split.truncated, 0.0)


def _examples(task: Task, rows: Encoded, kind: Kind, merging: Merging) -> Examples:
    windows = windows_of_split(task, rows.split)
    features, targets = rows.features, rows.targets
    windows = None if task.window_pooling == "max" else windows
    if windows is not None:
        features = torch.from_numpy(windows.pooled(features.numpy()))
        targets = targets[torch.from_numpy(windows.firsts())]
    examples = Examples(features, targets, kind, len(merging.new))
    examples = with_row_targets(examples, rows.split.dataset, windows=windows)
    if kind == "single":
        examples = examples.select(targets >= 0)
    if task.class_weights is None:
        return examples
    labels, counted = examples.targets.numpy(), examples.row_targets
    weights = label_weights(task.class_weights, labels, kind, merging.new, counted)
    return replace(examples, weights=weights)


def _counts(task: Task, rows: Encoded, merging: Merging) -> dict[str, int]:
    """Return the number of texts per label."""
    windows, targets = windows_of_split(task, rows.split), rows.targets
    if windows is not None:
        targets = targets[torch.from_numpy(windows.firsts())]
    if targets.ndim == 1:
        counts = torch.bincount(targets[targets >= 0], minlength=len(merging.new))
    else:
        counts = (targets > 0).sum(dim=0)
    return dict(zip(merging.new, counts.tolist(), strict=True))


def _refuse_missing(counts: dict[str, int], texts: LabelTexts | None, merging: Merging) -> None:
    """Refuse data without rows of a label that the user's label_texts do not describe either."""
    described = set(texts.labels.tolist()) if texts is not None and texts.certain else set()
    missing = [
        repr(name)
        for number, name in enumerate(merging.new)
        if not counts[name] and number not in described
    ]
    if missing:
        raise DataFormatError(
            f"The data has no row of {names(missing)}: the last layer is fitted again for all labels, "
            f"so the data must have rows of each label that label_texts does not describe"
        )


@torch.no_grad()
def _prediction(task: Task, layer: nn.Linear, rows: Encoded, kind: Kind) -> EvalPrediction:
    """Return the layer's scores of rows, one per text."""
    # Use the layer's own numbers: those of a steep probe differ in the last digits.
    scores = rows.features @ layer.weight.float().cpu().T + layer.bias.float().cpu()
    labels: np.ndarray[Any, Any] = rows.targets.numpy()
    prediction = EvalPrediction(
        predictions=scores.numpy(),
        label_ids=labels if kind == "single" else labels.astype(np.float32),
    )
    return pool_windows(task, rows.split, prediction)


def _replace_layer(model: PreTrainedModel, layer: nn.Linear, merging: Merging) -> nn.Linear:
    """Replace the last layer by one for the new labels."""
    name = next(name for name, module in model.named_modules() if module is layer)
    parent, _, own = name.rpartition(".")
    fresh = nn.Linear(layer.in_features, len(merging.new)).to(layer.weight)
    setattr(model.get_submodule(parent), own, fresh)
    for key, value in label_maps(list(merging.new)).items():
        setattr(model.config, key, value)
    if hasattr(model, "num_labels"):
        model.num_labels = len(merging.new)
    return fresh
