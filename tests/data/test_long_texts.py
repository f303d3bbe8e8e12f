"""Texts longer than the model's limit: truncated and counted, refused, or read window by window."""

import numpy as np
import pandas as pd
import pytest
from transformers import Trainer

from clx.errors import ClxWarning, ConfigError, DataFormatError
from clx.ml import TrainingRun, training_run
from clx_runtime.windows import pooled
from conftest import ANIMALS, FRUIT, fruit_frame

LIMIT = 12
FILLER = "and the big red"


def long_frame(rows=24):
    """Return short texts, and long ones with the words that matter behind the limit."""
    frame = fruit_frame(rows)
    for number in range(0, rows, 3):
        words = FRUIT if frame.loc[number, "label"] == "fruit" else ANIMALS
        frame.loc[number, "text"] = f"{FILLER} " * 4 + " ".join(words[:4])
    return frame


def make(tiny_model, task="classification", **options):
    arguments = {"max_steps": 12, "learning_rate": 2e-3, "disable_tqdm": True}
    arguments |= options.pop("training_args", {})
    return training_run(
        task,
        "long",
        base_model_name=tiny_model,
        tokenize_args={"max_length": LIMIT},
        training_args=arguments,
        **options,
    )


@pytest.fixture(scope="module")
def windowed(tiny_model, tmp_path_factory):
    """Return a run that reads windows, trained on long texts, and the result of its training."""
    run = make(tiny_model, run_dir_parent=tmp_path_factory.mktemp("runs"), long_text="window")
    result = run.train(long_frame(), long_frame(12))
    return run, result


def by_length(logits, sizes):
    return (logits * sizes[:, None]).sum(axis=0) / sizes.sum()


def by_hand(run, text, how=by_length):
    """Return the softmax of the pooled logits of a text's windows, with plain transformers."""
    import torch

    stride = (LIMIT - 2) // 8
    encoded = run.tokenizer(
        text,
        truncation=True,
        max_length=LIMIT,
        stride=stride,
        return_overflowing_tokens=True,
    )
    logits, sizes = [], []
    for ids in encoded["input_ids"]:
        with torch.inference_mode():
            inputs = torch.tensor([ids], device=run.model.device)
            logits.append(run.model(input_ids=inputs).logits[0].cpu().numpy())
        sizes.append(len(ids))
    total = how(np.array(logits), np.array(sizes, dtype=float))
    return np.exp(total) / np.exp(total).sum(), len(sizes)


def test_windows_reach_what_is_behind_the_limit(windowed, tiny_model):
    """The long texts differ only behind the limit."""
    run, result = windowed
    assert result.truncated == {"train": 0, "eval": 0}
    assert result.rows == {"train": 24, "eval": 12}
    texts = [f"{FILLER} " * 4 + " ".join(words[:4]) for words in (FRUIT, ANIMALS)]
    fruit, animal = run.predict(texts)
    assert fruit != animal
    plain = make(tiny_model, long_text="truncate")
    with pytest.warns(UserWarning, match="reads them whole with long_text='window'"):
        plain.train(long_frame())
    with pytest.warns(UserWarning, match="reads them whole with long_text='window'"):
        fruit, animal = plain.predict(texts)
    assert fruit == pytest.approx(animal)


@pytest.mark.parametrize(
    ("pooling", "how"),
    [
        ("mean", lambda logits, sizes: logits.mean(axis=0)),
        ("max", lambda logits, sizes: logits.max(axis=0)),
        ("length", by_length),
    ],
)
def test_a_text_has_the_pooled_logits_of_its_windows(windowed, pooling, how):
    run, _ = windowed
    texts = [f"{FILLER} " * 3 + "a cat", "one grape", f"{FILLER} " * 9, ""]
    run.window_pooling = pooling
    try:
        predictions = run.predict(texts)
    finally:
        run.window_pooling = "length"
    counts = []
    for text, prediction in zip(texts, predictions, strict=True):
        scores, count = by_hand(run, text, how)
        counts.append(count)
        assert list(prediction.values()) == pytest.approx(scores.tolist(), abs=1e-5)
    assert counts == [2, 1, 4, 1]


def test_batches_and_order_change_nothing(windowed):
    run, _ = windowed
    texts = long_frame(30)["text"].tolist()
    expected = run.predict(texts)
    for size in (1, 3, 64):
        for one, other in zip(run.predict(texts, batch_size=size), expected, strict=True):
            assert one == pytest.approx(other, abs=1e-5)
    for one, other in zip(run.predict(texts[::-1]), expected[::-1], strict=True):
        assert one == pytest.approx(other, abs=1e-5)


