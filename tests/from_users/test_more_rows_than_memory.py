"""A user trained on 40 million rows of a csv: all were read and tokenized before the first step."""

import pickle

import datasets
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForMaskedLM, DataCollatorForLanguageModeling, TrainerCallback

from clx.errors import ConfigError, DataFormatError, DataWarning
from clx.ml import TrainingRun, training_run
from clx.ml.data import row_pass
from clx.ml.training.data import Data
from clx.ml.training.training_data import training_data
from conftest import fruit_frame

ARGS = {
    "max_steps": 12,
    "per_device_train_batch_size": 8,
    "save_strategy": "steps",
    "save_steps": 2,
    "logging_steps": 1,
    "learning_rate": 1e-3,
    "disable_tqdm": True,
}


@pytest.fixture(autouse=True)
def small_numbers(monkeypatch):
    """Let a sample be smaller than the few rows of these tests."""
    monkeypatch.setattr(row_pass, "SAMPLE_ROWS", 20)


@pytest.fixture
def make(tiny_model):
    def made(name="lazy", task="classification", arguments=ARGS, **options):
        options = {"base_model_name": tiny_model, "tokenize_lazily": True, **options}
        return training_run(task, name, training_args=arguments, **options)

    return made


def csv(folder, frame):
    frame.to_csv(folder / "rows.csv", index=False)
    return str(folder / "rows.csv")


class Watch(TrainerCallback):
    """Counts the rows that are tokenized before the first step, and may stop the training."""

    def __init__(self, run, stop_at=None):
        self.stop_at, self.rows, self.before = stop_at, 0, None
        tokenize = run.tokenize

        def counted(examples):
            self.rows += len(examples["text"])
            return tokenize(examples)

        run.tokenize = counted

    def on_step_begin(self, args, state, control, **kwargs):
        self.before = self.rows if self.before is None else self.before

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == self.stop_at:
            raise KeyboardInterrupt


def weights(run):
    return load_file(run.run_dir / "model" / "model.safetensors")


@pytest.mark.parametrize("kind", ["csv", "dataset"])
def test_a_sample_is_tokenized_before_the_first_step(make, tmp_path, kind):
    frame = fruit_frame(400)
    frame.loc[399, "label"] = "rare"
    data = {
        "csv": lambda: csv(tmp_path, frame),
        "dataset": lambda: datasets.Dataset.from_pandas(frame),
    }[kind]()
    run = make()
    watch = Watch(run)
    result = run.train(data, fruit_frame(20), callbacks=[watch])
    # The sample, the first row of each label, rows with an eval text, eval rows, and two batches.
    assert watch.before <= 20 + 3 + 20 + 20 + 16
    assert run.label_names == ["animal", "fruit", "rare"]
    assert result.rows["train"] == 400
    assert set(run.predict("a cat")[0]) == {"animal", "fruit", "rare"}
    counts = result.data_check.label_counts["train_data"]
    assert counts == {"animal": 200, "fruit": 199, "rare": 1}
    # Its texts are a sample: no share of known ones can be said.
    assert run.results["learned_texts"] == {"hashes": "", "complete": False}
    told = run.results["tokenize_lazily"]
    assert told["rows"] == told["checked_rows"] == 400
    assert told["sample_rows"] < 60
    assert f"a sample of {told['sample_rows']} of the 400 rows" in str(result.data_check)
    assert {finding.kind for finding in result.data_check.findings} >= {"rare_labels"}


def test_resumed_training_is_the_uninterrupted_one(make, tmp_path):
    data = csv(tmp_path, fruit_frame(64))
    arguments = {**ARGS, "dataloader_num_workers": 2}
    whole, broken = make("whole", arguments=arguments), make("broken", arguments=arguments)
    whole.train(data)
    with pytest.raises(KeyboardInterrupt):
        broken.train(data, callbacks=[Watch(broken, stop_at=7)])
    assert broken.train(data, resume=True).steps == 12
    expected, got = weights(whole), weights(broken)
    assert all(torch.equal(expected[key], got[key]) for key in expected)


def test_workers_that_were_not_forked_get_rows_and_tokenizer(make, tmp_path):
    run = make()
    with run._transaction(afresh=True):
        data = training_data(run, Data(csv(tmp_path, fruit_frame(64))))
        tokenizer = run.tokenizer
        tokenizer.add_tokens(["horse"])
        (split,) = data.tokenized(run, tokenizer)
        copy = pickle.loads(pickle.dumps(split.fed))
        assert copy.tokenize.task.tokenizer.get_added_vocab() == tokenizer.get_added_vocab()
        assert copy.__getitems__([5, 63, 0]) == split.fed.__getitems__([5, 63, 0])


def test_a_bad_row_far_from_the_first_is_named(make, tmp_path, monkeypatch):
    monkeypatch.setattr(row_pass, "PART_ROWS", 50)
    frame = fruit_frame(400)
    frame.loc[321, "text"] = None
    with pytest.raises(DataFormatError, match=r"text is missing in 1 of \d+ rows: 321"):
        make().train(csv(tmp_path, frame))
    with pytest.raises(DataFormatError, match=r"rows 300 to 349 of 400(.|\n)*321"):
        make().train(fruit_frame(400).assign(text=frame["text"].where(frame.index != 321, 7)))
    frame = fruit_frame(400)
    frame.loc[123, "label"] = "vegetable"
    with pytest.raises(DataFormatError, match=r"vegetable.*in 1 of \d+ rows: 123"):
        make(label_names=["fruit", "animal"]).train(csv(tmp_path, frame))


