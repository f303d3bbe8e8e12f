"""Reasons not to use a checkpoint as the base model of a classifier."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clx.errors import BaseModelWarning
from clx.ml.model.base_models import read_model_config
from clx.ml.model.positions import UNLIMITED
from clx_runtime.callers import user_level

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from clx.ml.task.task import Task

LONG = 8192
"""With this input limit or a higher one, long texts can take many times the time and memory."""

BIDIRECTIONAL = frozenset({"xlnet", "bert-generation"})
"""Model types that read in both directions, though transformers lists them as causal models only."""

RETRIEVAL_TYPES = frozenset({"dpr", "colbert"})
RETRIEVAL_MODULES = ("SpladePooling", "Router", "Asym", "SparseStaticEmbedding", "pylate")
"""Modules of sentence-transformers that encode queries and documents for a search."""

RETRIEVAL_NAME = re.compile(
    r"(?:^|[-_.])(?:colbert|splade|dpr|contriever|ms-?marco|multi-qa|arctic-embed|reranker|retriever"
    r"|retrieval|ir)(?=$|[-_.v\d])",
    re.IGNORECASE,
)
"""Words in the names of checkpoints that were trained for search only."""

MODULES = "modules.json"


def base_notes(
    task: Task, name: str, folder: Path, tokenizer: PreTrainedTokenizerBase
) -> list[str]:
    """Return the reasons not to use a checkpoint, one sentence each.

    Args:
        task: the task that would be trained.
        name: the name of the base model, as the user gave it.
        folder: the checkpoint.
        tokenizer: its tokenizer, with the input limit of the model.
    """
    config = read_model_config(folder)
    notes = []
    if _is_decoder(config):
        notes.append(
            "it is decoder-only, so it reads each word without the words after it. An encoder of the "
            "same size usually classifies better"
        )
    if _is_for_retrieval(config, Path(name).name, folder):
        notes.append(
            "it was trained for retrieval only: its features show which documents answer a query, not "
            "which label a text has. Compare it with a general model: run.compare_bases"
        )
    limit = tokenizer.model_max_length
    is_set = "max_length" in task.tokenize_args or task.long_text == "window"
    if LONG <= limit <= UNLIMITED and not is_set:
        notes.append(
            f"it reads up to {limit} tokens by default, and a text of that length needs a lot of time "
            f"and memory. If the beginning of a text is enough, set "
            f"tokenize_args={{'max_length': 512}}"
        )
    return notes


def warn_about_base(task: Task, folder: Path, tokenizer: PreTrainedTokenizerBase) -> None:
    """Warn of each reason not to use the task's base model."""
    for note in base_notes(task, task.base_model_name, folder, tokenizer):
        message = f"The base model {task.base_model_name}: {note}."
        warnings.warn(message, BaseModelWarning, stacklevel=user_level())


def _is_decoder(config: Mapping[str, Any]) -> bool:
    if config.get("is_encoder_decoder") or config.get("use_bidirectional_attention"):
        return False
    if config.get("is_decoder"):
        return True
    if config.get("is_causal") is False:
        return False
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as CAUSAL,
    )
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_MASKED_LM_MAPPING_NAMES as MASKED,
    )

    kind = config.get("model_type")
    return kind in CAUSAL and kind not in MASKED and kind not in BIDIRECTIONAL


def _is_for_retrieval(config: Mapping[str, Any], name: str, folder: Path) -> bool:
    if config.get("model_type") in RETRIEVAL_TYPES or RETRIEVAL_NAME.search(name):
        return True
    architectures = config.get("architectures")
    kinds = [str(each).lower() for each in architectures or ()] if _is_list(architectures) else []
    if any(word in kind for kind in kinds for word in ("colbert", "splade", "dpr")):
        return True
    try:
        modules = json.loads((folder / MODULES).read_text(encoding="utf-8"))
        types = [str(module["type"]) for module in modules]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return any(word in kind for kind in types for word in RETRIEVAL_MODULES)


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple)
