"""Which base is recommended, by score and cost."""

import math

from clx.ml.selection.recommend import Measured, best_first, recommended


def base(name, score, seconds, error=0.01):
    half = 1.96 * error
    return Measured(name, score, score - half, score + half, seconds, 1)


def choose(*measured, higher=True):
    return recommended(best_first(measured, higher), higher)


def test_the_fastest_of_those_within_one_standard_error():
    good, close, worse = base("good", 0.9, 9), base("close", 0.8901, 3), base("worse", 0.889, 1)
    assert choose(worse, close, good) == "close"
    assert choose(worse, good) == "good"


def test_times_that_differ_little_count_as_equal():
    assert choose(base("good", 0.9, 1.2), base("close", 0.895, 1.0)) == "good"
    assert choose(base("good", 0.9, 1.3), base("close", 0.895, 1.0)) == "close"


def test_a_lower_loss_is_better():
    ordered = best_first([base("high", 0.9, 1), base("low", 0.2, 9)], higher=False)
    assert [each.base for each in ordered] == ["low", "high"]
    assert recommended(ordered, higher=False) == "low"


def test_without_an_interval_the_best_is_recommended():
    nan = float("nan")
    one, two = Measured("one", 0.9, nan, nan, 9, 1), Measured("two", 0.89, nan, nan, 1, 1)
    assert choose(two, one) == "one"


def test_a_score_that_is_not_a_number_comes_last():
    ordered = best_first([base("nan", math.nan, 1), base("bad", 0.1, 9)], higher=True)
    assert [each.base for each in ordered] == ["bad", "nan"]


def test_of_equal_scores_the_faster_comes_first():
    ordered = best_first([base("slow", 0.5, 2), base("fast", 0.5, 1)], higher=True)
    assert [each.base for each in ordered] == ["fast", "slow"]
