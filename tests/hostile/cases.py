"""Run directories that somebody made to do harm, or that a broken disk or a hasty editor left.

Each case spoils a copy of a good run. ``expected`` is a pattern that the RunDirError has to match, or
None where the directory is harmless and has to load. Whatever a case could run leaves a file named
in the environment variable CANARY, or asks for the network.
"""

from __future__ import annotations

import json
import os
import pickle
import struct
from dataclasses import dataclass
from pathlib import Path

CASES = {}

EVIL = "import os, pathlib\npathlib.Path(os.environ['CANARY']).write_text('ran')\n"


@dataclass(frozen=True)
class Case:
    name: str
    spoil: object
    expected: str | None
    keeps_manifest: bool = False


def case(expected, keeps_manifest=False):
    """Add a case; without ``keeps_manifest`` the manifest says what the attacker wants it to say."""

    def add(spoil):
        name = spoil.__name__
        CASES[name] = Case(name, spoil, expected, keeps_manifest)
        return spoil

    return add


def make(case, folder):
    case.spoil(Path(folder))
    if not case.keeps_manifest:
        (Path(folder) / "manifest.json").unlink(missing_ok=True)
        (Path(folder) / "manifest.json").write_text(json.dumps({"files": {}}))


class Evil:
    def __reduce__(self):
        code = f"open({os.environ.get('CANARY', '/tmp/canary')!r}, 'w').write('ran')"
        return exec, (code,)


def edit(path, **changes):
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def model_config(folder, **changes):
    edit(folder / "model" / "config.json", **changes)


def our_config(folder, **changes):
    edit(folder / "config.json", **changes)


def tokenizer_config(folder, **changes):
    edit(folder / "model" / "tokenizer_config.json", **changes)


def tokenizer(folder, **changes):
    edit(folder / "model" / "tokenizer.json", **changes)


def tensors(folder, change):
    from safetensors.torch import load_file, save_file

    path = folder / "model" / "model.safetensors"
    save_file(change(load_file(path)), path, metadata={"format": "pt"})


def header(folder, change):
    path = folder / "model" / "model.safetensors"
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    new = json.dumps(change(json.loads(data[8 : 8 + length]))).encode()
    path.write_bytes(len(new).to_bytes(8, "little") + new + data[8 + length :])


# ---- Code -------------------------------------------------------------------------------------------


@case("own Python code run")
def auto_map_of_an_unknown_model_type(folder):
    model_config(
        folder, model_type="evil", auto_map={"AutoConfig": "evil.C", "AutoModel": "evil.M"}
    )
    (folder / "model" / "evil.py").write_text(EVIL)


@case("own Python code run")
def auto_map_into_a_repository(folder):
    model_config(folder, model_type="evil", auto_map={"AutoConfig": "attacker/repo--evil.C"})


@case(None)
def auto_map_of_a_model_type_that_transformers_knows(folder):
    task = "AutoModelForSequenceClassification"
    model_config(folder, auto_map={"AutoConfig": "evil.C", task: "evil.M"})
    (folder / "model" / "evil.py").write_text(EVIL)


@case(None)
def auto_map_in_the_tokenizer(folder):
    tokenizer_config(folder, auto_map={"AutoTokenizer": ["evil.T", "evil.T"]})
    (folder / "model" / "evil.py").write_text(EVIL)


@case(None)
def auto_map_in_a_tokenizer_of_another_class(folder):
    tokenizer_config(
        folder, tokenizer_class="EvilTokenizer", auto_map={"AutoTokenizer": ["evil.T", None]}
    )
    (folder / "model" / "evil.py").write_text(EVIL)


@case("own Python code run")
def trust_planted_in_our_config(folder):
    our_config(folder, trust_remote_code=True)
    model_config(folder, model_type="evil", auto_map={"AutoConfig": "evil.C"})
    (folder / "model" / "evil.py").write_text(EVIL)


@case("model_args must not have trust_remote_code")
def trust_planted_in_model_args(folder):
    our_config(folder, model_args={"trust_remote_code": True})


@case("which can fetch code")
def kernels_asked_for_in_model_args(folder):
    our_config(folder, model_args={"use_kernels": True})


@case("fetched from the Hub")
def kernel_of_the_hub_in_model_args(folder):
    our_config(folder, model_args={"attn_implementation": "attacker/kernel"})


@case("fetched from the Hub")
def kernel_of_the_hub_in_the_model_config(folder):
    model_config(folder, _attn_implementation="kernels-community/evil:run")


@case("quantization_config")
def quantised_by_another_package(folder):
    model_config(folder, quantization_config={"quant_method": "awq", "bits": 4})


@case("only pytorch_model.bin: a pickle")
def pickled_weights(folder):
    (folder / "model" / "model.safetensors").unlink()
    (folder / "model" / "pytorch_model.bin").write_bytes(pickle.dumps(Evil()))


