"""Metrics of rows with weights equal those of scikit-learn, and those of repeated rows."""

import numpy as np
import pytest
from sklearn import metrics as sk

from clx.ml.comparing import classification_difference, multilabel_difference
from clx.ml.intervals import classification_intervals, multilabel_intervals
from clx.ml.metrics import classification_metrics, log_softmax, per_label_table
from clx.ml.multilabel_metrics import multilabel_metrics, multilabel_table, sigmoid
from clx.ml.thresholds import choose_cut, choose_thresholds

rng = np.random.default_rng(0)
ROWS, LABELS = 60, 4
LOGITS = rng.normal(size=(ROWS, LABELS))
IDS = (LOGITS + rng.normal(size=LOGITS.shape)).argmax(axis=1)
MARKS = (LOGITS + rng.normal(size=LOGITS.shape) > 0.5).astype(int)
WEIGHTS = rng.integers(1, 4, ROWS).astype(float)
AGAIN = np.repeat(np.arange(ROWS), WEIGHTS.astype(int))
PROBABILITIES = np.exp(log_softmax(LOGITS))
SCORES = sigmoid(LOGITS)
NAMES = list("abcd")


def test_metrics_of_one_label_are_those_of_scikit_learn():
    found = classification_metrics(IDS, LOGITS, WEIGHTS)
    predicted = LOGITS.argmax(axis=1)
    assert found["accuracy"] == pytest.approx(
        sk.accuracy_score(IDS, predicted, sample_weight=WEIGHTS)
    )
    for average in ("macro", "micro", "weighted"):
        expected = sk.f1_score(IDS, predicted, average=average, sample_weight=WEIGHTS)
        assert found[f"f1_{average}"] == pytest.approx(expected)
    expected = sk.log_loss(IDS, PROBABILITIES, sample_weight=WEIGHTS, labels=range(LABELS))
    assert found["log_loss"] == pytest.approx(expected)
    assert found["ece"] == pytest.approx(classification_metrics(IDS[AGAIN], LOGITS[AGAIN])["ece"])


def test_metrics_of_several_labels_are_those_of_scikit_learn():
    found = multilabel_metrics(MARKS, SCORES, 0.5, WEIGHTS)
    again = multilabel_metrics(MARKS[AGAIN], SCORES[AGAIN], 0.5)
    assert found == pytest.approx(again)
    chosen = SCORES >= 0.5
    for average in ("macro", "micro"):
        expected = sk.f1_score(MARKS, chosen, average=average, sample_weight=WEIGHTS)
        assert found[f"f1_{average}"] == pytest.approx(expected)
    expected = sk.average_precision_score(MARKS, SCORES, average="macro", sample_weight=WEIGHTS)
    assert found["average_precision"] == pytest.approx(expected)


def test_the_soft_log_loss_is_the_cross_entropy_of_probabilities():
    truth = rng.dirichlet(np.ones(LABELS), ROWS)
    found = classification_metrics(IDS, LOGITS, WEIGHTS, truth)["soft_log_loss"]
    expected = np.average(-(truth * np.log(PROBABILITIES)).sum(axis=1), weights=WEIGHTS)
    assert found == pytest.approx(expected)
    certain = np.eye(LABELS)[IDS]
    metrics = classification_metrics(IDS, LOGITS, None, certain)
    assert metrics["soft_log_loss"] == pytest.approx(metrics["log_loss"])
    metrics = multilabel_metrics(MARKS, SCORES, 0.5, WEIGHTS, MARKS.astype(float))
    assert metrics["soft_log_loss"] == pytest.approx(metrics["log_loss"])
    assert "soft_log_loss" not in classification_metrics(IDS, LOGITS)


