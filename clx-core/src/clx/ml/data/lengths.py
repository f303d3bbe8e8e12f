"""How many texts are cut to the input limit: counted exactly, at little cost."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

from clx.errors import TruncationWarning
from clx.ml.data.texts import apart
from clx.ml.data.windows import WHOLE, token_limit, truncates

if TYPE_CHECKING:
    from clx.ml.task.task import Task


def input_limit(task: Task) -> int | None:
    """Return the most tokens that the run's model is given, None when texts are not cut."""
    if not truncates(task.tokenize_args) or task.long_text == "window":
        return None
    if task.predict_args.get("stride") is not None:
        # The pipeline goes over the whole text, window by window.
        return None
    return token_limit(task)


def uncut_lengths(task: Task, texts: Sequence[str], cut: Sequence[int]) -> list[int]:
    """Return how many tokens each text has before anything is cut, special ones included.

    Args:
        task: whose tokenizer and limit count.
        texts: shape (rows,).
        cut: how many tokens of each the model is given, shape (rows,): only texts that fill the
            limit are tokenised again.
    """
    limit, lengths = input_limit(task), list(cut)
    if limit is None:
        return lengths
    full = [row for row, size in enumerate(cut) if size >= limit]
    for start in range(0, len(full), 1000):
        rows = full[start : start + 1000]
        encoded = task.tokenizer(
            [texts[row] for row in rows], truncation=False, padding=False, verbose=False
        )
        for row, ids in zip(rows, encoded["input_ids"], strict=True):
            lengths[row] = max(len(ids), lengths[row])
    return lengths


def cut_texts(task: Task, texts: Sequence[str]) -> list[bool]:
    """Return of each text whether it has more tokens than the limit.

    Special tokens count. A token is at least one character, so that only texts with that many
    characters have to be tokenised for this.
    """
    limit = input_limit(task)
    cut = [False] * len(texts)
    if limit is None:
        return cut
    special = task.tokenizer.num_special_tokens_to_add()
    candidates = [row for row, text in enumerate(texts) if len(text) > limit - special]
    for start in range(0, len(candidates), 1000):
        rows = candidates[start : start + 1000]
        some = apart([texts[row] for row in rows])
        encoded = task.tokenizer(*some, truncation=False, padding=False, verbose=False)
        for row, ids in zip(rows, encoded["input_ids"], strict=True):
            cut[row] = len(ids) > limit
    return cut


def warn_truncated(task: Task, count: int, rows: int, what: str) -> None:
    """Say how many texts were cut, when any was."""
    if count:
        warn_cut(input_limit(task), count, rows, what, stacklevel=4)


def warn_cut(limit: int | None, count: int, rows: int, what: str, stacklevel: int = 3) -> None:
    """Say how many texts were cut at ``limit`` tokens, when any was."""
    if count:
        warnings.warn(
            f"{count} of {rows} texts in {what} are longer than {limit} tokens and are "
            f"cut there (tokenize_args={{'max_length': …}} sets the limit). {WHOLE}",
            TruncationWarning,
            stacklevel=stacklevel,
        )