def test_an_evaluation_is_of_texts(windowed):
    """An evaluation has one row per text, and the accuracy of the predictions."""
    run, result = windowed
    frame = long_frame(12)
    evaluation = run.evaluate(frame)
    assert evaluation.rows == len(evaluation.examples) == 12
    right = np.array(run.predict_labels(frame["text"])) == frame["label"].to_numpy()
    assert evaluation.metrics["accuracy"] == pytest.approx(right.mean())
    assert result.evaluation.metrics["accuracy"] == pytest.approx(right.mean())


def test_a_loaded_run_reads_windows_too(windowed):
    run, _ = windowed
    texts = long_frame(9)["text"].tolist()
    loaded = training_run(load=run.run_dir)
    assert loaded.long_text == "window"
    assert loaded.predict(texts) == run.predict(texts)


def test_the_exported_model_reads_windows_too(windowed):
    pytest.importorskip("onnx")
    run, _ = windowed
    texts = long_frame(30)["text"].tolist()
    with pytest.warns(ClxWarning, match="was trained on about"):
        report = run.export("onnx", texts=texts, int8=False)
    assert report.checks["onnx"].equal_decisions == 1
    for one, other in zip(run.predict(texts, backend="onnx"), run.predict(texts), strict=True):
        assert one == pytest.approx(other, abs=1e-4)
    assert not run.predict_frame(long_frame(30), backend="onnx")["truncated"].any()


def test_multi_label_runs_read_windows_too(tiny_model):
    frame = long_frame()
    frame["labels"] = [[label, "any"] if n % 2 else [label] for n, label in enumerate(frame.label)]
    run = make(tiny_model, "multi-label-classification", long_text="window", window_pooling="max")
    result = run.train(frame[["text", "labels"]], frame[["text", "labels"]])
    assert result.evaluation.rows == len(frame)
    predictions = run.predict(frame["text"])
    loaded = training_run(load=run.run_dir)
    assert loaded.predict(frame["text"]) == predictions
    table = run.evaluate(frame[["text", "labels"]])
    assert table.metrics["f1_micro"] == pytest.approx(result.metrics["f1_micro"])


def test_frames_say_which_texts_were_cut(tiny_model, tmp_path):
    frame = long_frame()
    run = make(tiny_model)
    frame.to_csv(tmp_path / "in.csv", index=False)
    with pytest.warns(UserWarning, match="longer than 12 tokens"):
        result = run.train(frame)
    with pytest.warns(UserWarning, match="longer than 12 tokens"):
        predicted = run.predict_frame(frame)
    with pytest.warns(UserWarning, match="longer than 12 tokens"):
        run.predict_file(tmp_path / "in.csv", tmp_path / "out.csv", columns=["text"])
    expected = [len(run.tokenizer(text)["input_ids"]) > LIMIT for text in frame["text"]]
    assert predicted["truncated"].tolist() == expected
    assert 0 < sum(expected) == result.truncated["train"] < len(frame)
    assert pd.read_csv(tmp_path / "out.csv")["truncated"].tolist() == expected


def test_equal_texts_are_cut_equally(windowed):
    """Equal texts are computed once, and all of their rows have the same value."""
    run, _ = windowed
    run.long_text = "truncate"
    try:
        frame = pd.DataFrame({"text": ["a cat", FILLER * 9, "a cat", FILLER * 9]})
        with pytest.warns(UserWarning, match="2 of 4"):
            cut = run.predict_frame(frame, batch_size=1)["truncated"]
    finally:
        run.long_text = "window"
    assert cut.tolist() == [False, True, False, True]


def test_strict_length_refuses_before_a_model_is_trained(tiny_model):
    frame = long_frame()
    frame.index = [f"row{n}" for n in range(len(frame))]
    run = make(tiny_model, strict_length=True)
    with pytest.raises(DataFormatError, match=r"texts in train data are longer than 12.*'?row0"):
        run.train(frame)
    assert not run.is_trained
    short = fruit_frame()[lambda f: f["text"].str.len() < 30]
    run.train(short)
    with pytest.raises(DataFormatError, match=r"1 of 2 texts in the input.*: 1\."):
        run.predict(["a cat", FILLER * 9])
    with pytest.raises(DataFormatError, match="evaluation data"):
        run.evaluate(long_frame())
    assert len(run.predict(short["text"])) == len(short)
    assert training_run(load=run.run_dir).strict_length is True


