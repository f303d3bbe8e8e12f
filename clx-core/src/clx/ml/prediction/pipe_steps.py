"""The three steps of any Hugging Face pipeline, in batches of similar token counts.

A call of the pipeline on texts sorted by their number of characters would be simpler, but pads more.
Measured on 1,024 paragraphs of technical English, with the batches of a CPU: 1.3 padded tokens per token
when batches are formed by characters, 1.75 with batches of 32, and 1.01 when they are formed by the
exact token counts. The counts are known only after ``preprocess``, which is therefore a separate step
here. It also tokenizes each text just once.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from transformers import Pipeline
from transformers.pipelines.base import ChunkPipeline

from clx_runtime.batches import batches
from clx_runtime.forks import not_forked
from clx_runtime.objects import is_table


class StepArguments(NamedTuple):
    """The arguments of each step, as the pipeline's ``__call__`` interprets its own arguments."""

    preprocess: dict[str, Any]
    forward: dict[str, Any]
    postprocess: dict[str, Any]


@dataclass(frozen=True)
class Batching:
    """The rules for forming batches.

    Attributes:
        device: the kind of device, such as ``cpu`` or ``cuda``.
        size: rows per batch. None fills the token budget of the device.
        equal: whether the rows of a batch must have equal lengths.
    """

    device: str
    size: int | None
    equal: bool = False

    def of(self, lengths: list[int]) -> Iterator[list[int]]:
        """Yield the positions of the rows of each batch, longest first."""
        return batches(lengths, self.device, self.size, equal=self.equal)


def run_steps(pipe: Any, inputs: list[Any], call: StepArguments, batching: Batching) -> list[Any]:
    """Return the pipeline's output for each input, in order.

    ``preprocess`` runs for all inputs first. Their rows then go through the pipeline's own
    ``get_iterator``, which pads and splits batches, one batch per call.
    """
    makes_chunks = isinstance(pipe, ChunkPipeline)
    rows: list[Any] = [pipe.preprocess(each, **call.preprocess) for each in inputs]
    if makes_chunks:
        # Several rows per input, such as the overlapping parts of a long text.
        rows = [list(chunks) for chunks in rows]
        lengths = [max(map(_length, chunks), default=0) for chunks in rows]
    else:
        lengths = [_length(row) for row in rows]
    preprocessed: Any = copy.copy(pipe)
    preprocessed.preprocess = iter if makes_chunks else _unchanged
    stock = ChunkPipeline if makes_chunks else Pipeline
    arguments = StepArguments({}, call.forward, call.postprocess)
    outputs: list[Any] = [None] * len(inputs)
    # torch's DataLoader, which get_iterator uses, draws a seed from the caller's generator.
    with torch.random.fork_rng(devices=[]):
        for batch in batching.of(lengths):
            some = [rows[position] for position in batch]
            # The chunks of one input may differ in length, and the outputs for a batch of tables
            # cannot be told apart.
            alone = batching.equal if makes_chunks else any(map(_has_table, some))
            size = 1 if alone else len(batch)
            with not_forked():
                computed = stock.get_iterator(preprocessed, some, 0, size, *arguments)
                for position, output in zip(batch, computed, strict=True):
                    outputs[position] = output
    return outputs


def _unchanged(row: Any) -> Any:
    return row


def _has_table(row: Any) -> bool:
    return hasattr(row, "values") and any(is_table(value) for value in row.values())


def _length(row: Any) -> int:
    """Return the tokens of a row of model inputs, 0 if it has no token ids."""
    ids = row.get("input_ids") if hasattr(row, "get") else None
    shape = getattr(ids, "shape", None)
    return int(shape[-1]) if shape else 0
