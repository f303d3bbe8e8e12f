"""Multi-label metrics against scikit-learn on random data, and by hand on a small table."""

import numpy as np
import pytest
from sklearn import metrics as sk

from clx.ml.multilabel_metrics import (
    average_precision,
    co_occurrence_table,
    decisions,
    multilabel_calibration_table,
    multilabel_metrics,
    multilabel_table,
    sigmoid,
)

KEYS = [
    "f1_micro",
    "f1_macro",
    "f1_samples",
    "subset_accuracy",
    "average_precision",
    "precision_micro",
    "recall_micro",
    "log_loss",
    "ece",
]


def random_case(seed):
    """Return labels, scores and thresholds; in some cases labels never or always occur."""
    random = np.random.default_rng(seed)
    rows, names = int(random.integers(1, 50)), int(random.integers(1, 9))
    labels = (random.random((rows, names)) < random.uniform(0, 0.7, names)).astype(int)
    if seed % 3 == 0:
        labels[:, 0] = seed % 2
    logits = random.normal(size=(rows, names)) + 2 * labels - 1
    scores = 1 / (1 + np.exp(-logits))
    if seed % 4 == 0:
        scores = scores.round(1)  # many ties
    if seed % 5 == 0:
        scores = scores.astype(np.float32)
    return labels, scores, random.uniform(0.05, 0.95, names)


CASES = [random_case(seed) for seed in range(80)]


def test_the_random_cases_have_what_is_hard():
    labels = [labels for labels, _, _ in CASES]
    predicted = [scores >= limits for _, scores, limits in CASES]
    pairs = list(zip(labels, predicted, strict=True))
    assert sum(not truth.any(axis=0).all() for truth in labels) > 20
    assert sum(truth.all(axis=0).any() for truth in labels) > 10
    assert sum((~(truth.any(axis=1) | found.any(axis=1))).any() for truth, found in pairs) > 20
    assert sum(((truth + found) == 0).all(axis=0).any() for truth, found in pairs) > 3


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", range(len(CASES)))
def test_metrics_are_those_of_scikit_learn(case):
    labels, scores, thresholds = CASES[case]
    predicted = (scores >= thresholds).astype(int)
    got = multilabel_metrics(labels, scores, thresholds)
    assert list(got) == KEYS
    assert all(type(value) is float for value in got.values())
    assert np.isfinite(list(got.values())).all()

    # A single column would be taken for a binary task with averages of both classes.
    if labels.shape[1] == 1:
        labels = np.hstack([labels, np.zeros_like(labels)])
        predicted = np.hstack([predicted, np.zeros_like(predicted)])
    occurs = np.flatnonzero(labels.any(axis=0) | predicted.any(axis=0))
    positive = labels[:, : scores.shape[1]].any(axis=0)
    each = [
        sk.average_precision_score(labels[:, n], scores[:, n]) for n in np.flatnonzero(positive)
    ]
    flat = labels[:, : scores.shape[1]].ravel()
    expected = {
        "f1_micro": sk.f1_score(labels, predicted, average="micro", zero_division=0),
        "f1_macro": sk.f1_score(labels, predicted, labels=occurs, average="macro", zero_division=0)
        if len(occurs)
        else 0.0,
        "f1_samples": sk.f1_score(labels, predicted, average="samples", zero_division=1.0),
        "subset_accuracy": sk.accuracy_score(labels, predicted),
        "average_precision": np.mean(each) if each else 0.0,
        "precision_micro": sk.precision_score(labels, predicted, average="micro", zero_division=0),
        "recall_micro": sk.recall_score(labels, predicted, average="micro", zero_division=0),
        "log_loss": sk.log_loss(flat, scores.ravel(), labels=[0, 1]),
    }
    assert {key: got[key] for key in expected} == pytest.approx(expected, rel=1e-5)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", range(len(CASES)))
def test_the_table_is_that_of_scikit_learn(case):
    labels, scores, thresholds = CASES[case]
    names = [f"label {n}" for n in range(labels.shape[1])]
    table = multilabel_table(labels, scores, thresholds, names)
    assert list(table.index) == names
    assert table.notna().to_numpy().all()
    assert table["threshold"].tolist() == thresholds.tolist()
    for n, row in enumerate(table.itertuples()):
        predicted = scores[:, n] >= thresholds[n]
        precision, recall, f1, _ = sk.precision_recall_fscore_support(
            labels[:, n], predicted, average="binary", zero_division=0
        )
        assert (row.precision, row.recall, row.f1) == pytest.approx((precision, recall, f1))
        assert row.support == labels[:, n].sum()
        expected = sk.average_precision_score(labels[:, n], scores[:, n]) if row.support else 0
        assert row.average_precision == pytest.approx(expected)


# Four rows, three labels (the third never occurs); thresholds .5 .3 .5.
LABELS = np.array([[1, 1, 0], [1, 0, 0], [0, 1, 0], [0, 0, 0]])
SCORES = np.array([[0.9, 0.3, 0.1], [0.4, 0.2, 0.1], [0.6, 0.8, 0.1], [0.1, 0.1, 0.2]])
THRESHOLDS = [0.5, 0.3, 0.5]


