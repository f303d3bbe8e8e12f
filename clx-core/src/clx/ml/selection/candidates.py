"""Candidates for a base model: Hub ids, presets, folders, and saved runs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clx.errors import ConfigError
from clx.ml.model.base_models import resolve_base_model
from clx.ml.run_directory.layout import RunDir
from clx.ml.run_directory.safety import refuse_unsafe
from clx.ml.task.presets import PRESETS
from clx.problems import cell, names
from clx.settings import runs_dir


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


def candidate(name: str) -> Candidate:
    """Return a candidate: an existing folder, a preset, a run's name, or a Hub id, in this order.

    Raises:
        ModelNotFoundError: there is no such model.
        ModelError: the folder does not hold a transformers model.
        RunDirError: the run is damaged or unsafe.
    """
    path = Path(name).expanduser()
    if path.is_dir():
        return _of_run(name, path.absolute()) or Candidate(name, resolve_base_model(name))
    if name not in PRESETS and Path(name).name == name and (runs_dir() / name).is_dir():
        found = _of_run(name, runs_dir() / name)
        if found is not None:
            return found
    return Candidate(name, resolve_base_model(name))


def _of_run(name: str, path: Path) -> Candidate | None:
    directory = RunDir(path)
    if not directory.is_complete():
        return None
    directory.check()
    refuse_unsafe(directory, trusted=False)
    return Candidate(name, resolve_base_model(str(directory.model)), is_run=True)
