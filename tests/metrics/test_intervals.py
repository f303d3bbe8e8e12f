"""Bootstrap intervals: equal to a naive loop, covering, the same for the same seed."""

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
def test_a_single_row_has_an_interval_of_no_width(present):
    got = classification_intervals([1], [[0.0, 2.0]])
    assert got["accuracy_low"] == got["accuracy_high"] == 1
    assert got["log_loss_low"] == got["log_loss_high"] == pytest.approx(np.log1p(np.exp(-2)))
    got = multilabel_intervals([[present, False]], [[0.9, 0.1]], 0.5)
    assert got["subset_accuracy_low"] == got["subset_accuracy_high"] == float(present)
    assert np.isfinite(list(got.values())).all()


def test_labels_that_do_not_occur_are_no_trouble():
    got = multilabel_intervals(np.zeros((5, 3)), np.zeros((5, 3)), 0.5)
    assert got["f1_micro_high"] == got["f1_macro_high"] == 0
    assert got["f1_samples_low"] == 1


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
