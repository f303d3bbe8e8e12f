"""A user's tokenizer padded left: a text's scores changed with the texts beside it, by up to 0.5."""

import shutil

import pytest
from transformers import AutoTokenizer

from architectures import SAME, TEXTS, Subject, by_batch, by_evaluation, difference, frame
from clx.ml import training_run
from zoo import ARCHITECTURES, NARROW, TYPED, Architecture

# Decoders are among the models.
pytestmark = pytest.mark.filterwarnings("ignore::clx.errors.BaseModelWarning")

TINY = {**NARROW, "num_hidden_layers": 1}
XLNET = {"d_model": 32, "n_layer": 1, "n_head": 2, "d_inner": 64}
FNET = Architecture("fnet", "wordpiece", TINY, inputs=("input_ids", "token_type_ids"))


@pytest.fixture
def subject(tmp_path):
    return lambda architecture: Subject(architecture, tmp_path)


@pytest.mark.parametrize(
    ("architecture", "side"),
    [
        (Architecture("bert", "wordpiece", TINY, "left", inputs=TYPED), "right"),
        (Architecture("xlnet", "wordpiece", XLNET, "right"), "left"),
        (Architecture("llama", "llama", {**TINY, "num_key_value_heads": 2}, "left"), "left"),
    ],
    ids=str,
)
def test_the_padding_is_on_the_side_that_the_model_ignores(subject, architecture, side):
    run = subject(architecture).trained()
    assert by_batch(run) < SAME
    assert by_evaluation(run) < SAME
    # Whoever reads the saved model pads like this too.
    saved = AutoTokenizer.from_pretrained(run.run_dir / "model")
    assert saved.padding_side == run.tokenizer.padding_side == side


def test_onnx_pads_on_that_side_too(subject):
    run = subject(Architecture("bert", "wordpiece", TINY, "left", inputs=TYPED)).trained()
    run.export("onnx", texts=TEXTS, int8=False)
    assert by_batch(run, backend="onnx") < SAME


def test_a_model_without_a_mask_reads_texts_of_one_length_at_a_time(subject, tmp_path):
    run = subject(FNET).trained()
    assert by_batch(run) < SAME
    assert by_evaluation(run) < SAME
    # The property is in the run directory, wherever that is opened.
    moved = shutil.copytree(run.run_dir, tmp_path / "elsewhere")
    reopened = training_run(load=moved)
    assert by_batch(reopened) < SAME
    assert difference(reopened.predict(TEXTS), run.predict(TEXTS)) < SAME


def test_its_head_is_fitted_to_what_it_reads_in_predictions(subject):
    run = subject(FNET).run("probe", head_init="probe", calibrate=False)
    data = frame()
    run.train(data, fine_tune=False)
    assert by_batch(run) < SAME
    loss = run.evaluate(data).metrics["loss"]
    # Features of padded batches are others: the head's loss in training would not be this one.
    assert loss == pytest.approx(run.results["head"]["probe_train_loss"], abs=1e-3)


def test_a_base_model_that_was_marked_is_measured_again(subject, tmp_path):
    first = subject(FNET).trained()
    model = first.run_dir / "model"
    again = training_run(
        "classification",
        "again",
        run_dir_parent=tmp_path,
        base_model_name=model,
        training_args={"max_steps": 1, "disable_tqdm": True},
    )
    again.train(frame())
    assert by_batch(again) < SAME


def test_label_errors_are_found_in_the_features_of_texts_alone(subject, monkeypatch):
    from clx.ml.model.head import label_errors

    seen = []
    original = label_errors.collect_features

    def watched(model, *args):
        seen.append(model.config.clx_batching)
        return original(model, *args)

    monkeypatch.setattr(label_errors, "collect_features", watched)
    subject(FNET).run("errors").find_label_errors(frame(40))
    assert seen == ["equal_lengths"]


def test_there_are_twenty_architectures():
    assert len({each.model_type for each in ARCHITECTURES}) >= 20
