"""Trainings on rows with weights and soft labels, against trainings on hard labels and repeated rows."""

import numpy as np
import pandas as pd
import pytest
import torch
from transformers import Trainer

from clx.errors import ConfigError, DataFormatError, ResumeError
from clx.ml import TrainingRun, training_run
from conftest import fruit_frame

pytestmark = pytest.mark.filterwarnings("ignore::clx.errors.ClxWarning")

QUICK = {"num_train_epochs": 1, "per_device_train_batch_size": 8, "disable_tqdm": True}


def run_of(name, base, task="classification", training_args=None, **options):
    training_args = {**QUICK, **(training_args or {})}
    return training_run(task, name, base_model_name=base, training_args=training_args, **options)


def soft_frame(rows=24, share=0.8):
    """Rows whose labels are right with a probability, and rows with hard labels between them."""
    frame = fruit_frame(rows)
    other = {"fruit": "animal", "animal": "fruit"}
    frame["label"] = [
        {label: share, other[label]: 1 - share} if row % 4 else label
        for row, label in enumerate(frame["label"])
    ]
    return frame


def weights_of(run):
    from safetensors.torch import load_file

    return load_file(run.run_dir / "model" / "model.safetensors")


def assert_equal_weights(one, other, tolerance=0.0):
    found, expected = weights_of(one), weights_of(other)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=0, atol=tolerance)


@pytest.mark.parametrize("task", ["classification", "multilabel"])
def test_certain_soft_labels_and_equal_weights_train_the_same_model(tiny_model, fruit, task):
    column = "label" if task == "classification" else "labels"
    hard = fruit.assign(labels=[[label] for label in fruit["label"]])[["text", column]]
    soft = fruit.assign(w=3.5)
    soft[column] = [{label: 1.0, "none": 0.0} for label in fruit["label"]]
    names = {"label_names": ["animal", "fruit", "none"]}
    one = run_of("hard", tiny_model, task, **names)
    two = run_of("soft", tiny_model, task, weight_column="w", **names)
    how = {"fine_tune": task == "classification"}
    metrics = one.train(hard.iloc[:16], hard.iloc[16:24], **how).metrics
    assert two.train(soft.iloc[:16], soft.iloc[16:24], **how).metrics == metrics
    assert_equal_weights(one, two)


def test_a_row_of_weight_two_is_the_row_twice(tiny_model):
    frame = fruit_frame(12).drop_duplicates("text")
    frame["w"] = [2.0 if row in (1, 4) else 0.0 if row == 7 else 1.0 for row in range(len(frame))]
    repeated = frame[frame.w > 0].loc[lambda each: each.index.repeat(each.w.astype(int))]
    one = run_of("weighted", tiny_model, weight_column="w", label_texts=None)
    two = run_of("repeated", tiny_model, label_texts=None)
    one.train(frame, fine_tune=False)
    two.train(repeated.drop(columns="w"), fine_tune=False)
    assert_equal_weights(one, two, 1e-4)
    # The metrics count a row of weight 2 twice, too.
    again = two.evaluate(repeated.drop(columns="w")).metrics
    for name, value in one.evaluate(frame).metrics.items():
        if not name.endswith(("_low", "_high")):
            assert value == pytest.approx(again[name], abs=1e-4), name


def test_metrics_are_of_the_likeliest_label_with_a_log_loss_of_the_probabilities(tiny_model):
    frame = soft_frame().assign(w=1.0)
    frame.loc[:7, "w"] = 3.0
    best = {"metric_for_best_model": "soft_log_loss"}
    texts = {"fruit": "apple"}
    run = run_of("soft", tiny_model, weight_column="w", training_args=best, label_texts=texts)
    result = run.train(frame, frame)
    scores = pd.DataFrame(run.predict(frame["text"].tolist()))[run.label_names].to_numpy()
    truth, each = run.row_probabilities(frame), frame["w"].to_numpy()
    expected = np.average(-(truth * np.log(scores)).sum(axis=1), weights=each)
    evaluated = run.evaluate(frame).metrics
    assert evaluated["soft_log_loss"] == pytest.approx(expected, rel=1e-4)
    assert evaluated["loss"] == pytest.approx(expected, rel=1e-4)
    right = truth.argmax(axis=1) == scores.argmax(axis=1)
    assert evaluated["accuracy"] == pytest.approx(np.average(right, weights=each))
    assert result.metrics["soft_log_loss"] == pytest.approx(evaluated["soft_log_loss"], rel=1e-3)
    assert "soft_log_loss" not in run.evaluate(fruit_frame(8)).metrics
    plain = run.evaluate(frame.drop(columns="w")).metrics
    assert plain["soft_log_loss"] != pytest.approx(evaluated["soft_log_loss"], rel=1e-4)


