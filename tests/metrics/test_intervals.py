"""Intervals: equal to a naive loop or to a published formula, covering, the same for the same seed."""

import numpy as np
import pytest

from clx.ml import intervals
from clx.ml.intervals import (
    bootstrap,
    classification_intervals,
    classification_statistic,
    multilabel_intervals,
    multilabel_statistic,
    percentile_interval,
    resample_weights,
    span_intervals,
    wilson_interval,
)
from clx.ml.metrics import classification_metrics
from clx.ml.multilabel_metrics import multilabel_metrics

CLASSIFICATION = ["accuracy", "f1_macro", "f1_weighted", "log_loss"]
MULTILABEL = ["f1_micro", "f1_macro", "f1_samples", "subset_accuracy"]


def single(rows, names=4, seed=0):
    random = np.random.default_rng(seed)
    labels = random.integers(0, names, rows)
    logits = random.normal(size=(rows, names))
    logits[np.arange(rows), labels] += 1.5
    return labels, logits


def several(rows, names=4, seed=0):
    random = np.random.default_rng(seed)
    labels = random.random((rows, names)) < 0.2
    scores = 1 / (1 + np.exp(-(random.normal(size=(rows, names)) + 3 * labels - 2)))
    return labels, scores, random.uniform(0.3, 0.7, names)


def weights_of(rows, resamples, seed=0):
    return np.concatenate(list(resample_weights(rows, resamples, seed)))


@pytest.mark.parametrize("rows", [1, 2, 7, 30])
def test_classification_is_that_of_the_repeated_rows(rows):
    labels, logits = single(rows, seed=rows)
    resampled = bootstrap(classification_statistic(labels, logits), rows, resamples=40)
    assert list(resampled) == CLASSIFICATION
    for number, weights in enumerate(weights_of(rows, 40)):
        drawn = np.repeat(np.arange(rows), weights.astype(int))
        expected = classification_metrics(labels[drawn], logits[drawn])
        for key in CLASSIFICATION:
            assert resampled[key][number] == pytest.approx(expected[key])


@pytest.mark.parametrize("rows", [1, 2, 7, 30])
def test_multilabel_is_that_of_the_repeated_rows(rows):
    labels, scores, thresholds = several(rows, seed=rows)
    statistic = multilabel_statistic(labels, scores, thresholds)
    resampled = bootstrap(statistic, rows, resamples=40)
    assert list(resampled) == MULTILABEL
    for number, weights in enumerate(weights_of(rows, 40)):
        drawn = np.repeat(np.arange(rows), weights.astype(int))
        expected = multilabel_metrics(labels[drawn], scores[drawn], thresholds)
        for key in MULTILABEL:
            assert resampled[key][number] == pytest.approx(expected[key])


def test_intervals_are_the_quantiles_of_the_resamples():
    labels, logits = single(60)
    resampled = bootstrap(classification_statistic(labels, logits), 60, 1000, seed=3)
    got = classification_intervals(labels, logits, seed=3)
    keys = [f"{key}_{end}" for key in CLASSIFICATION for end in ("low", "high")]
    assert list(got) == keys
    for key in CLASSIFICATION:
        low, high = np.quantile(resampled[key], [0.025, 0.975])
        if key != "accuracy":
            assert (got[f"{key}_low"], got[f"{key}_high"]) == pytest.approx((low, high))
        assert got[f"{key}_low"] < classification_metrics(labels, logits)[key] < got[f"{key}_high"]
    assert percentile_interval(np.arange(1001)) == pytest.approx((25, 975))


def test_weights_draw_as_many_rows_as_there_are_each_equally_often():
    weights = weights_of(50, 4000)
    assert weights.shape == (4000, 50)
    assert weights.dtype == np.float32
    assert (weights.sum(axis=1) == 50).all()
    assert weights.mean(axis=0) == pytest.approx(np.ones(50), abs=0.1)
    # Multinomial: variance 1 - 1/rows.
    assert weights.var() == pytest.approx(0.98, abs=0.02)


def test_the_seed_decides_and_the_chunks_do_not(monkeypatch):
    labels, scores, thresholds = several(101)
    first = multilabel_intervals(labels, scores, thresholds, seed=1)
    assert multilabel_intervals(labels, scores, thresholds, seed=1) == first
    assert multilabel_intervals(labels, scores, thresholds, seed=2) != first
    monkeypatch.setattr(intervals, "CELLS", 700)  # six resamples at once
    assert len(list(resample_weights(101, 1000))) == 167
    assert multilabel_intervals(labels, scores, thresholds, seed=1) == pytest.approx(first)


def test_other_random_numbers_neither_change_nor_are_changed():
    labels, logits = single(20)
    np.random.seed(5)
    first = classification_intervals(labels, logits)
    after = np.random.random()
    np.random.seed(5)
    assert np.random.random() == after
    assert classification_intervals(labels, logits) == first


