"""Training through the public contract: what it returns, writes, refuses and repeats."""

import gc
import json
import os
import stat

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForSequenceClassification, Trainer, TrainerCallback

from clx.errors import (
    ClxWarning,
    ConfigError,
    DataFormatError,
    ModelError,
    NotTrainedError,
    RunBusyError,
    RunExistsError,
)
from clx.ml import training_run
from conftest import fruit_frame

FAST = {"num_train_epochs": 1, "learning_rate": 1e-3, "disable_tqdm": True}


def make(tiny_model, name="run", **options):
    options = {"training_args": FAST, **options}
    return training_run("classification", name, base_model_name=tiny_model, **options)


def weights(run):
    return load_file(run.run_dir / "model" / "model.safetensors")


def same(one, other):
    return all(torch.equal(one[key], other[key]) for key in one.keys() | other.keys())


def test_train_returns_figures_and_writes_the_run_directory(tiny_model, fruit):
    run = make(tiny_model)
    result = run.train(fruit, fruit_frame(12))

    assert result.run_dir == run.run_dir
    assert result.rows == {"train": 40, "eval": 12}
    assert result.steps == 3
    assert {"loss", "accuracy", "f1_macro", "f1_micro", "f1_weighted"} <= set(result.metrics)
    assert list(result.to_frame().index) == list(result.metrics)
    assert {path.name for path in run.run_dir.iterdir()} == {
        "config.json",
        "environment.json",
        "logs",
        "manifest.json",
        "model",
        "report.html",
        "results.json",
    }
    assert {path.name for path in (run.run_dir / "model").iterdir()} == {
        "README.md",
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    config = json.loads((run.run_dir / "config.json").read_text())
    assert config["schema_version"] == 1
    assert config["task"] == "classification"
    assert config["task_distribution"] == "clx-tasks-classification"
    assert config["label_names"] == ["animal", "fruit"]
    assert config["training_args"] == FAST
    assert run.results["metrics"] == result.metrics
    assert run.results["data"]["train"] != run.results["data"]["eval"]
    environment = json.loads((run.run_dir / "environment.json").read_text())
    assert {"python", "platform", "seed", "versions"} <= set(environment)


def test_log_has_one_json_line_a_logging_step(tiny_model, fruit):
    run = make(tiny_model, training_args={**FAST, "num_train_epochs": 2, "logging_steps": 1})
    run.train(fruit)
    lines = [
        json.loads(line)
        for line in (run.run_dir / "logs" / "metrics.jsonl").read_text().splitlines()
    ]
    assert [line["step"] for line in lines if "learning_rate" in line] == [1, 2, 3, 4, 5, 6]


def test_nothing_but_the_run_stays_beside_it(tiny_model, fruit):
    run = make(tiny_model)
    run.train(fruit)
    run.train(fruit, overwrite=True)
    names = {path.name for path in run.run_dir.parent.iterdir()}
    assert names - {".run.lock"} == {"run"}


def test_files_have_the_modes_of_the_umask(tiny_model, fruit):
    before = os.umask(0o027)
    try:
        run = make(tiny_model)
        run.train(fruit)
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in run.run_dir.rglob("*") if path.is_file()}
    assert modes == {0o640}


def test_model_folder_gives_the_same_scores_in_plain_transformers(tiny_model, fruit):
    from transformers import pipeline

    run = make(tiny_model)
    run.train(fruit)
    texts = ["the apple", "a red cat and the dog"]
    plain = pipeline("text-classification", model=str(run.run_dir / "model"), top_k=None)
    for ours, theirs in zip(run.predict(texts), plain(texts), strict=True):
        expected = {entry["label"]: entry["score"] for entry in theirs}
        assert ours == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_training_learns(trained):
    run = training_run(load=trained)
    assert run.results["metrics"]["accuracy"] == 1.0
    assert run.evaluate(fruit_frame(16)).metrics["accuracy"] == 1.0


def test_same_seed_and_data_give_the_same_weights(tiny_model, fruit):
    runs = [make(tiny_model, name) for name in ("one", "two")]
    other = make(tiny_model, "three", training_args={**FAST, "seed": 7})
    for run in (*runs, other):
        torch.rand(3)  # what happened before in the process must not matter
        run.train(fruit)
    assert same(weights(runs[0]), weights(runs[1]))
    assert not same(weights(runs[0]), weights(other))


