"""Texts without tokens: empty ones, or ones in a script that the vocabulary lacks.

A tokenizer that adds special tokens returns at least those for any text. A tokenizer that adds none
returns no tokens for such a text, and a model cannot read an empty input. The text then gets a
single token that stands in for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_SPECIAL = ("bos", "cls", "eos", "sep", "unk", "pad")

_VALUES: dict[str, Any] = {
    "input_ids": None,
    "attention_mask": 1,
    "token_type_ids": 0,
    "special_tokens_mask": 1,
    "offset_mapping": (0, 0),
    "labels": -100,
}
"""Maps each column with one value per token to the stand-in's value; None means the token itself."""


def stand_in(tokenizer: PreTrainedTokenizerBase) -> int:
    """Return the token that stands in for a text without tokens.

    It is a special token, and the padding token only if there is no other: some models look for the
    last token that is not padding.
    """
    named = [getattr(tokenizer, f"{name}_token_id", None) for name in _SPECIAL]
    found: list[int] = [token for token in named if token is not None] or [0]
    return next((token for token in found if token != tokenizer.pad_token_id), found[0])


def with_tokens(encoded: Any, token: int) -> Any:
    """Change the output of a tokenizer in place and return it: each text has at least one token.

    Args:
        encoded: a mapping of lists for one text or for several, or of torch tensors.
        token: the token for texts that have none.
    """
    ids: Any = encoded.get("input_ids") if hasattr(encoded, "get") else None
    # One value per token: anything else in these columns belongs to a task.
    columns = [name for name in _VALUES if name in encoded] if ids is not None else []
    if hasattr(ids, "new_full"):
        if ids.ndim == 2 and ids.shape[1] == 0:
            for name in columns:
                encoded[name] = _one_column(len(ids), _value(name, token))
    elif isinstance(ids, list):
        empty = [row for row, tokens in enumerate(ids) if isinstance(tokens, list) and not tokens]
        for name in columns:
            value, values = _value(name, token), encoded[name]
            if not ids and values == []:
                encoded[name] = [value]
            for row in empty:
                if isinstance(values, list) and values[row] == []:
                    values[row] = [value]
    return encoded


def _value(name: str, token: int) -> Any:
    value = _VALUES[name]
    return token if value is None else value


def _one_column(rows: int, value: Any) -> Any:
    """Return a tensor that has the value, a number or a pair of numbers, once per row."""
    import torch

    one = torch.as_tensor(value)
    return one.expand(rows, 1, *one.shape).clone()