def test_eval_texts_among_many_training_rows_are_found(make, tmp_path):
    frame = fruit_frame(400)
    frame.loc[350, "text"] = "goat and goat and goat"
    check = make().check(csv(tmp_path, frame), frame.loc[[350]].reset_index(drop=True))
    (leaked,) = [finding for finding in check.findings if finding.kind == "leaked_texts"]
    assert "train_data row 350" in leaked.message


def test_label_texts_are_rows_of_the_fine_tuning(make, tmp_path):
    texts = {"fruit": ["a fruit"], "animal": ["an animal"]}
    run = make(label_texts=texts, arguments={**ARGS, "max_steps": -1, "num_train_epochs": 1})
    result = run.train(csv(tmp_path, fruit_frame(64)))
    assert result.steps == 9
    assert run.results["head"]["label_texts"] == 2


class Words(TrainingRun):
    """Learns to repeat words; the collator makes the labels."""

    name = "words"
    pipeline_args = {"task": "fill-mask"}

    def validate_data_format(self, data):
        """Require texts."""
        if "text" not in data.columns:
            raise ValueError("no text")

    def load_model(self, model_name=None):
        """Return a model with a head for words."""
        return AutoModelForMaskedLM.from_pretrained(model_name, **self.model_args)

    def load_data_collator(self):
        """Return the collator that adds labels."""
        return DataCollatorForLanguageModeling(self.tokenizer, mlm=False)


def test_a_task_whose_collator_makes_labels(tiny_model, tmp_path):
    (tmp_path / "texts.txt").write_text("\n".join(fruit_frame(80)["text"]))
    run = Words("words", base_model_name=tiny_model, tokenize_lazily=True, training_args=ARGS)
    watch = Watch(run)
    result = run.train(str(tmp_path / "texts.txt"), callbacks=[watch])
    assert result.steps == 12
    assert result.rows["train"] == 80
    assert watch.before < 80


def endless():
    rows = fruit_frame(40).to_dict("records")
    while True:
        yield from rows


def test_an_endless_source_needs_a_number_of_steps(make):
    with pytest.raises(ConfigError, match="max_steps"):
        make(arguments={"num_train_epochs": 1}).train(endless())
    result = make().train(endless())
    assert result.steps == 12
    assert "a stream" in str(result.data_check)
    with pytest.raises(ConfigError, match="time_budget"):
        make("timed").train(endless(), time_budget="1h")


def test_a_streaming_dataset_is_read_in_its_order_and_resumed_exactly(make):
    def stream():
        return datasets.IterableDataset.from_generator(
            lambda: iter(fruit_frame(400).to_dict("records"))
        ).shuffle(seed=1, buffer_size=50)

    whole, broken = make("whole"), make("broken")
    whole.train(stream())
    with pytest.raises(KeyboardInterrupt):
        broken.train(stream(), callbacks=[Watch(broken, stop_at=7)])
    assert broken.train(stream(), resume=True).steps == 12
    expected, got = weights(whole), weights(broken)
    assert all(torch.equal(expected[key], got[key]) for key in expected)


def test_a_stream_that_ends_early_or_has_a_bad_row_says_so(make):
    rows = fruit_frame(24).to_dict("records")
    with pytest.warns(DataWarning, match="ended after 4 of 12 steps"):
        assert make().train(iter(rows)).steps == 4
    many = [*fruit_frame(1100).to_dict("records"), {"text": "a vegetable", "label": "vegetable"}]
    arguments = {**ARGS, "max_steps": 200}
    with pytest.raises(DataFormatError, match=r"rows 1024 to 1100 of the stream(.|\n)*vegetable"):
        make("bad", arguments=arguments).train(iter(many))
    with pytest.raises(DataFormatError, match="as dicts"):
        make("other").train(iter(["a cat"] * 30))


def test_what_needs_all_rows_in_memory_is_refused(make, tmp_path):
    data = csv(tmp_path, fruit_frame())
    with pytest.raises(ConfigError, match=r"eval_data=0\.2"):
        make().train(data, 0.2)
    with pytest.raises(ConfigError, match="reads all rows"):
        make().cross_validate(data, folds=2)
    with pytest.raises(ConfigError, match="long_text"):
        make(long_text="window")
    with pytest.raises(ConfigError, match="strict_length"):
        make(strict_length=True)
    export = pd.DataFrame(
        {"text": ["a cat", "a dog"], "label": ["a", "b"], "answer": ["accept", "reject"]}
    ).assign(_input_hash=1, _task_hash=2)
    with pytest.raises(DataFormatError, match="annotation tool"):
        make().train(csv(tmp_path, export.rename(columns={"label": "accept"})))


def test_a_streaming_dataset_in_memory_is_announced(make):
    stream = datasets.IterableDataset.from_generator(lambda: iter(fruit_frame().to_dict("records")))
    with pytest.warns(DataWarning, match="tokenize_lazily=True"):
        make(tokenize_lazily=False).check(stream)
