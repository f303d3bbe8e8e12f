"""Metrics against scikit-learn on random data, and by hand on a small table."""

import numpy as np
import pytest
from sklearn import metrics as sk

from clx.ml.metrics import (
    classification_metrics,
    confusion_matrix,
    confusion_table,
    log_softmax,
    per_label_table,
    precision_recall_f1,
)

KEYS = ["accuracy", "f1_macro", "f1_micro", "f1_weighted", "log_loss"]


def softmax(logits):
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


def random_case(seed):
    """Return labels and logits; in some cases labels do not occur, or are never predicted."""
    random = np.random.default_rng(seed)
    rows, names = int(random.integers(1, 60)), int(random.integers(2, 9))
    labels = random.integers(0, int(random.integers(1, names + 1)), rows)
    logits = random.normal(size=(rows, names)) * 3
    logits[np.arange(rows), labels] += random.uniform(0, 4)
    logits[:, names - 1] -= random.choice([0, 15])
    return labels, logits


CASES = [random_case(seed) for seed in range(60)]


def test_the_random_cases_have_what_is_hard():
    absent = [np.bincount(labels, minlength=logits.shape[1]).min() == 0 for labels, logits in CASES]
    never = [len(set(logits.argmax(1))) < logits.shape[1] for _, logits in CASES]
    assert (len(CASES), len({logits.shape[1] for _, logits in CASES})) == (60, 7)
    assert 5 < sum(absent) < 60
    assert sum(never) > 5


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", range(len(CASES)))
def test_metrics_are_those_of_scikit_learn(case):
    labels, logits = CASES[case]
    predicted = logits.argmax(axis=1)
    got = classification_metrics(labels, logits)
    assert list(got) == KEYS
    assert all(type(value) is float for value in got.values())
    expected = {
        "accuracy": sk.accuracy_score(labels, predicted),
        "f1_macro": sk.f1_score(labels, predicted, average="macro", zero_division=0),
        "f1_micro": sk.f1_score(labels, predicted, average="micro", zero_division=0),
        "f1_weighted": sk.f1_score(labels, predicted, average="weighted", zero_division=0),
        "log_loss": sk.log_loss(labels, softmax(logits), labels=range(logits.shape[1])),
    }
    assert got == pytest.approx(expected)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", range(len(CASES)))
def test_tables_are_those_of_scikit_learn(case):
    labels, logits = CASES[case]
    predicted, ids = logits.argmax(axis=1), range(logits.shape[1])
    names = [f"label {i}" for i in ids]
    table = per_label_table(labels, predicted, names)
    expected = sk.precision_recall_fscore_support(labels, predicted, labels=ids, zero_division=0)
    assert list(table.index) == names
    for column, values in zip(["precision", "recall", "f1", "support"], expected, strict=True):
        assert table[column].to_numpy() == pytest.approx(values)
    confusion = confusion_table(labels, predicted, names)
    assert (confusion.to_numpy() == sk.confusion_matrix(labels, predicted, labels=ids)).all()
    assert list(confusion.index) == list(confusion.columns) == names


# Six rows, three labels:          label      predicted
#                                  0 0 0 1 1 2   0 0 1 1 2 1
LABELS = np.array([0, 0, 0, 1, 1, 2])
PREDICTED = np.array([0, 0, 1, 1, 2, 1])


def test_confusion_by_hand_has_labels_as_rows():
    confusion = confusion_matrix(LABELS, PREDICTED, 3)
    assert confusion.tolist() == [[2, 1, 0], [0, 1, 1], [0, 1, 0]]
    assert confusion_matrix(LABELS, PREDICTED, 4)[3].tolist() == [0, 0, 0, 0]
    table = confusion_table(LABELS, PREDICTED, ["a", "b", "c"])
    assert table.loc["a", "b"] == 1
    assert table.loc["b", "a"] == 0


def test_precision_recall_and_f1_by_hand():
    precision, recall, f1 = precision_recall_f1(confusion_matrix(LABELS, PREDICTED, 4))
    assert precision == pytest.approx([1, 1 / 3, 0, 0])
    assert recall == pytest.approx([2 / 3, 1 / 2, 0, 0])
    assert f1 == pytest.approx([4 / 5, 2 / 5, 0, 0])


def test_metrics_by_hand():
    # The fourth label neither occurs nor is predicted: macro-F1 leaves it out.
    logits = np.log(np.full((6, 4), 0.1))
    logits[np.arange(6), PREDICTED] = np.log(0.7)
    got = classification_metrics(LABELS, logits)
    assert got["accuracy"] == got["f1_micro"] == pytest.approx(3 / 6)
    assert got["f1_macro"] == pytest.approx((4 / 5 + 2 / 5 + 0) / 3)
    assert got["f1_weighted"] == pytest.approx((3 * 4 / 5 + 2 * 2 / 5 + 1 * 0) / 6)
    assert got["log_loss"] == pytest.approx(-(3 * np.log(0.7) + 3 * np.log(0.1)) / 6)


def test_support_counts_labels_not_predictions():
    table = per_label_table(LABELS, PREDICTED, ["a", "b", "c"])
    assert table["support"].tolist() == [3, 2, 1]
    assert table.index.name == "label"
    assert table.loc["a", "precision"] == 1
    assert table.loc["a", "recall"] == pytest.approx(2 / 3)


def test_the_truth_goes_first():
    logits = np.array([[5.0, 0.0], [5.0, 0.0], [0.0, 5.0]])
    table = per_label_table([0, 1, 1], logits.argmax(axis=1), ["a", "b"])
    assert table.loc["b", "recall"] == 0.5
    assert table.loc["b", "precision"] == 1


def test_extreme_logits_do_not_overflow():
    logits = np.array([[1e4, -1e4], [-1e4, 1e4]], dtype=np.float32)
    assert classification_metrics([0, 1], logits)["log_loss"] == pytest.approx(0)
    assert classification_metrics([1, 0], logits)["log_loss"] == pytest.approx(2e4)
    assert np.exp(log_softmax(logits)).sum(axis=1) == pytest.approx([1, 1])


def test_perfect_and_hopeless():
    logits = np.eye(3) * 20
    assert classification_metrics([0, 1, 2], logits)["f1_macro"] == 1
    assert classification_metrics([1, 2, 0], logits)["accuracy"] == 0
    assert classification_metrics([1, 2, 0], logits)["f1_weighted"] == 0
