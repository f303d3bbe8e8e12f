"""Comparing two runs: McNemar's test against scipy, differences against two bootstraps."""

import numpy as np
import pytest
from scipy import stats

from clx.ml.comparing import (
    Difference,
    classification_difference,
    mcnemar,
    multilabel_difference,
    paired_difference,
)
from clx.ml.intervals import bootstrap, classification_statistic
from clx.ml.metrics import classification_metrics
from clx.ml.multilabel_metrics import multilabel_metrics


@pytest.mark.parametrize(
    ("first", "second"), [(0, 1), (1, 0), (5, 0), (3, 9), (9, 3), (12, 12), (2, 22), (24, 0)]
)
def test_few_discordant_rows_are_tested_exactly(first, second):
    expected = stats.binomtest(first, first + second, 0.5).pvalue
    assert mcnemar(first, second) == pytest.approx(expected)


@pytest.mark.parametrize(("first", "second"), [(25, 0), (13, 12), (10, 30), (30, 10), (900, 1000)])
def test_many_are_tested_by_chi_squared_with_continuity_correction(first, second):
    statistic = (abs(first - second) - 1) ** 2 / (first + second)
    assert mcnemar(first, second) == pytest.approx(stats.chi2.sf(statistic, 1))


def test_mcnemar_by_hand():
    assert mcnemar(1, 5) == pytest.approx(2 * (1 + 6) / 64)
    # (|10 - 30| - 1)² / 40 = 9.025; R: mcnemar.test gives p-value = 0.002663.
    assert mcnemar(10, 30) == pytest.approx(0.002663, abs=1e-6)


@pytest.mark.parametrize("rows", [0, 1, 12, 13, 500])
def test_an_even_split_says_nothing(rows):
    assert mcnemar(rows, rows) == 1
    assert isinstance(mcnemar(rows, rows), float)


def test_huge_counts_and_negative_ones():
    assert mcnemar(0, 10**9) == 0
    with pytest.raises(ValueError, match="negative"):
        mcnemar(-1, 3)


def test_a_paired_difference_is_second_minus_first():
    first = np.array([1.0, 2.0, 3.0, 4.0])
    assert paired_difference(first, first + 0.5) == Difference(0.5, 0.5, 0.5)
    assert paired_difference([1], [0]) == (-1, -1, -1)


def test_a_paired_interval_is_that_of_the_mean():
    random = np.random.default_rng(0)
    first = random.normal(size=2000)
    second = first + random.normal(0.1, 0.5, size=2000)
    got = paired_difference(first, second)
    error = (second - first).std() / np.sqrt(2000)
    assert got.difference == pytest.approx((second - first).mean())
    assert got.low == pytest.approx(got.difference - 1.96 * error, abs=0.15 * error)
    assert got.high == pytest.approx(got.difference + 1.96 * error, abs=0.15 * error)
    assert paired_difference(first, second) == got
    assert paired_difference(first, second, seed=1) != got


def test_values_of_other_rows_are_refused():
    with pytest.raises(ValueError, match="one value per row"):
        paired_difference([1, 2], [1, 2, 3])
    with pytest.raises(ValueError, match="no rows"):
        paired_difference([], [])


def two_runs(rows=300, names=5, better=1.0):
    random = np.random.default_rng(1)
    labels = random.integers(0, names, rows)
    first = random.normal(size=(rows, names))
    first[np.arange(rows), labels] += 1
    second = first + 0.3 * random.normal(size=(rows, names))
    second[np.arange(rows), labels] += better
    return labels, first, second


def test_classification_differences_are_of_the_same_resamples():
    labels, first, second = two_runs()
    got = classification_difference(labels, first, second, seed=4)
    assert list(got) == ["accuracy", "f1_macro", "f1_weighted", "log_loss"]
    ours, theirs = classification_metrics(labels, first), classification_metrics(labels, second)
    one = bootstrap(classification_statistic(labels, first), len(labels), seed=4)
    other = bootstrap(classification_statistic(labels, second), len(labels), seed=4)
    for key, value in got.items():
        low, high = np.quantile(other[key] - one[key], [0.025, 0.975])
        assert value == pytest.approx((theirs[key] - ours[key], low, high))
    assert got["accuracy"].low > 0
    assert got["log_loss"].high < 0


def test_multilabel_differences_with_each_run_s_thresholds():
    labels, first, second = two_runs()
    truth = np.eye(5)[labels]
    first, second = (1 / (1 + np.exp(2 - x)) for x in (first, second))
    thresholds = np.linspace(0.3, 0.5, 5)
    got = multilabel_difference(truth, first, 0.5, second, thresholds)
    assert list(got) == ["f1_micro", "f1_macro", "f1_samples", "subset_accuracy"]
    ours = multilabel_metrics(truth, first, 0.5)
    theirs = multilabel_metrics(truth, second, thresholds)
    for key, (difference, low, high) in got.items():
        assert difference == pytest.approx(theirs[key] - ours[key])
        assert low < difference < high


def test_a_run_and_itself_do_not_differ():
    labels, first, _ = two_runs()
    assert set(classification_difference(labels, first, first).values()) == {(0, 0, 0)}
    truth = np.eye(5)[labels]
    got = multilabel_difference(truth, truth, 0.5, truth, 0.5)
    assert set(got.values()) == {(0, 0, 0)}


def test_two_runs_that_are_right_in_all_rows_may_differ_in_others():
    labels = np.arange(24) % 2
    right = 4 * np.eye(2)[labels]
    got = classification_difference(labels, right, right / 2)
    for key in ("accuracy", "f1_macro", "f1_weighted"):
        assert got[key] == pytest.approx((0, -0.138, 0.138), abs=1e-3)
    assert got["log_loss"].low > 0
    truth = np.eye(2)[labels]
    for difference in multilabel_difference(truth, truth, 0.5, 0.9 * truth, 0.5).values():
        assert difference == pytest.approx((0, -0.138, 0.138), abs=1e-3)


def test_paired_intervals_are_narrower_than_unpaired_ones():
    labels, first, second = two_runs(better=0.05)
    paired = classification_difference(labels, first, second)["log_loss"]
    one = bootstrap(classification_statistic(labels, first), len(labels), seed=0)["log_loss"]
    other = bootstrap(classification_statistic(labels, second), len(labels), seed=1)["log_loss"]
    low, high = np.quantile(other - one, [0.025, 0.975])
    assert paired.high - paired.low < 0.5 * (high - low)


def test_runs_with_other_labels_are_refused():
    labels, first, second = two_runs()
    with pytest.raises(ValueError, match=r"same rows and labels.*\(300, 5\) and \(300, 4\)"):
        classification_difference(labels, first, second[:, :4])
