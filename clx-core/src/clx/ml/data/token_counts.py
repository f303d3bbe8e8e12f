"""Count tokens, and notice truncation, from the calls of a tokenizer that happen anyway.

A fast tokenizer keeps the tokens that it cuts off, so no text is tokenized a second time.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from clx.ml.data.overriding import Method, copy_overriding, overriding

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class TokenCounts:
    """Token counts of the texts that a tokenizer was called with, in the order of the calls.

    Attributes:
        lengths: tokens of each text before truncation, special tokens included; None where the
            count is unknown (a truncated pair of texts).
        cut: whether each text was truncated.
        complete: whether all calls could be read. A slow tokenizer does not report what it cuts off.
    """

    def __init__(self) -> None:
        self.lengths: list[int | None] = []
        self.cut: list[bool] = []
        self.complete = True

    def clear(self) -> None:
        """Forget all calls so far."""
        self.__init__()  # type: ignore[misc]

    def keep(self, texts: int) -> None:
        """Forget all but the first texts."""
        del self.lengths[texts:], self.cut[texts:]

    def add(self, tokenizer: Any, encoded: Any) -> None:
        """Record the texts of one call from its result."""
        encodings = getattr(encoded, "encodings", None)
        if encodings is None:
            self.complete = False
            return
        row_of = encoded.get("overflow_to_sample_mapping")
        if row_of is not None:
            # The caller requested the rest of each long text as further rows, so nothing is cut off.
            texts = len(set(row_of.tolist() if hasattr(row_of, "tolist") else row_of))
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
        # Each piece has its own special tokens, and repeats the end of the piece before it.
        marks = zip(encoding.special_tokens_mask, encoding.attention_mask, strict=True)
        special = sum(is_special and is_text for is_special, is_text in marks)
        total -= len(rest) * (special + stride)
    return int(total)


def watched_copy(
    tokenizer: PreTrainedTokenizerBase, counts: TokenCounts
) -> PreTrainedTokenizerBase:
    """Return a copy of the tokenizer whose calls are recorded in ``counts``."""
    return copy_overriding(tokenizer, "__call__", _counting(counts))


@contextlib.contextmanager
def watching(tokenizer: PreTrainedTokenizerBase) -> Iterator[TokenCounts]:
    """Record all calls of the tokenizer, from any code, until the block ends."""
    counts = TokenCounts()
    with overriding(tokenizer, "__call__", _counting(counts)):
        yield counts


def _counting(counts: TokenCounts) -> Method:
    def call(tokenizer: Any, tokenize: Any, /, *args: Any, **kwargs: Any) -> Any:
        encoded = tokenize(*args, **kwargs)
        counts.add(tokenizer, encoded)
        return encoded

    return call
