"""The parts of a distillation: sides by hash, the soft loss, the first vectors, and the cut model."""

import numpy as np
import pytest
import torch

from clx.errors import ConfigError
from clx.ml.distillation.layers_student import cut_model
from clx.ml.distillation.setting_aside import excluding, sides_of, text_hashes
from clx.ml.distillation.soft_loss import best_temperature, softened
from clx.ml.distillation.static_network import Bags, StaticNetwork, logits_of
from clx.ml.distillation.token_vectors import first_embeddings, token_vectors
from clx.ml.results.agreement import Agreement, agreement_in


def hashes_of(count):
    return text_hashes(f"text {number}" for number in range(count))


@pytest.mark.parametrize(("count", "aside"), [(400, 40), (4999, 500), (5000, 1000), (20000, 2000)])
def test_a_tenth_is_set_aside_and_a_thousand_where_there_are_enough(count, aside):
    sides = sides_of(hashes_of(count))
    assert len(sides.aside) == aside
    every = np.concatenate([sides.learned, sides.watched, sides.aside])
    assert sorted(every) == list(range(count))


def test_a_text_is_on_its_side_wherever_it_stands():
    hashes = hashes_of(1000)
    sides, turned = sides_of(hashes), sides_of(hashes[::-1].copy())
    assert set(hashes[sides.aside]) == set(hashes[::-1][turned.aside])
    assert (hashes[sides.aside] < sides.below).all()
    assert (hashes[sides.learned] >= sides.below).all()


def test_texts_to_leave_out_are_not_learned_from():
    hashes = hashes_of(1000)
    sides = excluding(sides_of(hashes), hashes, hashes[:500])
    assert sides.learned.min() >= 500
    assert sides.watched.min() >= 500
    assert (sides.aside < 500).any()


@pytest.mark.parametrize("kind", ["single", "multi"])
def test_the_temperature_is_found(kind):
    torch.manual_seed(0)
    logits = torch.randn(500, 5)
    scores = (logits / 1.7).softmax(dim=1) if kind == "single" else (logits / 1.7).sigmoid()
    assert best_temperature(logits, scores, kind) == pytest.approx(1.7, rel=1e-3)
    soft = softened(scores, kind)
    assert (soft.argmax(dim=1) == scores.argmax(dim=1)).all()
    assert soft.max() < scores.max()


def test_the_network_takes_the_texts_that_are_asked_for():
    torch.manual_seed(0)
    network = StaticNetwork(torch.randn(9, 4), 8, 3, dropout=0.0)
    bags = Bags(torch.tensor([1, 2, 3, 4, 5, 5]), torch.tensor([0, 2, 2, 3, 6]))
    whole = logits_of(network, bags, torch.arange(4))
    assert torch.allclose(logits_of(network, bags, torch.tensor([3, 1])), whole[[3, 1]])
    mean = network.embeddings.weight[[4, 5, 5]].mean(dim=0)
    expected = network.output(torch.relu(network.hidden(network.norm(mean))))
    assert torch.allclose(whole[3], expected, atol=1e-6)


def test_vectors_of_tokens_are_computed_once(tiny_model, monkeypatch):
    first = token_vectors(tiny_model, [5, 6, 7], hidden=True)
    from clx.ml.distillation import token_vectors as module

    asked = []
    compute = module._computed
    monkeypatch.setattr(
        module, "_computed", lambda f, ids, *a: asked.append(ids) or compute(f, ids, *a)
    )
    again = token_vectors(tiny_model, [7, 8, 5], hidden=True)
    assert asked == [[8]]
    assert torch.equal(again[[2, 0]], first[[0, 2]])
    token_vectors(tiny_model, [5, 8], hidden=True)
    assert asked == [[8]]


def test_frequent_tokens_weigh_less():
    vectors = torch.randn(20, 12, generator=torch.Generator().manual_seed(0))
    counts = np.array([1000, *[1] * 19])
    made, even = first_embeddings(vectors, counts, 16), first_embeddings(vectors, counts * 0, 16)
    assert made.shape == (20, 16)
    assert made[0].norm() < 0.1 * even[0].norm()
    assert made[1].norm() > 0.4 * even[1].norm()


def test_a_model_keeps_its_first_layers(tiny_model):
    from transformers import AutoModelForSequenceClassification

    model = AutoModelForSequenceClassification.from_pretrained(tiny_model).eval()
    cut = cut_model(model, 1)
    assert cut.config.num_hidden_layers == len(cut.bert.encoder.layer) == 1
    assert len(model.bert.encoder.layer) == 2
    states = model(torch.tensor([[2, 5, 3]]), output_hidden_states=True).hidden_states
    own = cut(torch.tensor([[2, 5, 3]]), output_hidden_states=True).hidden_states
    assert torch.equal(own[1], states[1])
    model.config.num_hidden_layers = 7
    with pytest.raises(ConfigError, match="list of layers"):
        cut_model(model, 1)


def test_the_agreement_in_results_is_read_or_left_out():
    agreement = Agreement(0.9, 0.8, 0.95, 100)
    assert agreement_in({"distilled": {"agreement": agreement.to_dict()}}) == agreement
    assert agreement_in({"distilled": {"agreement": {"equal": "x"}}}) is None
    assert agreement_in({}) is None
    assert str(agreement) == "90.0% of 100 decisions equal (95 %: 80.0% to 95.0%)"