@pytest.mark.parametrize("present", [False, True])
def test_a_single_row_tells_little(present):
    got = classification_intervals([1], [[0.0, 2.0]])
    # Wilson: 1 / (1 + 1.96²).
    assert (got["accuracy_low"], got["accuracy_high"]) == pytest.approx((0.2065, 1), abs=1e-4)
    assert (got["f1_macro_low"], got["f1_macro_high"]) == pytest.approx((0.2065, 1), abs=1e-4)
    assert "log_loss_low" not in got
    got = multilabel_intervals([[present, False]], [[0.9, 0.1]], 0.5)
    limits = (got["subset_accuracy_low"], got["subset_accuracy_high"])
    assert limits == pytest.approx((0.2065, 1) if present else (0, 0.7935), abs=1e-4)
    assert np.isfinite(list(got.values())).all()


def test_the_interval_of_a_share_is_that_of_the_literature():
    # Newcombe (1998), "Two-sided confidence intervals for the single proportion", table I, method 3.
    for right, rows, low, high in (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ):
        assert wilson_interval(right / rows, rows) == pytest.approx((low, high), abs=1e-4)
    assert wilson_interval(0.5, 0) == (0, 1)
    labels, logits = single(200)
    accuracy = classification_metrics(labels, logits)["accuracy"]
    got = classification_intervals(labels, logits)
    assert (got["accuracy_low"], got["accuracy_high"]) == wilson_interval(accuracy, 200)


def perfect(of_labels):
    """Rows of which each is right, and how many each label has."""
    labels = np.repeat(np.arange(len(of_labels)), of_labels)
    return labels, 4 * np.eye(len(of_labels))[labels]


def test_rows_that_are_all_right_do_not_make_a_metric_certain():
    labels, logits = perfect([12, 12])
    got = classification_intervals(labels, logits)
    for key in ("accuracy", "f1_macro", "f1_weighted"):
        assert (got[f"{key}_low"], got[f"{key}_high"]) == pytest.approx((0.862, 1), abs=1e-3)
    marks = np.eye(2, dtype=bool)[labels]
    got = multilabel_intervals(marks, np.where(marks, 0.9, 0.1), 0.5)
    for key in MULTILABEL:
        assert (got[f"{key}_low"], got[f"{key}_high"]) == pytest.approx((0.862, 1), abs=1e-3)
    got = span_intervals(marks, marks, marks)
    for key in ("precision", "recall", "f1", "f1_macro"):
        assert (got[f"{key}_low"], got[f"{key}_high"]) == pytest.approx((0.862, 1), abs=1e-3)


def test_rows_that_are_all_wrong_do_not_make_a_metric_certain():
    labels, logits = perfect([12, 12])
    got = classification_intervals(labels, -logits)
    for key in ("accuracy", "f1_macro", "f1_weighted"):
        assert (got[f"{key}_low"], got[f"{key}_high"]) == pytest.approx((0, 0.138), abs=1e-3)


def test_a_mean_over_labels_depends_on_the_rows_of_the_rarest():
    lows = [
        classification_intervals(*perfect(rows))["f1_macro_low"] for rows in ([98, 2], [50, 50])
    ]
    # Two rows and ninety-eight say as much about the mean as 4 / (1/98 + 1/2) = 7.84 rows.
    assert lows == pytest.approx([7.84 / (7.84 + 1.96**2), 100 / (100 + 1.96**2)], abs=1e-3)


def test_a_mistake_does_not_raise_a_limit():
    labels, logits = perfect([12, 12])
    none = classification_intervals(labels, logits)
    logits[0] = -logits[0]
    one = classification_intervals(labels, logits)
    for key in ("accuracy", "f1_macro", "f1_weighted"):
        assert one[f"{key}_low"] <= none[f"{key}_low"]


def test_labels_that_do_not_occur_are_no_trouble():
    got = multilabel_intervals(np.zeros((5, 3)), np.zeros((5, 3)), 0.5)
    # Nothing says how well labels are found that no row has.
    for key in ("f1_micro", "f1_macro"):
        assert (got[f"{key}_low"], got[f"{key}_high"]) == (0, 1)
    assert got["f1_samples_high"] == 1


def test_no_rows_are_refused():
    with pytest.raises(ValueError, match="no rows"):
        classification_intervals(np.zeros(0, int), np.zeros((0, 3)))


def test_the_true_accuracy_is_inside_about_95_times_of_100():
    random, truth, inside = np.random.default_rng(0), 0.8, 0
    for _ in range(300):
        labels = np.zeros(200, dtype=int)
        right = random.random(200) < truth
        logits = np.where(right[:, None], [2.0, 0.0], [0.0, 2.0])
        got = classification_intervals(labels, logits, resamples=300)
        inside += got["accuracy_low"] <= truth <= got["accuracy_high"]
    assert 0.91 < inside / 300 < 0.98


def test_the_width_is_that_of_the_normal_approximation():
    labels, logits = single(5000)
    accuracy = classification_metrics(labels, logits)["accuracy"]
    got = classification_intervals(labels, logits)
    width = 2 * 1.96 * np.sqrt(accuracy * (1 - accuracy) / 5000)
    assert got["accuracy_high"] - got["accuracy_low"] == pytest.approx(width, rel=0.1)


def test_many_labels_are_counted_alike(monkeypatch):
    rng = np.random.default_rng(3)
    labels, logits = rng.integers(0, 12, 80), rng.normal(size=(80, 12))
    expected = classification_intervals(labels, logits, resamples=40)
    monkeypatch.setattr("clx.ml.intervals.MANY_LABELS", 3)
    assert classification_intervals(labels, logits, resamples=40) == expected
