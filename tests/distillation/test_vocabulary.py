"""A static student's vocabulary splits the known texts as the whole one, and can split any other."""

import itertools
import json

import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

from clx.ml.distillation.vocabulary import encoded, pruned_vocabulary, whole_vocabulary

SENTENCES = [
    "The quick brown fox jumps over the lazy dog near the river bank",
    "A customer asks why the transfer of money has failed again today",
    "Unbelievable prices for untrained tokenizers, tokenized and retokenized",
    "Café owners and naïve readers meet at the Straße in Zürich",
] * 5
KNOWN = ["the quick dog asks why", "a transfer of money failed", "café in zürich", ""]
OTHERS = ["unbelievable retokenized river", "the ☃ is new", "customers"]


def wordpiece():
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    return tokenizer, trainers.WordPieceTrainer(vocab_size=300, special_tokens=special)


def byte_bpe():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    return tokenizer, trainers.BpeTrainer(
        vocab_size=500, special_tokens=["<s>", "</s>"], initial_alphabet=alphabet
    )


def bpe_with_suffix():
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return tokenizer, trainers.BpeTrainer(
        vocab_size=300, special_tokens=["<unk>"], end_of_word_suffix="</w>"
    )


def unigram():
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    return tokenizer, trainers.UnigramTrainer(
        vocab_size=200, special_tokens=["<unk>"], unk_token="<unk>"
    )


KINDS = {
    "WordPiece": wordpiece,
    "BPE": byte_bpe,
    "BPE, suffix": bpe_with_suffix,
    "Unigram": unigram,
}


def trained(kind):
    tokenizer, trainer = KINDS[kind]()
    trainer.show_progress = False
    tokenizer.train_from_iterator(SENTENCES, trainer)
    return tokenizer


def pruned(tokenizer, texts=KNOWN):
    rows = encoded(tokenizer, texts)
    return pruned_vocabulary(tokenizer.to_str(), set(itertools.chain(*rows)), texts, rows), rows


@pytest.mark.parametrize("kind", KINDS)
def test_known_texts_are_split_as_before(kind):
    tokenizer = trained(kind)
    smaller, rows = pruned(tokenizer)
    assert len(smaller.ids) < 0.9 * tokenizer.get_vocab_size()
    made = Tokenizer.from_str(smaller.tokenizer)
    assert made.get_vocab_size() == len(smaller.ids)
    found = encoded(made, KNOWN)
    assert [[smaller.ids[number] for number in row] for row in found] == rows
    # Every token has the id of the row of its vector.
    assert all(
        tokenizer.id_to_token(old) == made.id_to_token(new) for new, old in enumerate(smaller.ids)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_other_texts_are_split_into_smaller_pieces(kind):
    tokenizer = trained(kind)
    made = Tokenizer.from_str(pruned(tokenizer)[0].tokenizer)
    for whole, some in zip(encoded(tokenizer, OTHERS), encoded(made, OTHERS), strict=True):
        assert len(some) >= len(whole) > 0
    assert made.encode("river").tokens != ["[UNK]"]


def test_the_whole_vocabulary_stays_if_a_smaller_one_would_split_otherwise(monkeypatch):
    tokenizer = trained("WordPiece")
    rows = encoded(tokenizer, KNOWN)
    wrong = [[*row, 1] for row in rows]
    kept = pruned_vocabulary(tokenizer.to_str(), set(itertools.chain(*rows)), KNOWN, wrong)
    assert kept == whole_vocabulary(tokenizer.to_str())
    assert kept.ids == list(range(tokenizer.get_vocab_size()))


def test_a_kind_that_is_not_known_keeps_all():
    tokenizer = trained("WordPiece")
    content = json.loads(tokenizer.to_str())
    content["model"]["type"] = "Other"
    rows = encoded(tokenizer, KNOWN)
    kept = pruned_vocabulary(json.dumps(content), {5}, KNOWN, rows)
    assert len(kept.ids) == tokenizer.get_vocab_size()


def test_added_tokens_are_kept_and_found():
    tokenizer = trained("WordPiece")
    tokenizer.add_tokens(["<user>"])
    smaller, _ = pruned(tokenizer, [*KNOWN, "ask <user> why"])
    made = Tokenizer.from_str(smaller.tokenizer)
    number = made.token_to_id("<user>")
    assert smaller.ids[number] == tokenizer.token_to_id("<user>")
    assert number in encoded(made, ["tell <user>"])[0]
