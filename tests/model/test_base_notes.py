"""Warnings about checkpoints that suit classification badly, in a comparison and in a training."""

import json
import shutil
from types import SimpleNamespace

import pytest

from clx.errors import BaseModelWarning
from clx.ml import training_run
from clx.ml.model.base_notes import base_notes
from conftest import fruit_frame

QUIET = {"disable_tqdm": True}


def notes(folder, name="acme/model", limit=512, modules=None, long_text="truncate", **config):
    given = {key: config.pop(key) for key in ("tokenize_args",) if key in config}
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"model_type": "bert", **config}))
    if modules is not None:
        (folder / "modules.json").write_text(json.dumps(modules))
    task = SimpleNamespace(tokenize_args=given.get("tokenize_args", {}), long_text=long_text)
    return base_notes(task, name, folder, SimpleNamespace(model_max_length=limit))


@pytest.mark.parametrize("kind", ["gpt2", "llama", "qwen2", "mistral", "mamba"])
def test_decoders_are_named(tmp_path, kind):
    (note,) = notes(tmp_path, model_type=kind)
    assert "decoder-only" in note


@pytest.mark.parametrize(
    "config",
    [
        {"model_type": kind}
        for kind in "bert roberta distilbert modernbert deberta-v2 electra mpnet xlnet xlm".split()
    ]
    + [
        {"model_type": "bart", "is_encoder_decoder": True},
        {"model_type": "gemma3_text", "use_bidirectional_attention": True},
        {"model_type": "qwen2", "is_causal": False},
    ],
    ids=str,
)
def test_models_that_read_both_ways_are_fine(tmp_path, config):
    assert notes(tmp_path, **config) == []


def test_an_encoder_that_is_used_as_a_decoder(tmp_path):
    assert "decoder-only" in notes(tmp_path, is_decoder=True)[0]


@pytest.mark.parametrize(
    "name",
    [
        "MongoDB/mdbr-leaf-ir",
        "colbert-ir/colbertv2.0",
        "answerdotai/answerai-colbert-small-v1",
        "Snowflake/snowflake-arctic-embed-xs",
        "sentence-transformers/multi-qa-MiniLM-L6-cos-v1",
        "sentence-transformers/msmarco-distilbert-base-v4",
        "cross-encoder/ms-marco-MiniLM-L-6-v2",
        "facebook/contriever",
        "naver/splade-v3",
        "BAAI/bge-reranker-base",
        "/models/contriever-msmarco",
    ],
)
def test_names_of_retrieval_models(tmp_path, name):
    (note,) = notes(tmp_path, name)
    assert "retrieval only" in note


@pytest.mark.parametrize(
    "name",
    [
        "MongoDB/mdbr-leaf-mt",
        "BAAI/bge-base-en-v1.5",
        "intfloat/multilingual-e5-small",
        "google/electra-small-discriminator",
        "acme/irony-detector",
        "sentence-transformers/all-MiniLM-L6-v2",
    ],
)
def test_names_of_general_models(tmp_path, name):
    assert notes(tmp_path, name) == []


@pytest.mark.parametrize(
    "content",
    [
        {"model_type": "dpr"},
        {"architectures": ["HF_ColBERT"]},
        {"modules": [{"type": "sentence_transformers.sparse_encoder.models.SpladePooling"}]},
        {"modules": [{"type": "sentence_transformers.models.Router"}]},
    ],
    ids=str,
)
def test_files_of_retrieval_models(tmp_path, content):
    assert any("retrieval only" in note for note in notes(tmp_path, **content))


@pytest.mark.parametrize("modules", [5, [5], [{}], [{"type": "models.Pooling"}], {"type": "x"}])
def test_other_modules_say_nothing(tmp_path, modules):
    assert notes(tmp_path, modules=modules) == []


def test_a_long_default_limit_unless_the_user_set_one(tmp_path):
    (note,) = notes(tmp_path, limit=8192)
    assert "up to 8192 tokens" in note
    assert "'max_length': 512" in note
    assert notes(tmp_path, limit=8191) == []
    assert notes(tmp_path, limit=int(1e30)) == []
    assert notes(tmp_path, limit=8192, tokenize_args={"max_length": 8192}) == []
    assert notes(tmp_path, limit=8192, long_text="window") == []


@pytest.mark.parametrize("how", ["train", "cross_validate", "compare_bases"])
def test_it_is_said_when_such_a_base_is_used(tiny_model, tmp_path, how):
    folder = shutil.copytree(tiny_model, tmp_path / "tiny-ir")
    run = training_run(
        "classification",
        "run",
        base_model_name=folder,
        training_args=QUIET,
        label_texts=None,
        pooling="mean",
    )
    call = {
        "train": lambda: run.train(fruit_frame(12), fine_tune=False),
        "cross_validate": lambda: run.cross_validate(fruit_frame(12), 2, fine_tune=False),
        "compare_bases": lambda: run.compare_bases(fruit_frame(12), [folder], folds=2),
    }
    with pytest.warns(BaseModelWarning, match="tiny-ir: it was trained for retrieval") as seen:
        result = call[how]()
    assert seen[0].filename == __file__
    if how == "compare_bases":
        assert list(result.attrs["notes"]) == [str(folder)]
