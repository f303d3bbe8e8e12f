"""Find the linear layer that computes a model's scores, collect its inputs, and set its weights.

The layer is found by what it does: its output is the model's logits. A forward pre-hook collects its
inputs. Both work for any class of model.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from clx.ml.data.equal_lengths import needs_equal_lengths
from clx.ml.data.lengths import input_lengths
from clx.ml.data.row_targets import TARGET_COLUMNS
from clx.ml.machine.memory import memory_for_features
from clx.ml.model.head.probe import Kind, LinearHead
from clx_runtime.batches import batches

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedModel

    from clx.ml.model.head.request import Collator

BATCH_ROWS = 32
"""Rows per batch if their lengths are not known."""

MOST_TOKENS = 4096
"""The most tokens, with padding, in a batch of several rows.

This is half of a training batch of 16 texts with 512 tokens each.
"""


def find_head(model: PreTrainedModel, batch: dict[str, Tensor]) -> nn.Linear | None:
    """Return the linear layer with a bias whose output is the model's logits, one vector per row.

    Returns:
        None if there is no such layer, as in a model that scores tokens.
    """
    outputs: list[tuple[nn.Linear, Tensor]] = []
    candidates = [
        module
        for module in model.modules()
        if isinstance(module, nn.Linear) and module.bias is not None
    ]
    handles = [
        module.register_forward_hook(lambda m, _, output: outputs.append((m, output)))
        for module in candidates
    ]
    try:
        with evaluating(model):
            logits = getattr(model(**batch), "logits", None)
    finally:
        for handle in handles:
            handle.remove()
    if not isinstance(logits, Tensor) or logits.ndim != 2:
        return None
    for module, output in reversed(outputs):
        if output.shape == logits.shape and torch.equal(output, logits):
            return module
    return None


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Turn off gradients and everything random, such as dropout, until the block ends."""
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(training)


def model_columns(dataset: Dataset) -> list[str]:
    """Return the columns of a tokenized dataset that the model reads: all but the labels."""
    of_loss = ("labels", "label", *TARGET_COLUMNS)
    return [name for name in dataset.column_names if name not in of_loss]


def model_batches(
    model: PreTrainedModel, dataset: Dataset, collator: Collator
) -> Iterator[tuple[list[int], dict[str, Tensor]]]:
    """Yield row numbers and the model's inputs for these rows, longest rows first."""
    device = model.device
    lengths = input_lengths(dataset)
    chosen: Iterable[list[int]]
    if lengths is None:
        every = range(len(dataset))
        chosen = (list(every[start : start + BATCH_ROWS]) for start in every[::BATCH_ROWS])
    else:
        equal = needs_equal_lengths(model)
        chosen = batches(lengths, device.type, most_tokens=MOST_TOKENS, equal=equal)
    inputs = dataset.select_columns(model_columns(dataset))
    for rows in chosen:
        yield rows, _model_inputs(inputs, rows, collator, device)


def first_rows(model: PreTrainedModel, dataset: Dataset, collator: Collator) -> dict[str, Tensor]:
    """Return the model's inputs for the first rows of a dataset."""
    inputs = dataset.select_columns(model_columns(dataset))
    # Given a single row, some models drop the dimension of rows.
    return _model_inputs(inputs, range(min(2, len(dataset))), collator, model.device)


def _model_inputs(
    inputs: Dataset, rows: Iterable[int], collator: Collator, device: torch.device
) -> dict[str, Tensor]:
    batch = collator([inputs[row] for row in rows])
    return {key: value.to(device) for key, value in batch.items()}


def collect_features(
    model: PreTrainedModel, head: nn.Linear, dataset: Dataset, collator: Collator
) -> Tensor:
    """Return the head's input for each row, shape (rows, features), in the dataset's order.

    Raises:
        OutOfMemoryError: a batch does not fit into memory.
    """
    features = torch.empty(len(dataset), head.in_features)
    caught: list[Tensor] = []
    handle = head.register_forward_pre_hook(lambda _, args: caught.append(args[0]))
    try:
        with memory_for_features(), evaluating(model):
            for rows, batch in model_batches(model, dataset, collator):
                model(**batch)
                features[rows] = caught.pop().float().cpu()
                caught.clear()
    finally:
        handle.remove()
    return features


def token_features(
    model: PreTrainedModel, head: nn.Linear, dataset: Dataset, collator: Collator
) -> dict[str, Tensor]:
    """Return each row's features by the poolings ``mean``, ``cls`` and ``model``, from one pass.

    Raises:
        OutOfMemoryError: a batch does not fit into memory.
    """
    found = {"model": torch.empty(len(dataset), head.in_features)}
    caught: list[Tensor] = []
    hidden: list[Tensor] = []
    handles = [
        head.register_forward_pre_hook(lambda _, args: caught.append(args[0])),
        model.base_model.register_forward_hook(lambda _, __, output: hidden.append(output[0])),
    ]
    try:
        with memory_for_features(), evaluating(model):
            for rows, batch in model_batches(model, dataset, collator):
                model(**batch)
                tokens, mask = hidden.pop(), batch["attention_mask"].unsqueeze(-1)
                mean = (tokens * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1)
                for name, values in (
                    ("model", caught.pop()),
                    ("mean", nn.functional.layer_norm(mean, mean.shape[-1:])),
                    ("cls", tokens[:, 0]),
                ):
                    table = found.setdefault(name, torch.empty(len(dataset), values.shape[1]))
                    table[rows] = values.float().cpu()
    finally:
        for handle in handles:
            handle.remove()
    return found


def label_kind_of(model: PreTrainedModel, dataset: Dataset) -> Kind | None:
    """Return the kind of labels that the model's own loss takes, None if a probe cannot fit them.

    Args:
        model: the model, whose config says what it predicts.
        dataset: tokenized rows, with ``labels``.
    """
    problem = model.config.problem_type
    outputs = model.config.num_labels
    labels = dataset["labels"][:] if "labels" in dataset.column_names else []
    if not len(labels):
        return None
    values = torch.as_tensor(labels) if _is_plain(labels) else None
    if values is None or values.ndim > 2 or (values.ndim == 2 and values.shape[1] != outputs):
        return None
    if problem is None:
        whole = not values.is_floating_point()
        problem = "regression" if outputs == 1 else f"{'single' if whole else 'multi'}_label_"
    kind: Kind = (
        "regression" if problem == "regression" else "multi" if "multi" in problem else "single"
    )
    if (kind == "single" and (values.ndim != 1 or values.is_floating_point())) or (
        kind == "multi" and values.ndim != 2
    ):
        return None
    return kind


def _is_plain(labels: Sequence[Any]) -> bool:
    """Return whether the labels are numbers, or lists of numbers that all have the same length."""
    first = labels[0]
    if isinstance(first, int | float):
        return all(isinstance(label, int | float) for label in labels)
    return isinstance(first, list) and all(
        isinstance(row, list)
        and len(row) == len(first)
        and all(isinstance(value, int | float) for value in row)
        for row in labels
    )


@torch.no_grad()
def set_head(linear: nn.Linear, head: LinearHead) -> None:
    """Write a fitted head into the model's layer."""
    linear.weight.copy_(head.weight.to(linear.weight))
    linear.bias.copy_(head.bias.to(linear.bias))


@torch.no_grad()
def divide_head(linear: nn.Linear, temperature: Any) -> None:
    """Divide the head's scores by a temperature, or by a temperature per output."""
    divisor = torch.as_tensor(temperature, dtype=linear.weight.dtype, device=linear.weight.device)
    linear.weight.div_(divisor.reshape(-1, 1))
    linear.bias.div_(divisor.reshape(-1))
