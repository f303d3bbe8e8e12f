"""Sampled texts: their tokens, what is computed of them, and batches that are spread over lengths."""

import pickle

from clx.ml.batch.measuring import Measured, Measuring, Predictions, measure
from clx.ml.batch.tokens import SampledTexts, spread
from clx_runtime.texts import TextRow


def sampled(runs, limit=None):
    return SampledTexts(runs, {text: len(text) for run in runs for text in run}, limit)


def test_tokens_are_counted_before_truncation_and_computed_after():
    texts = sampled([["a" * 10, "b" * 30]], limit=20)
    tokens = texts.tokens()
    assert (tokens.mean, tokens.p95, tokens.over_limit) == (20, 30, 0.5)
    assert texts.computed(1024)[0] == 15


def test_equal_texts_count_once_per_window():
    texts = sampled([["aaaa"] * 8])
    assert texts.computed(8)[0] == 4 / 8
    assert texts.computed(4)[0] == 8 / 8
    assert texts.tokens().repeated == 7 / 8


def test_a_place_that_differs_from_the_others_widens_the_error():
    alike = sampled([["a" * n for n in range(10, 40)]] * 2)
    apart = sampled([["a" * 10] * 30, ["b" * 40] * 30])
    assert apart.computed(1)[1] > 3 * alike.computed(1)[1]


def test_groups_are_whole_batches_and_the_first_few_have_all_lengths():
    texts = sampled([[f"{'a' * size}{number}" for size in (8, 64, 128) for number in range(90)]])
    groups = texts.groups("cpu", 10)
    assert sorted(text for group in groups for text in group.texts) == sorted(texts.runs[0])
    assert all(len(group.texts) == 10 for group in groups)
    lengths = {group.tokens // 10 // 50 for group in groups[:4]}
    assert lengths == {0, 1, 2}


def test_an_order_that_is_spread_has_every_item_once():
    for count in (1, 2, 7, 100):
        assert sorted(spread(list(range(count)))) == list(range(count))


def test_a_row_of_several_texts_survives_pickle():
    row = pickle.loads(pickle.dumps(TextRow(["one", "two"])))
    assert row.texts == ("one", "two")
    assert str(row) == "one\ntwo"


class Engine:
    """Predicts nothing, and counts its calls."""

    calls = 0

    def __call__(self, texts, cut):
        self.calls += 1
        return [{"length": len(text)} for text in texts]


def test_a_measurement_predicts_only_the_sample_and_says_the_rate():
    engine = Engine()
    texts = sampled([["a" * n for n in range(1, 60)]])
    found = measure(Measuring(lambda: Predictions(engine, "cpu"), texts, seconds=0.05), since=0.0)
    assert len(found.rounds) > 1
    assert engine.calls == len(found.rounds) + 2
    assert found.window == 1024
    assert found.memory is None
    assert found.token_seconds > 0
    assert all(row == {"length": len(text)} for text, row in found.predicted.items())


def test_the_error_of_a_measurement_follows_from_its_rounds():
    assert Measured(rounds=[(10, 1, 1.0), (10, 1, 1.0)]).error == 0
    assert Measured(rounds=[(10, 1, 1.0), (10, 1, 3.0)]).error > 0.4
    assert Measured(rounds=[(10, 1, 1.0)]).error == 0.25
