"""What a tokenizer's own calls say of its texts: how many tokens, and which texts were cut.

Nothing is tokenised for it a second time: a fast tokenizer keeps what it cuts off.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class TokenCounts:
    """What was seen of the texts that a tokenizer was called with, in the order of the calls.

    Attributes:
        lengths: tokens of each text before anything was cut, special ones counted; None where
            that cannot be told (a cut pair of texts).
        cut: whether each text was cut.
        complete: whether everything could be seen; a slow tokenizer does not say what it cuts.
    """

    def __init__(self) -> None:
        self.lengths: list[int | None] = []
        self.cut: list[bool] = []
        self.complete = True

    def clear(self) -> None:
        """Forget what was seen, for the next texts."""
        self.__init__()  # type: ignore[misc]

    def add(self, tokenizer: Any, encoded: Any) -> None:
        """Look at what one call returned."""
        encodings = getattr(encoded, "encodings", None)
        if encodings is None:
            self.complete = False
            return
        kept = encoded.get("overflow_to_sample_mapping")
        if kept is not None:
            # The caller asked for the rest of long texts as rows of their own: nothing is lost.
            texts = len(set(kept.tolist() if hasattr(kept, "tolist") else kept))
            self.lengths += [None] * texts
            self.cut += [False] * texts
            return
        backend = tokenizer.backend_tokenizer
        stride = (backend.truncation or {}).get("stride", 0)
        for encoding in encodings:
            rest = encoding.overflowing
            self.cut.append(bool(rest))
            self.lengths.append(_uncut_length(encoding, rest, stride, backend.padding is not None))


def _uncut_length(encoding: Any, rest: Any, stride: int, padded: bool) -> int | None:
    if not rest and not padded:
        return len(encoding)
    if rest and encoding.n_sequences > 1:
        return None
    pieces = [encoding, *rest]
    total = sum(sum(piece.attention_mask) if padded else len(piece) for piece in pieces)
    if rest:
        # Each piece has special tokens of its own, and begins with the end of the one before.
        marks = zip(encoding.special_tokens_mask, encoding.attention_mask, strict=True)
        special = sum(is_special and is_text for is_special, is_text in marks)
        total -= len(rest) * (special + stride)
    return int(total)


def _watched_class(original: type, counts: TokenCounts) -> type:
    class Watched(original):  # type: ignore[misc]
        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            encoded = super().__call__(*args, **kwargs)
            counts.add(self, encoded)
            return encoded

    # Messages and saved files have the class's name.
    Watched.__name__, Watched.__qualname__ = original.__name__, original.__qualname__
    Watched.__module__ = original.__module__
    return Watched


def watched_copy(
    tokenizer: PreTrainedTokenizerBase, counts: TokenCounts
) -> PreTrainedTokenizerBase:
    """Return a copy of the tokenizer whose calls are seen by ``counts``."""
    watched = copy.copy(tokenizer)
    watched.__class__ = _watched_class(type(tokenizer), counts)
    return watched


@contextlib.contextmanager
def watching(tokenizer: PreTrainedTokenizerBase) -> Iterator[TokenCounts]:
    """See the calls of the tokenizer itself, whoever makes them, until the block ends."""
    counts, original = TokenCounts(), type(tokenizer)
    tokenizer.__class__ = _watched_class(original, counts)
    try:
        yield counts
    finally:
        tokenizer.__class__ = original
