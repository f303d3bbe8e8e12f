"""The tasks ``mlm`` and ``distill-mlm`` from texts to a base model."""

import json

import pandas as pd
import pytest

from clx.errors import ConfigError, DataFormatError
from clx.ml import training_run
from clx.testing import TaskConformance
from clx_tasks_pretraining import DistilledLanguageModelRun, MaskedLanguageModelRun

TEXTS = pd.DataFrame(
    {"text": [f"the {a} eats a {b} and the {a} is {c}"
              for a in ("cat", "dog", "cow", "goat")
              for b in ("apple", "melon", "grape")
              for c in ("red", "big")]}
)  # fmt: skip
FAST = {"learning_rate": 5e-3, "num_train_epochs": 20, "disable_tqdm": True, "seed": 1}


class TestMaskedLanguageModel(TaskConformance):
    task = MaskedLanguageModelRun
    config_values = {"block_size": 16}


class TestDistilledLanguageModel(TaskConformance):
    task = DistilledLanguageModelRun
    config_values = {"block_size": 16}


@pytest.fixture(scope="module")
def domain(tiny_model, tmp_path_factory):
    run = training_run(
        "mlm",
        "my-domain",
        run_dir_parent=tmp_path_factory.mktemp("runs"),
        base_model_name=tiny_model,
        training_args=FAST,
    )
    run.train(TEXTS, TEXTS.iloc[::3])
    return run


def test_a_language_model_learns_the_words_of_a_domain(domain):
    result = json.loads((domain.run_dir / "results.json").read_text())
    assert result["metrics"]["perplexity"] < 12, "37 words at random"
    again = training_run(load=domain.run_dir).evaluate(TEXTS.iloc[::3])
    assert again.metrics["perplexity"] == pytest.approx(result["metrics"]["perplexity"], rel=1e-4)


def test_it_fills_each_mask(domain):
    one, two = domain.predict(["the [MASK] eats a melon", "the cat [MASK] a [MASK]"])
    assert [len(one), len(two)] == [1, 2]
    assert len(one[0]) == 5
    assert set(one[0][0]) == {"token", "score"}
    assert two[0][0]["token"] == "eats"


def test_a_text_without_a_mask_is_named(domain):
    with pytest.raises(DataFormatError, match=r"at least one \[MASK\].*'the cat eats'"):
        domain.predict(["the [MASK] eats", "the cat eats"])
    with pytest.raises(DataFormatError, match="truncated before its"):
        domain.predict(" ".join(["cat"] * 100) + " [MASK]")


def test_the_run_is_a_base_model(domain, fruit):
    run = training_run(
        "classification",
        "after",
        base_model_name=domain.run_dir,
        label_names=["fruit", "animal"],
        training_args={"max_steps": 2, "disable_tqdm": True},
    )
    run.train(fruit)
    assert run.predict_labels(["a red apple"]) in (["fruit"], ["animal"])


def test_a_model_from_scratch(tiny_model):
    run = training_run(
        "mlm",
        "scratch",
        base_model_name=tiny_model,
        model_args={"config": {"num_hidden_layers": 1}},
        training_args={"max_steps": 3, "disable_tqdm": True},
    )
    run.train(TEXTS)
    opened = training_run(load=run.run_dir)
    assert opened.model.config.num_hidden_layers == 1
    assert opened.predict("the [MASK] eats") == run.predict("the [MASK] eats")


def test_long_texts_are_read_in_blocks(tiny_model):
    run = training_run("mlm", "long", base_model_name=tiny_model, block_size=10)
    words = " ".join(["cat", "dog", "cow"] * 9)
    found = run.tokenize({"text": ["a cat", words]})
    assert found["overflow_to_sample_mapping"] == [0, 1, 1, 1, 1]
    assert max(map(len, found["input_ids"])) == 10
    inner = [t for row in found["input_ids"][1:] for t in row[1:-1]]
    assert run.tokenizer.decode(inner) == words


def test_rows_on_disk(tiny_model, tmp_path):
    TEXTS.to_parquet(tmp_path / "texts.parquet")
    run = training_run(
        "mlm",
        "lazy",
        base_model_name=tiny_model,
        tokenize_lazily=True,
        training_args={"max_steps": 3, "disable_tqdm": True},
    )
    assert run.train(tmp_path / "texts.parquet").steps == 3


def test_a_student_learns_from_its_teacher(domain):
    run = training_run(
        "distill-mlm", "small", base_model_name=domain.run_dir, student_layers=1, training_args=FAST
    )
    run.train(TEXTS, TEXTS.iloc[::3])
    assert run.model.config.num_hidden_layers == 1
    opened = training_run(load=run.run_dir)
    assert opened.predict("the cat [MASK] a grape")[0][0][0]["token"] == "eats"
    assert opened.evaluate(TEXTS.iloc[::3]).metrics["perplexity"] < 15
    # A student of the student is a new one.
    next_one = training_run(
        "distill-mlm",
        "smaller",
        base_model_name=run.run_dir,
        training_args={"max_steps": 1, "disable_tqdm": True},
    )
    next_one.train(TEXTS)
    assert next_one.generation == 2
    assert training_run(load=next_one.run_dir).model.config.num_hidden_layers == 1


def test_mistakes_are_named(tiny_model):
    with pytest.raises(ConfigError, match="mask_probability must be between 0 and 1"):
        training_run("mlm", mask_probability=1.5)
    with pytest.raises(ConfigError, match="block_size"):
        training_run("mlm", block_size=2)
    with pytest.raises(ConfigError, match="the task 'mlm' trains without one"):
        training_run("distill-mlm", teacher_weight=0, hidden_weight=0)
    run = training_run("distill-mlm", base_model_name=tiny_model, student_layers=99)
    with pytest.raises(ConfigError, match="the base model has 2 layers"):
        run.train(TEXTS)
    with pytest.raises(DataFormatError, match="'text'"):
        training_run("mlm", base_model_name=tiny_model).train(pd.DataFrame({"other": ["a"]}))
