"""``class_weights`` of spans: the loss of the tokens of a label counts more or less."""

import json

import pytest
import torch
from torch.nn.functional import cross_entropy

from clx.errors import ConfigError
from clx_tasks_tokens import TokenClassificationRun

DATA = TokenClassificationRun.sample_data()
ARGS = {
    "max_steps": 1,
    "learning_rate": 1e-9,
    "disable_tqdm": True,
    "per_device_train_batch_size": 16,
    "logging_steps": 1,
}
NO_DROPOUT = {"hidden_dropout_prob": 0.0, "classifier_dropout": 0.0}


def trained(base, weights):
    run = TokenClassificationRun(
        "weighted", base_model_name=base, class_weights=weights, training_args=ARGS,
        model_args=NO_DROPOUT,
    )  # fmt: skip
    run.train(DATA, overwrite=True)
    return run


def logged_loss(run):
    lines = (run.run_dir / "logs" / "metrics.jsonl").read_text().splitlines()
    return next(row["loss"] for row in map(json.loads, lines) if "loss" in row)


def expected_loss(run, of_tag):
    """Return the mean over tokens of the loss times the weight of the token's tag."""
    rows = run.tokenize({name: DATA[name].tolist() for name in ("text", "spans")})
    total, count = 0.0, 0
    for ids, labels in zip(rows["input_ids"], rows["labels"], strict=True):
        given = torch.tensor(labels)
        with torch.no_grad():
            logits = run.model(input_ids=torch.tensor([ids])).logits[0]
        counts = given != -100
        losses = cross_entropy(logits[counts], given[counts], reduction="none")
        total += float((losses * torch.tensor(of_tag)[given[counts]]).sum())
        count += int(counts.sum())
    return total / count


# The data has 5 tokens of persons and 4 of places; the tags are O, and B- and I- of each.
@pytest.mark.parametrize(
    ("weights", "of_tag"),
    [
        (None, [1, 1, 1, 1, 1]),
        ({"place": 10}, [1, 1, 1, 10, 10]),
        ({"place": 0.1, "person": 2}, [1, 2, 2, 0.1, 0.1]),
        ("balanced", [1, 0.9, 0.9, 1.125, 1.125]),
    ],
)
def test_the_loss_is_weighted(known_models, weights, of_tag):
    run = trained(known_models[16], weights)
    # The Trainer logs four digits.
    assert logged_loss(run) == pytest.approx(expected_loss(run, of_tag), abs=2e-3)


@pytest.mark.parametrize("name", ["plac", "O", "B-place"])
def test_a_name_that_is_not_a_label(known_models, name):
    with pytest.raises(ConfigError, match=f"class_weights has '{name}', which is not a label"):
        trained(known_models[16], {name: 2})
