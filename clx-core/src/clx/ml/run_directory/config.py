"""The content of ``config.json``: writing it, checking it, and reading older schemas."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from clx import __version__
from clx.errors import ConfigError, RunDirError
from clx.ml.task.json_values import tuples_as_lists
from clx.ml.task.names import TASK_NAME, attribute_name
from clx.ml.task.options import options_of_task
from clx.problems import cell, raise_problems

if TYPE_CHECKING:
    from clx.ml.task.task import Task

SCHEMA_VERSION = 1

LEARNED = "learned"
"""The key for options that training determined: maps each to the value the run was made with."""

TEMPERATURE = "temperature"
"""The key for the temperature folded into the saved head. It is information for readers only."""

CONTINUED_FROM = "continued_from"
"""The key for the name and content of the run that a training continued."""

BASE_RUN = "base_run"
"""The key for the name and content of the run whose model is the base model."""

STUDENT_OF = "student_of"
"""The key for the name, the task and the content of the run that a student was distilled from."""

OF_TRAINING = frozenset({TEMPERATURE, CONTINUED_FROM, BASE_RUN, STUDENT_OF})
"""The keys that are not options and that each training writes anew."""

BOOKKEEPING = (
    "schema_version",
    "clx_version",
    "task",
    "task_distribution",
    "task_version",
    LEARNED,
)
"""Keys that clx itself writes; the others are arguments of the run."""

PLACE_KEYS = ("run_name", "run_dir_parent")
"""Keys that say where a run was made; reading ignores them, since a run may have moved."""

MAX_RUN_NAME_BYTES = 200

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class Origin:
    """What ``config.json`` holds besides the values of the options.

    Attributes:
        distribution: the package that provides the task, None if unknown.
        version: the version of that package.
        made_with: the options that the run was made with.
        extra: entries that are not options of the installed task; they are kept unchanged.
    """

    distribution: str | None = None
    version: str | None = None
    made_with: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)


def config_to_write(task: Task, origin: Origin) -> dict[str, Any]:
    """Return the content of ``config.json`` for a task with its current options."""
    return {
        "schema_version": SCHEMA_VERSION,
        "clx_version": __version__,
        "task": task.name,
        "task_distribution": origin.distribution,
        "task_version": origin.version,
        "run_name": task.run_name,
        **options_of_task(task),
        LEARNED: {
            name: value for name, value in origin.made_with.items() if value != getattr(task, name)
        },
        **origin.extra,
    }


def run_name_problems(name: Any) -> list[str]:
    """Return why ``name`` cannot be the name of a run directory, ``[]`` if it can."""
    if not isinstance(name, str) or not name.strip():
        return [f"run_name must be a non-empty str, but is {cell(name)}"]
    reasons = []
    bare = name.rstrip("/\\")
    if "/" in bare or "\\" in bare:
        reasons.append("contains a path separator (use run_dir_parent for the folder)")
    elif name != bare:
        reasons.append(f"ends with a path separator: write {cell(bare)}")
    if name.startswith("."):
        reasons.append("starts with a dot")
    if _CONTROL.search(name):
        reasons.append("contains a control character")
    if any("\ud800" <= character <= "\udfff" for character in name):
        reasons.append("is not valid Unicode")
    elif len(name.encode()) > MAX_RUN_NAME_BYTES:
        reasons.append(f"is longer than {MAX_RUN_NAME_BYTES} bytes")
    return [f"run_name {cell(name)} {' and '.join(reasons)}"] if reasons else []


def read_config(text: str, where: str) -> dict[str, Any]:
    """Return the config in ``text``, with the keys of older schemas converted to current ones.

    A config without ``schema_version`` but with ``task`` and ``run_name`` is version 0. Keys may be
    written with hyphens. Unknown keys are kept.

    Raises:
        RunDirError: the text is not the config of a run, or a newer clx wrote it.
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
            f"{where} is not the config of a clx run: it names no task (to use a transformers model "
            f"folder, pass it as base_model_name=...)"
        )
    version = config.setdefault("schema_version", 0)
    if not isinstance(version, int) or isinstance(version, bool) or version < 0:
        raise RunDirError(f"{where} has the schema_version {cell(version)}, which is not a number")
    if version > SCHEMA_VERSION:
        raise RunDirError(
            f"{where} was written by a newer clx ({config.get('clx_version', 'unknown')}, schema "
            f"{version}; this version reads up to {SCHEMA_VERSION}): pip install --upgrade clx-core"
        )
    task = config["task"]
    if not isinstance(task, str) or not TASK_NAME.fullmatch(task):
        raise RunDirError(
            f"{where} names the task {cell(task)}, which is not a task name (the path of a class is "
            f"never followed)"
        )
    return config


def options_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options in a config: everything but bookkeeping and place keys."""
    return {key: value for key, value in config.items() if key not in (*BOOKKEEPING, *PLACE_KEYS)}


def learned_of(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the options that training determined, with their values before it; may be empty."""
    learned = config.get(LEARNED)
    return learned if isinstance(learned, dict) else {}


def contradictions(
    given: Mapping[str, Any], stored: Mapping[str, Any], keys: Iterable[str]
) -> list[str]:
    """Return a problem for each key whose given value differs from the stored one."""
    return [
        f"{key} is {cell(stored.get(key))} in the saved run, not {cell(given[key])}"
        for key in keys
        if key in given and key in stored and tuples_as_lists(given[key]) != stored[key]
    ]


def raise_config_problems(problems: list[str], where: str) -> None:
    """Raise a :class:`ConfigError` that lists all problems; do nothing if there are none."""
    raise_problems(ConfigError, f"{where} cannot be made:", problems)
