"""What the files of a model folder could make transformers or ONNX Runtime do.

Each check refuses a directory that was seen to do harm: to run code, reach the network, read files
elsewhere, or use up all memory.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from clx.errors import RunDirError
from clx.ml.run_directory.files import read_json
from clx.ml.run_directory.safe_weights import weight_shapes
from clx.problems import cell

MAX_SIZE = 100_000_000
"""The limit for a size in a model's config (vocabulary, width, positions)."""

MAX_TOKENIZER_BYTES = 512 * 2**20
"""The limit for a tokenizer's file; the largest in use have about 35 MB."""

MAX_EXPANSION = 100
"""The most characters that a tokenizer may replace one character with."""

MAX_SPECIAL = 64
"""The most special tokens around a text."""

MAX_PADDING = 65_536
"""The most tokens that a tokenizer may pad every text to."""

DOWNLOAD_ARGS = frozenset(
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
"""Entries of ``model_args`` that say where and how to fetch a base model. A saved model is local."""

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
"""Entries of ``model_args`` that fetch code, write elsewhere, or replace saved weights."""

MAX_LAYERS_PER_WEIGHT = 10
"""Layers may share weights, but only a limited number of layers per weight is plausible."""

EXTERNAL = b"\x0a\x08location\x12"
"""How an ONNX file (protobuf) says that weights are in another file: the key ``location``."""

_LAYERS = re.compile(r"(layers|blocks|layer)$")


def model_problems(folder: Path, trusted: bool) -> list[str]:
    """Return why a saved run's model folder must not be loaded, one sentence per problem.

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
        config = read_json(folder / "config.json")
        found = [
            *_config_problems(config, len(shapes)),
            *([] if trusted else _code_problems(config)),
        ]
        problems += [f"model/config.json {problem}" for problem in found]
    except RunDirError as error:
        problems.append(str(error))
    except RecursionError:
        problems.append("model/config.json is nested too deeply")
    if (folder / "adapter_config.json").exists():
        problems.append(
            "model/adapter_config.json belongs to an adapter, whose base model would be fetched from "
            "elsewhere. A run holds whole models: merge the adapter, then save."
        )
    return problems + tokenizer_problems(folder)


def model_args_problems(model_args: Mapping[str, Any]) -> list[str]:
    """Return a problem for each entry of a saved ``model_args`` that needs the caller's trust."""
    return [
        f"model_args has {name!r}, which can fetch code or files"
        for name in model_args
        if name in NEEDS_TRUST
    ] + [f"model_args {problem}" for problem in _kernel_problems(model_args)]


def _config_problems(config: Mapping[str, Any], tensors: int) -> Iterator[str]:
    for name, value in _leaves(config):
        if not isinstance(value, int) or isinstance(value, bool):
            continue
        if abs(value) > MAX_SIZE and not name.endswith("theta"):
            yield f"has the absurd size {name} = {cell(value)}"
        elif tensors and value > tensors * MAX_LAYERS_PER_WEIGHT and _LAYERS.search(name):
            yield f"has {name} = {value}, but there are only {tensors} weights"
    if "transformers_weights" in config:
        yield "names a weights file of its own (transformers_weights), which clx does not read"
    labels = config.get("id2label")
    if labels is not None and not isinstance(labels, dict):
        yield f"has an id2label that is not an object, but {cell(labels)}"


def _code_problems(config: Mapping[str, Any]) -> Iterator[str]:
    yield from _kernel_problems(config)
    if "quantization_config" in config:
        yield "has a quantization_config, which other packages unpack (trust_remote_code=True allows it)"
    if "auto_map" not in config:
        return
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    # For a model type that transformers knows, it takes its own class and ignores auto_map.
    if config.get("model_type") not in CONFIG_MAPPING:
        yield (
            f"needs the directory's own Python code run ({cell(config['auto_map'])}): read that code "
            f"first, then pass trust_remote_code=True"
        )


def _kernel_problems(values: Mapping[str, Any]) -> Iterator[str]:
    for name, value in _leaves(values):
        if "attn_implementation" in name and isinstance(value, str) and re.search(r"[/:|]", value):
            yield f"needs the kernel {cell(value)} fetched from the Hub ({name})"


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
    """Return what is wrong with the JSON files of a model folder, above all the tokenizer's."""
    problems = []
    for path in sorted(folder.glob("*.json")):
        if path.name in ("config.json", "adapter_config.json"):
            continue
        try:
            content = read_json(path, MAX_TOKENIZER_BYTES)
        except RunDirError as error:
            problems.append(str(error))
            continue
        if path.name != "tokenizer.json":
            continue
        try:
            problems += [f"{folder.name}/tokenizer.json {problem}" for problem in _bombs(content)]
        except RecursionError:
            problems.append(f"{folder.name}/tokenizer.json is nested too deeply")
    return problems


def _bombs(tokenizer: Mapping[str, Any]) -> Iterator[str]:
    """Yield a problem for each part that turns a short text into a huge one."""
    growth = _growth(tokenizer.get("normalizer"))
    if growth > MAX_EXPANSION:
        yield f"turns one character into {growth:.0g} characters, which would use up all memory"
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
    """Return the most characters that a normalizer turns one character into."""
    growth = 1.0
    for node in _nodes(normalizer):
        if node.get("type") == "Replace":
            pattern, content = node.get("pattern"), str(node.get("content", ""))
            replaced = pattern.get("String") if isinstance(pattern, dict) else None
            # A regular expression may match the empty string between two characters.
            factor = len(content) / len(replaced) if replaced else 1 + len(content)
            growth *= max(1.0, factor)
        elif node.get("type") == "Prepend":
            growth *= 1 + len(str(node.get("prepend", ""))) / MAX_EXPANSION
        growth = min(growth, 1e300)
    return growth


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every JSON object in a value, including the value itself."""
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


def onnx_problems(folder: Path, model: Path) -> list[str]:
    """Return why an exported model must not be run, ``[]`` if there is no reason or no export.

    Args:
        folder: the run's ``onnx/``.
        model: its ``model/``, which must have the same labels.
    """
    if not folder.is_dir():
        return []
    problems = tokenizer_problems(folder)
    for path in sorted(folder.glob("*.onnx")):
        if _contains(path, EXTERNAL):
            problems.append(
                f"onnx/{path.name} has its weights in another file, which clx never does"
            )
    settings = folder / "settings.json"
    if settings.is_file() and not problems:
        try:
            exported = read_json(settings).get("labels")
            saved = read_json(model / "config.json").get("id2label")
        except RunDirError as error:
            return [str(error)]
        if isinstance(saved, dict) and exported != [saved.get(str(i)) for i in range(len(saved))]:
            problems.append("onnx/settings.json has other labels than the model: export again")
    return problems


def _contains(path: Path, pattern: bytes) -> bool:
    with path.open("rb") as file:
        if not path.stat().st_size:
            return False
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return content.find(pattern) >= 0
