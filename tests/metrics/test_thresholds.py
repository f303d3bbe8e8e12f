"""Thresholds and cuts against trying every one there is."""

import numpy as np
import pytest

from clx.errors import ConfigError, ModelError
from clx.ml.multilabel_metrics import multilabel_metrics
from clx.ml.thresholds import Cut, Thresholds, choose_cut, choose_thresholds, objective_problems


def column(values):
    return np.array(values)[:, None]


def random_case(seed, rows=60, names=3):
    random = np.random.default_rng(seed)
    labels = random.random((rows, names)) < random.uniform(0.25, 0.6, names)
    scores = 1 / (1 + np.exp(-(random.normal(size=(rows, names)) + labels - 0.5)))
    if seed % 2:
        scores = scores.round(1)
    return labels, scores.astype(np.float32) if seed % 3 == 0 else scores


def every_limit(scores):
    return [0.0, *np.unique(scores).astype(float)]


def f1(labels, predicted):
    return 2 * (labels & predicted).sum() / max(1, labels.sum() + predicted.sum())


def precision(labels, predicted):
    return (labels & predicted).sum() / max(1, predicted.sum())


def recall(labels, predicted):
    return (labels & predicted).sum() / labels.sum()


@pytest.mark.parametrize("seed", range(30))
def test_f1_is_the_highest_of_all_thresholds(seed):
    labels, scores = random_case(seed)
    chosen = choose_thresholds(labels, scores)
    assert chosen.fallback == ()
    for n, limit in enumerate(chosen.values):
        best = max(f1(labels[:, n], scores[:, n] >= other) for other in every_limit(scores[:, n]))
        assert f1(labels[:, n], scores[:, n] >= limit) == pytest.approx(best)
    pooled = labels.ravel(), scores.ravel()
    best = max(f1(pooled[0], pooled[1] >= other) for other in every_limit(scores))
    assert f1(pooled[0], pooled[1] >= chosen.shared) == pytest.approx(best)
    assert multilabel_metrics(labels, scores, chosen.shared)["f1_micro"] == pytest.approx(best)


@pytest.mark.parametrize("target", [0.5, 0.7, 0.9, 1.0])
@pytest.mark.parametrize("seed", range(10))
def test_precision_is_reached_by_the_lowest_threshold(seed, target):
    labels, scores = random_case(seed)
    chosen = choose_thresholds(labels, scores, "precision", target)
    for n, limit in enumerate(chosen.values):
        truth, values = labels[:, n], scores[:, n]
        reach = [o for o in every_limit(values) if precision(truth, values >= o) >= target]
        if n in chosen.unreached:
            assert not reach
            assert limit == chosen.shared
        else:
            assert precision(truth, values >= limit) >= target
            assert ((values >= limit) == (values >= min(reach))).all()


@pytest.mark.parametrize("target", [0.3, 0.8, 1.0])
@pytest.mark.parametrize("seed", range(10))
def test_recall_is_reached_by_the_highest_threshold(seed, target):
    labels, scores = random_case(seed)
    chosen = choose_thresholds(labels, scores, "recall", target)
    assert chosen.fallback == ()
    for n, limit in enumerate(chosen.values):
        truth, values = labels[:, n], scores[:, n]
        reach = [o for o in every_limit(values) if recall(truth, values >= o) >= target]
        assert ((values >= limit) == (values >= max(reach))).all()


def test_by_hand_midway_between_neighbours():
    labels, scores = column([1, 1, 1, 0, 1, 0, 0]), column([0.9, 0.8, 0.7, 0.6, 0.5, 0.2, 0.1])
    # F1 of the top k: 2/5, 4/6, 6/7, 6/8, 8/9, 8/10, 8/11.
    assert choose_thresholds(labels, scores, min_positives=1).values == (pytest.approx(0.35),)
    got = choose_thresholds(labels, scores, "precision", 0.9, min_positives=1)
    assert got.values == (pytest.approx(0.65),)
    got = choose_thresholds(labels, scores, "recall", 0.5, min_positives=1)
    assert got.values == (pytest.approx(0.75),)


def test_of_equally_good_thresholds_the_nearest_to_a_half():
    # F1 is 2/3 for the top 1 (midway .75), the top 4 (.4) and no other.
    labels, scores = column([1, 0, 0, 1, 0]), column([0.9, 0.6, 0.55, 0.5, 0.3])
    got = choose_thresholds(labels, scores, min_positives=1)
    assert got.values == (pytest.approx(0.4),)
    mirrored = column([0.98, 0.52, 0.1, 0.06, 0.02])
    assert choose_thresholds(labels, mirrored, min_positives=1).values == (pytest.approx(0.75),)


def test_all_are_predicted_by_a_threshold_below_the_lowest_score():
    labels, scores = column([1, 1, 0, 1]), column([0.4, 0.4, 0.4, 0.4])
    assert choose_thresholds(labels, scores, min_positives=1).values == (pytest.approx(0.2),)
    assert choose_thresholds(labels, scores * 0, min_positives=1).values == (0.0,)


def test_scores_with_no_number_between_them():
    low = 0.7
    high = np.nextafter(low, 1)
    got = choose_thresholds(column([1, 0]), column([high, low]), min_positives=1)
    assert got.values == (high,)