def test_strict_length_has_nothing_against_windows(tiny_model):
    run = make(tiny_model, strict_length=True, long_text="window")
    run.train(long_frame())
    assert len(run.predict([FILLER * 30])) == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"long_text": "windows"}, "did you mean 'window'"),
        ({"long_text": None}, "long_text must be one of"),
        ({"window_pooling": "average"}, "window_pooling must be one of"),
        ({"strict_length": "yes"}, "strict_length must be true or false"),
        (
            {"long_text": "window", "tokenize_args": {"truncation": "do_not_truncate"}},
            "cuts texts into windows, but tokenize_args has truncation=False",
        ),
    ],
)
def test_wrong_options_are_said_when_the_run_is_made(options, said):
    with pytest.raises(ConfigError, match=said):
        training_run("classification", "x", **options)


def test_windows_without_room_for_what_they_have_in_common(tiny_model):
    run = training_run(
        "classification",
        "x",
        base_model_name=tiny_model,
        long_text="window",
        tokenize_args={"max_length": 8, "stride": 6},
    )
    with pytest.raises(ConfigError, match="have room for 6 tokens of a text"):
        run.train(long_frame())


def test_epochs_are_counted_in_windows(tiny_model):
    """Otherwise training on thirty long texts would end within an epoch, or take hours."""
    frame = long_frame(30)
    frame["text"] = [f"{text} " + f"{FILLER} " * 30 for text in frame["text"]]
    options = {"base_model_name": tiny_model, "tokenize_args": {"max_length": LIMIT}}
    options |= {"training_args": {"disable_tqdm": True, "learning_rate": 0.0}}
    run = training_run("classification", "many", long_text="window", **options)
    result = run.train(frame, frame)
    # More than ten windows per text: more than twenty steps per epoch. Thirty texts would be two steps.
    assert result.steps / result.epochs > 20
    assert 3 <= result.epochs <= 10


@pytest.mark.parametrize("pooling", ["mean", "length", "max"])
def test_the_probe_is_fitted_to_what_the_logits_of_texts_are_made_of(tiny_model, pooling):
    """The mean of the logits is the logits of the mean. The largest logit is that of one window."""
    run = make(tiny_model, long_text="window", window_pooling=pooling, label_texts=None)
    run.train(long_frame(), fine_tune=False)
    rows = run.results["head"]["probe_rows"]
    assert rows == 24 if pooling != "max" else rows > 24
    log_loss = run.evaluate(long_frame()).metrics["log_loss"]
    if pooling != "max":
        assert log_loss == pytest.approx(run.results["head"]["probe_train_loss"], rel=1e-3)


def test_balanced_weights_of_the_probe_are_those_of_texts(tiny_model):
    """Labels with the same number of texts are balanced, even if the texts of one are longer."""
    frame = fruit_frame(24)
    long = frame["label"] == "fruit"
    frame.loc[long, "text"] = f"{FILLER} " * 6 + frame.loc[long, "text"]
    scores = []
    for weights in (None, "balanced"):
        run = make(tiny_model, long_text="window", class_weights=weights)
        run.train(frame, fine_tune=False, overwrite=True)
        scores.append([row["fruit"] for row in run.predict(frame["text"].tolist())])
    assert scores[0] == pytest.approx(scores[1], abs=1e-4)


def test_the_loss_of_windows_is_not_called_that_of_texts(windowed):
    run, result = windowed
    assert "loss" not in result.metrics
    assert result.metrics["log_loss"] == pytest.approx(
        run.evaluate(long_frame(12)).metrics["log_loss"], rel=1e-4
    )


def test_padding_is_no_text(tiny_model):
    predictions = []
    for padding in (False, "max_length"):
        run = training_run(
            "classification",
            f"padding-{padding}",
            base_model_name=tiny_model,
            long_text="window",
            window_pooling="length",
            tokenize_args={"max_length": LIMIT, "padding": padding},
            training_args={"max_steps": 3, "disable_tqdm": True},
        )
        run.train(long_frame())
        predictions.append(run.predict([f"{FILLER} " * 4 + "cat"])[0])
    assert predictions[0] == pytest.approx(predictions[1], abs=1e-5)


def test_an_evaluation_leaves_no_window_out(tiny_model):
    arguments = {"dataloader_drop_last": True, "per_device_eval_batch_size": 8, "max_steps": 2}
    run = make(tiny_model, long_text="window", head_init="random", training_args=arguments)
    assert "accuracy" in run.train(long_frame(), long_frame(12)).metrics


class NoLastBatch(Trainer):
    """Leaves rows out of its evaluations."""

    def get_test_dataloader(self, test_dataset):
        return super().get_test_dataloader(test_dataset.select(range(len(test_dataset) - 1)))


