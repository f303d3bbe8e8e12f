"""Models whose scores depend on padding: the texts of their batches must have equal lengths."""

from __future__ import annotations

from typing import Any

BATCHING = "clx_batching"
"""The key in a model's config that says how its texts must be batched."""

EQUAL_LENGTHS = "equal_lengths"
"""The value for a model in which padding changes a text's score, whatever its side."""


def needs_equal_lengths(model: Any) -> bool:
    """Return whether all texts of a batch must have the same number of tokens, as training measured."""
    return getattr(getattr(model, "config", None), BATCHING, None) == EQUAL_LENGTHS
