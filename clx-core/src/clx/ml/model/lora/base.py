"""The base model of an adapter that is kept: what PEFT opens to the weights that it was trained on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clx.errors import ConfigError
from clx.ml.model.base_runs import run_in
from clx.ml.model.embedded_model import embedded_folder
from clx.ml.task.lora_options import uses_lora
from clx.ml.task.options import DEFAULT_BASE_MODEL

if TYPE_CHECKING:
    from clx.ml.run_directory.layout import RunDir
    from clx.ml.task.task import Task

CACHED = "models--"
"""How the names of a model's folder in the Hub cache begin."""


@dataclass(frozen=True)
class NamedBase:
    """How an adapter names its base model.

    Attributes:
        name: a Hub id, or the absolute path of a folder.
        revision: the commit of the model on the Hub, None for a folder, and where it is not known.
    """

    name: str
    revision: str | None = None


def named_base(folder: Path) -> NamedBase:
    """Return how an adapter names the base model that was loaded from a folder.

    The name that the user gave may be a preset, or mean something else in another folder.
    """
    folder = folder.resolve()
    embedded = embedded_folder()
    if embedded is not None and embedded.resolve() == folder:
        return NamedBase(DEFAULT_BASE_MODEL)
    repository = folder.parent.parent.name
    if folder.parent.name == "snapshots" and repository.startswith(CACHED):
        return NamedBase(repository.removeprefix(CACHED).replace("--", "/"), folder.name)
    return NamedBase(str(folder))


def require_lasting_base(task: Task, folder: Path) -> None:
    """Refuse to keep an adapter whose base model is the model of a run.

    A later training of that run may replace the model, and PEFT would add the adapter to other
    weights without an error.

    Args:
        task: the task to train.
        folder: the folder of the model that the training starts from.

    Raises:
        ConfigError: the adapter is to be kept, and the folder is in a run directory.
    """
    if not uses_lora(task) or task.lora_merge:
        return
    run = _run_around(folder.resolve())
    if run is not None:
        raise ConfigError(
            f"lora_merge=False keeps an adapter for use with its base model, but the training starts "
            f"from the model of the run {run.path.name!r}, which a later training may replace. Set "
            f"lora_merge=True, or copy {folder} to a folder that stays and pass that folder as "
            f"base_model_name of a new run."
        )


def _run_around(folder: Path) -> RunDir | None:
    return next((run for each in folder.parents if (run := run_in(each)) is not None), None)
