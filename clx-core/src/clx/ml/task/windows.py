"""The options for texts that exceed the model's limit: truncate, refuse, or read in windows.

With ``long_text="window"`` a text becomes several windows of tokens. Each window begins with the last
tokens of the one before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clx.errors import ConfigError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

LONG_TEXT = ("truncate", "window")
WINDOW_POOLINGS = ("mean", "max", "length")

OVERLAP = 8
"""A window shares an eighth of its tokens with the one before, unless the user sets ``stride``."""

UNLIMITED = 1_000_000
"""A tokenizer without a limit of its own reports a number beyond any model's."""


@dataclass(frozen=True)
class Windows:
    """How to read texts window by window.

    Attributes:
        arguments: the arguments of the tokenizer's call.
        pooling: one of ``WINDOW_POOLINGS``.
    """

    arguments: dict[str, Any]
    pooling: str


def truncates(tokenize_args: Mapping[str, Any]) -> bool:
    """Return whether texts are cut at the limit, which is the default."""
    return tokenize_args.get("truncation", True) not in (False, None, "do_not_truncate")


def token_limit(tokenize_args: Mapping[str, Any], tokenizer: PreTrainedTokenizerBase) -> int | None:
    """Return the most tokens that the model takes at once, None if unknown."""
    limit = tokenize_args.get("max_length") or tokenizer.model_max_length
    return int(limit) if limit and limit < UNLIMITED else None


def windows_of(
    long_text: str,
    pooling: str,
    tokenize_args: Mapping[str, Any],
    tokenizer: PreTrainedTokenizerBase,
) -> Windows | None:
    """Return how to read texts window by window, None if they are truncated.

    Args:
        long_text: the option of that name.
        pooling: the option ``window_pooling``.
        tokenize_args: the option of that name.
        tokenizer: the run's tokenizer.

    Raises:
        ConfigError: the tokenizer is slow, or its limit has no room for windows that overlap.
    """
    if long_text != "window":
        return None
    if not getattr(tokenizer, "is_fast", False):
        raise ConfigError(
            f"long_text='window' needs a fast tokenizer, but {type(tokenizer).__name__} is slow"
        )
    # No padding, because it would count as text when windows are weighted by their tokens.
    arguments: dict[str, Any] = {"return_overflowing_tokens": True, "padding": False}
    limit = token_limit(tokenize_args, tokenizer)
    if limit is not None:
        room = limit - tokenizer.num_special_tokens_to_add()
        stride = tokenize_args.get("stride", max(0, room // OVERLAP))
        if stride >= room:
            raise ConfigError(
                f"tokenize_args: windows of {limit} tokens have room for {max(0, room)} tokens of a "
                f"text, so they cannot share {stride} (stride): raise max_length or lower stride"
            )
        arguments["stride"] = stride
    return Windows(arguments, pooling)
