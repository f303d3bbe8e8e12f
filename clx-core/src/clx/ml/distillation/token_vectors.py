"""The initial vectors of a static student: the base model's output for each token alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clx.ml.machine.progress import progress_bar
from clx.ml.machine.quiet import quiet_transformers
from clx.ml.machine.tensor_cache import Entry, TensorCache, digest_of, folder_digest
from clx.settings import cache_dir

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

BATCH = 512
SMOOTHING = 1e-3
"""The constant of smooth inverse frequency, as in Arora et al. (2017), "A Simple but Tough-to-Beat
Baseline for Sentence Embeddings"."""

_SOME_WORD = "a"


def token_vectors(
    folder: Path, ids: Sequence[int], trusted: bool = False, hidden: bool = False
) -> Tensor:
    """Return an encoder's output for single tokens, shape (tokens, hidden size), from the cache.

    A token is read between the special tokens, and the outputs are averaged.

    Args:
        folder: the model, with its tokenizer.
        ids: the ids of the tokens.
        trusted: whether the code of the folder may run.
        hidden: whether to hide the progress bar.
    """
    import torch

    cache = TensorCache(cache_dir() / "tokens", what="The vectors of tokens")
    key = digest_of("tokens", folder_digest(folder))
    found = cache.get(key)
    # Each row begins with the id of its token.
    rows = torch.empty(0, 0) if found is None else found.tensor
    known = {int(number) for number in rows[:, 0]} if len(rows) else set()
    missing = [number for number in ids if number not in known]
    if missing:
        fresh = _computed(folder, missing, trusted, hidden)
        fresh = torch.cat([torch.tensor(missing, dtype=torch.float32)[:, None], fresh], dim=1)
        rows = torch.cat([rows, fresh]) if len(rows) else fresh
        cache.put(key, Entry(rows, {}))
    at = {int(number): row for row, number in enumerate(rows[:, 0])}
    return rows[[at[number] for number in ids], 1:]


def _computed(folder: Path, ids: Sequence[int], trusted: bool, hidden: bool) -> Tensor:
    import torch
    from transformers import AutoModel, AutoTokenizer

    with quiet_transformers():
        model: Any = AutoModel.from_pretrained(
            folder, local_files_only=True, trust_remote_code=trusted
        )
        tokenizer: Any = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=trusted
        )
    encoder = model.get_encoder() if model.config.is_encoder_decoder else model
    encoder.eval()
    before, after = _around(tokenizer)
    highest = model.get_input_embeddings().num_embeddings - 1
    found = []
    with torch.inference_mode():
        starts = range(0, len(ids), BATCH)
        for start in progress_bar(starts, desc="tokens", unit="batches", delay=1, disable=hidden):
            # A tokenizer may know more tokens than its model.
            some = [min(number, highest) for number in ids[start : start + BATCH]]
            batch = torch.tensor([[*before, number, *after] for number in some])
            outputs = encoder(input_ids=batch, attention_mask=torch.ones_like(batch))
            found.append(outputs.last_hidden_state.float().mean(dim=1))
    return torch.cat(found).clone()


def _around(tokenizer: Any) -> tuple[list[int], list[int]]:
    """Return the ids that a tokenizer puts before and after a text."""
    whole = list(tokenizer(_SOME_WORD)["input_ids"])
    inside = list(tokenizer(_SOME_WORD, add_special_tokens=False)["input_ids"])
    for start in range(len(whole) - len(inside) + 1):
        if inside and whole[start : start + len(inside)] == inside:
            return whole[:start], whole[start + len(inside) :]
    return [], []


def first_embeddings(vectors: Tensor, counts: np.ndarray[Any, Any], dim: int) -> Tensor:
    """Return vectors of ``dim`` numbers: the principal components, weighted by inverse frequency.

    Args:
        vectors: shape (tokens, hidden size).
        counts: how often each token occurs in the texts, shape (tokens,).
        dim: the number of columns; if the vectors have fewer, the rest are 0.
    """
    import torch

    centered = (vectors - vectors.mean(dim=0)).double()
    _, directions = torch.linalg.eigh(centered.T @ centered)
    # eigh sorts ascending.
    components = (centered @ directions.flip(1)[:, :dim]).float()
    components /= components.norm(dim=1).mean().clamp_min(1e-8)
    share = torch.from_numpy(counts / max(1, counts.sum())).float()
    weighted = components * (SMOOTHING / (SMOOTHING + share))[:, None]
    missing = dim - weighted.shape[1]
    return torch.nn.functional.pad(weighted, (0, missing)) if missing > 0 else weighted
