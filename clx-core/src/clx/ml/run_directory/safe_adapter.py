"""Check the files of an adapter for content that could make PEFT do harm.

clx itself never loads them, but a user may.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from clx.errors import RunDirError
from clx.problems import cell
from clx_runtime.files import read_json

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
ALLOWED = frozenset({CONFIG, WEIGHTS, "README.md"})

IMPORTS = ("auto_mapping", "megatron_config")
"""Entries of an adapter's config that make PEFT import a module of that name."""


def adapter_problems(folder: Path) -> list[str]:
    """Return why PEFT must not be given a run's ``adapter/``; an empty list if there is none."""
    return list(_problems(folder)) if folder.is_dir() else []


def _problems(folder: Path) -> Iterator[str]:
    for path in sorted(folder.iterdir()):
        if path.name not in ALLOWED:
            yield f"{folder.name}/{path.name} is not a file of an adapter"
    if not (folder / CONFIG).is_file():
        return
    try:
        config = read_json(folder / CONFIG)
    except RunDirError as error:
        yield str(error)
        return
    if config.get("peft_type") != "LORA":
        yield f"{folder.name}/{CONFIG} has peft_type {cell(config.get('peft_type'))}, not 'LORA'"
    for name in IMPORTS:
        if config.get(name) is not None:
            yield f"{folder.name}/{CONFIG} has {name}, which names code to import"
