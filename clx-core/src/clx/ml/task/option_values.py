"""The types of the attributes that a run sets: its name and its options (``task/options.py``)."""

from __future__ import annotations

from pathlib import Path
from typing import Any


class OptionValues:
    """What every run has besides the attributes of its task."""

    run_name: str
    run_dir_parent: Path
    base_model_name: str
    tokenizer_name: str | None
    tokenize_args: dict[str, Any]
    model_args: dict[str, Any]
    training_args: dict[str, Any]
    report_to: str | list[str] | None
    device: str | None
    metrics: list[str] | None
    text_column: str | None
    label_column: str | None
    weight_column: str | None
    class_weights: str | dict[str, float] | None
    label_texts: str | dict[str, str | list[str]] | None
    lora: bool | dict[str, Any]
    lora_merge: bool
    long_text: str
    window_pooling: str
    strict_length: bool
    strict_data: bool
    tokenize_lazily: bool
    trust_remote_code: bool