def test_accumulated_steps_weigh_rows_like_large_batches(tiny_model):
    frame = soft_frame(16).assign(w=[1.0, 4.0] * 8)
    common = {"max_steps": 2, "seed": 1, "learning_rate": 1e-3}
    one = run_of(
        "large",
        tiny_model,
        weight_column="w",
        head_init="random",
        model_args={"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0},
        training_args=common | {"per_device_train_batch_size": 16},
    )
    two = run_of(
        "small",
        tiny_model,
        weight_column="w",
        head_init="random",
        model_args={"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0},
        training_args=common | {"per_device_train_batch_size": 4, "gradient_accumulation_steps": 4},
    )
    one.train(frame)
    two.train(frame)
    assert_equal_weights(one, two, 1e-5)


def test_other_weights_or_probabilities_are_another_training(tiny_model):
    class Stop(Exception):
        pass

    from transformers import TrainerCallback

    class StopAfter(TrainerCallback):
        def on_step_end(self, args, state, control, **kwargs):
            if state.global_step == 2:
                raise Stop

    frame = soft_frame(16).assign(w=[1.0, 2.0] * 8)
    steps = {"save_steps": 1, "save_strategy": "steps", "max_steps": 3}
    whole = run_of("whole", tiny_model, weight_column="w", training_args=steps)
    run = run_of("resumed", tiny_model, weight_column="w", training_args=steps)
    with pytest.raises(Stop):
        run.train(frame, callbacks=[StopAfter()])
    with pytest.raises(ResumeError, match="data"):
        run.train(frame.assign(w=[2.0, 1.0] * 8), resume=True)
    with pytest.raises(ResumeError, match="data"):
        run.train(soft_frame(16, 0.7).assign(w=frame.w), resume=True)
    run.train(frame, resume=True)
    whole.train(frame)
    assert_equal_weights(run, whole)


def test_what_cannot_weigh_rows_says_so(tiny_model):
    class OwnLoss(Trainer):
        def compute_loss(self, model, inputs, *args, **kwargs):
            return super().compute_loss(model, inputs, *args, **kwargs)

    frame = soft_frame(16).assign(w=[1.0, 2.0] * 8)
    run = run_of("own", tiny_model, weight_column="w")
    run.trainer_class = OwnLoss
    with pytest.raises(ConfigError, match=r"weight_column 'w' cannot be used .*\(OwnLoss\)"):
        run.train(frame)


def test_rows_that_are_tokenized_late_have_no_soft_labels(tiny_model):
    run = run_of("late", tiny_model, tokenize_lazily=True)
    with pytest.raises(ConfigError, match=r"Soft labels cannot be used with tokenize_lazily"):
        run.train(soft_frame(16))
    with pytest.raises(ConfigError, match="cannot be combined with weight_column"):
        run_of("weighed", tiny_model, tokenize_lazily=True, weight_column="w")


def test_a_continued_training_takes_new_soft_labels_and_weighted_old_rows(tiny_model):
    old = soft_frame(16).assign(w=[1.0, 2.0] * 8)
    run = run_of("earlier", tiny_model, weight_column="w")
    run.train(old, fine_tune=False)
    new = old.iloc[:8].assign(
        label=[{"fruit": 0.6, "thing": 0.4}, {"thing": 0.9, "animal": 0.1}] * 4
    )
    with pytest.raises(DataFormatError, match="replay lacks the column that weight_column names"):
        run.continue_training(new, replay=old.drop(columns="w"))
    result = run.continue_training(new, old, name="later", replay=old, fine_tune=False)
    later = training_run(load=result.run_dir)
    assert later.label_names == ["animal", "fruit", "thing"]
    assert later.evaluate(new).metrics["soft_log_loss"] > 0
    names = {"thing": ["thing", "fruit"]}
    merged = new.assign(label=[{"thing": 1.0}, {"animal": 0.9, "thing": 0.1}] * 4)
    later.merge_labels(names, merged, merged)
    assert later.label_names == ["animal", "thing"]


def test_several_soft_labels_with_windows_class_weights_and_a_split(tiny_model):
    frame = fruit_frame(24).drop(columns="label").assign(w=[1.0, 2.0, 0.0] * 8)
    frame["text"] += " and the dog" * 30
    frame["labels"] = [
        [{"fruit": 0.9, "big": 0.6}, ["animal"], {"animal": 0.4, "big": 0.3}][row % 3]
        for row in range(24)
    ]
    run = run_of(
        "several",
        tiny_model,
        "multilabel",
        weight_column="w",
        class_weights="balanced",
        long_text="window",
        label_texts={"big": "the big red"},
    )
    result = run.train(frame, 0.25)
    assert run.label_names == ["animal", "big", "fruit"]
    assert sum(result.rows.values()) == 16
    assert result.metrics["soft_log_loss"] > 0


def test_folds_and_wrong_labels_read_soft_labels(tiny_model):
    frame = soft_frame(20).assign(w=[1.0, 2.0] * 10)
    run = run_of("folds", tiny_model, weight_column="w", training_args={"max_steps": 1})
    shared = run.cross_validate(frame, folds=2, fine_tune=False).metrics
    assert shared["soft_log_loss"] == pytest.approx(shared["loss"], rel=1e-4)
    assert len(run.find_label_errors(frame, top=3)) == 3
    trained = run.cross_validate(frame, folds=2).metrics
    assert trained["soft_log_loss"] == pytest.approx(trained["loss"], rel=1e-4)


class OfAuthor(TrainingRun):
    """A task outside clx with soft labels, by its public functions."""

    name = "of-author"
    add_config_attrs = ["label_names"]
    pipeline_args = {"task": "text-classification"}
    head_init = "probe"

    def validate_data_format(self, data):
        from clx.ml.data import raise_data_problems
        from clx.ml.labels import label_problems

        raise_data_problems(label_problems(data, "label", self.label_names), "labels")

    def infer_config(self, train_data):
        from clx.ml.labels import column_labels, infer_label_names

        self.label_names = infer_label_names(column_labels(train_data["label"]))

    def row_probabilities(self, data):
        from clx.ml.data import label_probabilities
        from clx.ml.labels import label_values

        return label_probabilities(data["label"], label_values(data["label"]), self.label_names)

    def tokenize(self, examples):
        from clx.ml.labels import label_ids

        return {
            **super().tokenize(examples),
            "labels": label_ids(examples["label"], self.label_names),
        }

    def load_model(self, model_name=None):
        from transformers import AutoModelForSequenceClassification

        from clx.ml.labels import label_maps

        return AutoModelForSequenceClassification.from_pretrained(
            model_name, **label_maps(self.label_names), **self.model_args
        )

    def compute_metrics(self, eval_pred):
        from clx.ml.data import row_targets

        rows = row_targets(eval_pred)
        return {"mean_weight": rows.weights.mean(), "labels": rows.probabilities.shape[1]}


def test_a_task_outside_clx_has_soft_labels(tiny_model, tmp_path):
    options = {"base_model_name": tiny_model, "training_args": QUICK, "weight_column": "w"}
    run = OfAuthor("own", run_dir_parent=tmp_path, label_names=None, **options)
    frame = soft_frame(16).assign(w=[1.0, 2.0] * 8)
    metrics = run.train(frame, frame).metrics
    assert metrics["mean_weight"] == pytest.approx(1)
    assert metrics["labels"] == 2
