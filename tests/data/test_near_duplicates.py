"""Near duplicates: which pairs match, which do not, and that repeated texts cost nothing."""

import random
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from clx.ml.data.check import minhash, near_duplicates
from clx.ml.data.check.near_duplicates import compared_words
from clx.ml.data.check.near_duplicates import near_duplicates as search

VOCABULARY = [f"word{number}" for number in range(3000)]


def sentences(count, seed=0, vocabulary=VOCABULARY, sizes=(15, 20)):
    chance = random.Random(seed)
    return [" ".join(chance.choices(vocabulary, k=chance.randint(*sizes))) for _ in range(count)]


def edited(text, word, place):
    words = text.split()
    words[place % len(words)] = word
    return " ".join(words)


def shingles(text):
    words = compared_words(text)
    return Counter([*words, *pairwise(words)])


def jaccard(a, b):
    """Return the Jaccard index by its definition, without hashes."""
    return (a & b).total() / (a | b).total()


def rows(frame):
    return [tuple(row) for row in frame.itertuples(index=False)]


def test_one_changed_word_in_fifteen_to_twenty_is_found():
    train = sentences(2000)
    planted = [edited(text, "planted", place) for place, text in enumerate(train[:1000])]
    found = search(train, planted)
    right = (found.position_a == found.position_b).sum()
    assert right >= 950
    assert len(found) - right <= 5


def test_a_planted_edit_is_found_among_templated_texts():
    chance = random.Random(3)
    frame = sentences(1, seed=4)[0].split()[:12]
    train = [" ".join([*frame, *chance.choices(VOCABULARY, k=6)]) for _ in range(3000)]
    planted = [edited(train[number * 7], "planted", 14) for number in range(200)]
    found = search(train, planted)
    assert (found.position_a == found.position_b * 7).sum() >= 190


@pytest.fixture(scope="module")
def compared():
    """Return two lists of texts, some of them alike, and the similarity of every pair."""
    chance = random.Random(5)
    first = sentences(120, vocabulary=VOCABULARY[:60])
    second = []
    for number in range(100):
        text = first[number]
        for _ in range(number % 9):
            text = edited(text, chance.choice(VOCABULARY), chance.randrange(20))
        second.append(text)
    bags = [shingles(text) for text in first]
    return first, second, [[jaccard(a, shingles(text)) for a in bags] for text in second]


@pytest.mark.parametrize("similarity", [0.4, 0.6, 0.8, 0.95])
def test_every_match_is_similar_enough_and_none_is_missed(compared, similarity):
    first, second, table = compared
    expected = {position for position, row in enumerate(table) if max(row) >= similarity}
    assert 10 < len(expected) < 100
    found = search(first, second, similarity)
    assert set(found.position_b) <= expected
    assert len(found) >= 0.95 * len(expected)
    for a, b, value in rows(found):
        assert value == pytest.approx(table[int(b)][int(a)])


def test_random_sentences_that_share_a_vocabulary_are_no_duplicates():
    texts = sentences(4000, vocabulary=VOCABULARY[:40])
    assert len(set(texts)) == 4000
    assert search(texts).empty
    assert search(texts[:2000], texts[2000:]).empty


def test_the_same_words_in_another_order_are_another_text():
    text = sentences(1)[0]
    backwards = " ".join(reversed(text.split()))
    assert search([text], [backwards]).empty


@pytest.mark.parametrize(
    "variant",
    ["my card is lost", "My  CARD\tis lost\n", "My card is lost!", "«My card is lost…»"],
)
def test_case_blanks_and_punctuation_do_not_count(variant):
    assert rows(search(["Hello there", "My card is lost"], [variant])) == [(1, 0, 1.0)]


def test_an_equal_string_is_preferred_to_equal_words():
    assert rows(search(["A b", "a b", "a b"], ["a b", "A  B"])) == [(1, 0, 1.0), (0, 1, 1.0)]


def test_within_one_list_a_text_matches_an_earlier_one():
    texts = sentences(4)
    texts += [texts[1], edited(texts[2], "planted", 0), texts[1].upper()]
    found = rows(search(texts))
    assert [row[:2] for row in found] == [(1, 4), (2, 5), (1, 6)]
    assert found[1][2] == pytest.approx(jaccard(shingles(texts[2]), shingles(texts[5])))


