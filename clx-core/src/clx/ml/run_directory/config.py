"""What ``config.json`` holds, how it is checked, and how older ones are read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from clx.errors import ConfigError, RunDirError
from clx.ml.task.checks import TASK_NAME, attribute_name
from clx.problems import cell

SCHEMA_VERSION = 1

LEARNED = "learned"
"""The key of what training found out: option → what the run was made with, mostly null."""

TEMPERATURE = "temperature"
"""The key of what the scores of the saved head were divided by; for readers, nothing uses it."""

BOOKKEEPING = (
    "schema_version",
    "clx_version",
    "task",
    "task_distribution",
    "task_version",
    LEARNED,
)
"""Keys that clx writes by itself; the rest are arguments of the run."""

PLACE_KEYS = ("run_name", "run_dir_parent")
"""Keys that say where a run was made; where it is now is what counts."""

MAX_RUN_NAME_BYTES = 200

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def run_name_problems(name: Any) -> list[str]:
    """Return why ``name`` cannot be one path component of a run directory, as sentences."""
    if not isinstance(name, str) or not name.strip():
        return [f"run_name must be a non-empty str, but is {cell(name)}"]
    reasons = []
    if "/" in name or "\\" in name:
        reasons.append("has a path separator (the folder goes into run_dir_parent)")
    if name.startswith("."):
        reasons.append("begins with a dot")
    if _CONTROL.search(name):
        reasons.append("has a control character")
    if any("\ud800" <= character <= "\udfff" for character in name):
        reasons.append("is not Unicode text")
    elif len(name.encode()) > MAX_RUN_NAME_BYTES:
        reasons.append(f"is longer than {MAX_RUN_NAME_BYTES} bytes")
    return [f"run_name {cell(name)} {' and '.join(reasons)}"] if reasons else []


def json_problems(values: Mapping[str, Any]) -> list[str]:
    """Return a problem for each option that does not survive being written to JSON and read."""
    problems = []
    for name, value in values.items():
        try:
            same = json.loads(json.dumps(value, allow_nan=False))
        except (TypeError, ValueError, RecursionError) as error:
            problems.append(f"{name} = {cell(value)} cannot be kept in config.json: {error}")
            continue
        if same != _tuples_as_lists(value):
            problems.append(
                f"{name} = {cell(value)} would come back from config.json as {cell(same)}"
            )
    return problems


def _tuples_as_lists(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_tuples_as_lists(item) for item in value]
    if isinstance(value, dict):
        return {key: _tuples_as_lists(item) for key, item in value.items()}
    return value


def read_config(text: str, where: str) -> dict[str, Any]:
    """Return the config that ``text`` holds, with older schemas brought to today's keys.

    A config without ``schema_version`` but with ``task`` and ``run_name`` is version 0. Keys may be
    written with hyphens. Unknown keys are kept.

    Raises:
        RunDirError: it is no config of a run, or one of a newer clx.
    """
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RunDirError(
            f"{where} is not valid JSON ({error}): restore it or train again"
        ) from error
    if not isinstance(raw, dict):
        raise RunDirError(f"{where} is not the config of a run: it holds a {type(raw).__name__}")
    config = {attribute_name(str(key)): value for key, value in raw.items()}
    if "task" not in config or ("schema_version" not in config and "run_name" not in config):
        raise RunDirError(
            f"{where} is not the config of a clx run: it names no task (a model folder of "
            f"transformers is used as base_model_name=...)"
        )
    version = config.setdefault("schema_version", 0)
    if not isinstance(version, int) or isinstance(version, bool) or version < 0:
        raise RunDirError(f"{where} has the schema_version {cell(version)}, which is no number")
    if version > SCHEMA_VERSION:
        raise RunDirError(
            f"{where} was written by a newer clx ({config.get('clx_version', 'unknown')}, schema "
            f"{version}; this one reads up to {SCHEMA_VERSION}): pip install --upgrade clx-core"
        )
    task = config["task"]
    if not isinstance(task, str) or not TASK_NAME.fullmatch(task):
        raise RunDirError(
            f"{where} names the task {cell(task)}, which is no name of a task (the path of a class is "
            f"never followed)"
        )
    return config


def options_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options in a config: everything but bookkeeping and places."""
    return {key: value for key, value in config.items() if key not in (*BOOKKEEPING, *PLACE_KEYS)}


def contradictions(
    given: Mapping[str, Any], stored: Mapping[str, Any], keys: Iterable[str]
) -> list[str]:
    """Return a problem for each key whose given value is not the stored one."""
    return [
        f"{key} is {cell(stored.get(key))} in the saved run, not {cell(given[key])}"
        for key in keys
        if key in given and key in stored and _tuples_as_lists(given[key]) != stored[key]
    ]


def raise_config_problems(problems: list[str], where: str) -> None:
    """Raise a :class:`ConfigError` that lists all problems; do nothing when there are none."""
    from clx.problems import raise_problems

    raise_problems(ConfigError, f"{where} cannot be made:", problems)
