"""A user loaded a kept adapter with PEFT on the base that it named, and got another model's scores."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

from clx.errors import ConfigError
from clx.ml import training_run
from clx.ml.model.embedded_model import embedded_folder
from clx.ml.model.lora.base import named_base
from conftest import fruit_frame

COMMIT = "0123456789abcdef0123456789abcdef01234567"
MINILM = "sentence-transformers/all-MiniLM-L6-v2"
TEXTS = ["the cat is red", "an apple and a banana", "two"]
KEPT = {"lora": {"r": 4}, "lora_merge": False}

pytestmark = [
    pytest.mark.filterwarnings("ignore::clx.errors.DataWarning"),
    pytest.mark.filterwarnings("ignore::clx.errors.BaseModelWarning"),
    # PEFT 0.21 asks a model of transformers 5.23 for an attribute under its old name.
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning"),
]


@pytest.fixture
def hub_cache(tmp_path, monkeypatch):
    """A function that puts the files of a folder into an otherwise empty Hub cache."""
    cache = tmp_path / "hub"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))

    def put(name, folder):
        repository = cache / f"models--{name.replace('/', '--')}"
        (repository / "refs").mkdir(parents=True)
        (repository / "refs" / "main").write_text(COMMIT)
        (repository / "snapshots" / COMMIT).mkdir(parents=True)
        for path in folder.iterdir():
            (repository / "snapshots" / COMMIT / path.name).symlink_to(path)

    return put


def make(base, name="kept", **options):
    arguments = {"max_steps": 3, "learning_rate": 1e-2, "disable_tqdm": True}
    options = {"label_texts": None, "pooling": "mean", "head_init": "random", **KEPT, **options}
    return training_run(
        "classification", name, base_model_name=base, training_args=arguments, **options
    )


def difference_with_plain_peft(run):
    """Return how much the scores on the named base differ, the name of the base, and its revision."""
    stored = json.loads((run.run_dir / "adapter" / "adapter_config.json").read_text())
    name, revision = stored["base_model_name_or_path"], stored["revision"]
    config = AutoConfig.from_pretrained(run.run_dir / "model")
    base = AutoModelForSequenceClassification.from_pretrained(
        name, revision=revision, config=config
    )
    adapted = PeftModel.from_pretrained(base, run.run_dir / "adapter").eval()
    rows = AutoTokenizer.from_pretrained(run.run_dir / "model")(
        TEXTS, padding=True, return_tensors="pt"
    )
    with torch.no_grad():
        found, expected = adapted(**rows).logits, run.model(**rows).logits
        with adapted.disable_adapter():
            # Else the test could not fail.
            assert (adapted(**rows).logits - expected).abs().max() > 1e-3
    return float((found - expected).abs().max()), name, revision


@pytest.fixture
def named(tiny_model, hub_cache, tmp_path, monkeypatch):
    """The base model as users name it → how the adapter must name it."""
    monkeypatch.setenv("HOME", str(tmp_path))
    home = shutil.copytree(tiny_model, tmp_path / "models" / "mine")
    (tmp_path / "newest").symlink_to(home)
    monkeypatch.chdir(tmp_path / "models")
    hub_cache("acme/tiny", tiny_model)
    hub_cache("MongoDB/mdbr-leaf-mt", tiny_model)
    hub_cache(MINILM, embedded_folder())
    return {
        MINILM: (MINILM, None),
        "acme/tiny": ("acme/tiny", COMMIT),
        "small": ("MongoDB/mdbr-leaf-mt", COMMIT),
        str(home): (str(home), None),
        "mine": (str(home), None),
        "~/models/mine": (str(home), None),
        # A link may point to another folder later.
        "~/newest": (str(home), None),
    }


@pytest.mark.parametrize("number", range(7))
def test_peft_opens_the_named_base_to_the_same_scores(named, number):
    base, (name, revision) = list(named.items())[number]
    run = make(base)
    run.train(fruit_frame(16))
    difference, *found = difference_with_plain_peft(run)
    assert found == [name, revision]
    assert difference < 1e-5


@pytest.fixture
def project(trained, tmp_path):
    """A folder of runs with the run ``first``."""
    return shutil.copytree(trained, tmp_path / "project" / "first").parent


@pytest.mark.parametrize("by", ["name", "directory", "model", "link"])
def test_a_run_as_the_base_is_refused_before_the_training(project, by):
    first = project / "first"
    (project / "link").symlink_to(first / "model")
    ways = {"name": "first", "directory": first, "model": first / "model", "link": project / "link"}
    run = make(ways[by], "second", run_dir_parent=project)
    for start in (run.train, lambda rows: run.tune(rows, rows, trials=1)):
        with pytest.raises(ConfigError, match="of the run 'first', which a later training may"):
            start(fruit_frame(8))
    assert sorted(path.name for path in project.iterdir() if path.is_dir()) == ["first", "link"]


def test_a_copy_of_the_model_of_a_run_is_a_base_that_stays(project, tmp_path):
    copy = shutil.copytree(project / "first" / "model", tmp_path / "copy")
    run = make(copy, pooling="auto")
    run.train(fruit_frame(16))
    shutil.rmtree(project)
    difference, *found = difference_with_plain_peft(run)
    assert found == [str(copy), None]
    assert difference < 1e-5


def test_a_continued_run_keeps_no_adapter(tiny_model, tmp_path):
    first = make(tiny_model, run_dir_parent=tmp_path)
    first.train(fruit_frame(16))
    before = difference_with_plain_peft(first)
    with pytest.raises(
        ConfigError, match=r"lora_merge=False keeps an adapter .* run 'kept', which"
    ):
        first.continue_training(fruit_frame(8))
    assert not (tmp_path / "kept-2").exists()
    second = first.continue_training(fruit_frame(8), lora_merge=True)
    assert second.run_dir.name == "kept-2"
    assert not (second.run_dir / "adapter").exists()
    opened = training_run(load=second.run_dir)
    assert opened.config["lora_merge"] is True
    assert opened.results["lora"]["merge_difference"] < 1e-5
    # Without fine-tuning there is no adapter that could be kept.
    probe = first.continue_training(fruit_frame(8), head_init="probe", fine_tune=False)
    assert not (probe.run_dir / "adapter").exists()
    assert difference_with_plain_peft(training_run(load=first.run_dir)) == before


def test_a_folder_of_the_hub_cache_is_named_by_id_and_commit(tmp_path):
    folder = tmp_path / "models--gpt2" / "snapshots" / COMMIT
    folder.mkdir(parents=True)
    assert (named_base(folder).name, named_base(folder).revision) == ("gpt2", COMMIT)
    assert named_base(Path("/a/b")).name == "/a/b"
