"""The hooks of clx: what a plugin may add to any task (pluggy).

A plugin is a module or object with functions marked ``@hookimpl`` and named as below. It is found
through the entry-point group ``clx.plugins``, or registered with
``clx.ml.plugins.plugins().register``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    import pandas as pd
    from transformers import TrainerCallback

    from clx.ml.run import TrainingRun

hookspec = pluggy.HookspecMarker("clx")
hookimpl = pluggy.HookimplMarker("clx")


@hookspec(firstresult=True)
def clx_resolve_base_model(name: str) -> Path | None:
    """Return the local folder of the base model called ``name``, or None to leave it to others.

    Called before the local cache and the Hub are asked, never for a path that exists. The folder
    holds what ``from_pretrained`` reads. The first result that is not None is taken.
    """


@hookspec(firstresult=True)
def clx_open_data(source: str) -> pd.DataFrame | None:
    """Return the rows behind ``source`` as a frame, or None to leave it to others.

    ``source`` is what the caller gave to ``train`` or ``evaluate`` as a string or path: a file
    name, a folder, a glob, or anything else that a plugin understands, such as an address. The
    first result that is not None is taken; clx then validates the frame like any other.
    """


@hookspec
def clx_trainer_callbacks(run: TrainingRun, work_dir: Path) -> list[TrainerCallback | Any]:
    """Return callbacks for the Trainer of ``run``; those of all plugins are used together.

    ``work_dir`` is the folder of the training in progress: its ``logs/`` is kept with the run when
    the training succeeds.
    """
    return []
