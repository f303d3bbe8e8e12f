"""Blocks of masked tokens: packing, whole words, and what stays as it is."""

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from clx_tasks_pretraining.collating import IGNORED, Masking, MaskingCollator, continuing
from clx_tasks_pretraining.scores import masked_metrics, token_scores

WORDPIECES = "[PAD] [UNK] [CLS] [SEP] [MASK] a b c d un ##aff ##able play ##ing".split()


@pytest.fixture(scope="module")
def tokenizer():
    vocabulary = {token: n for n, token in enumerate(WORDPIECES)}
    made = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    names = dict(zip(("pad", "unk", "cls", "sep", "mask"), WORDPIECES, strict=False))
    return PreTrainedTokenizerFast(
        tokenizer_object=made, **{f"{name}_token": token for name, token in names.items()}
    )


def rows(tokenizer, *texts):
    cls, sep = tokenizer.cls_token_id, tokenizer.sep_token_id
    return [
        {"input_ids": [cls, *tokenizer(t, add_special_tokens=False)["input_ids"], sep]}
        for t in texts
    ]


def collator(tokenizer, **changed):
    return MaskingCollator(tokenizer, Masking(**{**BASE, **changed}))


BASE = {"probability": 0.15, "whole_words": True, "block": 12, "pack": True}


def test_about_the_share_is_masked_and_four_fifths_of_it_hidden(tokenizer):
    text = " ".join("abcd" * 2)
    batch = collator(tokenizer, pack=False)(rows(tokenizer, *[text] * 2000))
    ordinary = batch["attention_mask"].bool()
    ordinary[:, 0] = ordinary[:, -1] = False
    chosen = batch["labels"] != IGNORED
    assert not (chosen & ~ordinary).any(), "special tokens are never masked"
    assert 0.14 < (chosen.sum() / ordinary.sum()).item() < 0.19
    hidden = batch["input_ids"] == tokenizer.mask_token_id
    assert 0.77 < ((hidden & chosen).sum() / chosen.sum()).item() < 0.83
    assert not (hidden & ~chosen).any()
    same = chosen & (batch["input_ids"] == batch["labels"])
    assert 0.08 < (same.sum() / chosen.sum()).item() < 0.14
    special = torch.tensor(tokenizer.all_special_ids)
    replaced = chosen & ~hidden
    assert not torch.isin(batch["input_ids"][replaced], special).any()


def test_whole_words_are_masked_together(tokenizer):
    text = "unaffable playing a"
    batch = collator(tokenizer, pack=False, probability=0.4)(rows(tokenizer, *[text] * 400))
    chosen = batch["labels"] != IGNORED
    # [CLS] un ##aff ##able play ##ing a [SEP]
    assert (chosen[:, 1] == chosen[:, 2]).all()
    assert (chosen[:, 2] == chosen[:, 3]).all()
    assert (chosen[:, 4] == chosen[:, 5]).all()
    assert (chosen[:, 3] != chosen[:, 4]).any()
    single = collator(tokenizer, pack=False, probability=0.4, whole_words=False)
    chosen = single(rows(tokenizer, *[text] * 400))["labels"] != IGNORED
    assert (chosen[:, 1] != chosen[:, 2]).any()


def test_texts_share_blocks_and_none_is_lost(tokenizer):
    texts = ["a b c", "d", "b b", "c d a b", "unaffable", "a"]
    batch = collator(tokenizer)(rows(tokenizer, *texts))
    whole = torch.where(batch["labels"] != IGNORED, batch["labels"], batch["input_ids"])
    sizes = batch["attention_mask"].sum(1)
    assert (sizes <= 12).all()
    assert len(whole) == 2, "21 tokens beside the first ones"
    cls, sep = tokenizer.cls_token_id, tokenizer.sep_token_id
    assert (whole[:, 0] == cls).all()
    assert (whole == cls).sum() == len(whole)
    found = []
    for row, size in zip(whole.tolist(), sizes.tolist(), strict=True):
        assert row[size - 1] == sep
        text = []
        for token in row[1:size]:
            found += [tuple(text)] if token == sep else []
            text = [] if token == sep else [*text, token]
    expected = [tuple(row["input_ids"][1:-1]) for row in rows(tokenizer, *texts)]
    assert sorted(found) == sorted(expected)


def test_each_block_has_something_to_learn(tokenizer):
    batch = collator(tokenizer, pack=False, probability=0.001)(rows(tokenizer, "a b", "c", ""))
    assert ((batch["labels"] != IGNORED).sum(1) == torch.tensor([1, 1, 0])).all()


def test_an_evaluation_masks_a_text_the_same_way_in_any_batch(tokenizer):
    some = rows(tokenizer, "a b c d a b", "unaffable playing", "d c b a")
    fixed = collator(tokenizer).repeatable()
    whole = fixed(some)
    alone = fixed([some[0]])
    assert torch.equal(whole["labels"][0, :8], alone["labels"][0, :8])
    assert len(whole["labels"]) == 3, "one block per row"
    torch.manual_seed(1)
    assert torch.equal(fixed(some)["input_ids"], whole["input_ids"])
    anew = collator(tokenizer, pack=False)
    assert not all(torch.equal(anew(some)["labels"], anew(some)["labels"]) for _ in range(5))


def test_the_words_of_other_vocabularies():
    def of(tokens):
        made = Tokenizer(models.WordLevel({token: n for n, token in enumerate(tokens)}, "x"))
        return continuing(PreTrainedTokenizerFast(tokenizer_object=made)).tolist()

    assert of(["x", "##y", "z"]) == [False, True, False]
    assert of(["Ġx", "y", "Ġz"]) == [False, True, False]
    assert of(["▁x", "y"]) == [False, True]
    assert of(["x", "y"]) == [False, False], "each token is a word"


def test_metrics_of_masked_tokens():
    labels = torch.tensor([[IGNORED, 1, 0], [2, IGNORED, IGNORED]])
    logits = torch.zeros(2, 3, 4)
    logits[0, 1, 1] = 9.0
    scores = token_scores((logits, "hidden states"), labels)
    assert scores.shape == (2, 3, 2)
    found = masked_metrics(scores.numpy(), labels.numpy())
    losses = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten())
    assert found["perplexity"] == pytest.approx(losses.exp().item())
    assert found["masked_accuracy"] == pytest.approx(2 / 3)


def test_the_real_vocabulary_of_minilm(tiny_model):
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    assert not continuing(tokenizer).any(), "its test vocabulary has whole words only"
