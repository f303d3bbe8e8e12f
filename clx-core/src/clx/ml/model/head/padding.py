"""Measure how texts of different lengths can share a batch without changing each other's scores.

Most models ignore padding on one side. Padding on the left shifts position ids that count from the
left, but a model that reads its last token needs it there. Some models cannot be padded on either
side: they take no mask (FNet), or look across the end of a text (ConvBERT). clx measures this
property instead of relying on the model's name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch

from clx.ml.data.equal_lengths import BATCHING, EQUAL_LENGTHS, needs_equal_lengths
from clx.ml.data.lengths import input_lengths
from clx.ml.data.no_tokens import stand_in
from clx.ml.model.head.layer import evaluating, model_columns

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from clx.ml.model.head.request import Collator

Row = dict[str, Any]

TOLERANCE = 5e-5
"""The largest difference, as a share of the largest logit, that rounding explains in fp32."""

ROUNDINGS = 16
"""The same for types of half the precision, in units of their precision."""

REPEATED = 16
"""How often a row is in the batches that show whether a collator is random."""


def settle_padding(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    dataset: Dataset,
    collator: Collator,
) -> None:
    """Choose the padding side, or batches of equal lengths if padding changes scores on both sides.

    The side is stored in the tokenizer and the need for equal lengths in the model's config,
    because both are saved. Nothing changes for a model whose scores cannot be compared.

    Args:
        model: the model, before or after training.
        tokenizer: the tokenizer that the collator pads with.
        dataset: tokenized rows.
        collator: combines rows into a batch.
    """
    given = tokenizer.padding_side
    short, long = _rows_to_compare(tokenizer, dataset)
    if long is None:
        return
    collator = _repeatable(collator, tokenizer, long)
    other = "left" if given == "right" else "right"
    padding_changes_scores = True
    for side in (given, other):
        _pad_on(tokenizer, side)
        try:
            padding_changes_scores = any(
                _differs(model, row, long, collator, side) for row in short
            )
        except Exception:
            # Whatever the error is, the training raises it too, with its own message.
            _pad_on(tokenizer, given)
            return
        if not padding_changes_scores:
            break
    if padding_changes_scores:
        _pad_on(tokenizer, given)
        setattr(model.config, BATCHING, EQUAL_LENGTHS)
    elif hasattr(model.config, BATCHING):
        # The base model may be one that clx has trained, perhaps with another tokenizer.
        delattr(model.config, BATCHING)


def batched_alike(model: PreTrainedModel, measured: PreTrainedModel) -> None:
    """Batch a model's texts like those of another model that was measured."""
    if needs_equal_lengths(measured):
        setattr(model.config, BATCHING, EQUAL_LENGTHS)


def _repeatable(collator: Collator, tokenizer: PreTrainedTokenizerBase, row: Row) -> Collator:
    """Return the collator, or one that only pads for one that is random, such as masking tokens.

    A random change of a row would be taken for an effect of its padding.
    """
    try:
        one, two = (collator([dict(row) for _ in range(REPEATED)]) for _ in range(2))
        if all(torch.equal(one[name], two[name]) for name in one):
            return collator
    except Exception:
        # Whatever the error is, the training raises it too, with its own message.
        return collator
    from transformers import DataCollatorWithPadding

    padding: Collator = DataCollatorWithPadding(tokenizer)
    return padding


def _pad_on(tokenizer: PreTrainedTokenizerBase, side: str) -> None:
    tokenizer.padding_side = tokenizer.init_kwargs["padding_side"] = side


def _rows_to_compare(
    tokenizer: PreTrainedTokenizerBase, dataset: Dataset
) -> tuple[list[Row], Row | None]:
    """Return short rows and a long row to batch each of them with; None for rows without tokens."""
    lengths = input_lengths(dataset) if len(dataset) else None
    if lengths is None:
        return [], None
    inputs = dataset.select_columns(model_columns(dataset))
    order = sorted(range(len(lengths)), key=lambda row: lengths[row])
    long, short = inputs[order[-1]], [inputs[order[0]], inputs[order[len(order) // 2]]]
    short = [row for row in short if len(row["input_ids"]) < len(long["input_ids"])]
    if not short:
        short, long = _unequal(long)
    if not tokenizer.num_special_tokens_to_add():
        short.append(
            {**_resized(long, lambda values: values[:1]), "input_ids": [stand_in(tokenizer)]}
        )
    return short, long


def _unequal(row: Row) -> tuple[list[Row], Row]:
    """Return a shorter row and a longer row, both made from a row."""
    if len(row["input_ids"]) > 3:
        return [_resized(row, lambda values: values[:2] + values[-1:])], row
    return [row], _resized(row, lambda values: values[:1] + values[:-1][-1:] * 3 + values[1:])


def _resized(row: Row, change: Callable[[list[Any]], list[Any]]) -> Row:
    """Return a row with the same change in all columns that have one value per token."""
    tokens = len(row["input_ids"])
    return {
        name: change(value) if isinstance(value, list) and len(value) == tokens else value
        for name, value in row.items()
    }


def _differs(model: PreTrainedModel, row: Row, long: Row, collator: Collator, side: str) -> bool:
    """Return whether padding to the length of another row changes a row's scores."""
    # Given a single row, some models drop the dimension of rows.
    alone, padded = (_logits(model, rows, collator)[0] for rows in ([row, row], [row, long]))
    if alone.shape != padded.shape:
        # A score for each token.
        tokens = len(alone)
        padded = padded[:tokens] if side == "right" else padded[len(padded) - tokens :]
    tolerance = max(
        TOLERANCE, ROUNDINGS * torch.finfo(model.dtype).eps * (model.dtype.itemsize < 4)
    )
    largest = float(alone.abs().max())
    return not float((alone - padded).abs().max()) <= tolerance * largest


def _logits(model: PreTrainedModel, rows: list[Row], collator: Collator) -> torch.Tensor:
    batch = collator([dict(row) for row in rows])
    with evaluating(model):
        output = model(**{name: value.to(model.device) for name, value in batch.items()})
    logits: torch.Tensor = output.logits.float()
    return logits
