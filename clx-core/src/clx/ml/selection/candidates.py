"""Candidates for a base model: Hub ids, presets, folders, and saved runs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clx.errors import ConfigError
from clx.ml.model.base_models import resolve_base_model
from clx.ml.model.base_runs import run_of_model
from clx.ml.task.presets import PRESETS
from clx.problems import cell, names


@dataclass(frozen=True)
class Candidate:
    """A base model that is here.

    Attributes:
        name: its name, as the user gave it.
        folder: the checkpoint.
        is_run: whether it is the model of a saved run, whose head is for other labels.
    """

    name: str
    folder: Path
    is_run: bool = False


def checked_names(bases: Any, own: str) -> list[str]:
    """Return the names of the candidates; None stands for the run's base model and the presets.

    Raises:
        ConfigError: ``bases`` is empty, or not a list of names and folders.
    """
    if bases is None:
        presets = [preset for preset, hub_id in PRESETS.items() if hub_id != own]
        return list(dict.fromkeys([own, *presets]))
    listed = [bases] if isinstance(bases, str | os.PathLike) else bases
    wrong = not isinstance(listed, Sequence) or not listed
    if wrong or not all(isinstance(each, str | os.PathLike) and str(each) for each in listed):
        raise ConfigError(
            f"bases must be a list of Hub ids, presets ({names(PRESETS)}), folders and runs, but is "
            f"{cell(bases)}"
        )
    return list(dict.fromkeys(os.fspath(each) for each in listed))


def candidate(name: str, near: Path) -> Candidate:
    """Return the candidate of a name, which :func:`resolve_base_model` finds as for a training.

    Args:
        name: an existing folder, a preset, a run's name, or a Hub id.
        near: the folder of the comparing run, which is searched for runs first.

    Raises:
        ModelNotFoundError: there is no such model.
        ModelError: the folder does not hold a transformers model.
        RunDirError: the run is damaged or unsafe.
    """
    folder = resolve_base_model(name, near=near)
    return Candidate(name, folder, is_run=run_of_model(folder) is not None)
