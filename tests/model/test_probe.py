"""The linear probe: the solution of scikit-learn for any scale of the features, and its choices."""

from pathlib import Path

import numpy as np
import pytest
import torch
from datasets import Dataset
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.multiclass import OneVsRestClassifier

from clx.ml.data.windows import TextWindows
from clx.ml.model.head import parts, probe, validation
from clx.ml.model.head.fit_probe import MAX_STEEPNESS, fit_probe
from clx.ml.model.head.probe import Examples, fit_head, mean_loss
from clx.ml.model.head.request import HeadRequest, labeled_rows
from clx.ml.model.head.validation import (
    C_VALUES,
    choose_c,
    folds_of,
    labels_repeat,
    out_of_fold,
    restricted,
    some_labels,
)


def fitted(features, targets, kind, outputs, C, weights=None):
    return fit_head(Examples(features, targets, kind, outputs, weights), C)


def blobs(rows=240, features=12, labels=4, spread=1.5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    centres = torch.randn(labels, features, generator=generator)
    ids = torch.arange(rows) % labels
    noise = torch.randn(rows, features, generator=generator)
    return centres[ids] + spread * noise, ids


def scaled(features):
    """The features as the objective has them: centred, mean square norm 1."""
    centred = features - features.mean(dim=0)
    return (centred / centred.pow(2).sum(dim=1).mean().sqrt()).double().numpy()


@pytest.mark.parametrize("C", [1.0, 30.0])
def test_single_labels_as_scikit_learn(C):
    features, ids = blobs()
    ours = fitted(features, ids, "single", 4, C)(features).softmax(dim=1).numpy()
    theirs = LogisticRegression(C=C, max_iter=2000, tol=1e-8)
    expected = theirs.fit(scaled(features), ids.numpy()).predict_proba(scaled(features))
    assert np.abs(ours - expected).max() < 5e-3


def test_label_weights_as_scikit_learn():
    features, ids = blobs()
    weights = torch.tensor([4.0, 1.0, 1.0, 0.5])
    ours = fitted(features, ids, "single", 4, 10.0, weights)(features).softmax(dim=1).numpy()
    # Row weights have a mean of 1 there too.
    each = (weights[ids] / weights[ids].mean()).numpy()
    theirs = LogisticRegression(C=10.0, max_iter=2000, tol=1e-8)
    expected = theirs.fit(scaled(features), ids.numpy(), each).predict_proba(scaled(features))
    assert np.abs(ours - expected).max() < 5e-3


def test_several_labels_as_one_vs_rest():
    features, ids = blobs()
    truth = torch.nn.functional.one_hot(ids, 4)
    truth[::7, 1] = 1
    ours = fitted(features, truth, "multi", 4, 3.0)(features).sigmoid().numpy()
    one = OneVsRestClassifier(LogisticRegression(C=3.0, max_iter=2000, tol=1e-8))
    expected = one.fit(scaled(features), truth.numpy()).predict_proba(scaled(features))
    assert np.abs(ours - expected).max() < 5e-3


def test_positive_weights_raise_the_score_of_a_rare_label():
    features, ids = blobs()
    truth = (ids == 0).long()[:, None]
    plain = fitted(features, truth, "multi", 1, 1.0)(features).sigmoid()
    heavy = fitted(features, truth, "multi", 1, 1.0, torch.tensor([5.0]))(features).sigmoid()
    assert (heavy - plain)[truth == 1].min() > 0
    assert heavy.mean() > plain.mean() + 0.1


def test_numbers_as_ridge():
    features, _ = blobs()
    numbers = features @ torch.arange(12.0) + 3
    ours = fitted(features, numbers, "regression", 1, 10.0)(features)[:, 0].numpy()
    expected = Ridge(alpha=0.1).fit(scaled(features), numbers.numpy()).predict(scaled(features))
    assert np.allclose(ours, expected, atol=1e-3)


def test_more_features_than_rows():
    features, ids = blobs(rows=20, features=50)
    ours = fitted(features, ids, "single", 4, 10.0)(features).softmax(dim=1).numpy()
    theirs = LogisticRegression(C=10.0, max_iter=2000, tol=1e-8)
    expected = theirs.fit(scaled(features), ids.numpy()).predict_proba(scaled(features))
    assert np.abs(ours - expected).max() < 5e-3


def test_scale_and_place_of_the_features_do_not_matter():
    features, ids = blobs()
    moved = 1000 * features + 5000
    one = fitted(features, ids, "single", 4, 10.0)(features)
    other = fitted(moved, ids, "single", 4, 10.0)(moved)
    assert torch.allclose(one, other.to(one), atol=1e-2)


def test_equal_features_give_the_shares():
    head = fitted(torch.ones(8, 3), torch.tensor([0] * 6 + [1] * 2), "single", 2, 10.0)
    assert head(torch.ones(1, 3)).softmax(dim=1)[0, 0] == pytest.approx(0.75, abs=0.05)


def test_a_label_without_rows_has_the_lowest_score():
    features, ids = blobs()
    scores = fitted(features, ids, "single", 5, 10.0)(features)
    assert (scores.argmin(dim=1) == 4).all()


def test_noise_needs_a_smaller_c_than_clear_labels():
    clear = choose_c(Examples(*blobs(spread=0.2), "single", 4)).C
    noisy = choose_c(Examples(*blobs(spread=6.0), "single", 4)).C
    assert noisy < clear
    assert {noisy, clear} <= set(C_VALUES)


@pytest.mark.parametrize(("kind", "chosen"), [("single", 1.0), ("multi", 3.0), ("regression", 3.0)])
def test_the_smallest_c_that_is_nearly_the_best_is_chosen(monkeypatch, kind, chosen):
    losses = iter([1.2, 1.045, 1.015, 1.0, 1.06])
    monkeypatch.setattr("clx.ml.model.head.validation.mean_loss", lambda *args: next(losses))
    targets = {
        "single": torch.arange(1000) % 2,
        "multi": torch.ones(1000, 2),
        "regression": torch.arange(1000.0),
    }[kind]
    outputs = 1 if kind == "regression" else 2
    choice = choose_c(Examples(torch.randn(1000, 3), targets, kind, outputs))
    assert chosen == choice.C
    # No larger C is tried after a loss that has clearly risen.
    assert list(choice.losses.values()) == [1.2, 1.045, 1.015, 1.0, 1.06]
    assert choice.lowest == 1.0


def test_out_of_fold_scores_know_nothing_of_their_row():
    # The labels are random: only a probe that was fitted to a row can know its label.
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(200, 150, generator=generator)
    ids = torch.randint(0, 2, (200,), generator=generator)
    own = fitted(features, ids, "single", 2, 100.0)(features).argmax(dim=1)
    others = out_of_fold(Examples(features, ids, "single", 2), 100.0).argmax(dim=1)
    assert (own == ids).float().mean() > 0.95
    assert (others == ids).float().mean() < 0.65


def test_folds_spread_each_label():
    ids = torch.tensor([0] * 10 + [1] * 5 + [2] * 2)
    fold = folds_of(ids, "single", 5)
    assert torch.bincount(fold[ids == 0]).tolist() == [2] * 5
    assert torch.bincount(fold[ids == 1]).tolist() == [1] * 5
    assert len(set(fold[ids == 2].tolist())) == 2


def test_mean_loss_is_that_of_torch():
    features, ids = blobs()
    head = fitted(features, ids, "single", 4, 10.0)
    expected = torch.nn.functional.cross_entropy(head(features), ids)
    assert mean_loss(head, Examples(features, ids, "single", 4)) == pytest.approx(
        float(expected), abs=1e-5
    )


def test_extra_examples_follow_the_rows_and_get_their_type():
    rows = Examples(torch.zeros(3, 2), torch.tensor([0, 1, 1]), "single", 2)
    extra = Examples(torch.ones(1, 2), torch.tensor([1.0]), "single", 2)
    joined = rows.joined(extra)
    assert len(joined) == 4
    assert joined.features[:, 0].tolist() == [0, 0, 0, 1]
    assert joined.targets.tolist() == [0, 1, 1, 1]
    assert joined.targets.dtype == torch.int64
    assert rows.joined(None) is rows
    assert joined.select(torch.tensor([3, 0])).targets.tolist() == [1, 0]


def test_labels_that_occur_once_do_not_repeat():
    assert labels_repeat(torch.tensor([0, 2, 0, 1]), "single").tolist() == [
        True,
        False,
        True,
        False,
    ]
    several = torch.tensor([[1, 0, 0], [1, 1, 0], [0, 0, 0]])
    assert labels_repeat(several, "multi").tolist() == [True, False, True]
    assert labels_repeat(torch.tensor([0.5, 1.5]), "regression").all()


def extra_examples(labels):
    """One example per label, at the center of the rows of ``labels``."""
    centers, _ = blobs(rows=4, spread=0.0)
    return Examples(centers[labels], torch.arange(4), "single", 4)


def test_extra_examples_are_kept_where_they_do_not_raise_the_loss():
    rows = Examples(*blobs(rows=24), "single", 4)
    right, wrong = extra_examples([0, 1, 2, 3]), extra_examples([1, 2, 3, 0])
    judged = {"judge_extra": True, "fine_tune": False}
    kept, dropped = (fit_probe(rows, extra, **judged) for extra in (right, wrong))
    assert (kept.extra, dropped.extra) == (4, 0)
    alone = fit_probe(rows, None, **judged)
    assert torch.equal(dropped.head.weight, alone.head.weight)
    assert dropped.losses["rows alone"] == alone.losses["probe"]
    assert fit_probe(rows, wrong, judge_extra=False, fine_tune=False).extra == 4


def test_rows_that_cannot_judge_extra_examples_do_without():
    """With one row per label, any extra example would seem to help."""
    rows = Examples(*blobs(rows=4), "single", 4)
    probe = fit_probe(rows, extra_examples([0, 1, 2, 3]), judge_extra=True, fine_tune=False)
    assert probe.extra == 0
    assert list(probe.losses) == ["probe"]


def test_a_probe_to_be_fine_tuned_is_not_steep():
    features, ids = blobs(spread=0.2)
    rows = Examples(features + 1000, ids, "single", 4)
    steep = fit_probe(rows, None, judge_extra=False, fine_tune=False)
    flat = fit_probe(rows, None, judge_extra=False, fine_tune=True)
    assert flat.steepness <= MAX_STEEPNESS < steep.steepness
    assert flat.C < steep.C


def test_a_sample_of_windows_has_whole_texts(monkeypatch):
    monkeypatch.setattr("clx.ml.model.head.request.MAX_PROBE_ROWS", 20)
    row_of = [text for text in range(20) for _ in range(3)]
    windows = TextWindows(row_of, [8] * 60, "mean")
    dataset = Dataset.from_dict({"labels": [-100] * 3 + [text % 2 for text in row_of[3:]]})
    request = HeadRequest(Path(), dataset, list, "auto", "probe", {}, windows=windows)
    rows = labeled_rows(request, "single")
    texts = [row_of[row] for row in rows.positions.tolist()]
    assert 0 not in texts
    assert len(rows) == 18
    assert all(texts.count(text) == 3 for text in texts)
    assert rows.targets.tolist() == [text % 2 for text in texts]


def test_rows_without_a_label_are_not_used():
    dataset = Dataset.from_dict({"labels": [1, -100, 0]})
    rows = labeled_rows(HeadRequest(Path(), dataset, list, "auto", "probe", {}), "single")
    assert rows.positions.tolist() == [0, 2]


@pytest.fixture
def many_are_three(monkeypatch):
    """Four labels count as many, and few scores are computed at once."""
    for module in (probe, validation):
        monkeypatch.setattr(module, "MANY_LABELS", 3)
        monkeypatch.setattr(module, "MAX_STEPS_FOR_MANY", 200)
    monkeypatch.setattr(parts, "MAX_SCORES", 70)


def examples_of(kind, weights=None):
    features, ids = blobs()
    targets = torch.nn.functional.one_hot(ids, 4) if kind == "multi" else ids
    return Examples(features, targets, kind, 4, weights)


@pytest.mark.parametrize("kind", ["single", "multi"])
@pytest.mark.parametrize("weights", [None, torch.tensor([1.0, 2.0, 0.5, 1.0])])
def test_many_labels_are_fitted_in_parts_to_the_same_solution(request, kind, weights):
    examples = examples_of(kind, weights)
    whole = fit_head(examples, 3.0)
    loss = mean_loss(whole, examples)
    request.getfixturevalue("many_are_three")
    assert mean_loss(whole, examples) == pytest.approx(loss)
    assert torch.allclose(fit_head(examples, 3.0).weight, whole.weight, atol=1e-4)


@pytest.mark.parametrize("kind", ["single", "multi"])
@pytest.mark.parametrize("weights", [None, torch.tensor([1.0, 2.0, 0.5, 1.0])])
@pytest.mark.parametrize("C", [0.3, 100.0])
def test_both_methods_find_the_same_minimum(monkeypatch, kind, weights, C):
    features, ids = blobs()
    targets = torch.nn.functional.one_hot(ids, 4) if kind == "multi" else ids
    # Some wrong labels, because a minimum of separable data is far away and flat.
    targets = targets.roll(1, dims=0) if kind == "multi" else torch.where(ids % 3 == 0, 1, ids)
    examples = Examples(features[:60, :8], targets[:60], kind, 4, weights)
    by_newton = fit_head(examples, C)
    monkeypatch.setattr(probe, "is_small", lambda *size: False)
    by_lbfgs = fit_head(examples, C)
    assert not torch.equal(by_newton.weight, by_lbfgs.weight)
    assert torch.allclose(by_newton.weight, by_lbfgs.weight, atol=2e-2)
    assert mean_loss(by_newton, examples) == pytest.approx(mean_loss(by_lbfgs, examples), rel=1e-3)


@pytest.mark.parametrize("kind", ["single", "multi"])
def test_separable_rows_and_no_axes_have_a_minimum(kind):
    for features in (torch.tensor([[1.0], [-1.0]]), torch.ones(2, 3)):
        targets = torch.eye(2) if kind == "multi" else torch.tensor([0, 1])
        head = fit_head(Examples(features, targets, kind, 2), 300.0)
        assert head(features).isfinite().all()


def test_up_to_200_labels_are_fitted_as_ever(monkeypatch):
    """Not by a choice on some labels: results are those of earlier versions."""
    monkeypatch.setattr(validation, "restricted", None)
    features, ids = blobs(rows=400, labels=200)
    examples = Examples(features, ids, "single", 200)
    choose_c(examples, (1.0,))
    mean_loss(fit_head(examples, 1.0), examples)


@pytest.mark.parametrize("kind", ["single", "multi"])
def test_choices_are_made_on_some_of_many_labels(many_are_three, kind):
    examples = examples_of(kind)
    labels = some_labels(examples.targets, kind, 4)
    assert len(labels) == 3
    assert labels.tolist() == sorted(set(labels.tolist()))
    some = restricted(examples, labels)
    assert (len(some), some.outputs) == (180, 3)
    rows = [row for row in range(240) if row % 4 in labels.tolist()]
    assert torch.equal(some.features, examples.features[rows])
    ids = some.targets.argmax(dim=1) if kind == "multi" else some.targets
    assert labels[ids].tolist() == [row % 4 for row in rows]
    assert choose_c(examples, (1.0, 3.0)).losses == choose_c(some, (1.0, 3.0)).losses


def test_frequent_labels_are_among_the_some(many_are_three):
    ids = torch.cat([torch.arange(1000), torch.tensor([1000, 1001, 1002]).repeat_interleave(9000)])
    assert some_labels(ids, "single", 1003).tolist() == [1000, 1001, 1002]
    assert some_labels(ids, "regression", 1003) is None
