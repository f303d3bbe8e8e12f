"""The presets of ``base_model_name``, such as ``"small"``, as a built-in plugin."""

from __future__ import annotations

from pathlib import Path

from clx.errors import ModelNotFoundError
from clx.ml.model.base_models import resolve_base_model
from clx.ml.plugins.hookspecs import hookimpl
from clx.ml.task.presets import PRESETS


@hookimpl(trylast=True)
def clx_resolve_base_model(name: str) -> Path | None:
    """Resolve a preset to the folder of its model in the Hub cache, or download the model.

    Raises:
        ModelNotFoundError: the model is not in the cache, and the Hub cannot be reached.
    """
    hub_id = PRESETS.get(name)
    if hub_id is None:
        return None
    try:
        return resolve_base_model(hub_id)
    except ModelNotFoundError as error:
        raise ModelNotFoundError(
            f"The preset {name!r} is the model {hub_id}, which must be downloaded once: "
            f"`hf download {hub_id}`.\n{error}"
        ) from error
