"""A user evaluated on a million rows with ``tokenize_lazily=True``: all were in memory, tokenized."""

import datasets
import numpy as np
import pandas as pd
import pytest
from transformers import AutoModelForMaskedLM, DataCollatorForLanguageModeling, Trainer

from clx.errors import DataFormatError
from clx.ml import TrainingRun, training_run
from clx.ml.data import row_pass
from clx.ml.data.splits import tokenised_split
from clx.ml.evaluation import disk_rows
from conftest import fruit_frame

ARGS = {"max_steps": 4, "per_device_eval_batch_size": 7, "disable_tqdm": True}

pytestmark = pytest.mark.filterwarnings("ignore::clx.errors.DataWarning")


@pytest.fixture
def on_disk(monkeypatch):
    """Let the few rows of these tests stay on disk."""
    monkeypatch.setattr(row_pass, "SAMPLE_ROWS", 20)
    monkeypatch.setattr(row_pass, "PART_ROWS", 30)
    monkeypatch.setattr(disk_rows, "MAX_IN_MEMORY", 20)


@pytest.fixture
def make(tiny_model):
    def made(name="lazy", task="classification", arguments=ARGS, **options):
        options = {"base_model_name": tiny_model, "tokenize_lazily": True, **options}
        return training_run(task, name, training_args=arguments, **options)

    return made


def mixed(rows):
    """Texts of many lengths, some with a wrong label."""
    frame = fruit_frame(rows)
    frame["text"] = [f"{text} {'and ' * (row % 9)}" for row, text in enumerate(frame["text"])]
    frame.loc[::7, "label"] = "animal"
    return frame


def parquet(frame, folder):
    frame.to_parquet(folder / "eval.parquet")
    return str(folder / "eval.parquet")


def equal(one, other):
    """Require the same metrics and tables, apart from rounding."""
    # Equal scores are no longer equal after rounding, which moves the average precision a little.
    assert one.metrics == pytest.approx(other.metrics, abs=2e-4)
    assert one.rows == other.rows
    pd.testing.assert_frame_equal(one.per_label, other.per_label, atol=1e-4)
    return True


def counted(run):
    """Count the rows that are tokenized."""
    tokenize, seen = run.tokenize, []

    def tokenized(examples):
        seen.append(len(examples["text"]))
        return tokenize(examples)

    run.tokenize = tokenized
    return seen


@pytest.mark.parametrize("task", ["classification", "multilabel"])
def test_figures_and_decisions_are_those_of_rows_in_memory(make, on_disk, tmp_path, task):
    train, rows = fruit_frame(20), mixed(101)
    if task != "classification":
        train["label"] = [[label] for label in train["label"]]
        rows["label"] = [[label] for label in rows["label"]]
    chosen = {"target_accuracy": 0.8} if task == "classification" else {}
    runs = [make(name, task, tokenize_lazily=name == "lazy", **chosen) for name in ("lazy", "all")]
    results = [run.train(train, parquet(rows, tmp_path), fine_tune=False) for run in runs]
    assert equal(results[0].evaluation, results[1].evaluation)
    lazy, eager = (run.config for run in runs)
    assert lazy.keys() == eager.keys()
    for name in ("temperature", "min_score", "thresholds"):
        assert lazy.get(name) == pytest.approx(eager.get(name), abs=1e-5)
    assert results[0].rows == {"train": 20, "eval": 101}
    told = runs[0].results["tokenize_lazily"]["eval"]
    assert told["rows"] == told["checked_rows"] == 101
    assert 20 <= told["sample_rows"] <= 22
    check = results[0].data_check
    said = " ".join(str(check).split())
    assert "of the 101 rows of eval_data, and the labels of all rows" in said
    assert check.label_counts["eval_data"] == results[1].data_check.label_counts["eval_data"]


def test_evaluations_between_steps_read_all_rows_a_batch_at_a_time(make, on_disk, tmp_path):
    arguments = {**ARGS, "eval_strategy": "steps", "eval_steps": 2, "save_strategy": "steps"}
    arguments |= {"save_steps": 2, "metric_for_best_model": "f1_macro"}
    run = make(arguments=arguments)
    seen = counted(run)
    run.train(fruit_frame(60), parquet(mixed(101), tmp_path))
    # A part that is tokenized at once is a batch, or a sample of 20 rows with a few others.
    assert max(seen) < 30
    # The probe, two evaluations between steps, and the one at the end.
    assert sum(seen) > 4 * 101


def sources(rows, folder):
    """Yield the same rows in each kind of source, and whether their texts are in memory."""
    rows.to_csv(folder / "eval.csv", index=False)
    plain = rows.reset_index(drop=True)
    yield parquet(plain, folder), False
    yield folder / "eval.csv", False
    yield datasets.DatasetDict(test=datasets.Dataset.from_pandas(plain)), False
    yield rows, True


