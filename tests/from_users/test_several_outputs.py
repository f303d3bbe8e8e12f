"""A user fine-tuned BART, and a BERT with ``output_hidden_states=True``: "inhomogeneous shape"."""

import dataclasses

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel, Trainer, modeling_outputs
from transformers.modeling_outputs import SequenceClassifierOutput
from transformers.utils import ModelOutput

from clx.ml import training_run
from clx.ml.trainer.model_outputs import is_internal
from clx.ml.trainer.trainer import make_trainer, predict_dataset
from conftest import WORDS, fruit_frame, make_tiny_model

QUIET = {"disable_tqdm": True, "max_steps": 2}
RANDOM = {"head_init": "random", "label_texts": None, "training_args": QUIET}
ALL_STATES = {"output_hidden_states": True}


@pytest.fixture(scope="module")
def bart(tmp_path_factory):
    from transformers import BartConfig, BartModel

    folder = make_tiny_model(tmp_path_factory.mktemp("bart") / "bart")
    torch.manual_seed(0)
    sizes = {"encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2}
    sizes |= {"decoder_attention_heads": 2, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32}
    ids = {"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3, "decoder_start_token_id": 3}
    config = BartConfig(
        vocab_size=len(WORDS), d_model=16, max_position_embeddings=64, **sizes, **ids
    )
    BartModel(config).save_pretrained(folder)
    return folder


def test_a_model_that_returns_its_encoders_states_is_trained_and_evaluated(bart, fruit):
    run = training_run("classification", "bart", base_model_name=bart, **RANDOM)
    assert run.train(fruit, fruit_frame(12)).metrics["log_loss"] > 0
    assert run.evaluate(fruit).metrics["log_loss"] > 0
    assert len(run.predict(["a cat", "the red apple"])) == 2


def test_so_is_one_whose_arguments_ask_for_all_states(tiny_model, fruit):
    options = {"base_model_name": tiny_model, "training_args": QUIET, "pooling": "mean"}
    plain = training_run("classification", "plain", **options)
    states = training_run("classification", "states", model_args=ALL_STATES, **options)
    metrics = [
        run.train(fruit, fruit_frame(12), fine_tune=False).metrics for run in (plain, states)
    ]
    assert metrics[0] == pytest.approx(metrics[1])


def test_so_is_one_whose_config_asks_for_them(tmp_path, fruit):
    folder = make_tiny_model(tmp_path / "states", **ALL_STATES)
    run = training_run("classification", "config", base_model_name=folder, **RANDOM)
    run.train(fruit, fruit_frame(12))
    assert run.evaluate(fruit).metrics["log_loss"] > 0


def test_outputs_have_names_even_if_arguments_ask_for_tuples(tiny_model, fruit):
    options = {"model_args": {"return_dict": False}, "base_model_name": tiny_model, **RANDOM}
    run = training_run("classification", "tuples", **options)
    run.train(fruit)
    assert set(run.predict(["a cat"])[0]) == {"animal", "fruit"}


# ---- A model with outputs of its own ---------------------------------------------------------------


@dataclasses.dataclass
class TwoScores(ModelOutput):
    loss: torch.Tensor | None = None
    logits: torch.Tensor | None = None
    second_logits: torch.Tensor | None = None
    hidden_states: tuple[torch.Tensor, ...] | None = None


@pytest.fixture
def two_scores(tiny_model, fruit):
    """A task run whose model returns two scores and its states, and its tokenized rows."""
    from clx.ml.data.dataset import to_dataset

    run = training_run(
        "classification", "two", base_model_name=tiny_model, label_names=["animal", "fruit"]
    )
    bert = run.load_model(str(tiny_model))

    class Model(PreTrainedModel):
        config_class = type(bert.config)
        _supports_sdpa = True

        def __init__(self, config):
            super().__init__(config)
            self.bert = bert
            self.post_init()

        def forward(self, input_ids=None, attention_mask=None, labels=None):
            given = self.bert(input_ids, attention_mask, labels=labels, output_hidden_states=True)
            return TwoScores(given.loss, given.logits, given.logits * 2, given.hidden_states)

    rows = to_dataset(fruit, run.tokenize, run.dataset_cols, "eval", row_of=[])
    return run, Model(bert.config), rows


def predictions(run, model, rows):
    arguments = {"report_to": "none", "use_cpu": True, "disable_tqdm": True}
    trainer = make_trainer(run, run.tokenizer, model, arguments, run.run_dir)
    return predict_dataset(trainer, rows)[0].predictions


def test_metrics_get_every_score_and_no_states(two_scores):
    first, second = predictions(*two_scores)
    assert first.shape == (40, 2)
    assert np.array_equal(second, first * 2)


def test_a_task_that_has_metrics_of_the_states_gets_them(two_scores, monkeypatch):
    class AllOutputs(Trainer):
        def prediction_step(self, model, inputs, prediction_loss_only, ignore_keys=None):
            return super().prediction_step(model, inputs, prediction_loss_only, ignore_keys=[])

    run, model, rows = two_scores
    monkeypatch.setattr(type(run), "trainer_class", AllOutputs)
    _, _, states = predictions(run, model, rows)
    assert len(states) == 3
    assert states[0].shape[::2] == (40, 32)


def test_every_output_of_transformers_is_a_score_or_a_state():
    kinds = [kind for name, kind in vars(modeling_outputs).items() if "Classif" in name]
    kinds += [kind for name, kind in vars(modeling_outputs).items() if "Question" in name]
    names = {field.name for kind in kinds for field in dataclasses.fields(kind)} - {"loss"}
    assert SequenceClassifierOutput in kinds
    assert {name for name in names if not is_internal(name)} == {
        *("logits", "start_logits", "end_logits")
    }
