"""A user wrote ``predict(return_scores=True)`` from older code: it was swallowed silently."""

import pytest
import transformers
from transformers import (
    FeatureExtractionPipeline,
    FillMaskPipeline,
    TextClassificationPipeline,
    TextGenerationPipeline,
    TokenClassificationPipeline,
    ZeroShotClassificationPipeline,
)

from cli_helpers import Cli
from clx.errors import (
    ConfigError,
    DuplicateTaskError,
    PluginError,
    UnknownArgumentError,
    UnknownAttributeError,
)
from clx.ml import task_registry, training_run
from clx_tasks_classification import ClassificationRun
from conftest import make_tiny_model

QUIET = {"disable_tqdm": True, "max_steps": 1}


@pytest.fixture
def run(trained):
    return training_run(load=trained)


# ---- Keywords of predict ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"return_scores": True}, "'return_scores'; leave it out: predict() returns the scores"),
        ({"return_all_scores": True}, "leave it out: predict() returns the scores"),
        ({"topk": 1}, "'topk'; did you mean 'top_k'?"),
        ({"max_lenght": 3}, "'max_lenght'; did you mean 'max_length'?"),
        ({"batchsize": 3}, "'batchsize'; did you mean 'batch_size'?"),
        ({"anything": 3}, "no argument 'anything'"),
    ],
)
def test_an_argument_without_an_effect_is_an_error(run, given, said):
    with pytest.raises(UnknownArgumentError) as caught:
        run.predict(["a cat"], **given)
    assert said in str(caught.value)
    with pytest.raises(UnknownArgumentError):
        list(run.predict_iter(["a cat"], **given))


@pytest.mark.parametrize(
    "given",
    [
        {"top_k": 1},
        {"top_k": None, "function_to_apply": "sigmoid"},
        {"truncation": True, "max_length": 4},
        {"padding": "max_length", "max_length": 8},
        {"add_special_tokens": True, "split_special_tokens": True},
        {"return_token_type_ids": True, "pad_to_multiple_of": 8},
    ],
)
def test_what_the_pipeline_or_its_tokenizer_knows_passes(run, given):
    assert len(run.predict(["a cat", "the apple"], **given)) == 2


class Declares(ClassificationRun):
    """Declares arguments of its predictions; has no aliases of its own."""

    name = "declares"
    predict_args = {"top_k": None, "digits": 2}

    def post_process_prediction(self, prediction, *, return_scores=True, digits=4):
        scores = super().post_process_prediction(prediction)
        rounded = {name: round(score, digits) for name, score in scores.items()}
        return rounded if return_scores else max(rounded, key=rounded.get)


class Misspelt(ClassificationRun):
    name = "misspelt"
    predict_args = {"top_k": None, "functon_to_apply": "softmax"}


@pytest.fixture
def registered():
    for task in (Declares, Misspelt):
        task_registry.register(task)
    yield
    for task in (Declares, Misspelt):
        task_registry.unregister(task.name)


def test_a_task_may_declare_arguments_of_its_own(registered, tiny_model, fruit):
    run = training_run("declares", "d", base_model_name=str(tiny_model), training_args=QUIET)
    run.train(fruit)
    assert run.predict(["a cat"], return_scores=False)[0] in {"animal", "fruit"}
    (two,), (five,) = run.predict(["a cat"]), run.predict(["a cat"], digits=5)
    assert two == {name: round(score, 2) for name, score in five.items()}
    assert run.predict_frame(fruit).loc[0, "label"] in {"animal", "fruit"}
    with pytest.raises(UnknownArgumentError, match="did you mean 'return_scores'"):
        run.predict(["a cat"], return_score=False)


def test_a_misspelt_predict_arg_of_a_task_is_the_authors_fault(registered, tiny_model, fruit):
    run = training_run("misspelt", "m", base_model_name=str(tiny_model), training_args=QUIET)
    run.train(fruit)
    with pytest.raises(PluginError, match=r"(?s)'functon_to_apply'; did you mean 'function_to"):
        run.predict(["a cat"])


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return make_tiny_model(tmp_path_factory.mktemp("tiny") / "tiny")


class Own(TextClassificationPipeline):
    """An author's pipeline, as in the documentation of transformers."""

    def _sanitize_parameters(self, **kwargs):
        return ({"maybe": kwargs["maybe"]} if "maybe" in kwargs else {}), {}, {}

    def preprocess(self, inputs, maybe=2):
        return super().preprocess(inputs)


class PassesOn(TextClassificationPipeline):
    """An author's pipeline that takes any argument."""

    def preprocess(self, inputs, **anything):
        return super().preprocess(inputs)


@pytest.mark.parametrize(
    ("kind", "model", "knows", "lacks"),
    [
        (TextClassificationPipeline, "SequenceClassification", ["top_k", "max_length"], ["topk"]),
        (TokenClassificationPipeline, "TokenClassification", ["stride"], ["max_length", "strid"]),
        (FillMaskPipeline, "MaskedLM", ["targets", "top_k"], ["target", "truncation"]),
        (FeatureExtractionPipeline, None, ["return_tensors", "truncation"], ["trunc"]),
        (
            ZeroShotClassificationPipeline,
            "SequenceClassification",
            ["candidate_labels", "hypothesis_template", "multi_label"],
            ["candidates"],
        ),
        (Own, "SequenceClassification", ["maybe"], ["may_be", "max_length", "top_k"]),
        (PassesOn, "SequenceClassification", ["maybe", "top_k"], []),
    ],
)
def test_pipelines_know_other_arguments(tiny, kind, model, knows, lacks):
    from clx.ml.prediction.pipe_arguments import refuse_unknown

    model = getattr(transformers, f"AutoModel{f'For{model}' if model else ''}")
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny)
    pipe = kind(model=model.from_pretrained(tiny), tokenizer=tokenizer)
    task = training_run("classification", "pipes")
    type(task).predict_args, before = {}, type(task).predict_args
    try:
        refuse_unknown(task, pipe, dict.fromkeys(knows, 1))
        for name in lacks:
            with pytest.raises(UnknownArgumentError, match=f"no argument '{name}'"):
                refuse_unknown(task, pipe, {name: 1})
    finally:
        type(task).predict_args = before


