"""The sketch that tells the texts of a training from others."""

import json

import pytest

from clx.ml.data.text_sketch import TextSketch
from clx_runtime.texts import TextRow


def texts(start, end):
    return [f"text number {n}" for n in range(start, end)]


def test_few_texts_are_all_known():
    sketch = TextSketch.of(texts(0, 100))
    assert sketch.share(texts(0, 10)) == 1
    assert sketch.share(texts(100, 110)) == 0
    assert sketch.share(texts(97, 109)) == 0.25
    assert sketch.share(texts(0, 9)) is None, "too few to say it"


def test_of_many_texts_a_share_is_estimated():
    sketch = TextSketch.of(texts(0, 20_000))
    assert not sketch.complete
    assert sketch.share(texts(0, 2_000)) == 1
    assert sketch.share(texts(20_000, 22_000)) == 0
    assert sketch.share(texts(19_000, 21_000)) == pytest.approx(0.5, abs=0.15)
    assert sketch.share(texts(0, 20)) is None, "too few can be looked up"


def test_it_survives_json():
    for size in (3, 5_000):
        sketch = TextSketch.of(texts(0, size))
        assert TextSketch.from_json(json.loads(json.dumps(sketch.to_json()))) == sketch
    for damaged in (None, 3, {}, {"hashes": "?"}, {"hashes": 4}):
        assert TextSketch.from_json(damaged) is None


def test_sketches_of_two_trainings_are_joined():
    for one, two in ((50, 60), (5_000, 60), (60, 5_000), (5_000, 8_000)):
        whole = TextSketch.of(texts(0, one + two))
        parts = TextSketch.of(texts(0, one)), TextSketch.of(texts(one, one + two))
        joined = parts[0].joined(parts[1])
        assert set(joined.hashes) <= set(whole.hashes) or one + two > 1024
        assert joined.share(texts(0, one + two)) == 1
        assert joined.share(texts(50_000, 60_000)) == 0


def test_joined_with_unknown_texts_nothing_is_known():
    known, unknown = TextSketch.of(texts(0, 50)), TextSketch(complete=False)
    for joined in (known.joined(unknown), unknown.joined(known)):
        assert not joined.complete
        assert joined.share(texts(0, 50)) is None


def test_the_columns_of_a_row_are_told_apart():
    sketch = TextSketch.of([TextRow(("a", "b c"))])
    assert sketch.share([TextRow(("a", "b c"))] * 10) == 1
    assert sketch.share([TextRow(("a b", "c"))] * 10) == 0
