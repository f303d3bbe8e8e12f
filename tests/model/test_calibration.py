"""Temperature scaling: the best temperature, and a saved model that includes it."""

import numpy as np
import pytest
import torch

from clx.ml import training_run
from clx.ml.model.head.calibration import calibrate
from conftest import fruit_frame

QUIET = {"disable_tqdm": True}


def sure_of_itself(rows=2000, labels=4, factor=3.0, seed=0):
    """Logits whose softmax is calibrated, times a factor."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(rows, labels)) * 1.5
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    ids = np.array([rng.choice(labels, p=chance) for chance in chances])
    return ids, factor * logits


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_the_factor_is_found_again(factor):
    found = calibrate(*sure_of_itself(factor=factor), "single")
    assert found.temperature == pytest.approx(factor, rel=0.1)
    assert found.log_loss_after <= found.log_loss_before + 1e-4
    if factor == 3.0:
        assert found.ece_after < 0.3 * found.ece_before


def test_several_labels_a_row():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(1000, 3)) * 2
    truth = (rng.random((1000, 3)) < 1 / (1 + np.exp(-logits))).astype(int)
    found = calibrate(truth, 4 * logits, "multi")
    assert found.temperature == pytest.approx(4, rel=0.15)
    assert found.ece_after < found.ece_before


def test_no_other_temperature_is_better():
    ids, logits = sure_of_itself()
    found = calibrate(ids, logits, "single")
    truth = torch.as_tensor(ids)
    losses = [
        float(torch.nn.functional.cross_entropy(torch.as_tensor(logits) / t, truth))
        for t in np.linspace(0.5, 8, 200)
    ]
    assert found.log_loss_after <= min(losses) + 1e-4


def test_too_few_rows_and_numbers_are_left_alone():
    ids, logits = sure_of_itself()
    assert calibrate(ids[:5], logits[:5], "single") is None
    assert calibrate(ids.astype(float), logits[:, :1], "regression") is None


@pytest.fixture
def noisy():
    """Eval rows of which a quarter have a wrong label, so that a confident model is overconfident."""
    frame = fruit_frame(40)
    wrong = frame.index % 4 == 0
    frame.loc[wrong, "label"] = frame.loc[wrong, "label"].map(
        {"fruit": "animal", "animal": "fruit"}
    )
    return frame


def test_plain_transformers_gets_calibrated_scores(tiny_model, fruit, noisy):
    from transformers import pipeline

    texts, runs = noisy["text"].tolist(), {}
    for on in (True, False):
        run = training_run(
            "classification", f"calibrate-{on}", base_model_name=tiny_model,
            calibrate=on, training_args={**QUIET, "num_train_epochs": 3, "learning_rate": 5e-3},
        )  # fmt: skip
        result = run.train(fruit, noisy)
        runs[on] = run, result
    run, result = runs[True]
    said = run.results["calibration"]
    assert said["temperature"] > 1.2
    assert run.config["temperature"] == said["temperature"]
    assert said["log_loss_after"] < said["log_loss_before"]
    assert result.metrics["log_loss"] == pytest.approx(said["log_loss_after"], abs=1e-4)
    assert result.metrics["ece"] == pytest.approx(said["ece_after"], abs=1e-4)
    plain = pipeline("text-classification", model=str(run.run_dir / "model"), top_k=None)
    for ours, theirs in zip(run.predict(texts), plain(texts), strict=True):
        assert ours == pytest.approx({e["label"]: e["score"] for e in theirs}, abs=1e-5)

    without, _ = runs[False]
    assert without.results["calibration"] is None
    assert "temperature" not in without.config
    one, other = run.predict(texts)[0], without.predict(texts)[0]
    assert max(one, key=one.get) == max(other, key=other.get)
    assert max(one.values()) < max(other.values())


def test_thresholds_are_chosen_after_it(tiny_model, fruit, noisy):
    run = training_run(
        "classification", "after", base_model_name=tiny_model, target_accuracy=0.7,
        training_args={**QUIET, "num_train_epochs": 3, "learning_rate": 5e-3},
    )  # fmt: skip
    run.train(fruit, noisy)
    rows = run.predict_frame(noisy)
    kept = ~rows["abstained"]
    assert (rows["label"] == noisy["label"])[kept].mean() >= 0.7


def test_an_opened_run_that_is_trained_again_forgets_the_temperature(tiny_model, fruit, noisy):
    options = {"base_model_name": tiny_model, "training_args": {**QUIET, "max_steps": 2}}
    run = training_run("classification", "again", **options)
    run.train(fruit, noisy)
    assert "temperature" in run.config
    opened = training_run(load=run.run_dir)
    assert opened.config["temperature"] == run.config["temperature"]
    opened.train(fruit, overwrite=True)
    assert "temperature" not in opened.config
