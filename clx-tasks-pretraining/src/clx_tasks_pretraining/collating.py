"""Batches of masked tokens: texts are packed into blocks, and whole words are masked."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

IGNORED = -100
"""The label of a token that the loss leaves out."""

_CONTINUES = "##"
_STARTS = ("Ġ", "▁")


@dataclass(frozen=True)
class Masking:
    """How tokens are masked.

    Of the chosen tokens, 80 % become the mask token, 10 % a random token, and 10 % stay as they are
    (Devlin et al., 2019, section 3.1).

    Attributes:
        probability: the share of the tokens, or of the words, that are chosen.
        whole_words: whether all tokens of a word are chosen together.
        block: the most tokens of a block, special tokens included.
        pack: whether short texts share a block.
        repeatable: whether a text is masked the same each time, as in an evaluation.
    """

    probability: float
    whole_words: bool
    block: int
    pack: bool
    repeatable: bool = False


class MaskingCollator:
    """Makes a batch of masked tokens from rows with ``input_ids``.

    Args:
        tokenizer: a tokenizer with a mask token.
        masking: how tokens are masked.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, masking: Masking) -> None:
        self.masking = masking
        self._tokenizer = tokenizer
        self._special = frozenset(tokenizer.all_special_ids)
        self._continues = continuing(tokenizer) if masking.whole_words else None
        # Random replacements are tokens of the vocabulary that stand for text.
        self._ordinary = torch.tensor(
            [n for n in range(len(tokenizer)) if n not in self._special], dtype=torch.long
        )

    def repeatable(self) -> MaskingCollator:
        """Return a collator for an evaluation: one block per row, masked the same each time."""
        return MaskingCollator(self._tokenizer, replace(self.masking, repeatable=True, pack=False))

    def __call__(self, rows: Sequence[dict[str, Any]]) -> dict[str, Tensor]:
        """Return ``input_ids``, ``attention_mask`` and ``labels``, each of shape (blocks, tokens).

        The label of a token that is not masked is :data:`IGNORED`.
        """
        blocks = [list(map(int, row["input_ids"]))[: self.masking.block] for row in rows]
        if self.masking.pack:
            blocks = self._packed(blocks)
        masked = [self._masked(block) for block in blocks]
        pad = self._tokenizer.pad_token_id or 0
        return {
            "input_ids": _padded([ids for ids, _ in masked], pad),
            "attention_mask": _padded([torch.ones_like(ids) for ids, _ in masked], 0),
            "labels": _padded([labels for _, labels in masked], IGNORED),
        }

    def _packed(self, texts: list[list[int]]) -> list[list[int]]:
        """Return blocks of whole texts: each text goes into the first block with room, longest first."""
        first = self._tokenizer.cls_token_id
        blocks: list[list[int]] = []
        for text in sorted(texts, key=len, reverse=True):
            # A block begins with one first token, and each text keeps the separator at its end.
            rest = text[1:] if text and text[0] == first else text
            for block in blocks:
                if len(block) + len(rest) <= self.masking.block:
                    block += rest
                    break
            else:
                blocks.append(list(text))
        return blocks

    def _masked(self, block: list[int]) -> tuple[Tensor, Tensor]:
        """Return the tokens of a block with masks, and its labels, each of shape (tokens,)."""
        ids = torch.tensor(block, dtype=torch.long)
        generator = None
        if self.masking.repeatable:
            generator = torch.Generator().manual_seed(zlib.crc32(ids.numpy().tobytes()))
        chosen = self._chosen(block, generator)
        labels = torch.where(chosen, ids, IGNORED)
        fate = torch.rand(len(ids), generator=generator)
        masked = torch.where(chosen & (fate < 0.8), self._tokenizer.mask_token_id, ids)
        places = torch.randint(len(self._ordinary), (len(ids),), generator=generator)
        masked = torch.where(chosen & (fate >= 0.9), self._ordinary[places], masked)
        return masked, labels

    def _chosen(self, block: list[int], generator: torch.Generator | None) -> Tensor:
        """Return which tokens are chosen, shape (tokens,); at least one word, if there is any."""
        ordinary = torch.tensor([token not in self._special for token in block], dtype=torch.bool)
        word = torch.arange(len(block))
        if self._continues is not None and block:
            # A special token ends a word, so that no word spans two texts.
            starts = ~self._continues[torch.tensor(block)]
            starts |= ~ordinary | ~torch.cat([ordinary[:1] & False, ordinary[:-1]])
            word = torch.cumsum(starts.long(), 0) - 1
        draws = torch.rand(len(block), generator=generator)[word]
        chosen = ordinary & (draws < self.masking.probability)
        if ordinary.any() and not chosen.any():
            chosen = ordinary & (draws == draws[ordinary].min())
        return chosen


def continuing(tokenizer: PreTrainedTokenizerBase) -> Tensor:
    """Return for each token of the vocabulary whether it continues a word, shape (vocabulary,).

    A vocabulary marks either the tokens that continue a word (WordPiece) or those that start one
    (byte-level BPE, SentencePiece). Without either, each token is a word.
    """
    tokens = [str(t) for t in tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))]
    marked = [token.startswith(_CONTINUES) and token != _CONTINUES for token in tokens]
    if not any(marked) and any(token.startswith(_STARTS) for token in tokens):
        marked = [not token.startswith(_STARTS) for token in tokens]
    return torch.tensor(marked, dtype=torch.bool)


def _padded(rows: list[Tensor], value: int) -> Tensor:
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=value)
