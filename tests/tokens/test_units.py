"""Units of texts with tokenizers of several kinds: the words and signs that one sees."""

from itertools import pairwise

import pytest
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import PreTrainedTokenizerFast

from clx_tasks_tokens.encoding import Reading, read_windows
from clx_tasks_tokens.units import text_units

TEXTS = [
    "Ada lives in Paris, near Bo-Li's house.",
    "  leading blanks and\r\ntwo lines\t",
    "a family 👨‍👩‍👧 and 👍🏽 and ❤️ in zürich",
    "cafe\u0301 and ñandu\u0303",
    "我们住在巴黎。 สวัสดี",
    "x" * 40,
    "",
    " \r\n ",
    "1,5 % of 3.000 €",
]


def byte_level():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    # Some models keep the blank before a word in its offsets.
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<pad>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>")


def word_piece():
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(strip_accents=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=120, special_tokens=["[UNK]", "[PAD]"])
    tokenizer.train_from_iterator(TEXTS[:3], trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]")


def metaspace():
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.BpeTrainer(vocab_size=150, special_tokens=["<unk>", "<pad>"])
    tokenizer.train_from_iterator(TEXTS, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", unk_token="<unk>")


KINDS = {"byte level": byte_level, "word piece": word_piece, "metaspace": metaspace}


@pytest.fixture(scope="module", params=KINDS, ids=list(KINDS))
def tokenizer(request):
    return KINDS[request.param]()


def words_of(tokenizer, text):
    (units,) = read_windows(tokenizer, [text], Reading({"max_length": 500})).units
    return [text[unit.start : unit.end] for unit in units]


@pytest.mark.parametrize("text", TEXTS)
def test_units_cover_the_text_once_without_blanks(tokenizer, text):
    (units,) = read_windows(tokenizer, [text], Reading({"max_length": 500})).units
    assert all(a.end <= b.start for a, b in pairwise(units))
    covered = "".join(text[unit.start : unit.end] for unit in units)
    assert covered == "".join(text.split())
    assert all(unit.tokens for unit in units)


def test_words_and_signs(tokenizer):
    assert words_of(tokenizer, "Ada lives in Paris, near Bo") == (
        ["Ada", "lives", "in", "Paris", ",", "near", "Bo"]
    )
    assert words_of(tokenizer, "x" * 40) == ["x" * 40]
    assert words_of(tokenizer, "cafe\u0301 and") == ["cafe\u0301", "and"]
    assert "👍🏽" in words_of(tokenizer, TEXTS[2])
    assert "👨‍👩‍👧" in words_of(tokenizer, TEXTS[2])
    assert "zürich" in words_of(tokenizer, TEXTS[2])


def test_tokens_of_several_words_and_of_scripts_without_blanks():
    text = "住在 Ab"
    assert [(u.start, u.end) for u in text_units(text, [(0, 1), (1, 2), (2, 4), (4, 5)])] == [
        (0, 1),
        (1, 2),
        (3, 5),
    ]
    assert text_units("ab", [(0, 0), (0, 2), (2, 2)])[0].tokens == [1]
    assert text_units("", []) == []
