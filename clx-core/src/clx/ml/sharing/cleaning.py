"""Remove paths, tokens, and passwords of this machine and its user from values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from clx.ml.run_directory.hub_address import is_address

BASE_MODELS = ("base_model_name", "tokenizer_name")
"""Config keys whose value may be a relative path, or the id of a model on the Hub."""

ARGUMENTS = ("training_args", "model_args", "tokenize_args")
"""Config keys whose entries are passed to a library: an entry with a path is dropped as a whole."""

MACHINE_KEYS = ("_name_or_path", "name_or_path", "is_local", "local_files_only", "cache_dir")
"""Entries of a model's files that say where it was loaded from."""

ADAPTED = "base_model_name_or_path"
"""The entry of an adapter's file that names its base model; None if that is a local folder."""

_PATH = re.compile(
    r"(~[/\\]|/[^/\s]+/|[A-Za-z]:[\\/]|\\\\|file:|[A-Za-z][A-Za-z0-9+.-]*:/{3,}|\.\.?[/\\])"
)
_TOKEN = re.compile(r"\b(hf_[A-Za-z0-9]{16,}|Bearer\s+\S+)|://[^/\s:@]+:[^/\s@]+@")
_SECRET_KEY = re.compile(
    r"((hub|hf|push_to_hub|api|access|auth|use_auth|bearer)_)?token|\w*(password|passwd|secret|api_?key)"
)
_LABEL_KEY = re.compile(r"^(label|id2label|class_weights|thresholds|text_column)")
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?", re.ASCII)


def clean_config(config: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return a run's config for others, and the keys whose values were changed or left out.

    A path becomes its last part, because a task may need the option.
    """
    found: list[str] = []
    cleaned = _clean_dict(config, "", found, drop=False)
    cleaned.pop("run_dir_parent", None)
    return cleaned, sorted(set(found))


def clean_options(values: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return values of options for others, as in a config, and the keys that were changed."""
    found: list[str] = []
    return _clean_dict(values, "", found, drop=False), sorted(set(found))


def clean_values(values: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return a JSON object without the entries that hold a path or a secret, and their keys."""
    found: list[str] = []
    return _clean_dict(values, "", found, drop=True), sorted(set(found))


def is_local(name: str) -> bool:
    """Return whether a base model's name is a path of this machine, and not on the Hub."""
    if is_address(name):
        return False
    return not _HUB_ID.fullmatch(name) or Path(name).expanduser().exists()


def clean_library_file(values: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return a JSON file of a model or an adapter for others, and the keys that were changed."""
    kept = {key: value for key, value in values.items() if key not in MACHINE_KEYS}
    tokens = {key: kept.pop(key) for key in ("added_tokens_decoder",) if key in kept}
    base = kept.get(ADAPTED)
    local = isinstance(base, str) and is_local(base)
    if local:
        kept[ADAPTED] = None
    cleaned, found = clean_values(kept)
    return {**cleaned, **tokens}, [*found, *([ADAPTED] if local else [])]


def holds_token(value: str) -> bool:
    """Return whether a text holds a token, or an address with a password."""
    return _TOKEN.search(value) is not None


def is_path(value: str) -> bool:
    """Return whether a text is the path of a file or folder."""
    return _PATH.match(value) is not None


def last_part(path: str) -> str:
    """Return the name of the file or folder at the end of a path."""
    path = path.removeprefix("file:")
    windows = re.match(r"[A-Za-z]:[\\/]|.*\\", path) is not None
    return (PureWindowsPath(path) if windows else PurePosixPath(path)).name or "local"


def _clean_dict(
    values: Mapping[str, Any], where: str, found: list[str], drop: bool
) -> dict[str, Any]:
    cleaned = {}
    for key, value in values.items():
        name = f"{where}.{key}" if where else str(key)
        if _SECRET_KEY.fullmatch(str(key).lower()) and isinstance(value, str):
            found.append(name)
        elif _LABEL_KEY.match(str(key)):
            # A label may look like a path, such as "/Arts/Music".
            cleaned[key] = value
        elif isinstance(value, str) and (holds_token(value) or (drop and is_path(value))):
            found.append(name)
        elif key in BASE_MODELS and isinstance(value, str) and is_local(value):
            # This includes the path of the run that a base model comes from.
            cleaned[key] = last_part(value)
            found.append(name)
        else:
            cleaned[key] = _clean(value, name, found, drop or str(key) in ARGUMENTS)
    return cleaned


def _clean(value: Any, where: str, found: list[str], drop: bool) -> Any:
    if isinstance(value, Mapping):
        return _clean_dict(value, where, found, drop)
    if isinstance(value, list):
        kept = [item for item in value if not (isinstance(item, str) and _TOKEN.search(item))]
        if len(kept) < len(value):
            found.append(where)
        return [_clean(item, where, found, drop) for item in kept]
    if isinstance(value, str) and is_path(value):
        found.append(where)
        return last_part(value)
    return value
