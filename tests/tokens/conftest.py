"""A model whose tag for a token depends on the token alone, so that what it must predict is known."""

from pathlib import Path

import pytest

NAMES = ["person", "place"]
TAGGED = {"ada": "B-person", "bo": "B-person", "li": "I-person", "von": "I-person"}
TAGGED |= {"paris": "B-place", "new": "B-place", "york": "I-place", "##town": "I-place"}
PLAIN = "[PAD] [UNK] [CLS] [SEP] [MASK] and in lives the , . ' - & ##s e".split()


def make_known_model(folder: Path, limit: int) -> Path:
    """Write a BERT without layers that tags each word of ``TAGGED`` so, and reads ``limit`` tokens."""
    import torch
    from transformers import BertConfig, BertForTokenClassification, BertTokenizerFast

    from clx.ml.labels import label_maps
    from clx.ml.spans import bio_labels

    labels, words = bio_labels(NAMES), [*PLAIN, *TAGGED]
    tokenizer = BertTokenizerFast(
        vocab={word: number for number, word in enumerate(words)}, model_max_length=limit
    )
    config = BertConfig(
        vocab_size=len(words), hidden_size=8, num_hidden_layers=0, num_attention_heads=2,
        intermediate_size=8, max_position_embeddings=limit, **label_maps(labels),
    )  # fmt: skip
    model = BertForTokenClassification(config)
    embeddings = model.bert.embeddings
    with torch.no_grad():
        for table in embeddings.position_embeddings, embeddings.token_type_embeddings:
            table.weight.zero_()
        rows = embeddings.word_embeddings.weight
        rows.zero_()
        model.classifier.weight.zero_()
        for number, word in enumerate(words):
            rows[number, labels.index(TAGGED.get(word, "O"))] = 1
        for tag in range(len(labels)):
            model.classifier.weight[tag, tag] = 3
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def known_models(tmp_path_factory):
    """Folders of the same model with a limit of 16 and of 4,000 tokens."""
    folder = tmp_path_factory.mktemp("known")
    return {limit: make_known_model(folder / str(limit), limit) for limit in (16, 4000)}