def test_a_trainer_that_leaves_windows_out_is_refused(tiny_model, monkeypatch):
    options = {"long_text": "window", "head_init": "random"}
    run = make(tiny_model, training_args={"max_steps": 1}, **options)
    monkeypatch.setattr(type(run), "trainer_class", NoLastBatch)
    with pytest.raises(ConfigError, match="its Trainer leaves rows out"):
        run.train(long_frame(), long_frame(12))


def test_an_evaluation_of_windows_is_measured_by_a_sample_of_them(tiny_model):
    options = {"long_text": "window", "head_init": "random"}
    run = make(tiny_model, training_args={"max_steps": 1}, **options)
    result = run.train(long_frame(12), long_frame(80), time_budget=600)
    assert result.rows["eval"] == 80


def test_files_name_their_own_rows_and_warn_once(tiny_model, tmp_path, monkeypatch):
    import clx.ml.prediction.predict_file as module

    monkeypatch.setattr(module, "PART_ROWS", 8)
    run = make(tiny_model)
    with pytest.warns(UserWarning, match="longer than 12 tokens"):
        run.train(long_frame())
    frame = pd.DataFrame({"text": ["a cat"] * 9 + [FILLER * 9] + ["a dog"] * 9 + [FILLER * 9]})
    frame.to_csv(tmp_path / "in.csv", index=False)
    with pytest.warns(UserWarning, match=r"2 of 20 texts in .*in\.csv") as warned:
        run.predict_file(tmp_path / "in.csv", tmp_path / "out.csv")
    assert len([w for w in warned if "longer than" in str(w.message)]) == 1
    run.strict_length = True
    with pytest.raises(DataFormatError, match=r"longer than 12 tokens: 9\."):
        run.predict_file(tmp_path / "in.csv", tmp_path / "other.csv")
    frame.index = [f"row{n}" for n in range(20)]
    with pytest.raises(DataFormatError, match=r"'?row9'?, '?row19"):
        run.predict_frame(frame)


class OwnTokens(TrainingRun):
    """Calls the tokenizer itself, without windows."""

    name = "own-tokens"
    pipeline_args = {"task": "text-classification"}

    def validate_data_format(self, data):
        pass

    def load_model(self, model_name=None):
        from transformers import AutoModelForSequenceClassification

        return AutoModelForSequenceClassification.from_pretrained(model_name)

    def tokenize(self, examples):
        labels = [int(label == "fruit") for label in examples["label"]]
        return {**self.tokenizer(examples["text"], truncation=True), "labels": labels}


class Pairs(OwnTokens):
    """Reads two texts."""

    name = "pairs"
    text_columns = ("text", "other")


def test_a_task_that_makes_no_windows_says_so(tiny_model):
    run = OwnTokens("x", base_model_name=tiny_model, long_text="window")
    with pytest.raises(
        ConfigError, match=r"'own-tokens': its tokenize\(\) does not return windows"
    ):
        run.train(long_frame())
    with pytest.raises(ConfigError, match="reads one text per row, but the task reads"):
        Pairs("x", base_model_name=tiny_model, long_text="window")


def test_cut_pairs_are_told_of_in_training(tiny_model):
    frame = long_frame().assign(other="a cat")
    run = CutPairs("x", base_model_name=tiny_model, tokenize_args={"max_length": LIMIT})
    run.training_args = {"max_steps": 1, "disable_tqdm": True}
    with pytest.warns(UserWarning, match="texts in train_data are longer than 12"):
        run.train(frame)


class CutPairs(Pairs):
    """Tokenizes both texts the way the base class does."""

    name = "cut-pairs"

    def tokenize(self, examples):
        labels = [int(label == "fruit") for label in examples["label"]]
        return {**TrainingRun.tokenize(self, examples), "labels": labels}


def test_pooling_of_logits():
    values = np.array([[1.0, 0.0], [3.0, 2.0], [5.0, 5.0]], dtype=np.float32)
    rows, sizes = [0, 0, 1], [3, 1, 9]
    assert pooled(values, rows, sizes, "mean").tolist() == [[2, 1], [5, 5]]
    assert pooled(values, rows, sizes, "max").tolist() == [[3, 2], [5, 5]]
    assert pooled(values, rows, sizes, "length").tolist() == [[1.5, 0.5], [5, 5]]
    assert pooled(values, rows, sizes, "mean").dtype == np.float32


def test_wrong_labels_are_found_with_windows_too(windowed):
    run, _ = windowed
    with pytest.warns(UserWarning, match="texts in the data are longer than 12"):
        found = run.find_label_errors(long_frame(24), top=3)
    assert len(found) == 3
    assert run.long_text == "window"
