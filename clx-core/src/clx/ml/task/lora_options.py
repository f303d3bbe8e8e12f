"""The options ``lora`` and ``lora_merge``: their checks, and what a run trains by default."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from clx.errors import MissingDependencyError
from clx.problems import cell, did_you_mean, names

if TYPE_CHECKING:
    from clx.ml.task.task import Task

RANK = 8
ALPHA_PER_RANK = 2
DROPOUT = 0.05

PIP_LINE = "pip install 'clx-core[peft]'"

OURS = {
    "task_type": "the task of the run decides it",
    "modules_to_save": "the head is trained along with the adapter in any case",
    "base_model_name_or_path": "it is the option base_model_name",
    "inference_mode": "a run trains its adapter",
    "init_lora_weights": "the adapter starts without an effect, so that training starts at the probe",
    "bias": "the biases of the base model stay as they are",
}
"""Entries of ``peft.LoraConfig`` that the user cannot set, with the reason."""


def uses_lora(task: Task) -> bool:
    """Return whether the fine-tuning of a task trains an adapter."""
    return task.lora is not False


def lora_settings(task: Task) -> dict[str, Any]:
    """Return the entries of ``lora``, completed with the defaults."""
    given = task.lora if isinstance(task.lora, dict) else {}
    rank = given.get("r", RANK)
    return {"r": rank, "lora_alpha": ALPHA_PER_RANK * rank, "lora_dropout": DROPOUT, **given}


def require_peft(task: Task) -> None:
    """Refuse a run that trains an adapter on a machine without PEFT; nothing is imported.

    Raises:
        MissingDependencyError: PEFT is needed and not installed.
    """
    if uses_lora(task) and importlib.util.find_spec("peft") is None:
        raise MissingDependencyError(f"lora={cell(task.lora)} needs the package peft: {PIP_LINE}")


def lora(task: Task, option: str) -> list[str]:
    """Check the option ``lora``: true, false, or a dict of known entries."""
    value = getattr(task, option)
    if isinstance(value, bool):
        return []
    if not isinstance(value, dict):
        return [
            f"{option} must be true, false, or a dict such as {{'r': 16}}, but is {cell(value)}"
        ]
    problems = []
    for name, entry in value.items():
        if name in OURS:
            problems.append(f"{option}: {name} cannot be set: {OURS[name]}")
        elif name not in _ENTRIES:
            hint = did_you_mean(str(name), _ENTRIES) or f"; it may have {names(_ENTRIES)}"
            problems.append(f"{option} has no entry {cell(name)}{hint}")
        elif reason := _ENTRIES[name](entry):
            problems.append(f"{option}: {name} must be {reason}, but is {cell(entry)}")
    return problems


def _is_whole(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_positive(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value) and value > 0


def _rank(value: Any) -> str | None:
    return None if _is_whole(value, 1) else "a whole number of at least 1"


def _alpha(value: Any) -> str | None:
    return None if _is_positive(value) else "a number above 0"


def _dropout(value: Any) -> str | None:
    is_share = value == 0 or (_is_positive(value) and value < 1)
    return None if is_share and not isinstance(value, bool) else "from 0 to below 1"


def _is_names(value: Any) -> bool:
    is_list = isinstance(value, list | tuple) and len(value) > 0
    return is_list and all(isinstance(name, str) and name for name in value)


def _modules(value: Any) -> str | None:
    if _is_names(value) or (isinstance(value, str) and value):
        return None
    return "a list of names, a regular expression, or 'all-linear'"


def _names(value: Any) -> str | None:
    return None if _is_names(value) else "a list of names"


def _layers(value: Any) -> str | None:
    is_list = isinstance(value, list | tuple) and len(value) > 0
    fits = _is_whole(value, 0) or (is_list and all(_is_whole(number, 0) for number in value))
    return None if fits else "the number of a layer, counted from 0, or a list of them"


def _switch(value: Any) -> str | None:
    return None if isinstance(value, bool) else "true or false"


def _by_pattern(fits: Callable[[Any], str | None]) -> Callable[[Any], str | None]:
    def check(value: Any) -> str | None:
        is_dict = isinstance(value, dict) and all(isinstance(name, str) for name in value)
        if is_dict and not any(fits(number) for number in value.values()):
            return None
        return "a dict with a number for each pattern of a module's name"

    return check


_ENTRIES: dict[str, Callable[[Any], str | None]] = {
    "r": _rank,
    "lora_alpha": _alpha,
    "lora_dropout": _dropout,
    "target_modules": _modules,
    "exclude_modules": _names,
    "layers_to_transform": _layers,
    "rank_pattern": _by_pattern(_rank),
    "alpha_pattern": _by_pattern(_alpha),
    "use_rslora": _switch,
    "use_dora": _switch,
}
"""The entries that a user may set, each with a check that returns what the entry must be."""