def test_labels_with_too_few_positives_or_no_negatives_share_one():
    labels, scores = random_case(4, names=5)
    labels[:, 1] = False
    labels[:, 2] = True
    labels[:, 3] = np.arange(60) < 4
    labels[:, 4] = np.arange(60) < 5
    got = choose_thresholds(labels, scores)
    assert got.too_few == got.fallback == (1, 2, 3)
    assert [got.values[n] == got.shared for n in range(5)] == [False, True, True, True, False]
    assert choose_thresholds(labels, scores, min_positives=4).too_few == (1, 2)
    assert choose_thresholds(labels, scores, min_positives=0).too_few == (1, 2)
    assert all(type(value) is float for value in (*got.values, got.shared))
    assert all(type(n) is int for n in got.fallback)


def test_an_unreached_precision_falls_back():
    labels = np.array([[0, 1], [1, 1], [0, 0], [1, 0]] * 5)
    scores = np.array([[0.9, 0.9], [0.6, 0.8], [0.5, 0.3], [0.1, 0.2]] * 5)
    got = choose_thresholds(labels, scores, "precision", 0.9)
    assert got.unreached == got.fallback == (0,)
    assert got.values[1] == pytest.approx(0.55)
    # No threshold reaches it for both labels together: the best micro-F1 of all.
    micro = choose_thresholds(labels, scores).shared
    assert (got.shared, got.values[0]) == (micro, micro)


def test_the_shared_threshold_has_the_objective_too():
    labels, scores = random_case(6, names=2)
    for objective, target, reached in [("precision", 0.8, precision), ("recall", 0.9, recall)]:
        shared = choose_thresholds(labels, scores, objective, target).shared
        assert reached(labels.ravel(), scores.ravel() >= shared) >= target


def test_no_label_at_all():
    got = choose_thresholds(np.zeros((3, 2)), np.full((3, 2), 0.4))
    assert got == Thresholds(values=(0.5, 0.5), shared=0.5, too_few=(0, 1))
    assert choose_thresholds([[1, 0]], [[0.9, 0.2]]).too_few == (0, 1)


@pytest.mark.parametrize(
    ("objective", "target", "message"),
    [
        ("f2", None, "one of f1, precision, recall"),
        ("Precison", 0.9, "did you mean 'precision'"),
        (3, None, "but is 3"),
        ("f1", 0.9, "only the objectives precision and recall take a target"),
        ("precision", None, "target precision must be a number"),
        ("recall", 0, "at most 1"),
        ("recall", 90, "at most 1"),
        ("recall", True, "at most 1"),
        ("recall", "0.9", "at most 1"),
        ("recall", float("nan"), "at most 1"),
    ],
)
def test_wrong_objectives(objective, target, message):
    with pytest.raises(ConfigError, match=message):
        choose_thresholds([[1, 0]], [[0.9, 0.2]], objective, target)
    assert len(objective_problems(objective, target)) == 1
    assert objective_problems("precision", 0.9) == objective_problems("f1") == []


def test_scores_of_a_diverged_model():
    with pytest.raises(ModelError, match="diverged"):
        choose_thresholds([[1, 0]], [[np.nan, 0.2]])
    with pytest.raises(ModelError, match="diverged"):
        choose_cut([0], [[np.nan, np.nan]], 0.9)


def probabilities(rows, names=3, seed=0):
    random = np.random.default_rng(seed)
    labels = random.integers(0, names, rows)
    logits = random.normal(size=(rows, names)) * 2
    logits[np.arange(rows), labels] += 1
    return labels, np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


@pytest.mark.parametrize("target", [0.1, 0.6, 0.7, 0.8, 0.95, 1.0])
@pytest.mark.parametrize("seed", range(10))
def test_the_cut_keeps_most_of_all_that_reach_the_accuracy(seed, target):
    labels, scores = probabilities(50, seed=seed)
    top, right = scores.max(axis=1), scores.argmax(axis=1) == labels
    reach = [limit for limit in [0.0, *top] if right[top >= limit].mean() >= target]
    got = choose_cut(labels, scores, target)
    if not reach:
        assert got is None
        return
    kept = top >= got.min_score
    assert (kept == (top >= min(reach))).all()
    assert got.accuracy == right[kept].mean() >= target
    assert got.coverage == kept.mean()


def test_the_cut_by_hand():
    # The accuracy does not rise with the cut: 1/1, 1/2, 2/3, 3/4, 3/5.
    top = np.array([0.9, 0.8, 0.7, 0.6, 0.5])
    scores, labels = np.stack([top, 1 - top], axis=1), np.array([0, 1, 0, 0, 1])
    assert choose_cut(labels, scores, 0.75) == Cut(pytest.approx(0.55), 0.75, 0.8)
    assert choose_cut(labels, scores, 0.76) == Cut(pytest.approx(0.85), 1.0, 0.2)
    assert choose_cut(labels, scores, 0.6) == Cut(0.0, 0.6, 1.0)
    assert choose_cut(1 - labels, scores, 0.9) is None


def test_scores_that_are_the_same_in_float32_are_kept_or_left_together():
    scores = np.array([[1 - 1e-12, 1e-12], [1 - 2e-12, 2e-12], [0.6, 0.4]])
    assert choose_cut([0, 1, 0], scores, 1.0) is None
    got = choose_cut([0, 0, 1], scores, 1.0)
    assert got.coverage == pytest.approx(2 / 3)
    assert (scores.astype(np.float32).max(axis=1) >= got.min_score).tolist() == [True, True, False]


def test_logits_and_no_rows_are_refused():
    with pytest.raises(ValueError, match="before the softmax"):
        choose_cut([0, 1], [[2.0, 1.0], [-3.0, 1.0]], 0.9)
    with pytest.raises(ValueError, match="no rows"):
        choose_cut([], np.zeros((0, 2)), 0.9)
    with pytest.raises(ConfigError, match="target_accuracy must be a number above 0"):
        choose_cut([0], [[0.9, 0.1]], 95)
