"""The settings of an exported model: everything in its pipeline but weights and vocabulary."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clx_runtime.errors import RunDirError

FILES = {
    "onnx": "model.onnx",
    "openvino": "model.onnx",
    "onnx-int8": "model.int8.onnx",
    "openvino-int8": "model.int8.openvino",
}
"""Backend → the name of its file in the run's ``onnx/``, the slowest backend first.

OpenVINO reads ONNX files, so both backends in fp32 share one.
"""

MODEL_FILES = tuple(dict.fromkeys(FILES.values()))
"""The names of the files of models."""

TOKENIZER = "tokenizer.json"
SETTINGS = "settings.json"
REPORT = "report.json"
SCHEMA_VERSION = 3
"""Version 2 added the entries for deciding without the task, ``decision`` and ``python``.

Version 3 added ``outputs``. An export without them is written as version 2, which older versions read.
"""


@dataclass(frozen=True)
class Settings:
    """The settings of a pipeline besides weights and vocabulary.

    Attributes:
        inputs: the names of the model's inputs, in order.
        fill: input → the number that shorter texts are padded with.
        side: the side of the padding, ``right`` or ``left``.
        limit: the most tokens of a text that the model receives; None if texts are not truncated.
        labels: the label of each logit.
        problem_type: the entry of the model's config, which decides between softmax and sigmoid.
        configured: the config's own ``function_to_apply``, None if it has none.
        scoring: the pipeline's own ``top_k``, ``legacy`` and ``function``.
        batch_size: the pipeline's own batch size, None if it has none.
        window_pooling: how to pool the logits of a long text's windows; None if it is truncated.
        equal_lengths: whether all texts of a batch must have the same number of tokens.
        stand_in: the token for a text without tokens; None means the padding token.
        task: the name of the run's task.
        text_columns: the columns of texts that the task reads.
        strict_length: whether a text longer than the limit is an error.
        decision: the decision rule as plain values; None for a task that has none.
        python: the methods of the task that make predictions in Python, so that only clx and the
            task's package can.
        outputs: output of the model → the names of its axes, for a task with a pipeline of its own.
            Empty for the text-classification pipeline, which needs the logits of texts only.
    """

    inputs: list[str]
    fill: dict[str, int]
    side: str
    limit: int | None
    labels: list[str]
    problem_type: str | None
    configured: str | None
    scoring: dict[str, Any]
    batch_size: int | None = None
    window_pooling: str | None = None
    equal_lengths: bool = False
    stand_in: int | None = None
    task: str = ""
    text_columns: list[str] = field(default_factory=lambda: ["text"])
    strict_length: bool = False
    decision: dict[str, Any] | None = None
    python: list[str] = field(default_factory=list)
    outputs: dict[str, list[str]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the content of ``settings.json``."""
        values = dict(vars(self))
        if not self.outputs:
            del values["outputs"]
        return {"schema_version": SCHEMA_VERSION if self.outputs else 2, **values}


def read_settings(folder: Path) -> Settings:
    """Return the settings of an exported model in a folder; see :func:`settings_of`."""
    path = folder / SETTINGS
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RunDirError(f"{path} cannot be used ({error}): export the run again") from error
    return settings_of(content, str(path))


def settings_of(content: bytes, where: str) -> Settings:
    """Return the settings of an exported model.

    Args:
        content: the content of ``settings.json``.
        where: the name of the file in messages.

    Raises:
        RunDirError: the content is damaged, or a newer clx wrote it.
    """
    try:
        values = json.loads(content)
        version = values.pop("schema_version")
        if version > SCHEMA_VERSION:
            raise RunDirError(
                f"A newer clx wrote {where}: pip install --upgrade clx-core, or export the run again"
            )
        return Settings(**values)
    except RunDirError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunDirError(f"{where} cannot be used ({error}): export the run again") from error