def test_one_step_of_16_rows_equals_four_accumulated_steps_of_4(tiny_model):
    # Rows of one length, so that both ways make one update of the same 16 rows.
    data = pd.DataFrame(
        {"text": [f"the {w} is red" for w in ["apple", "cat"] * 8], "label": ["f", "a"] * 8}
    )
    no_dropout = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    losses, norms, states = [], [], []
    for batch, accumulate in ((16, 1), (4, 4)):
        run = make(
            tiny_model,
            f"accumulate-{accumulate}",
            model_args=no_dropout,
            # A probe would leave a loss of nearly nothing, and its gradient to rounding.
            head_init="random",
            training_args={
                "max_steps": 1,
                "per_device_train_batch_size": batch,
                "gradient_accumulation_steps": accumulate,
                "learning_rate": 1e-3,
                "warmup_steps": 0,
                "logging_steps": 1,
                "disable_tqdm": True,
            },
        )
        run.train(data)
        first = json.loads((run.run_dir / "logs/metrics.jsonl").read_text().splitlines()[0])
        losses.append(first["loss"])
        norms.append(first["grad_norm"])
        states.append(weights(run))
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
    assert norms[1] == pytest.approx(norms[0], rel=1e-4)
    for key in states[0]:
        # Adam's first step is the sign of the gradient: only values near zero may differ.
        close = torch.isclose(states[0][key], states[1][key], atol=1e-5)
        assert close.float().mean() > 0.99, key


def heavy_things():
    # issubclass of the type: isinstance would wake deprecated proxies that torch keeps.
    kinds = (torch.nn.Module, Trainer, torch.optim.Optimizer)
    return [thing for thing in gc.get_objects() if issubclass(type(thing), kinds)]


def test_train_leaves_no_model_in_memory(tiny_model, fruit):
    run = make(tiny_model)
    before = {id(thing) for thing in heavy_things()}
    run.train(fruit, fruit)
    left = [type(thing).__name__ for thing in heavy_things() if id(thing) not in before]
    assert left == []


def test_existing_run_is_refused_before_anything_is_loaded(trained):
    run = training_run(
        "classification", trained.name, run_dir_parent=trained.parent, base_model_name="no/such"
    )
    with pytest.raises(RunExistsError, match="overwrite=True"):
        run.train("no such file.csv")


class Stop(Exception):
    pass


class StopAtOnce(TrainerCallback):
    def on_step_end(self, args, state, control, **kwargs):
        raise Stop


@pytest.mark.parametrize("failure", ["training", "saving", "data"])
def test_failed_overwrite_leaves_the_earlier_run(trained, fruit, monkeypatch, failure):
    before = {path: path.read_bytes() for path in trained.rglob("*") if path.is_file()}
    run = training_run(load=trained)
    expected = run.predict(["the apple"])
    if failure == "training":
        with pytest.raises(Stop):
            run.train(fruit, overwrite=True, callbacks=[StopAtOnce()])
    elif failure == "saving":
        import clx.ml.training.publish

        def full(*args):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(clx.ml.training.publish, "model_card", full)
        with pytest.raises(OSError, match="is full"):
            run.train(fruit, overwrite=True)
    else:
        with pytest.raises(DataFormatError):
            run.train(fruit.drop(columns="label"), overwrite=True)
    assert {path: path.read_bytes() for path in trained.rglob("*") if path.is_file()} == before
    assert run.predict(["the apple"]) == expected
    assert not [path for path in trained.parent.iterdir() if "staging" in path.name]


def test_failed_first_training_leaves_no_directory(tiny_model, fruit):
    run = make(tiny_model)
    with pytest.raises(Stop):
        run.train(fruit, callbacks=[StopAtOnce()])
    assert not run.run_dir.exists()
    assert not run.is_trained


def test_overwrite_takes_new_labels_from_new_data(tiny_model, fruit):
    run = make(tiny_model)
    run.train(fruit)
    run.predict(["a cat"])
    colours = pd.DataFrame(
        {"text": ["red apple", "green grape"] * 4, "label": ["red", "green"] * 4}
    )
    run.train(colours, overwrite=True)
    assert list(run.predict("red")[0]) == ["green", "red"]
    assert run.config["label_names"] == ["green", "red"]


def test_a_folder_that_is_no_run_is_never_replaced(tiny_model, fruit):
    run = make(tiny_model)
    run.run_dir.mkdir(parents=True)
    (run.run_dir / "thesis.txt").write_text("mine")
    with pytest.raises(RunExistsError, match="is not a clx run"):
        run.train(fruit, overwrite=True)
    assert (run.run_dir / "thesis.txt").read_text() == "mine"


def test_what_the_user_put_into_the_run_directory_survives_overwrite(trained, fruit):
    (trained / "notes").mkdir()
    (trained / "notes" / "why.txt").write_text("because")
    training_run(load=trained).train(fruit, overwrite=True)
    assert (trained / "notes" / "why.txt").read_text() == "because"


