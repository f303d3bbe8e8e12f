"""Check the files of a model folder for content that could make transformers do harm.

Each check refuses a directory that was seen to do harm: to run code, reach the network, read files
elsewhere, or use up all memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from clx.errors import RunDirError
from clx.ml.run_directory.safe_weights import weight_shapes
from clx.problems import cell
from clx_runtime.files import read_json
from clx_runtime.safe_export import tokenizer_problems

MAX_SIZE = 100_000_000
"""The limit for a size in a model's config (vocabulary, width, positions)."""

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

OF_THE_BASE = DOWNLOAD_ARGS | {"config"}
"""Entries that describe the base model. A saved model has its own config, which fits its weights."""

NEEDS_TRUST = frozenset(
    [
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
        for name, value in model_args.items()
        if name in NEEDS_TRUST or (name == "config" and not _is_plain(value))
    ] + [f"model_args {problem}" for problem in _kernel_problems(model_args)]


def _is_plain(config: Any) -> bool:
    """Return whether a config consists of values, and neither names code nor files."""
    return isinstance(config, dict) and not set(_keys(config)) & {"auto_map", "quantization_config"}


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield str(key)
            yield from _keys(item)


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
