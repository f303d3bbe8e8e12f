"""How long texts are and which of them are truncated: counted exactly, at little cost."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

from clx.errors import TruncationWarning
from clx.ml.task.windows import token_limit, truncates
from clx_runtime.callers import user_level
from clx_runtime.texts import split_pair
from clx_runtime.windows import READ_WHOLE

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

    from clx.ml.task.task import Task

AT_ONCE = 1000
"""Texts per call of the tokenizer."""


def input_lengths(dataset: Dataset) -> list[int] | None:
    """Return the number of tokens per row, None for a dataset without ``input_ids``."""
    import pyarrow.compute as pc

    if "input_ids" not in dataset.column_names:
        return None
    lengths: list[int] = pc.list_value_length(
        dataset.select_columns("input_ids").with_format("arrow")[:]["input_ids"]
    ).to_pylist()
    return lengths


def input_limit(task: Task, tokenizer: PreTrainedTokenizerBase) -> int | None:
    """Return the most tokens that the task's model reads, None if texts are not truncated."""
    if not truncates(task.tokenize_args) or task.long_text == "window":
        return None
    if task.predict_args.get("stride") is not None:
        # This pipeline reads the whole text, window by window.
        return None
    return token_limit(task.tokenize_args, tokenizer)


def uncut_lengths(
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    cut: Sequence[int],
    limit: int | None,
) -> list[int]:
    """Return how many tokens each text has before truncation, special tokens included.

    Args:
        tokenizer: the run's tokenizer.
        texts: shape (rows,).
        cut: the number of tokens of each text that the model reads, shape (rows,). Only texts that fill
            the limit are tokenized again.
        limit: the most tokens that the model reads, None if texts are not truncated.
    """
    lengths = list(cut)
    if limit is None:
        return lengths
    full = [row for row, size in enumerate(cut) if size >= limit]
    for start in range(0, len(full), AT_ONCE):
        rows = full[start : start + AT_ONCE]
        encoded = tokenizer(
            [texts[row] for row in rows], truncation=False, padding=False, verbose=False
        )
        for row, ids in zip(rows, encoded["input_ids"], strict=True):
            lengths[row] = max(len(ids), lengths[row])
    return lengths


def cut_texts(
    tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], limit: int | None
) -> list[bool]:
    """Return for each text whether it has more tokens than the limit.

    Special tokens count. A token is at least one character, so only texts with that many characters
    have to be tokenized.
    """
    cut = [False] * len(texts)
    if limit is None:
        return cut
    special = tokenizer.num_special_tokens_to_add()
    candidates = [row for row, text in enumerate(texts) if len(text) > limit - special]
    for start in range(0, len(candidates), AT_ONCE):
        rows = candidates[start : start + AT_ONCE]
        columns = split_pair([texts[row] for row in rows])
        encoded = tokenizer(*columns, truncation=False, padding=False, verbose=False)
        for row, ids in zip(rows, encoded["input_ids"], strict=True):
            cut[row] = len(ids) > limit
    return cut


def warn_truncated(limit: int | None, count: int, rows: int, what: str) -> None:
    """Warn how many texts were truncated at ``limit`` tokens, if any were."""
    if count:
        warnings.warn(
            f"{count} of {rows} texts in {what} are longer than {limit} tokens and are "
            f"cut there (tokenize_args={{'max_length': …}} sets the limit). {READ_WHOLE}",
            TruncationWarning,
            stacklevel=user_level(),
        )