def test_second_trainer_is_told_who_trains(tiny_model, fruit):
    run, other = make(tiny_model), make(tiny_model)

    class TrainAgain(TrainerCallback):
        def on_step_end(self, args, state, control, **kwargs):
            with pytest.raises(RunBusyError, match=str(os.getpid())):
                other.train(fruit)
            control.should_training_stop = True

    run.train(fruit, callbacks=[TrainAgain])
    assert run.is_trained


def test_untrained_run_says_so(tiny_model, fruit):
    run = make(tiny_model)
    for use in (
        lambda: run.predict("a"),
        lambda: run.evaluate(fruit),
        lambda: run.pipe,
        lambda: run.model,
    ):
        with pytest.raises(NotTrainedError, match=r"run\.train"):
            use()
    assert run.results == {}


def test_data_problems_come_before_the_model(fruit):
    run = training_run("classification", "run", base_model_name="no/such-model")
    broken = fruit.copy()
    broken.loc[3, "text"] = None
    with pytest.raises(DataFormatError, match=r"(?s)train_data.*in 1 of 40 rows: 3"):
        run.train(broken)
    with pytest.raises(DataFormatError, match=r"(?s)eval_data.*'plant'"):
        run.train(fruit, fruit.assign(label="plant"))
    assert not run.run_dir.exists()


def test_label_without_training_rows_is_reported(tiny_model, fruit):
    run = make(tiny_model, label_names=["animal", "plant", "fruit"])
    with pytest.warns(ClxWarning, match="plant"):
        run.train(fruit)
    assert list(run.predict("a")[0]) == ["animal", "plant", "fruit"]


@pytest.mark.parametrize(
    ("labels", "names", "back"),
    [
        ([10, 2] * 8, ["2", "10"], np.integer),
        ([True, False] * 8, ["False", "True"], np.bool_),
        (pd.Categorical(["b", "a"] * 8, categories=["b", "c", "a"]), ["a", "b"], str),
    ],
)
def test_labels_of_other_types_come_back_in_frames(tiny_model, labels, names, back):
    data = pd.DataFrame({"text": ["apple", "cat"] * 8, "label": labels})
    run = make(tiny_model)
    run.train(data, data)
    assert run.config["label_names"] == names
    reloaded = training_run(load=run.run_dir)
    assert [reloaded.model.config.id2label[i] for i in range(2)] == names
    predicted = reloaded.predict_frame(data)["label"]
    assert all(isinstance(value, back) for value in predicted.to_numpy())
    assert set(predicted) <= set(labels)


def test_columns_called_like_model_inputs_are_ignored(tiny_model, fruit):
    odd = fruit.assign(input_ids=1, attention_mask="x", labels=[[9]] * len(fruit), extra=object())
    run, plain = make(tiny_model, "odd"), make(tiny_model, "plain")
    run.train(odd, odd)
    plain.train(fruit, fruit)
    assert same(weights(run), weights(plain))


def test_index_and_dataset_and_file_give_the_same_training(tiny_model, fruit, tmp_path):
    from datasets import Dataset

    fruit.to_csv(tmp_path / "fruit.csv", index=False)
    shuffled = fruit.set_index(pd.Index([7] * len(fruit)))
    sources = [fruit, shuffled, Dataset.from_pandas(fruit), tmp_path / "fruit.csv"]
    states = []
    for number, source in enumerate(sources):
        run = make(tiny_model, f"run-{number}")
        run.train(source)
        states.append(weights(run))
    assert all(same(states[0], other) for other in states[1:])


def test_base_model_with_another_head_is_an_error(tiny_model, fruit, tmp_path):
    model = AutoModelForSequenceClassification.from_pretrained(tiny_model, num_labels=5)
    model.save_pretrained(tmp_path / "five")
    from transformers import AutoTokenizer

    AutoTokenizer.from_pretrained(tiny_model).save_pretrained(tmp_path / "five")
    with pytest.raises(ModelError, match="5 labels"):
        make(tmp_path / "five").train(fruit)
    run = make(tmp_path / "five", model_args={"ignore_mismatched_sizes": True})
    run.train(fruit)
    assert len(run.predict("a cat")[0]) == 2


def test_evaluation_strategy_without_eval_data_is_an_error(tiny_model, fruit):
    run = make(tiny_model, training_args={**FAST, "eval_strategy": "epoch"})
    with pytest.raises(ConfigError, match="eval_strategy"):
        run.train(fruit)


def test_save_strategy_of_the_user_goes_with_eval_data(tiny_model, fruit):
    run = make(tiny_model, training_args={**FAST, "save_strategy": "steps", "save_steps": 2})
    assert run.train(fruit, fruit).steps == 3
