"""The curves to choose a limit by say what the limit then does."""

import numpy as np
import pytest

from clx.ml.thresholds import choose_cut, coverage_curve, precision_recall_curve


def probabilities(rows=300, labels=4):
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(rows, labels)) * 2
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    right = rng.random(rows) < scores.max(axis=1)
    return np.where(right, scores.argmax(axis=1), rng.integers(labels, size=rows)), scores


def test_each_row_of_the_coverage_curve_is_what_its_limit_gives():
    truth, scores = probabilities()
    curve = coverage_curve(truth, scores)
    assert len(curve) == 200
    assert (curve["min_score"].iloc[0], curve["coverage"].iloc[0]) == (0.0, 1.0)
    for _, row in curve.iterrows():
        kept = scores.max(axis=1) >= row["min_score"]
        assert kept.sum() == row["rows"]
        right = scores.argmax(axis=1)[kept] == truth[kept]
        assert row["accuracy"] == pytest.approx(right.mean())
    cut = choose_cut(truth[:150], scores[:150], 0.8)
    own = coverage_curve(truth[:150], scores[:150]).set_index("min_score")
    assert own.loc[cut.min_score, "coverage"] == pytest.approx(cut.coverage)


def test_the_precision_recall_curve_is_that_of_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    labels = (rng.random((40, 2)) < 0.4).astype(int)
    scores = np.round(rng.random((40, 2)) * 0.5 + labels * 0.4, 1)
    curve = precision_recall_curve(labels, scores, ["a", "b"])
    for at, name in enumerate("ab"):
        precision, recall, _ = metrics.precision_recall_curve(labels[:, at], scores[:, at])
        own = curve[curve["label"] == name]
        np.testing.assert_allclose(own["precision"], precision[:-1])
        np.testing.assert_allclose(own["recall"], recall[:-1])
        for _, row in own.iterrows():
            assert (scores[:, at] >= row["threshold"]).sum() == row["rows"]


def test_many_labels_have_fewer_points_and_a_label_without_rows_none():
    rng = np.random.default_rng(0)
    labels = (rng.random((200, 500)) < 0.2).astype(int)
    labels[:, 7] = 0
    curve = precision_recall_curve(labels, rng.random((200, 500)), [str(n) for n in range(500)])
    assert curve["label"].nunique() == 499
    assert len(curve) <= 500 * 5
    assert len(precision_recall_curve(labels[:, 7:8], labels[:, 7:8] + 0.5, ["x"])) == 0
