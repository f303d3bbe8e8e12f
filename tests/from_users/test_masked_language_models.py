"""An author evaluated a masked language model: all logits were kept, 6.6 GB for 400 rows."""

import copy

import pandas as pd
import pytest
import torch
from transformers import AutoModelForMaskedLM, DataCollatorForLanguageModeling
from transformers.trainer_pt_utils import EvalLoopContainer

from clx.errors import ConfigError
from clx.ml import TrainingRun, task_registry, training_run
from clx.ml.data import column_problems, raise_data_problems
from conftest import WORDS, mixed_texts

TEXTS = pd.DataFrame({"text": mixed_texts()[:24]})
QUIET = {"disable_tqdm": True, "max_steps": 2, "per_device_train_batch_size": 4}
pytestmark = pytest.mark.filterwarnings("ignore::clx.errors.ClxWarning")


class MaskedRun(TrainingRun):
    """A masked language model without metrics."""

    name = "masked"
    dataset_cols = ["input_ids", "attention_mask"]
    pipeline_args = {"task": "fill-mask"}

    def validate_data_format(self, data):
        raise_data_problems(column_problems(data, ["text"]), "a column text")

    def load_model(self, model_name=None):
        return AutoModelForMaskedLM.from_pretrained(model_name, **self.model_args)

    def load_data_collator(self):
        return DataCollatorForLanguageModeling(self.tokenizer, mlm_probability=0.4)


class BestTokens(MaskedRun):
    """Its metric needs the best token of each position."""

    name = "best-tokens"

    def preprocess_logits_for_metrics(self, logits, labels):
        assert logits.shape[:2] == labels.shape
        return logits.argmax(-1)

    def compute_metrics(self, eval_pred):
        tokens, labels = eval_pred
        assert tokens.dtype.kind == "i"
        asked = labels != -100
        return {"accuracy": float((tokens[asked] == labels[asked]).mean())}


class Scores(MaskedRun):
    """The same metric of all scores."""

    name = "all-token-scores"

    def compute_metrics(self, eval_pred):
        tokens, labels = eval_pred.predictions.argmax(-1), eval_pred.label_ids
        asked = labels != -100
        return {"accuracy": float((tokens[asked] == labels[asked]).mean())}


TASKS = (MaskedRun, BestTokens, Scores)


@pytest.fixture(autouse=True)
def registered():
    for task in TASKS:
        task_registry.register(task)
    yield
    for task in TASKS:
        task_registry.unregister(task.name)


@pytest.fixture
def kept(monkeypatch):
    """The shapes of everything but losses that evaluations kept."""
    shapes, add = [], EvalLoopContainer.add

    def counted(self, tensors):
        values = tensors if isinstance(tensors, tuple | list) else [tensors]
        shapes.extend(tuple(value.shape) for value in values if value.dim() > 1)
        add(self, tensors)

    monkeypatch.setattr(EvalLoopContainer, "add", counted)
    return shapes


def make(tiny_model, task="masked", **options):
    options = {"base_model_name": str(tiny_model), "training_args": QUIET, **options}
    return training_run(task, f"run-{task}", **options)


def test_nothing_but_losses_is_kept(tiny_model, kept):
    run = make(tiny_model)
    result = run.train(TEXTS, TEXTS)
    assert result.metrics.keys() == {"loss"}
    evaluated = run.evaluate(TEXTS)
    assert evaluated.metrics["loss"] > 0
    assert run.compare(training_run(load=run.run_dir), TEXTS).metrics.index.tolist() == ["loss"]
    assert kept == []
    assert (run.run_dir / "report.html").is_file()


def test_nor_in_folds(tiny_model, kept):
    metrics = make(tiny_model).cross_validate(TEXTS, folds=2).metrics
    assert metrics["loss"] > 0
    assert kept == []


def test_nor_to_measure_a_time_budget(tiny_model, kept):
    args = {**QUIET, "max_steps": -1, "num_train_epochs": 1, "metric_for_best_model": "loss"}
    make(tiny_model, training_args=args).train(TEXTS, TEXTS, time_budget="1m")
    assert kept == []


def test_an_argument_may_say_so_too(tiny_model, kept):
    args = {**QUIET, "prediction_loss_only": True}
    make(tiny_model, training_args=args).train(TEXTS, TEXTS)
    assert kept == []
    with pytest.raises(ConfigError, match="the metrics of this task need the predictions"):
        make(tiny_model, "best-tokens", training_args=args)


def test_a_task_may_keep_less_than_all(tiny_model, kept):
    less = make(tiny_model, "best-tokens").train(TEXTS, TEXTS).metrics
    assert {len(shape) for shape in kept} == {2}
    kept.clear()
    everything = make(tiny_model, "all-token-scores").train(TEXTS, TEXTS).metrics
    assert (*kept[0][:1], kept[0][-1]) == (len(TEXTS), len(WORDS))
    assert less == pytest.approx(everything)
    assert 0 <= less["accuracy"] <= 1


def test_an_error_in_it_says_where(tiny_model, monkeypatch):
    monkeypatch.setattr(BestTokens, "preprocess_logits_for_metrics", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError) as caught:
        make(tiny_model, "best-tokens").train(TEXTS, TEXTS)
    assert "preprocess_logits_for_metrics" in "".join(caught.value.__notes__)


def test_what_is_not_logits_is_not_calibrated(tiny_model, fruit):
    from clx_tasks_classification import ClassificationRun

    class Best(ClassificationRun):
        name = "best-label"
        aliases = ()

        def preprocess_logits_for_metrics(self, logits, labels):
            return logits.argmax(-1)

        compute_metrics = evaluation_tables = evaluation_intervals = lambda self, eval_pred: {}
        evaluation_rows = fit_decisions = lambda self, eval_pred: None

    run = Best("best", base_model_name=str(tiny_model), training_args=QUIET)
    with pytest.raises(ConfigError, match="calibrate=True needs the logits"):
        run.train(pd.concat([fruit] * 3), copy.deepcopy(fruit))


def test_an_unmasked_model_is_not_batched_by_equal_lengths(tiny_model):
    run = make(tiny_model)
    run.train(TEXTS)
    assert not hasattr(run.model.config, "clx_batching")


def test_tokens_count_equally_in_batches_of_equal_lengths(tiny_model):
    """A model that cannot be padded gets texts of one length at a time."""
    from clx.ml.data.equal_lengths import BATCHING, EQUAL_LENGTHS
    from clx.ml.trainer.equal_lengths import split_by_length
    from clx.ml.trainer.trainer import make_trainer

    run = make(tiny_model)
    model = run.load_model(str(tiny_model)).eval()
    rows = [dict(run.tokenizer(text)) for text in ("a cat", "the big red dog and the cow", "goat")]
    # One row without a masked token.
    masked = [[-100] * len(row["input_ids"]) for row in rows]
    masked[0][1:3], masked[1][2] = [6, 7], 8
    batch = run.tokenizer.pad(rows, return_tensors="pt")
    width = batch["input_ids"].shape[1]
    labels = torch.tensor([each + [-100] * (width - len(each)) for each in masked])
    expected = model(**batch, labels=labels).loss.item()
    setattr(model.config, BATCHING, EQUAL_LENGTHS)
    arguments = {"report_to": "none", "use_cpu": True, "disable_tqdm": True}
    trainer = make_trainer(run, run.tokenizer, model, arguments, run.run_dir)
    split_by_length(trainer, "right")
    lengths = torch.tensor([len(row["input_ids"]) for row in rows])
    loss = model(**batch, labels=labels, clx_lengths=lengths).loss.item()
    assert loss == pytest.approx(expected)