def test_evaluate_reads_rows_where_they_are(make, on_disk, tmp_path, monkeypatch):
    run = make()
    run.train(fruit_frame(20))
    rows = mixed(101).set_index(np.arange(1000, 1101))
    for data, in_memory in sources(rows, tmp_path):
        with monkeypatch.context() as patch:
            patch.setattr(disk_rows, "MAX_IN_MEMORY", 1000)
            whole = run.evaluate(data)
        seen = counted(run)
        found = run.evaluate(data)
        assert max(seen) < 30
        assert equal(found, whole)
        # Texts are there for the rows of the report.
        assert found.examples.index.equals(whole.examples.index)
        listed = found.examples["text"].notna()
        assert listed.all() if in_memory else 0 < listed.sum() < 101
        assert found.examples["text"][listed].equals(whole.examples["text"][listed])
        for name in ("mistakes", "suspicious_labels"):
            one, other = found.to_dict()[name], whole.to_dict()[name]
            assert one["index"] == other["index"]
            assert [row[:3] for row in one["rows"]] == [row[:3] for row in other["rows"]]
    # In workers, this process tokenizes the sample alone.
    seen.clear()
    monkeypatch.setitem(run.training_args, "dataloader_num_workers", 1)
    assert equal(run.evaluate(rows), whole)
    assert sum(seen) < 25


def test_a_bad_eval_row_far_from_the_first_is_named_before_the_training(make, on_disk, tmp_path):
    frame = mixed(200)
    frame.loc[171, "label"] = "vegetable"
    run = make()
    seen = counted(run)
    with pytest.raises(DataFormatError, match=r"eval_data(.|\n)*'vegetable'.*: 171"):
        run.train(fruit_frame(60), parquet(frame, tmp_path))
    frame = mixed(200)
    frame.loc[171, "text"] = None
    with pytest.raises(DataFormatError, match=r"eval_data(.|\n)*text is missing.*: 171"):
        run.train(fruit_frame(60), parquet(frame, tmp_path))
    assert not seen


def test_texts_in_both_are_found_wherever_they_are(make, on_disk, tmp_path):
    train, rows = fruit_frame(200), mixed(200)
    rows["text"] = [f"eval {row} {text}" for row, text in enumerate(rows["text"])]
    train.loc[133, "text"] = rows.loc[177, "text"]
    check = make().check(train, parquet(rows, tmp_path))
    (leaked,) = [finding for finding in check.findings if finding.kind == "leaked_texts"]
    assert leaked.rows == (177,)
    assert "train_data row 133" in leaked.message


def test_soft_labels_are_evaluated_in_memory(make, on_disk, tmp_path):
    rows = mixed(101)
    rows["label"] = rows["label"].astype(object)
    rows.at[77, "label"] = '{"fruit": 0.7, "animal": 0.3}'
    rows.to_csv(tmp_path / "soft.csv", index=False)
    metrics = make().train(fruit_frame(20), str(tmp_path / "soft.csv"), fine_tune=False).metrics
    assert metrics["soft_log_loss"] > 0


class OwnEvaluation(Trainer):
    """A Trainer with its own order of eval rows."""

    def get_test_dataloader(self, test_dataset):
        """Return the rows in their order."""
        return super().get_test_dataloader(test_dataset)


class Blocks(TrainingRun):
    """Reads a long text in several blocks, and keeps the scores of each."""

    name = "blocks"
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

    def tokenize(self, examples):
        """Return blocks of eight tokens."""
        found = self.tokenizer(
            examples["text"], truncation=True, max_length=8, return_overflowing_tokens=True
        )
        return {key: found[key] for key in ("input_ids", "overflow_to_sample_mapping")}

    def preprocess_logits_for_metrics(self, logits, labels):
        """Keep a number for each block."""
        return logits.amax(dim=(1, 2))

    def compute_metrics(self, eval_pred):
        """Return numbers that depend on the order of the blocks."""
        scores = eval_pred.predictions
        return {"blocks": len(scores), "ordered": float(scores @ np.arange(len(scores)))}


def test_blocks_of_long_texts_are_in_order(tiny_model, on_disk, tmp_path, monkeypatch):
    run = Blocks("blocks", base_model_name=tiny_model, tokenize_lazily=True, training_args=ARGS)
    path = parquet(mixed(50), tmp_path)
    run.train(fruit_frame(20), path)
    found = run.evaluate(path)
    blocks = len(tokenised_split(run, run.tokenizer, "evaluation", mixed(50)).dataset)
    assert found.metrics["blocks"] == blocks > 60
    monkeypatch.setattr(Blocks, "trainer_class", OwnEvaluation)
    by_others = run.evaluate(path)
    monkeypatch.setattr(disk_rows, "MAX_IN_MEMORY", 1000)
    whole = run.evaluate(path)
    for each in (found, by_others):
        assert each.metrics == pytest.approx(whole.metrics, rel=1e-4)