def test_metrics_by_hand():
    # Predicted: {0, 1}, {}, {0, 1}, {}: 3 hits of 4 predictions and 4 labels.
    assert decisions(SCORES, THRESHOLDS).astype(int).tolist() == [
        [1, 1, 0],
        [0, 0, 0],
        [1, 1, 0],
        [0, 0, 0],
    ]
    got = multilabel_metrics(LABELS, SCORES, THRESHOLDS)
    assert got["precision_micro"] == 3 / 4
    assert got["recall_micro"] == 3 / 4
    assert got["f1_micro"] == 3 / 4
    assert got["f1_macro"] == pytest.approx((1 / 2 + 1) / 2)  # the third label is left out
    assert got["f1_samples"] == pytest.approx((1 + 0 + 2 / 3 + 1) / 4)  # the empty row counts as 1
    assert got["subset_accuracy"] == 2 / 4
    # First label: .9 hit, .6 miss, .4 hit: (1 + 2/3) / 2. Second: .8 and .3 are hits: 1.
    assert got["average_precision"] == pytest.approx(((1 + 2 / 3) / 2 + 1) / 2)
    right = np.array([0.9, 0.3, 0.9, 0.4, 0.8, 0.9, 0.4, 0.8, 0.9, 0.9, 0.9, 0.8])
    assert got["log_loss"] == pytest.approx(-np.log(right).mean())


def test_ece_by_hand_is_of_the_scores_not_of_the_thresholds():
    # Bins of width 1/15: five of .1 and two of .2, all without the label (3/15 is an edge),
    # .3 → 1, .4 → 1, .6 → 0, .8 → 1, .9 → 1.
    gaps = 5 * 0.1 + 2 * 0.2 + 0.7 + 0.6 + 0.6 + 0.2 + 0.1
    for thresholds in (THRESHOLDS, 0.9):
        got = multilabel_metrics(LABELS, SCORES, thresholds)["ece"]
        assert got == pytest.approx(gaps / 12)
    table = multilabel_calibration_table(LABELS, SCORES)
    assert table["count"].sum() == 12
    assert (
        (table["accuracy"] - table["confidence"]).abs() * table["count"]
    ).sum() == pytest.approx(gaps)


def test_the_truth_goes_first():
    table = multilabel_table([[1], [1], [0]], [[0.9], [0.1], [0.1]], 0.5, ["a"])
    assert (table.loc["a", "precision"], table.loc["a", "recall"]) == (1, 0.5)


def test_a_score_that_equals_its_threshold_is_predicted():
    assert decisions([[0.5, 0.5]], [0.5, 0.6]).tolist() == [[True, False]]


def test_co_occurrence_by_hand():
    table = co_occurrence_table([[1, 1, 0], [1, 0, 0], [1, 1, 1]], ["a", "b", "c"])
    assert table.to_numpy().tolist() == [[3, 2, 1], [2, 2, 1], [1, 1, 1]]
    assert list(table.index) == list(table.columns) == ["a", "b", "c"]
    assert table.to_numpy().dtype == np.int64


@pytest.mark.parametrize("present", [0, 1])
@pytest.mark.parametrize("score", [0.0, 1.0])
@pytest.mark.parametrize("rows", [1, 3])
def test_labels_that_never_or_always_occur(present, score, rows):
    labels, scores = np.full((rows, 2), present), np.full((rows, 2), score, dtype=np.float32)
    got = multilabel_metrics(labels, scores, 0.5)
    assert np.isfinite(list(got.values())).all()
    assert got["subset_accuracy"] == got["f1_samples"] == float(present == score)
    assert got["f1_micro"] == got["f1_macro"] == float(present == score == 1)
    assert got["average_precision"] == present
    assert got["ece"] == float(present != score)
    table = multilabel_table(labels, scores, 0.5, ["a", "b"])
    assert table.notna().to_numpy().all()


def test_average_precision_groups_equal_scores():
    # Whatever the order of the rows, a tie is one threshold.
    for labels in ([1, 0], [0, 1]):
        assert average_precision(np.array([labels]).T, np.array([[0.5], [0.5]])) == [0.5]


def test_bool_labels_and_decisions_as_scores():
    got = multilabel_metrics(LABELS.astype(bool), decisions(SCORES, THRESHOLDS).astype(int), 0.5)
    assert got["f1_micro"] == 3 / 4


@pytest.mark.parametrize(
    ("labels", "scores", "thresholds", "message"),
    [
        ([1, 0], [0.5, 0.5], 0.5, "matrices of the same shape"),
        ([[1, 0]], [[0.5]], 0.5, r"\(1, 2\) and \(1, 1\)"),
        (np.zeros((0, 2)), np.zeros((0, 2)), 0.5, "at least one row"),
        ([[0.9, 0.1]], [[1, 0]], 0.5, "in the right order"),
        ([[1, 0]], [[0.9, 0.1]], [0.5], "thresholds must have the shape"),
    ],
)
def test_what_does_not_fit_is_refused(labels, scores, thresholds, message):
    with pytest.raises(ValueError, match=message):
        multilabel_metrics(labels, scores, thresholds)


def test_scores_that_are_not_numbers_do_not_crash():
    scores = SCORES.copy()
    scores[0, 0] = np.nan
    got = multilabel_metrics(LABELS, scores, THRESHOLDS)
    assert np.isnan(got["log_loss"])
    assert got["recall_micro"] == 2 / 4


def test_sigmoid_is_exact_and_does_not_overflow():
    logits = np.array([-1000.0, -2.0, 0.0, 2.0, 1000.0], dtype=np.float32)
    assert sigmoid(logits) == pytest.approx([0.0, 0.11920292, 0.5, 0.88079708, 1.0])