def test_tables_have_weighted_rates_and_numbers_of_rows():
    predicted = LOGITS.argmax(axis=1)
    one = per_label_table(IDS, predicted, NAMES, WEIGHTS)
    again = per_label_table(IDS[AGAIN], predicted[AGAIN], NAMES)
    rates = ["precision", "recall", "f1"]
    np.testing.assert_allclose(one[rates], again[rates])
    assert one["support"].sum() == ROWS
    several = multilabel_table(MARKS, SCORES, 0.5, NAMES, WEIGHTS)
    again = multilabel_table(MARKS[AGAIN], SCORES[AGAIN], 0.5, NAMES)
    np.testing.assert_allclose(several[rates], again[rates])
    assert several["support"].tolist() == MARKS.sum(axis=0).tolist()


@pytest.mark.parametrize(
    ("objective", "target"), [("f1", None), ("precision", 0.7), ("recall", 0.9)]
)
def test_thresholds_are_chosen_by_weight(objective, target):
    weighted = choose_thresholds(MARKS, SCORES, objective, target, weights=WEIGHTS)
    again = choose_thresholds(MARKS[AGAIN], SCORES[AGAIN], objective, target)
    assert weighted.values == pytest.approx(again.values)
    assert weighted.shared == pytest.approx(again.shared)


def test_a_cut_is_chosen_by_weight():
    weighted = choose_cut(IDS, PROBABILITIES, 0.7, WEIGHTS)
    again = choose_cut(IDS[AGAIN], PROBABILITIES[AGAIN], 0.7)
    assert weighted == pytest.approx(again)
    assert weighted != choose_cut(IDS, PROBABILITIES, 0.7)
    assert choose_cut(IDS, PROBABILITIES, 0.01, WEIGHTS).min_score == 0


def test_intervals_lie_around_the_weighted_metrics():
    metrics = classification_metrics(IDS, LOGITS, WEIGHTS)
    found = classification_intervals(IDS, LOGITS, weights=WEIGHTS)
    for key in ("accuracy", "f1_macro", "f1_weighted", "log_loss"):
        assert found[f"{key}_low"] < metrics[key] < found[f"{key}_high"]
    equal = classification_intervals(IDS, LOGITS, weights=np.full(ROWS, 0.3))
    assert equal == pytest.approx(classification_intervals(IDS, LOGITS))
    metrics = multilabel_metrics(MARKS, SCORES, 0.5, WEIGHTS)
    found = multilabel_intervals(MARKS, SCORES, 0.5, weights=WEIGHTS)
    for key in ("f1_micro", "f1_macro", "f1_samples", "subset_accuracy"):
        assert found[f"{key}_low"] < metrics[key] < found[f"{key}_high"]


def test_an_interval_of_weighted_rows_that_are_all_right_ends_at_one():
    uneven = rng.uniform(0.1, 3, ROWS)
    found = classification_intervals(LOGITS.argmax(axis=1), LOGITS, weights=uneven)
    equal = classification_intervals(LOGITS.argmax(axis=1), LOGITS)
    assert found["accuracy_high"] == pytest.approx(1)
    # Uneven weights tell as much as fewer rows.
    assert found["accuracy_low"] < equal["accuracy_low"] < 1
    found = multilabel_intervals(SCORES >= 0.5, SCORES, 0.5, weights=uneven)
    assert found["subset_accuracy_low"] < 1
    assert found["subset_accuracy_high"] == pytest.approx(1)


def test_differences_of_two_runs_are_weighted():
    other = LOGITS + rng.normal(size=LOGITS.shape)
    found = classification_difference(IDS, LOGITS, other, weights=WEIGHTS)
    one, two = (classification_metrics(IDS, scores, WEIGHTS) for scores in (LOGITS, other))
    assert found["accuracy"].difference == pytest.approx(two["accuracy"] - one["accuracy"])
    found = multilabel_difference(MARKS, SCORES, 0.5, sigmoid(other), 0.5, weights=WEIGHTS)
    one, two = (multilabel_metrics(MARKS, s, 0.5, WEIGHTS) for s in (SCORES, sigmoid(other)))
    assert found["f1_micro"].difference == pytest.approx(two["f1_micro"] - one["f1_micro"])
