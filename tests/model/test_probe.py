"""The linear probe: the same solution as scikit-learn's, for any scale of the features."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.multiclass import OneVsRestClassifier

from clx.ml.model.head.probe import (
    STRENGTHS,
    choose_strength,
    fit_head,
    folds_of,
    mean_loss,
    out_of_fold,
)


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


@pytest.mark.parametrize("strength", [1.0, 30.0])
def test_single_labels_as_scikit_learn(strength):
    features, ids = blobs()
    ours = fit_head(features, ids, "single", 4, strength)(features).softmax(dim=1).numpy()
    theirs = LogisticRegression(C=strength, max_iter=2000, tol=1e-8)
    expected = theirs.fit(scaled(features), ids.numpy()).predict_proba(scaled(features))
    assert np.abs(ours - expected).max() < 5e-3


def test_label_weights_as_scikit_learn():
    features, ids = blobs()
    weights = torch.tensor([4.0, 1.0, 1.0, 0.5])
    ours = fit_head(features, ids, "single", 4, 10.0, weights)(features).softmax(dim=1).numpy()
    # Row weights have a mean of 1 there too.
    each = (weights[ids] / weights[ids].mean()).numpy()
    theirs = LogisticRegression(C=10.0, max_iter=2000, tol=1e-8)
    expected = theirs.fit(scaled(features), ids.numpy(), each).predict_proba(scaled(features))
    assert np.abs(ours - expected).max() < 5e-3


def test_several_labels_as_one_vs_rest():
    features, ids = blobs()
    truth = torch.nn.functional.one_hot(ids, 4)
    truth[::7, 1] = 1
    ours = fit_head(features, truth, "multi", 4, 3.0)(features).sigmoid().numpy()
    one = OneVsRestClassifier(LogisticRegression(C=3.0, max_iter=2000, tol=1e-8))
    expected = one.fit(scaled(features), truth.numpy()).predict_proba(scaled(features))
    assert np.abs(ours - expected).max() < 5e-3


def test_positive_weights_raise_the_score_of_a_rare_label():
    features, ids = blobs()
    truth = (ids == 0).long()[:, None]
    plain = fit_head(features, truth, "multi", 1, 1.0)(features).sigmoid()
    heavy = fit_head(features, truth, "multi", 1, 1.0, torch.tensor([5.0]))(features).sigmoid()
    assert (heavy - plain)[truth == 1].min() > 0
    assert heavy.mean() > plain.mean() + 0.1


def test_numbers_as_ridge():
    features, _ = blobs()
    numbers = features @ torch.arange(12.0) + 3
    ours = fit_head(features, numbers, "regression", 1, 10.0)(features)[:, 0].numpy()
    expected = Ridge(alpha=0.1).fit(scaled(features), numbers.numpy()).predict(scaled(features))
    assert np.allclose(ours, expected, atol=1e-3)


def test_more_features_than_rows():
    features, ids = blobs(rows=20, features=50)
    ours = fit_head(features, ids, "single", 4, 10.0)(features).softmax(dim=1).numpy()
    theirs = LogisticRegression(C=10.0, max_iter=2000, tol=1e-8)
    expected = theirs.fit(scaled(features), ids.numpy()).predict_proba(scaled(features))
    assert np.abs(ours - expected).max() < 5e-3


def test_scale_and_place_of_the_features_do_not_matter():
    features, ids = blobs()
    moved = 1000 * features + 5000
    one = fit_head(features, ids, "single", 4, 10.0)(features)
    other = fit_head(moved, ids, "single", 4, 10.0)(moved)
    assert torch.allclose(one, other.to(one), atol=1e-2)


def test_equal_features_give_the_shares():
    head = fit_head(torch.ones(8, 3), torch.tensor([0] * 6 + [1] * 2), "single", 2, 10.0)
    assert head(torch.ones(1, 3)).softmax(dim=1)[0, 0] == pytest.approx(0.75, abs=0.05)


def test_a_label_without_rows_has_the_lowest_score():
    features, ids = blobs()
    scores = fit_head(features, ids, "single", 5, 10.0)(features)
    assert (scores.argmin(dim=1) == 4).all()


def test_noise_wants_a_smaller_strength_than_clear_labels():
    clear = choose_strength(*blobs(spread=0.2), "single", 4).strength
    noisy = choose_strength(*blobs(spread=6.0), "single", 4).strength
    assert noisy < clear
    assert {noisy, clear} <= set(STRENGTHS)


@pytest.mark.parametrize(("kind", "chosen"), [("single", 1.0), ("multi", 3.0), ("regression", 3.0)])
def test_the_smallest_strength_that_is_nearly_the_best_is_chosen(monkeypatch, kind, chosen):
    losses = iter([1.2, 1.045, 1.015, 1.0, 1.06])
    monkeypatch.setattr("clx.ml.model.head.probe.mean_loss", lambda *args: next(losses))
    targets = {
        "single": torch.arange(1000) % 2,
        "multi": torch.ones(1000, 2),
        "regression": torch.arange(1000.0),
    }[kind]
    outputs = 1 if kind == "regression" else 2
    choice = choose_strength(torch.randn(1000, 3), targets, kind, outputs)
    assert choice.strength == chosen
    # After a loss that has clearly risen nothing more is tried.
    assert list(choice.losses.values()) == [1.2, 1.045, 1.015, 1.0, 1.06]
    assert choice.lowest == 1.0


def test_out_of_fold_scores_know_nothing_of_their_row():
    # Labels that follow from nothing: a fit on the row itself finds them, one without it does not.
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(200, 150, generator=generator)
    ids = torch.randint(0, 2, (200,), generator=generator)
    own = fit_head(features, ids, "single", 2, 100.0)(features).argmax(dim=1)
    others = out_of_fold(features, ids, "single", 2, 100.0).argmax(dim=1)
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
    head = fit_head(features, ids, "single", 4, 10.0)
    expected = torch.nn.functional.cross_entropy(head(features), ids)
    assert mean_loss(head, features, ids, "single") == pytest.approx(float(expected), abs=1e-5)
