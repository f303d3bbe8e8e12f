"""Makes a small random model offline, with the words of a sample as its vocabulary."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
MAX_TOKENS = 64


def make_tiny_model(folder: Path | str, texts: Iterable[str] = ()) -> Path:
    """Write a random two-layer BERT that takes 64 tokens, and return the folder.

    Its vocabulary contains words of the texts and single letters, so that it can tokenize any text.

    Args:
        folder: the folder to create.
        texts: texts that the model will be used on.
    """
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    words = {word for text in texts for word in re.findall(r"\w+|[^\w\s]", text.lower())}
    # Leave out every other word, so that some words consist of several tokens.
    whole = sorted(words)[::2]
    letters = sorted({*"abcdefghijklmnopqrstuvwxyz0123456789.,!?'-", *"".join(words)})
    tokens = dict.fromkeys([*SPECIAL, *whole, *letters, *(f"##{letter}" for letter in letters)])
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = BertTokenizerFast(
        vocab={token: number for number, token in enumerate(tokens)}, model_max_length=MAX_TOKENS
    )
    state = torch.random.get_rng_state()
    torch.manual_seed(0)
    try:
        model = BertModel(
            BertConfig(
                vocab_size=len(tokens),
                hidden_size=32,
                num_hidden_layers=2,
                num_attention_heads=2,
                intermediate_size=64,
                max_position_embeddings=MAX_TOKENS,
            )
        )
    finally:
        torch.random.set_rng_state(state)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