@case("only pytorch_model.bin: a pickle")
def pickled_weights_beside_other_safetensors(folder):
    (folder / "model" / "model.safetensors").rename(folder / "model" / "other.safetensors")
    (folder / "model" / "pytorch_model.bin").write_bytes(pickle.dumps(Evil()))


@case("weights file of its own")
def pickled_weights_named_by_the_config(folder):
    model_config(folder, transformers_weights="adapter_model.bin")
    (folder / "model" / "adapter_model.bin").write_bytes(pickle.dumps(Evil()))


@case(None)
def pickles_that_nothing_reads(folder):
    for name in ("training_args.bin", "optimizer.pt", "pytorch_model.bin", "vocab.pkl"):
        (folder / "model" / name).write_bytes(pickle.dumps(Evil()))
    (folder / "training_args.bin").write_bytes(pickle.dumps(Evil()))


@case(None)
def code_beside_the_files(folder):
    for name in ("__init__.py", "sitecustomize.py", "conftest.py", "torch.py", "transformers.py"):
        (folder / name).write_text(EVIL)
        (folder / "model" / name).write_text(EVIL)


@case("never followed")
def task_given_as_a_class(folder):
    our_config(folder, task="evil:Class")
    (folder / "evil.py").write_text(EVIL)


@case("never followed")
def task_given_as_a_path(folder):
    our_config(folder, task="../../evil")


@case(None)
def metrics_given_as_a_script(folder):
    (folder / "evil.py").write_text(EVIL)
    our_config(folder, metrics=[str(folder / "evil.py"), "attacker/metric"])


@case(None)
def pipeline_of_its_own(folder):
    model_config(folder, custom_pipelines={"text-classification": {"impl": "evil.P", "pt": []}})
    (folder / "model" / "evil.py").write_text(EVIL)


@case(None)
def chat_template_that_breaks_out(folder):
    template = "{{ ''.__class__.__mro__[1].__subclasses__() }}"
    (folder / "model" / "chat_template.jinja").write_text(template)


@case(None)
def tokenizer_class_that_is_a_function(folder):
    tokenizer_config(folder, tokenizer_class="os.system", processor_class="subprocess.Popen")


# ---- Elsewhere: network, other files ----------------------------------------------------------------


@case("adapter_config.json belongs to an adapter")
def adapter_of_a_base_on_the_hub(folder):
    text = json.dumps({"base_model_name_or_path": "attacker/base", "peft_type": "LORA"})
    (folder / "model" / "adapter_config.json").write_text(text)


def our_adapter(folder, **changes):
    (folder / "adapter").mkdir()
    config = {"peft_type": "LORA", "base_model_name_or_path": "attacker/base", **changes}
    (folder / "adapter" / "adapter_config.json").write_text(json.dumps(config))


@case(None)
def kept_adapter_of_a_base_on_the_hub(folder):
    our_adapter(folder)


@case("adapter_config.json has auto_mapping, which names code to import")
def kept_adapter_that_imports_a_module(folder):
    our_adapter(folder, auto_mapping={"base_model_class": "C", "parent_library": "evil"})


@case("adapter/adapter_model.bin is not a file of an adapter")
def kept_adapter_with_a_pickle(folder):
    our_adapter(folder)
    (folder / "adapter" / "adapter_model.bin").write_bytes(pickle.dumps(Evil()))


@case("has peft_type 'XLORA', not 'LORA'")
def kept_adapter_that_names_other_adapters(folder):
    our_adapter(folder, peft_type="XLORA")


@case(None)
def names_of_places_in_the_config(folder):
    our_config(
        folder,
        base_model_name="attacker/base",
        tokenizer_name="attacker/tokenizer",
        run_name="../../climb",
        run_dir_parent="/etc",
    )
    model_config(folder, _name_or_path="attacker/base")
    tokenizer_config(folder, name_or_path="attacker/tokenizer")


@case(None)
def model_args_that_say_where_to_fetch(folder):
    our_config(folder, model_args={"revision": "evil", "subfolder": "../..", "cache_dir": "/etc"})


@case(None)
def tokenizer_files_elsewhere(folder):
    tokenizer_config(folder, vocab_file="/etc/passwd", tokenizer_file="/etc/hostname")
    tokenizer_config(folder, special_tokens_map_file="../../../etc/hostname")


@case("which is not a safetensors file in the same folder")
def index_that_climbs(folder):
    weights = folder / "model" / "model.safetensors"
    weights.rename(folder.parent / "outside.safetensors")
    text = json.dumps(
        {"metadata": {}, "weight_map": {"classifier.bias": "../../outside.safetensors"}}
    )
    (folder / "model" / "model.safetensors.index.json").write_text(text)


