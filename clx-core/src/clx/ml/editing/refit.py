"""A new last layer for merged labels, fitted to the frozen features of a trained model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import EvalPrediction

from clx.errors import DataFormatError, ModelError
from clx.ml.data.splits import windows_of_split
from clx.ml.editing.groups import Merging
from clx.ml.evaluation.evaluate import Predicted, pool_windows
from clx.ml.labels import label_maps
from clx.ml.model.head.calibration import Calibration, calibrate, log_loss
from clx.ml.model.head.class_weights import label_weights
from clx.ml.model.head.fit_probe import Probe, fit_probe
from clx.ml.model.head.layer import (
    collect_features,
    divide_head,
    find_head,
    first_rows,
    set_head,
)
from clx.ml.model.head.probe import Examples, Kind
from clx.problems import names

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from clx.ml.data.splits import Split
    from clx.ml.task.task import Task

SAMPLE = 16
"""The number of rows whose scores are compared with those of the saved model."""


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
        calibration: the temperature in the layer, None if there is none.
        eval: the predictions of the eval rows, None without eval rows.
        sample: the scores of the first training rows, to compare with the saved model's.
    """

    model: PreTrainedModel
    probe: Probe
    calibration: Calibration | None
    eval: Predicted | None
    sample: Tensor


def head_to_refit(task: Task, model: PreTrainedModel, split: Split) -> tuple[nn.Linear, Kind]:
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
            f"The labels of the task {task.name!r} cannot be merged: its rows do not have one label "
            f"or several labels each"
        )
    return layer, kind


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
    if targets.ndim == 1:
        new = torch.tensor(ids)[targets.long().clamp(min=0)]
        return Encoded(split, features, torch.where(targets < 0, targets.long(), new))
    merged = torch.zeros(len(targets), labels, dtype=targets.dtype)
    for old, at in enumerate(ids):
        merged[:, at] = torch.maximum(merged[:, at], targets[:, old])
    return Encoded(split, features, merged)


def refit(
    task: Task,
    model: PreTrainedModel,
    layer: nn.Linear,
    kind: Kind,
    rows: dict[str, Encoded],
    merging: Merging,
) -> Refitted:
    """Fit a new last layer to rows, calibrate it, and put it into the model.

    Args:
        task: the run, with the new label names.
        model: its model.
        layer: the model's last layer.
        kind: the kind of its labels.
        rows: the rows ``train`` and, if there are any, ``eval``.
        merging: the labels.
    """
    train = rows["train"]
    examples = _examples(task, train, kind, merging)
    probe = fit_probe(examples, None, judge_extra=False, fine_tune=False)
    evaluated, found = rows.get("eval"), None
    prediction = None if evaluated is None else _prediction(task, probe, evaluated, kind)
    if prediction is not None and task.calibrate:
        found = calibrate(prediction.label_ids, prediction.predictions, kind)
    temperature = 1.0 if found is None else found.temperature
    predicted = None
    if evaluated is not None and prediction is not None:
        scaled = prediction.predictions / temperature
        scores, labels = torch.from_numpy(scaled), torch.from_numpy(prediction.label_ids)
        windowed = windows_of_split(task, evaluated.split) is not None
        predicted = Predicted(
            EvalPrediction(predictions=scaled, label_ids=prediction.label_ids),
            None if windowed else log_loss(scores, labels, kind),
            evaluated.split.truncated,
            0.0,
        )
    fresh = _replace_layer(model, layer, merging)
    set_head(fresh, probe.head)
    divide_head(fresh, temperature)
    sample = probe.head(train.features[:SAMPLE]).float() / temperature
    return Refitted(model, probe, found, predicted, sample)


def _examples(task: Task, rows: Encoded, kind: Kind, merging: Merging) -> Examples:
    windows = windows_of_split(task, rows.split)
    features, targets = rows.features, rows.targets
    if windows is not None and task.window_pooling != "max":
        features = torch.from_numpy(windows.pooled(features.numpy()))
        targets = targets[torch.from_numpy(windows.firsts())]
    if kind == "single":
        features, targets = features[targets >= 0], targets[targets >= 0]
    examples = Examples(features, targets, kind, len(merging.new))
    _refuse_missing(examples, merging)
    if task.class_weights is None:
        return examples
    weights = label_weights(task.class_weights, targets.numpy(), kind, merging.new)
    return replace(examples, weights=weights)


def _refuse_missing(examples: Examples, merging: Merging) -> None:
    """Refuse data without a row of some label, which the new layer could not know."""
    targets = examples.targets
    if examples.kind == "single":
        counts = torch.bincount(targets, minlength=examples.outputs)
    else:
        counts = (targets > 0).sum(dim=0)
    missing = [name for name, count in zip(merging.new, counts.tolist(), strict=True) if not count]
    if missing:
        raise DataFormatError(
            f"The data has no row of {names(map(repr, missing))}: the last layer is fitted again for "
            f"all labels, so the data must have rows of each"
        )


def _prediction(task: Task, probe: Probe, rows: Encoded, kind: Kind) -> EvalPrediction:
    labels: np.ndarray[Any, Any] = rows.targets.numpy()
    prediction = EvalPrediction(
        predictions=probe.head(rows.features).float().numpy(),
        label_ids=labels if kind == "single" else labels.astype(np.float32),
    )
    return pool_windows(task, rows.split, prediction)


def _replace_layer(model: PreTrainedModel, layer: nn.Linear, merging: Merging) -> nn.Linear:
    """Put a new layer for the new labels into the place of the last layer."""
    name = next(name for name, module in model.named_modules() if module is layer)
    parent, _, own = name.rpartition(".")
    fresh = nn.Linear(layer.in_features, len(merging.new)).to(layer.weight)
    setattr(model.get_submodule(parent), own, fresh)
    for key, value in label_maps(list(merging.new)).items():
        setattr(model.config, key, value)
    if hasattr(model, "num_labels"):
        model.num_labels = len(merging.new)
    return fresh
