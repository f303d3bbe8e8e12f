"""Metrics against scikit-learn on random data, and by hand on a small table."""

import numpy as np
import pytest
from sklearn import metrics as sk

from clx.ml.metrics import (
    calibration_table,
    classification_metrics,
    confusion_matrix,
    confusion_table,
    expected_calibration_error,
    log_softmax,
    per_label_table,
    precision_recall_f1,
    ratio,
)

KEYS = ["accuracy", "f1_macro", "f1_micro", "f1_weighted", "log_loss", "ece"]


def softmax(logits):
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


def naive_ece(correct, confidence, bins=15):
    """Guo et al. (2017), equation 3, bin by bin."""
    total = 0.0
    for number in range(bins):
        low, high = number / bins, (number + 1) / bins
        inside = (confidence > low if number else confidence >= low) & (confidence <= high)
        if inside.any():
            total += inside.sum() * abs(correct[inside].mean() - confidence[inside].mean())
    return total / len(confidence)


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
        "ece": naive_ece(predicted == labels, softmax(logits).max(axis=1)),
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


def test_calibration_by_hand():
    # Tops .55 .65 .95 .95, of which the first, the third and the fourth are right; four bins.
    top = np.array([0.55, 0.65, 0.95, 0.95])
    logits = np.log(np.stack([top, 1 - top], axis=1))
    table = calibration_table([0, 1, 0, 0], logits, bins=4)
    assert list(table.index) == ["0.500-0.750", "0.750-1.000"]
    assert table.index.name == "bin"
    assert table["confidence"].tolist() == pytest.approx([0.6, 0.95])
    assert table["accuracy"].tolist() == pytest.approx([0.5, 1.0])
    assert table["count"].tolist() == [2, 2]
    error = expected_calibration_error(np.array([1, 0, 1, 1]), top, bins=4)
    assert error == pytest.approx((2 * 0.1 + 2 * 0.05) / 4)


def test_fifteen_bins_closed_on_the_right():
    edges = np.arange(16) / 15
    table = calibration_table(
        np.zeros(16, int), np.log(np.stack([edges, 1 - edges], 1).clip(1e-300))
    )
    assert table["count"].sum() == 16
    # Alone, 0 and 1/15 are in the first bin; each other edge is the last of its bin.
    from clx.ml.metrics import calibration_counts

    assert calibration_counts(np.ones(16), edges)[2].tolist() == [2] + [1] * 14


def test_table_and_ece_agree():
    labels, logits = CASES[7]
    table = calibration_table(labels, logits)
    gaps = (table["accuracy"] - table["confidence"]).abs() * table["count"]
    assert table["count"].sum() == len(labels)
    assert gaps.sum() / len(labels) == pytest.approx(classification_metrics(labels, logits)["ece"])


def test_sure_and_right_is_calibrated_sure_and_wrong_is_not():
    logits = np.eye(2)[[0, 1, 0]] * 50
    assert classification_metrics([0, 1, 0], logits)["ece"] == pytest.approx(0)
    assert classification_metrics([1, 0, 1], logits)["ece"] == pytest.approx(1)


def test_nothing_to_divide_by():
    assert ratio([1, 0, 3], [2, 0, 4]).tolist() == [0.5, 0, 0.75]
    assert ratio([0.0], [0], nothing=1.0).tolist() == [1]
    assert ratio(1, 0) == 0


def test_logits_of_many_labels_are_read_in_parts(monkeypatch):
    rng = np.random.default_rng(5)
    labels, logits = rng.integers(0, 7, 50), rng.normal(size=(50, 7)).astype(np.float32)
    expected = classification_metrics(labels, logits), calibration_table(labels, logits)
    monkeypatch.setattr("clx.ml.metrics.MAX_PART", 30)
    assert classification_metrics(labels, logits) == expected[0]
    assert calibration_table(labels, logits).equals(expected[1])


def test_rows_of_each_label_are_those_of_the_confusion():
    rng = np.random.default_rng(6)
    labels, predicted = rng.integers(0, 5, 40), rng.integers(0, 5, 40)
    names = ["a", "b", "c", "d", "e", "never"]
    table = per_label_table(labels, predicted, names)
    rates = precision_recall_f1(confusion_matrix(labels, predicted, len(names)))
    for column, values in zip(("precision", "recall", "f1"), rates, strict=True):
        assert table[column].tolist() == values.tolist()