def test_a_generating_pipeline_knows_what_generation_knows():
    from transformers import GPT2Config, GPT2LMHeadModel

    from clx.ml.prediction.pipe_arguments import refuse_unknown

    sizes = {"n_embd": 8, "n_layer": 1, "n_head": 1, "vocab_size": 32}
    model = GPT2LMHeadModel(GPT2Config(**sizes))
    pipe = TextGenerationPipeline(model=model, tokenizer=make_tokenizer())
    task = type("Writes", (ClassificationRun,), {"name": "writes", "predict_args": {}})("w")
    knows = {"max_new_tokens": 3, "do_sample": False, "num_beams": 2, "return_full_text": False}
    refuse_unknown(task, pipe, knows)
    with pytest.raises(UnknownArgumentError, match="did you mean 'max_new_tokens'"):
        refuse_unknown(task, pipe, {"max_new_token": 3})


def make_tokenizer():
    from conftest import WORDS

    vocab = {word: number for number, word in enumerate(WORDS)}
    return transformers.BertTokenizerFast(vocab=vocab, model_max_length=64)


# ---- Old names -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"base_model": "b"}, "write base_model_name='b'"),
        ({"model_dir": "runs/a"}, "training_run(load=...) to open a saved run, or run_dir_parent="),
        ({"results_path": "r.json"}, "run.results after the training, which is results.json"),
        ({"lazy_tokenize": True}, "training_run(..., tokenize_lazily=True)"),
        ({"resume_from_checkpoint": True}, "run.train(..., resume=True)"),
        ({"return_scores": True}, "leave it out: predict() returns the scores"),
        (
            {"training_args": {"resume_from_checkpoint": "c"}},
            "resume_from_checkpoint cannot be set: call run.train(..., resume=True)",
        ),
    ],
)
def test_an_old_option_gets_todays_word(given, said):
    with pytest.raises(ConfigError) as caught:
        training_run("classification", "old", **given)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("verb", "given", "said"),
    [
        ("train", {"resume_from_checkpoint": "runs/checkpoint-5"}, "write resume=True"),
        ("train", {"lazy_tokenize": True}, "write training_run(..., tokenize_lazily=True)"),
        ("predict_frame", {"return_scores": True}, "write all_scores=True"),
        ("predict_labels", {"return_scores": True}, "leave it out: predict() returns the scores"),
        ("evaluate", {"results_path": "r.json"}, "run.results"),
    ],
)
def test_an_old_argument_gets_todays_word(verb, given, said):
    with pytest.raises(UnknownArgumentError) as caught:
        getattr(training_run("classification", "old"), verb)(["x"], **given)
    assert said in str(caught.value)


def test_an_old_class_attribute_gets_todays_word():
    members = {"task": "text-classification"}
    with pytest.raises(PluginError) as caught:
        task_registry.register(type("Old", (ClassificationRun,), {**members, "name": "old"}))
    assert "write pipeline_args = {\"task\": 'text-classification'}" in str(caught.value)
    from clx.ml import TrainingRun

    with pytest.raises(PluginError, match=r"write name = 'mine' for the name of the task"):
        task_registry.register(type("Older", (TrainingRun,), {"task": "mine"}))


# ---- The alias, and the path of a config -----------------------------------------------------------


def test_text_classification_is_classification(recwarn):
    run = training_run("text-classification", "alias")
    assert run.config["task"] == "classification"
    assert "text-classification" in ClassificationRun.aliases
    assert not recwarn.list


def test_a_subclass_does_not_claim_the_alias(registered):
    assert task_registry["text-classification"] is ClassificationRun

    class Claims(ClassificationRun):
        name = "claims"
        aliases = ("declares",)

    with pytest.raises(DuplicateTaskError):
        task_registry.register(Claims)


def test_the_config_of_a_run_stands_for_it(trained, capsys, monkeypatch):
    config = trained / "config.json"
    assert training_run(load=config).run_dir == trained
    assert training_run(load=str(config)).predict(["a cat"])
    cli = Cli(capsys, monkeypatch)
    assert cli("predict", config, "a cat").status == 0
    assert cli("show", config).status == 0
    assert cli("verify", config).status == 0
    training_run("classification", "base", base_model_name=str(config))


# ---- Attributes ------------------------------------------------------------------------------------


class Fails(ClassificationRun):
    """Has a property that fails."""

    name = "fails"

    @property
    def broken(self):
        raise AttributeError("of the author")


def test_an_old_attribute_gets_todays_word(run):
    for name, said in (
        ("model_dir", "write run.run_dir, or"),
        ("results_path", "whose content is run.results"),
        ("base_model", "write run.base_model_name"),
    ):
        with pytest.raises(UnknownAttributeError, match=said) as caught:
            getattr(run, name)
        assert isinstance(caught.value, AttributeError)
        assert not hasattr(run, name)
    with pytest.raises(AttributeError, match="no attribute 'nothing_like_it'"):
        _ = run.nothing_like_it
    with pytest.raises(AttributeError, match="of the author"):
        _ = Fails("f").broken
    run.model_dir = "an author's own"
    assert run.model_dir == "an author's own"