@case("which is not a safetensors file in the same folder")
def index_with_an_absolute_path(folder):
    (folder / "model" / "model.safetensors").unlink()
    text = json.dumps({"metadata": {}, "weight_map": {"classifier.bias": "/etc/hostname"}})
    (folder / "model" / "model.safetensors.index.json").write_text(text)


@case("is a link out of the directory")
def weights_that_are_a_link_out(folder):
    weights = folder / "model" / "model.safetensors"
    weights.symlink_to(weights.rename(folder.parent / "outside.safetensors"))


@case("is a link out of the directory")
def config_that_is_a_link_out(folder):
    (folder / "config.json").symlink_to((folder / "config.json").rename(folder.parent / "x.json"))


@case("is a link out of the directory")
def model_that_is_a_link_out(folder):
    (folder / "model").symlink_to((folder / "model").rename(folder.parent / "outside"))


@case(None)
def links_within_the_directory(folder):
    weights = folder / "model" / "model.safetensors"
    weights.symlink_to(weights.rename(folder / "kept.safetensors"))


@case("leads nowhere")
def link_to_itself(folder):
    (folder / "model" / "vocab.txt").unlink(missing_ok=True)
    (folder / "model" / "vocab.txt").symlink_to("vocab.txt")


@case("neither a file nor a folder")
def pipe_among_the_files(folder):
    (folder / "model" / "generation_config.json").unlink(missing_ok=True)
    os.mkfifo(folder / "model" / "generation_config.json")


@case("not an entry of a manifest", keeps_manifest=True)
def manifest_that_climbs(folder):
    files = {"../../etc/hostname": {"size": 1, "sha256": ""}}
    (folder / "manifest.json").write_text(json.dumps({"files": files}))


@case("neither a file nor a folder")
def results_that_are_a_pipe(folder):
    (folder / "results.json").unlink()
    os.mkfifo(folder / "results.json")


# ---- Wrong content that would load ------------------------------------------------------------------


@case("it has 2 labels, and the run's config has 3|do not fit")
def more_labels_than_the_model(folder):
    our_config(folder, label_names=["animal", "fruit", "mineral"])


@case("those of the run's config are 'fruit', 'animal'")
def labels_in_another_order(folder):
    our_config(folder, label_names=["fruit", "animal"])


@case("do not fit|sizes")
def model_config_with_other_sizes(folder):
    model_config(folder, id2label={"0": "a", "1": "b", "2": "c"}, label2id={"a": 0, "b": 1, "c": 2})
    our_config(folder, label_names=["a", "b", "c"])


@case(r"lacks the weights 'classifier\.weight'")
def head_missing(folder):
    tensors(folder, lambda all: {k: v for k, v in all.items() if k != "classifier.weight"})


@case("lacks the weights")
def encoder_missing(folder):
    tensors(folder, lambda all: {k: v for k, v in all.items() if "layer.1" not in k})


@case("are not finite numbers")
def weights_that_are_nan(folder):
    tensors(folder, lambda all: {k: v * float("nan") for k, v in all.items()})


@case("are not finite numbers")
def one_infinite_weight(folder):
    def spoil(all):
        all["classifier.bias"][0] = float("inf")
        return all

    tensors(folder, spoil)


@case("truncated, damaged, or not .*file not fully covered")
def weights_cut_short(folder):
    path = folder / "model" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


@case("bytes instead of", keeps_manifest=True)
def weights_cut_short_under_the_manifest(folder):
    weights_cut_short(folder)


@case("truncated, damaged, or not .*header too small")
def weights_that_are_empty(folder):
    (folder / "model" / "model.safetensors").write_bytes(b"")


@case("truncated, damaged, or not .*header too large")
def header_of_absurd_length(folder):
    (folder / "model" / "model.safetensors").write_bytes(struct.pack("<Q", 2**63) + b"{}")


@case("truncated, damaged, or not .*invalid offset for tensor `classifier.bias`")
def header_that_overlaps(folder):
    def spoil(names):
        names["classifier.bias"]["data_offsets"] = [0, 2**60]
        return names

    header(folder, spoil)


@case("truncated, damaged, or not .*overflow")
def header_of_another_shape(folder):
    def spoil(names):
        names["classifier.bias"]["shape"] = [2**40, 2**40]
        return names

    header(folder, spoil)


@case("tokenizer has tokens up to")
def tokenizer_of_another_model(folder):
    path = folder / "model" / "tokenizer.json"
    content = json.loads(path.read_text())
    content["model"]["vocab"]["zebra"] = 4_000
    path.write_text(json.dumps(content))


@case("does not exist|no trained run|has no model|missing|cannot be read|no config")
def model_folder_missing(folder):
    import shutil

    shutil.rmtree(folder / "model")


@case("cannot be loaded|cannot be used")
def tokenizer_missing(folder):
    for path in (folder / "model").glob("*token*"):
        path.unlink()


