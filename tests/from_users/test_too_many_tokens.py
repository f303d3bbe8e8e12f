"""A user set max_length=100 on a model of 64 positions: the first long text in production failed."""

import pytest

from clx.errors import ConfigError, TruncationWarning
from clx.ml import training_run
from zoo import NARROW, Architecture, make_model

# Decoders are among the models.
pytestmark = pytest.mark.filterwarnings("ignore::clx.errors.BaseModelWarning")

POSITIONS = 64


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    config = {**NARROW, "num_key_value_heads": 2, "num_hidden_layers": 1}
    return make_model(Architecture("llama", "llama", config), tmp_path_factory.mktemp("llama"))


def run_with(model, tokenize_args, **options):
    return training_run(
        "classification",
        "x",
        base_model_name=model,
        label_names=["animal", "fruit"],
        tokenize_args=tokenize_args,
        training_args={"max_steps": 1, "disable_tqdm": True},
        **options,
    )


@pytest.mark.parametrize("long_text", ["truncate", "window"])
def test_more_tokens_than_positions_are_refused_with_both_numbers(tiny_model, fruit, long_text):
    run = run_with(tiny_model, {"max_length": 100}, long_text=long_text)
    with pytest.raises(
        ConfigError, match=rf"max_length is 100, but .* positions for {POSITIONS} tokens"
    ):
        run.train(fruit)
    assert not run.run_dir.exists()
    with pytest.raises(ConfigError, match="max_length is 100"):
        _ = run.tokenizer
    with pytest.raises(ConfigError, match="max_length is 100"):
        run.check(fruit)


@pytest.mark.parametrize("value", [False, "do_not_truncate", None])
def test_texts_of_any_length_are_refused(tiny_model, fruit, value):
    run = run_with(tiny_model, {"truncation": value})
    with pytest.raises(ConfigError, match=rf"any length, but .* positions for {POSITIONS} tokens"):
        run.train(fruit)


def test_every_problem_is_named(tiny_model):
    run = run_with(tiny_model, {"truncation": False, "max_length": 100})
    with pytest.raises(ConfigError, match=r"(?s)max_length is 100.*truncation=False"):
        _ = run.tokenizer


def test_all_positions_can_be_used(tiny_model, fruit):
    run = run_with(tiny_model, {"max_length": POSITIONS})
    run.train(fruit)
    with pytest.warns(TruncationWarning, match=f"longer than {POSITIONS} tokens"):
        assert len(run.predict(["apple " * 200])) == 1


def test_the_model_counts_where_the_tokenizer_is_anothers(tiny_model, tmp_path):
    words = make_model(Architecture("bert", "wordpiece"), tmp_path / "tokenizer")
    (words / "config.json").unlink()
    run = run_with(tiny_model, {"max_length": 100}, tokenizer_name=words)
    with pytest.raises(ConfigError, match="max_length is 100"):
        _ = run.tokenizer
    run = run_with(tiny_model, {}, tokenizer_name=words)
    run.tokenizer.model_max_length = POSITIONS


def test_a_model_that_computes_its_positions_reads_more(llama):
    assert run_with(llama, {"max_length": 100}).tokenizer is not None
    assert run_with(llama, {"truncation": False}).tokenizer is not None


def test_a_saved_run_opens_and_predicts_as_before(trained):
    run = training_run(load=trained)
    run.tokenize_args = {"max_length": 100}
    assert len(run.predict(["a cat"])) == 1
