"""The files of a static student, for what distils one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clx.ml.prediction.exported import decision_settings
from clx.ml.task.task import Task
from clx_runtime.settings import Settings
from clx_runtime.static_files import LAYER_NORM_EPS, write_student

if TYPE_CHECKING:
    import numpy as np


def static_settings(
    task: Task,
    labels: Sequence[str],
    problem_type: str | None = None,
    limit: int | None = None,
    configured: str | None = None,
) -> Settings:
    """Return the settings of a static student of a run.

    Args:
        task: the run, with the decisions that the student shall have.
        labels: the names of the logits, in order: the values of the teacher's ``id2label``.
        problem_type: the teacher's entry, such as ``multi_label_classification``.
        limit: the most tokens of a text that the student reads, None for all.
        configured: the teacher config's ``function_to_apply``, None if it has none.
    """
    # What the pipeline is made with; the arguments of its call come later.
    arguments = task.pipeline_args or {}
    return Settings(
        inputs=[],
        fill={},
        side="right",
        limit=limit,
        labels=list(labels),
        problem_type=problem_type,
        configured=configured,
        scoring={
            "top_k": arguments.get("top_k", 1),
            "legacy": "top_k" not in arguments,
            "function": arguments.get("function_to_apply"),
        },
        task=task.name,
        text_columns=list(task.text_columns),
        strict_length=bool(task.strict_length),
        **decision_settings(task),
    )


def write_static_student(
    folder: Path,
    weights: Mapping[str, np.ndarray[Any, Any]],
    tokenizer_json: str,
    settings: Settings,
    layer_norm_eps: float = LAYER_NORM_EPS,
) -> None:
    """Write the files of a static student into a folder, which may not exist yet.

    Args:
        folder: the ``model/`` of a staged run.
        weights: the tensors by name; :mod:`clx_runtime.static_files` lists them and the forward pass.
            The embeddings may be those that :func:`clx_runtime.static_files.quantized` returns.
        tokenizer_json: the content of ``tokenizer.json``.
        settings: the settings of an export of the run; see :func:`static_settings`.
        layer_norm_eps: the number that LayerNorm adds to a variance.

    Raises:
        ValueError: a tensor is missing, or has a wrong shape or type, or a number that is not finite.
    """
    write_student(folder, settings, tokenizer_json, weights, layer_norm_eps)