@case("cannot be loaded|cannot be used")
def tokenizer_that_is_none(folder):
    (folder / "model" / "tokenizer.json").write_text('{"version": "1.0"}')


# ---- Too much ---------------------------------------------------------------------------------------


@case("absurd size vocab_size")
def absurd_vocabulary(folder):
    model_config(folder, vocab_size=10**12)


@case("absurd size hidden_size")
def absurd_width(folder):
    model_config(folder, hidden_size=10**15)


@case("has num_hidden_layers = 99999999")
def absurd_depth(folder):
    model_config(folder, num_hidden_layers=99_999_999)


@case("nested too deeply|not valid JSON")
def config_nested_deeply(folder):
    (folder / "config.json").write_text("[" * 200_000)


@case("nested too deeply|not valid JSON")
def model_config_nested_deeply(folder):
    (folder / "model" / "config.json").write_text('{"a":' * 200_000)


@case("nested too deeply|not valid JSON|cannot be loaded")
def tokenizer_nested_deeply(folder):
    nested = '{"type": "Sequence", "normalizers": [' * 400 + "]}" * 400
    (folder / "model" / "tokenizer.json").write_text(f'{{"normalizer": {nested}}}')


@case("more than the limit of")
def config_of_absurd_size(folder):
    with (folder / "config.json").open("r+b") as file:
        file.truncate(2**40)


@case("characters, which would use up all memory")
def tokenizer_that_doubles_forty_times(folder):
    double = {"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}
    tokenizer(folder, normalizer={"type": "Sequence", "normalizers": [double] * 40})


@case("characters, which would use up all memory")
def tokenizer_with_a_huge_replacement(folder):
    huge = {"type": "Replace", "pattern": {"Regex": ""}, "content": "a" * 10**6}
    tokenizer(folder, normalizer=huge)


@case("pads every text to 1000000000 tokens")
def tokenizer_that_pads_to_a_billion(folder):
    content = {"strategy": {"Fixed": 10**9}, "direction": "Right", "pad_to_multiple_of": None}
    content |= {"pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"}
    tokenizer(folder, padding=content)


@case("special tokens around every text")
def tokenizer_with_endless_specials(folder):
    piece = {"SpecialToken": {"id": "[CLS]", "type_id": 0}}
    text = {"Sequence": {"id": "A", "type_id": 0}}
    content = {"type": "TemplateProcessing", "single": [piece] * 10**5 + [text], "pair": [text]}
    content["special_tokens"] = {"[CLS]": {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]}}
    tokenizer(folder, post_processor=content)


@case("max_length")
def tokenize_args_that_pad_to_a_billion(folder):
    our_config(folder, tokenize_args={"padding": "max_length", "max_length": 10**9})


@case(None)
def tokenizer_without_a_limit(folder):
    tokenizer_config(folder, model_max_length=10**30)


@case(None)
def tokenizer_with_a_limit_above_the_models(folder):
    tokenizer_config(folder, model_max_length=5_000)


@case("must be a dict|cannot be used")
def options_of_other_types(folder):
    our_config(folder, training_args=[1], model_args="x", tokenize_args=None, label_names=5)


@case(r"per_device_eval_batch_size must be a whole number")
def training_args_of_other_types(folder):
    our_config(folder, training_args={"per_device_eval_batch_size": "many"})


@case(None)
def device_without_numbers(folder):
    our_config(folder, device="meta")


# ---- An exported model ------------------------------------------------------------------------------


def exported(folder, model=b"\x08\x08", labels=("animal", "fruit"), tokenizer=None):
    (folder / "onnx").mkdir()
    (folder / "onnx" / "model.onnx").write_bytes(model)
    (folder / "onnx" / "settings.json").write_text(json.dumps({"labels": list(labels)}))
    text = (folder / "model" / "tokenizer.json").read_text()
    content = {**json.loads(text), **(tokenizer or {})}
    (folder / "onnx" / "tokenizer.json").write_text(json.dumps(content))


@case(None)
def export_of_the_model(folder):
    exported(folder)


@case("onnx/model.onnx has its weights in another file")
def export_with_weights_elsewhere(folder):
    exported(folder, b"\x08\x08j\x1d\n\x08location\x12\x11../../etc/passwd" + b"\0" * 100)


@case("the labels in onnx/settings.json differ")
def export_with_labels_in_another_order(folder):
    exported(folder, labels=("fruit", "animal"))


@case("onnx/tokenizer.json turns one character into .* characters, which would use up all memory")
def export_with_a_tokenizer_that_explodes(folder):
    double = {"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}
    exported(folder, tokenizer={"normalizer": {"type": "Sequence", "normalizers": [double] * 40}})


@case("is a link out of the directory")
def export_that_is_a_link_out(folder):
    exported(folder)
    (folder / "onnx").symlink_to((folder / "onnx").rename(folder.parent / "outside"))
