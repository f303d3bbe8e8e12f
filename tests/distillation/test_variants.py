"""Variants of few texts: what they are made of, what they never contain, and who answers them."""

import itertools
import re
import unicodedata
from pathlib import Path

import numpy as np
import pytest

from clx.ml import training_run
from clx.ml.distillation import augmentation
from clx.ml.distillation.augmentation import variants_per_text
from clx.ml.distillation.request import Request
from clx.ml.distillation.setting_aside import text_hashes
from clx.ml.distillation.teacher import Teacher
from clx.ml.distillation.variants import variants
from clx_runtime.texts import TextRow
from conftest import fruit_frame

LETTERS = ["a b c d e f g h", "i j k l m n o p q"]


def test_variants_have_the_words_of_texts_in_other_combinations():
    made = list(variants(LETTERS, 40, 0))
    assert len(made) == 80
    assert made == list(variants(LETTERS, 40, 0)) != list(variants(LETTERS, 40, 1))
    words = [text.split(" ") for text in made]
    assert set(itertools.chain(*words)) - {""} == set("abcdefghijklmnopq")
    assert f"{LETTERS[0]} {LETTERS[1]}" in made
    assert "c d e f" in made
    # Of a text without some words, those that are left are in order.
    assert any(list("abcdefgh") != row == sorted(row) and len(row) in (5, 6) for row in words)
    # The start of one text with the end of the other.
    assert any(re.fullmatch(r"a b[a-h ]* [i-q ]+p q", text) for text in made)


def test_each_kind_of_variant_is_made_of_each_part_of_the_texts():
    texts = [f"text{number} is here" for number in range(400)]
    lengths = [len(text.split()) for text in variants(texts, 1, 0)]
    # One word of three is a half, and six are two texts joined.
    assert lengths.count(1) >= 100
    assert lengths.count(6) >= 100


def test_scripts_without_spaces_are_cut_by_characters():
    texts = ["我想查询我的账户余额。", "请帮我取消订单", "これは何ですか"]
    made = list(variants(texts, 40, 0))
    assert not any(" " in text for text in made)
    assert set("".join(made)) == set("".join(texts))
    # No character is left out between two others: each part is a part of a text.
    for text in filter(None, made):
        assert any(
            any(text[:cut] in one for one in texts) and any(text[cut:] in one for one in texts)
            for cut in range(len(text) + 1)
        )
    thai = list(variants(["ที่นี่มีคนอยู่", "ฉันต้องการคืนสินค้า"], 40, 0))
    # A vowel or tone stays on its consonant.
    assert not any(text and unicodedata.category(text[0]) == "Mn" for text in thai)
    assert "我 hello" not in list(variants(["我", "hello"], 40, 0))


def test_rows_of_several_texts_have_rows_as_variants():
    rows = [TextRow(("a b c d", "1 2 3 4")), TextRow(("e f g h", "5 6 7 8"))]
    made = list(variants(rows, 80, 0))
    assert all(isinstance(row, TextRow) and len(row.texts) == 2 for row in made)
    assert all(set(row.texts[0]) <= set("abcdefgh ") for row in made)
    assert all(set(row.texts[1]) <= set("12345678 ") for row in made)
    assert TextRow(("a b c d e f g h", "1 2 3 4 5 6 7 8")) in made


def test_blank_texts_and_single_words_do_no_harm():
    made = list(variants(["", "  ", "word"], 40, 0))
    assert set(made) <= {"", "  ", "word", "word word"}
    assert list(variants([], 4, 0)) == []


@pytest.mark.parametrize(
    ("texts", "arguments", "expected"),
    [
        (1_600, {}, 4),
        (8_000, {}, 1),
        (10_001, {}, 0),
        (300_000, {}, 0),
        (0, {}, 0),
        (1_600, {"student": "layers"}, 0),
        (1_600, {"augment": 0}, 0),
        (300_000, {"augment": 2}, 2),
        (1_600, {"student": "layers", "augment": 2}, 2),
    ],
)
def test_only_few_texts_have_variants_by_default(texts, arguments, expected):
    assert variants_per_text(Request("student", Path(), **arguments), texts) == expected


@pytest.fixture
def answered(monkeypatch):
    """The texts that teachers compute scores for."""
    texts = []
    compute = Teacher._computed
    monkeypatch.setattr(
        Teacher, "_computed", lambda self, some: texts.extend(some) or compute(self, some)
    )
    return texts


def test_only_texts_that_are_learned_from_have_variants(trained, answered, monkeypatch):
    # Such texts have about eight tokens, and two of them have more than twelve.
    monkeypatch.setattr(augmentation, "input_limit", lambda *_: 12)
    run = training_run(load=trained)
    texts = [f"the red apple is n{number}" for number in range(250)]
    rows = fruit_frame(12)
    rows["text"] = texts[:12]
    result = run.distill(texts, name="student", eval_data=rows, dim=16, augment=2)
    made = answered[250:]
    assert answered[:250] == texts
    assert len(made) == len(set(made)) == result.texts["variants"] > 100
    assert not set(made) & set(texts)
    assert all(len(run.tokenizer(text)["input_ids"]) <= 12 for text in made)
    below = training_run(load=result.run_dir).config["student_of"]["below"]
    learned = np.load(result.run_dir / "extra" / "learned.npy")
    assert np.isin(text_hashes(made), learned).all()
    unseen = [
        text
        for text, digest in zip(texts, text_hashes(texts).tolist(), strict=True)
        if text in set(rows["text"]) or digest < below
    ]
    assert len(unseen) > 12
    words = set(itertools.chain.from_iterable(text.split() for text in made))
    assert not words & {text.split()[-1] for text in unseen}
    page = (result.run_dir / "report.html").read_text()
    assert "made from those, and learned from" in page
    # An interrupted call continues: the variants have been answered too.
    answered.clear()
    run.distill(texts, name="student", eval_data=rows, dim=16, augment=2, overwrite=True)
    assert answered == []
