"""What a model folder's own JSON may make transformers do, looked at before transformers does it.

Every check is there for a directory that was seen to do harm: to run code, reach the network,
read files elsewhere, or take all memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from clx.errors import RunDirError
from clx.ml.run_directory.untrusted_files import MAX_TOKENIZER_BYTES, read_object
from clx.ml.run_directory.untrusted_weights import weight_shapes
from clx.problems import cell

MAX_SIZE = 100_000_000
"""Above any size in a model's config (vocabulary, width, positions)."""

MAX_EXPANSION = 100
"""Characters that a tokenizer may make of one."""

MAX_SPECIAL = 64
"""Special tokens around a text."""

MAX_PADDING = 65_536

OF_THE_BASE = frozenset(
    [
        "adapter_kwargs",
        "cache_dir",
        "code_revision",
        "force_download",
        "from_flax",
        "from_tf",
        "gguf_file",
        "local_files_only",
        "proxies",
        "resume_download",
        "revision",
        "subfolder",
        "token",
        "use_auth_token",
        "use_safetensors",
        "variant",
        "weights_only",
    ]
)
"""Entries of ``model_args`` that say where and how a base model is fetched; a saved model is here."""

NEEDS_TRUST = frozenset(
    [
        "config",
        "kernel_config",
        "offload_folder",
        "quantization_config",
        "state_dict",
        "use_kernels",
    ]
)
"""Entries of ``model_args`` that fetch code, write elsewhere or replace what was saved."""

MAX_LAYERS_A_WEIGHT = 10
"""Layers may share their weights, but not any number of them."""

_LAYERS = re.compile(r"(layers|blocks|layer)$")


def model_problems(folder: Path, trusted: bool) -> list[str]:
    """Return why a saved run's model folder is not to be loaded; one sentence each.

    Args:
        folder: the ``model/`` of a run.
        trusted: whether the caller allows code from the folder in this call.
    """
    problems = []
    shapes: dict[str, list[int]] = {}
    try:
        shapes = weight_shapes(folder)
    except RunDirError as error:
        problems.append(str(error))
    try:
        config = read_object(folder / "config.json")
        said = [*_config_problems(config, len(shapes)), *([] if trusted else _pointers(config))]
        problems += [f"model/config.json {each}" for each in said]
    except RunDirError as error:
        problems.append(str(error))
    except RecursionError:
        problems.append("model/config.json is nested too deeply")
    if (folder / "adapter_config.json").exists():
        problems.append(
            "model/adapter_config.json stands for an adapter, whose base model is fetched from "
            "elsewhere: a run holds whole models (merge the adapter, then save)"
        )
    return problems + tokenizer_problems(folder)


def model_args_problems(model_args: Mapping[str, Any]) -> list[str]:
    """Return what in a saved config's ``model_args`` is not done without the caller's trust."""
    return [
        f"model_args has {name!r}, which can fetch code or files"
        for name in model_args
        if name in NEEDS_TRUST
    ] + [f"model_args {said}" for said in _kernels(model_args)]


def _config_problems(config: Mapping[str, Any], tensors: int) -> Iterator[str]:
    for name, value in _leaves(config):
        if not isinstance(value, int) or isinstance(value, bool):
            continue
        if abs(value) > MAX_SIZE and not name.endswith("theta"):
            yield f"has the absurd size {name} = {cell(value)}"
        elif tensors and value > tensors * MAX_LAYERS_A_WEIGHT and _LAYERS.search(name):
            yield f"has {name} = {value}, but there are {tensors} weights"
    if "transformers_weights" in config:
        yield "names a weights file of its own (transformers_weights)"
    labels = config.get("id2label")
    if labels is not None and not isinstance(labels, dict):
        yield f"has an id2label that is no object, but {cell(labels)}"


def _pointers(config: Mapping[str, Any]) -> Iterator[str]:
    yield from _kernels(config)
    if "quantization_config" in config:
        yield "has a quantization_config, which other packages unpack (trust_remote_code=True allows it)"
    if "auto_map" not in config:
        return
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    # Of a model type that it knows transformers takes its own class, and does not look at auto_map.
    if config.get("model_type") not in CONFIG_MAPPING:
        yield (
            f"wants the directory's own Python code run ({cell(config['auto_map'])}): read that code "
            f"first, then pass trust_remote_code=True"
        )


def _kernels(values: Mapping[str, Any]) -> Iterator[str]:
    for name, value in _leaves(values):
        if "attn_implementation" in name and isinstance(value, str) and re.search(r"[/:|]", value):
            yield f"wants the kernel {cell(value)} fetched from the Hub ({name})"


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, str(key))
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item, name)
    else:
        yield name, value


def tokenizer_problems(folder: Path) -> list[str]:
    """Return what is wrong with the JSON files beside a model, those of its tokenizer above all."""
    problems = []
    for path in sorted(folder.glob("*.json")):
        if path.name in ("config.json", "adapter_config.json"):
            continue
        try:
            content = read_object(path, MAX_TOKENIZER_BYTES)
        except RunDirError as error:
            problems.append(str(error))
            continue
        if path.name != "tokenizer.json":
            continue
        try:
            problems += [f"{folder.name}/tokenizer.json {said}" for said in _bombs(content)]
        except RecursionError:
            problems.append(f"{folder.name}/tokenizer.json is nested too deeply")
    return problems


def _bombs(tokenizer: Mapping[str, Any]) -> Iterator[str]:
    """Yield what makes a short text a huge one."""
    growth = _growth(tokenizer.get("normalizer"))
    if growth > MAX_EXPANSION:
        yield f"makes {growth:.0g} characters of one, which would take all memory"
    padding = tokenizer.get("padding")
    if isinstance(padding, dict):
        strategy = padding.get("strategy")
        fixed = strategy.get("Fixed") if isinstance(strategy, dict) else None
        for size in (fixed, padding.get("pad_to_multiple_of")):
            if isinstance(size, int) and size > MAX_PADDING:
                yield f"pads every text to {size} tokens"
    most = max(map(_special_tokens, _nodes(tokenizer.get("post_processor"))), default=0)
    if most > MAX_SPECIAL:
        yield f"puts {most} special tokens around every text"


def _growth(normalizer: Any) -> float:
    """Return the most characters that a normalizer makes of one."""
    growth = 1.0
    for node in _nodes(normalizer):
        if node.get("type") == "Replace":
            pattern, content = node.get("pattern"), str(node.get("content", ""))
            given = pattern.get("String") if isinstance(pattern, dict) else None
            # A regular expression may match the empty text between two characters.
            made = len(content) / len(given) if given else 1 + len(content)
            growth *= max(1.0, made)
        elif node.get("type") == "Prepend":
            growth *= 1 + len(str(node.get("prepend", ""))) / MAX_EXPANSION
        growth = min(growth, 1e300)
    return growth


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every JSON object in a value, itself included."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _nodes(item)


def _special_tokens(node: Mapping[str, Any]) -> int:
    pieces = node.get("single")
    ids = node.get("ids")
    return max(len(each) if isinstance(each, list) else 0 for each in (pieces, ids))
