"""Label weights: their values, their loss, and their effect on rare labels."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight
from torch.nn import functional

from clx.errors import ConfigError
from clx.ml import training_run
from clx.ml.model.head.class_weights import label_weights, weighted_loss
from strangers import Full, Minimal

QUIET = {"disable_tqdm": True}


def test_balanced_is_that_of_scikit_learn():
    ids = [0] * 30 + [1] * 10 + [2] * 2
    ours = label_weights("balanced", ids, "single", "abc")
    expected = compute_class_weight("balanced", classes=np.arange(3), y=ids)
    assert ours.tolist() == pytest.approx(expected.tolist())


def test_balanced_of_several_labels_weighs_positives_against_negatives():
    rows = [[1, 0, 0]] * 2 + [[0, 1, 0]] * 8
    assert label_weights("balanced", rows, "multi", "abc").tolist() == [4.0, 0.25, 1.0]


def test_given_weights_go_by_name_and_others_are_one():
    assert label_weights({"b": 3, 7: 2}, [], "single", ["a", "b", "7"]).tolist() == [1.0, 3.0, 2.0]


def test_loss_of_single_labels():
    logits, labels = torch.randn(6, 3), torch.tensor([0, 1, 2, 0, -100, 1])
    weights = torch.tensor([1.0, 2.0, 5.0])
    each = functional.cross_entropy(logits, labels, weight=weights, reduction="none")
    loss = weighted_loss(weights, "single")({"logits": logits}, labels)
    assert float(loss) == pytest.approx(float(each.sum() / 5), rel=1e-5)


def test_loss_of_several_labels():
    logits, labels = torch.randn(6, 3), torch.randint(0, 2, (6, 3)).float()
    weights = torch.tensor([1.0, 2.0, 5.0])
    expected = functional.binary_cross_entropy_with_logits(logits, labels, pos_weight=weights)
    loss = weighted_loss(weights, "multi")({"logits": logits}, labels)
    assert float(loss) == pytest.approx(float(expected), rel=1e-5)


def test_loss_of_accumulated_batches_is_the_mean_of_all_rows():
    logits, labels = torch.randn(8, 3), torch.arange(8) % 3
    loss = weighted_loss(torch.tensor([1.0, 2.0, 5.0]), "single")
    whole = loss({"logits": logits}, labels)
    parts = [loss({"logits": logits[i : i + 2]}, labels[i : i + 2], 8) for i in range(0, 8, 2)]
    assert float(sum(parts)) == pytest.approx(float(whole), rel=1e-5)


def test_accumulating_gradients_changes_nothing(tiny_model, fruit):
    losses = []
    for batch, accumulated in ((16, 1), (4, 4)):
        run = training_run(
            "classification",
            f"accumulate-{batch}",
            base_model_name=tiny_model,
            class_weights={"fruit": 3.0},
            model_args={"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0},
            training_args={
                **QUIET,
                "max_steps": 1,
                "per_device_train_batch_size": batch,
                "gradient_accumulation_steps": accumulated,
                "train_sampling_strategy": "sequential",
            },
        )
        losses.append(run.train(fruit).train_loss)
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def rare_frame():
    """A word that mostly has the common label: only weights make the rare label likelier."""
    texts = ["apple cat", "dog red"] * 10 + ["cherry red"] * 8 + ["cherry red"] * 4
    return pd.DataFrame({"text": texts, "label": ["common"] * 28 + ["rare"] * 4})


@pytest.mark.parametrize("weights", ["balanced", {"rare": 20.0}])
@pytest.mark.parametrize("task", ["classification", "multilabel"])
def test_weights_raise_the_scores_of_rare_labels(task, weights, tiny_model):
    frame = rare_frame()
    if task == "multilabel":
        frame["labels"] = [[label] for label in frame.pop("label")]
    scores = []
    for number, given in enumerate((None, weights)):
        run = training_run(task, f"rare-{number}", base_model_name=tiny_model, class_weights=given)
        run.train(frame, fine_tune=False)
        scores.append(run.predict("cherry red")[0]["rare"])
        assert run.config["class_weights"] == given
    # A third of the rows with these words have the label.
    assert scores[0] == pytest.approx(1 / 3, abs=0.15)
    assert scores[1] > 0.6


def test_weights_are_in_the_loss_of_the_fine_tuning(tiny_model):
    losses = []
    for number, weights in enumerate((None, {"common": 3.0, "rare": 3.0})):
        run = training_run(
            "classification", f"loss-{number}", base_model_name=tiny_model,
            class_weights=weights, head_init="random",
            training_args={**QUIET, "max_steps": 1, "learning_rate": 1e-9},
        )  # fmt: skip
        losses.append(run.train(rare_frame()).train_loss)
    assert losses[1] == pytest.approx(3 * losses[0], rel=1e-3)


def test_a_trainer_with_a_loss_of_its_own_is_named(tiny_model, fruit):
    run = Full("own-loss", base_model_name=tiny_model, class_weights="balanced")
    with pytest.raises(ConfigError, match=r"CountingTrainer.* computes its own loss"):
        run.train(fruit)


def test_a_weight_of_no_label_is_an_error_that_names_it(tiny_model, fruit):
    run = training_run(
        "classification", "unknown", base_model_name=tiny_model, class_weights={"friut": 2.0}
    )
    with pytest.raises(ConfigError, match=r"'friut', which is not a label.*did you mean 'fruit'"):
        run.train(fruit)


def test_strangers_tasks_may_have_weights(tiny_model, fruit):
    run = Minimal(
        "weights",
        base_model_name=tiny_model,
        class_weights={"LABEL_1": 9.0},
        training_args={**QUIET, "max_steps": 1},
    )
    run.train(fruit)
    assert run.is_trained