def test_the_best_of_several_matches_is_given():
    text = sentences(1, sizes=(20, 20))[0]
    close, closer = edited(edited(text, "x", 19), "y", 0), edited(text, "x", 19)
    assert rows(search([close, closer, close], [text]))[0][:2] == (1, 0)


def test_repeated_words_count():
    assert search(["no no no no"], ["no no"]).empty


@pytest.mark.parametrize(("first", "second"), [([], []), ([], ["a"]), (["a"], []), ([""], ["a"])])
def test_nothing_matches_nothing(first, second):
    found = search(first, second)
    assert found.empty
    assert list(found.columns) == ["position_a", "position_b", "similarity"]
    assert search(first).empty


def test_blank_texts_match_nothing_and_short_ones_only_the_same():
    texts = ["", " ", "", "\n", "?", "?", "!", "apple", "Apple", "a", "b"]
    assert rows(search(texts)) == [(4, 5, 1.0), (7, 8, 1.0)]


def test_unicode():
    assert compared_words("Straße") == compared_words("STRASSE")
    assert compared_words("cafe\u0301") == compared_words("café") == ["café"]
    assert compared_words("हिन्दी में।") == ["हिन्दी", "में"]
    assert compared_words("今日は、😀 ok") == ["今", "日", "は", "😀", "ok"]
    text = "今日は天気がとても良いので公園まで散歩に行きます"
    assert rows(search([text], [text.replace("公", "学")]))[0][:2] == (0, 0)
    assert search([text], ["明日から東京で新しい仕事を始めることになりました"]).empty
    assert rows(search(["\ud800 a"], ["\ud800 a"])) == [(0, 0, 1.0)]


def test_a_long_text_is_compared_by_its_first_words():
    words = VOCABULARY[: near_duplicates.MAX_WORDS]
    first, second = " ".join([*words, "end"]), " ".join([*words, "other", "end"])
    assert rows(search([first], [second])) == [(0, 0, 1.0)]


def test_chunks_do_not_change_what_is_found(monkeypatch):
    texts = sentences(300, vocabulary=VOCABULARY[:60])
    texts += [edited(text, "planted", 3) for text in texts]
    expected = search(texts)
    assert len(expected) >= 290
    monkeypatch.setattr(minhash, "CHUNK_WORDS", 50)
    monkeypatch.setattr(minhash, "CHUNK_PAIRS", 7)
    assert search(texts).equals(expected)


def test_it_is_the_same_in_every_process():
    program = (
        "from test_near_duplicates import *\n"
        "texts = sentences(200) + [edited(t, 'planted', 4) for t in sentences(200)]\n"
        "print(search(texts).to_csv())"
    )
    texts = sentences(200) + [edited(text, "planted", 4) for text in sentences(200)]
    there = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONHASHSEED": "1", "PYTHONPATH": str(Path(__file__).parent)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert there.strip() == search(texts).to_csv().strip()
    assert there.count("\n") > 190


@pytest.fixture
def counted(monkeypatch):
    """Count the texts that are split into words and the pairs that are compared."""
    counts = Counter()

    def count(module, name, size):
        original = getattr(module, name)

        def wrapped(*args):
            counts[name] += size(*args)
            return original(*args)

        monkeypatch.setattr(module, name, wrapped)

    count(near_duplicates, "compared_words", lambda text: 1)
    count(minhash, "_agreeing", lambda marks, a, b: len(a))
    count(minhash, "_jaccard", lambda words, a, b: len(a))
    return counts


def test_identical_texts_are_compared_once(counted):
    found = search(["The same text again and again"] * 5000)
    assert len(found) == 4999
    assert set(found.position_a) == {0}
    assert counted == {"compared_words": 1, "_agreeing": 0, "_jaccard": 0}


def test_templated_texts_are_not_compared_with_all_others(counted):
    frame = sentences(1, sizes=(20, 20))[0]
    texts = [f"{frame} number{number}" for number in range(5000)]
    assert len(search(texts)) == 4999
    bands = minhash.PERMUTATIONS // minhash.band_rows(0.8)
    assert 0 < counted["_agreeing"] <= bands * 2 * minhash.NEIGHBORS * 5000
    assert 0 < counted["_jaccard"] <= minhash.CANDIDATES * 5000


@pytest.mark.parametrize("similarity", [0, -1, 1.1, float("nan")])
def test_a_similarity_that_is_none_is_refused(similarity):
    with pytest.raises(ValueError, match="above 0 and at most 1"):
        search(["a"], ["b"], similarity)
