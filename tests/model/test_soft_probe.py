"""Probes on rows with weights and soft labels: they equal probes on repeated rows."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from clx.ml.data.row_targets import RowTargets
from clx.ml.model.head import logistic, newton
from clx.ml.model.head.calibration import calibrate
from clx.ml.model.head.class_weights import BatchTargets, label_weights, weighted_loss
from clx.ml.model.head.probe import Examples, fit_head, loss_targets, mean_loss
from clx.ml.model.head.validation import choose_c, out_of_fold, restricted

KINDS = ["single", "multi"]
SIZES = [(40, 6), (12, 30)]
"""Rows and features: with more features than rows, the principal axes are found in another way."""


def examples(kind, rows=40, features=6, outputs=3):
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(rows, features, generator=generator, dtype=torch.float64)
    scores = inputs[:, :outputs] + torch.randn(rows, outputs, generator=generator)
    targets = scores.argmax(dim=1) if kind == "single" else (scores > 0).float()
    return Examples(inputs, targets, kind, outputs)


@pytest.fixture(params=["newton", "lbfgs"])
def solver(request, monkeypatch):
    """Each of the two ways to the minimum, to the same precision."""
    most = 10_000 if request.param == "newton" else 0
    monkeypatch.setattr(newton, "MAX_UNKNOWNS", most)
    monkeypatch.setattr("clx.ml.model.head.probe.TOLERANCE", 1e-9)
    return request.param


def assert_alike(one, other, tolerance=1e-4):
    torch.testing.assert_close(one.weight, other.weight, rtol=0, atol=tolerance)
    torch.testing.assert_close(one.bias, other.bias, rtol=0, atol=tolerance)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("label_weights", [None, torch.tensor([1.0, 4.0, 0.5])])
def test_a_row_of_weight_two_is_the_row_twice(kind, size, label_weights, solver):
    rows = replace(examples(kind, *size), weights=label_weights)
    each = torch.ones(len(rows), dtype=torch.float64)
    each[[1, 5]] = torch.tensor([2.0, 3.0], dtype=torch.float64)
    twice = rows.select(torch.repeat_interleave(torch.arange(len(rows)), each.long()))
    weighted = fit_head(replace(rows, row_weights=each), 3.0)
    assert_alike(weighted, fit_head(twice, 3.0))
    assert (weighted.weight - fit_head(rows, 3.0).weight).abs().max() > 0.01


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_soft_label_is_its_labels_with_their_shares_as_weights(kind, size, solver):
    rows = examples(kind, *size)
    hard = torch.nn.functional.one_hot(rows.targets, 3) if kind == "single" else rows.targets
    other = hard.roll(1, dims=1) if kind == "single" else 1 - hard
    soft = replace(rows, soft=0.7 * hard + 0.3 * other)
    swapped = other.argmax(dim=1) if kind == "single" else other
    both = rows.joined(replace(rows, targets=swapped))
    shares = torch.tensor([0.7, 0.3], dtype=torch.float64).repeat_interleave(len(rows))
    assert_alike(fit_head(soft, 3.0), fit_head(replace(both, row_weights=shares), 3.0))
    assert (fit_head(soft, 3.0).weight - fit_head(rows, 3.0).weight).abs().max() > 0.01


@pytest.mark.parametrize("kind", KINDS)
def test_certain_soft_labels_of_weight_one_are_the_hard_labels(kind, solver):
    rows = replace(examples(kind), weights=torch.tensor([1.0, 4.0, 0.5]))
    hard = torch.nn.functional.one_hot(rows.targets, 3) if kind == "single" else rows.targets
    soft = replace(rows, soft=hard.double(), row_weights=torch.ones(len(rows)))
    head = fit_head(rows, 3.0)
    assert_alike(fit_head(soft, 3.0), head)
    assert mean_loss(head, soft) == pytest.approx(mean_loss(head, rows))


@pytest.mark.parametrize("kind", KINDS)
def test_the_slope_is_the_derivative_of_the_loss(kind):
    rows = replace(examples(kind), soft=torch.rand(40, 3, dtype=torch.float64))
    rows = replace(rows, row_weights=torch.rand(40, dtype=torch.float64))
    rows = replace(rows, weights=torch.tensor([1.0, 4.0, 0.5]))
    targets, _ = loss_targets(rows, torch.float64)
    scores = torch.randn(40, 3, dtype=torch.float64)
    _, slope = targets.loss_and_slope(scores)
    step = torch.zeros_like(scores)
    step[7, 1] = 1e-5
    up, down = (targets.loss_and_slope(scores + s)[0] for s in (step, -step))
    assert float(slope[7, 1]) == pytest.approx((up - down) / 2e-5, rel=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_choices_take_weights_and_probabilities(kind):
    rows = examples(kind)
    hard = torch.nn.functional.one_hot(rows.targets, 3) if kind == "single" else rows.targets
    soft = replace(rows, soft=(0.6 * hard + 0.4 / 3).double(), row_weights=torch.rand(40) + 0.1)
    extra = examples(kind, rows=3)
    assert (
        choose_c(soft, extra_examples=extra).losses != choose_c(rows, extra_examples=extra).losses
    )
    assert out_of_fold(soft, 1.0).shape == (40, 3)
    some = restricted(soft, torch.tensor([0, 2]))
    assert some.soft.shape == (len(some), 2)
    assert len(some.row_weights) == len(some)
    if kind == "single":
        torch.testing.assert_close(some.soft.sum(dim=1), torch.ones(len(some), dtype=torch.float64))


def test_the_objective_of_the_two_solvers_is_divided_by_the_weights():
    inputs = torch.randn(10, 2, dtype=torch.float64)
    targets, penalty = torch.arange(10) % 3, torch.full((2, 1), 0.1, dtype=torch.float64)
    weights = torch.full((10, 1), 2.0, dtype=torch.float64)
    start = torch.zeros(3, 3, dtype=torch.float64)
    once = logistic.LogisticProblem(inputs, targets, None, penalty, 10)
    twice = logistic.LogisticProblem(inputs, targets, weights, penalty, 20)
    assert once(start)[0] == pytest.approx(twice(start)[0])


# ---- The loss of the fine-tuning, and what is fitted to eval rows ---------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("of_labels", [None, torch.tensor([1.0, 4.0, 0.5])])
def test_the_loss_of_weighted_rows_is_that_of_repeated_rows(kind, of_labels):
    rows = examples(kind, rows=4)
    labels, logits = rows.targets, torch.randn(4, 3)
    smoothing = 0.1 if kind == "single" else 0.0
    each = torch.tensor([1.0, 2.0, 1.0, 3.0])
    plain = weighted_loss(of_labels, kind, smoothing)
    weighted = weighted_loss(of_labels, kind, smoothing, lambda: BatchTargets(each, None))
    again = torch.repeat_interleave(torch.arange(4), each.long())
    expected = plain({"logits": logits[again]}, labels[again], num_items_in_batch=1)
    torch.testing.assert_close(weighted({"logits": logits}, labels, num_items_in_batch=1), expected)
    hard = torch.nn.functional.one_hot(labels, 3).float() if kind == "single" else labels
    certain = weighted_loss(of_labels, kind, smoothing, lambda: BatchTargets(None, hard))
    expected = plain({"logits": logits}, labels)
    torch.testing.assert_close(certain({"logits": logits}, labels), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_balanced_label_weights_count_what_is_expected(kind):
    labels = np.array([0, 1, 1]) if kind == "single" else np.array([[1, 0], [0, 1], [0, 1]])
    rows = RowTargets(np.array([2.0, 0.5, 0.5]), None)
    plain = label_weights("balanced", labels, kind, ["x", "y"])
    weighted = label_weights("balanced", labels, kind, ["x", "y"], rows)
    # By weight, x has two thirds of the rows; by number, one.
    torch.testing.assert_close(weighted, plain.flip(0))
    soft = RowTargets(None, np.full((3, 2), 0.5, np.float32))
    torch.testing.assert_close(
        label_weights("balanced", labels, kind, ["x", "y"], soft), torch.ones(2)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_temperature_fits_weighted_and_soft_rows(kind):
    rows = examples(kind)
    labels, logits = rows.targets.numpy(), 3 * rows.features[:, :3].numpy()
    each = np.ones(40)
    each[:10] = 3
    again = np.repeat(np.arange(40), each.astype(int))
    weighted = calibrate(labels, logits, kind, RowTargets(each, None))
    repeated = calibrate(labels[again], logits[again], kind)
    assert weighted.log_loss_before == pytest.approx(repeated.log_loss_before)
    assert weighted.ece_before == pytest.approx(repeated.ece_before)
    assert weighted.temperature == pytest.approx(repeated.temperature, rel=0.1)
    logits = np.tile(logits, (10, 1))
    truth = torch.softmax(torch.from_numpy(logits), 1).numpy()
    labels = truth.argmax(axis=1)
    if kind == "multi":
        truth = torch.sigmoid(torch.from_numpy(logits)).numpy()
        labels = (truth >= 0.5).astype(float)
    own = calibrate(labels, logits, kind, RowTargets(None, truth.astype(np.float32)))
    assert own.temperature == pytest.approx(1, abs=0.1)
