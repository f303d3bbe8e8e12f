"""Check the files of an exported model for content that could harm a backend or a tokenizer."""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from clx_runtime.errors import RunDirError
from clx_runtime.files import read_json
from clx_runtime.openvino_file import packed_problems

MAX_TOKENIZER_BYTES = 512 * 2**20
"""The limit for a tokenizer's file; the largest in use have about 35 MB."""

MAX_EXPANSION = 100
"""The most characters that a tokenizer may replace one character with."""

MAX_SPECIAL = 64
"""The most special tokens around a text."""

MAX_PADDING = 65_536
"""The most tokens that a tokenizer may pad every text to."""

EXTERNAL = b"\x0a\x08location\x12"
"""How an ONNX file (protobuf) says that weights are in another file: the key ``location``."""


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
        if path.name == "tokenizer.json":
            problems += expansion_problems(content, f"{folder.name}/tokenizer.json")
    return problems


def expansion_problems(tokenizer: Mapping[str, Any], name: str) -> list[str]:
    """Return a problem for each part of a tokenizer that turns a short text into a huge one.

    Args:
        tokenizer: the content of ``tokenizer.json``.
        name: the file in messages.
    """
    try:
        return [f"{name} {problem}" for problem in _bombs(tokenizer)]
    except RecursionError:
        return [f"{name} is nested too deeply"]


def model_problems(content: bytes, name: str) -> list[str]:
    """Return why an exported model must not be run.

    Args:
        content: the content of its file.
        name: the file in messages.
    """
    if name.endswith(".openvino"):
        return packed_problems(content, name)
    return weights_problems(content, name)


def weights_problems(content: bytes | mmap.mmap, name: str) -> list[str]:
    """Return why an ONNX model must not be run.

    Args:
        content: the content of its file.
        name: the file in messages.
    """
    if content.find(EXTERNAL) >= 0:
        return [f"{name} has its weights in another file, which clx never does"]
    return []


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
        problems += _file_problems(path)
    for path in sorted(folder.glob("*.openvino")):
        problems += packed_problems(path, f"onnx/{path.name}")
    settings = folder / "settings.json"
    if settings.is_file() and not problems:
        try:
            exported = read_json(settings).get("labels")
            saved = read_json(model / "config.json").get("id2label")
        except RunDirError as error:
            return [str(error)]
        if isinstance(saved, dict) and exported != [saved.get(str(i)) for i in range(len(saved))]:
            problems.append(
                "the labels in onnx/settings.json differ from the model's: export again"
            )
    return problems


def _file_problems(path: Path) -> list[str]:
    with path.open("rb") as file:
        if not path.stat().st_size:
            return []
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return weights_problems(content, f"onnx/{path.name}")
