"""The number of tokens that a model has positions for, and options that exceed it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clx.errors import ConfigError
from clx.ml.model.base_models import read_model_config
from clx.ml.task.windows import truncates
from clx.problems import cell, raise_problems

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from clx.ml.task.task import Task

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
"""Prefixes of the model types whose position ids begin after the padding id (for MPNet, after 1)."""

UNLIMITED = 1_000_000
"""A larger limit means no limit: a tokenizer without a limit has 1e30."""

WITHOUT_POSITIONS = ("t5", "mt5", "umt5", "jamba")
"""Model types that state a number of positions, but read any number of tokens."""


def set_input_limit(
    tokenizer: PreTrainedTokenizerBase, folder: Path, model_args: Mapping[str, Any]
) -> None:
    """Lower the tokenizer's input limit to that of the model in a folder, if there is one."""
    positions = _positions(folder, model_args)
    if positions is not None:
        tokenizer.model_max_length = min(tokenizer.model_max_length, positions)


def refuse_more_tokens(task: Task, folder: Path) -> None:
    """Refuse options that would give the model more tokens than it has positions for.

    Otherwise the first long text would fail, perhaps long after the training.

    Raises:
        ConfigError: ``tokenize_args`` do not truncate, or truncate at more tokens than that.
    """
    positions, arguments = _positions(folder, task.model_args), task.tokenize_args
    if positions is None or not _is_limit(folder):
        return
    reads = f"the base model in {folder} has positions for {positions} tokens"
    problems, wanted = [], arguments.get("max_length")
    if isinstance(wanted, int) and wanted > positions:
        problems.append(f"max_length is {wanted}, but {reads}: use at most {positions}")
    if not truncates(arguments):
        windows = "" if task.long_text == "window" else ", or use long_text='window'"
        problems.append(
            f"truncation={cell(arguments.get('truncation'))} gives the model texts of any length, but "
            f"{reads}: leave it out{windows}"
        )
    raise_problems(ConfigError, "tokenize_args cannot be used:", problems)


def _positions(folder: Path, model_args: Mapping[str, Any]) -> int | None:
    """Return the number of tokens that a model has positions for, None if it does not state one.

    In RoBERTa and its relatives, positions begin after the padding id, which leaves fewer for
    tokens.
    """
    if not (folder / "config.json").is_file():
        return None
    described = model_args.get("config")
    described = described if isinstance(described, dict) else {}
    config = {**read_model_config(folder), **model_args, **described}
    positions = config.get("max_position_embeddings") or config.get("n_positions")
    if not (isinstance(positions, int) and 0 < positions <= UNLIMITED):
        return None
    kind, pad = str(config.get("model_type")), config.get("pad_token_id")
    offset = 0
    if kind.startswith(POSITIONS_AFTER_PADDING):
        offset = 1 + (pad if isinstance(pad, int) and kind != "mpnet" else 1)
    return positions - offset


def _is_limit(folder: Path) -> bool:
    """Return whether the model fails with more tokens: it has a table of positions.

    Rotations and distances can be computed for any number of tokens.
    """
    config = read_model_config(folder)
    kind = config.get("position_embedding_type")
    rotates = any(name.startswith("rope") for name in config) and kind in (None, "rotary")
    only_distances = config.get("relative_attention") and not config.get(
        "position_biased_input", True
    )
    has_none = config.get("model_type") in WITHOUT_POSITIONS
    return not (rotates or config.get("alibi") or only_distances or has_none)
