"""The model card ``model/README.md``, for readers who get only the model folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from clx import __version__
from clx.ml.results.ending import PROBE, kept_in_words
from clx.ml.results.outcome import TrainingResult
from clx.ml.results.row_split import split_sentence
from clx.ml.task.lora_options import lora_settings, uses_lora

if TYPE_CHECKING:
    from clx.ml.task.task import Task


def model_card(task: Task, result: TrainingResult) -> str:
    """Return a Hugging Face model card in Markdown: base model, metrics, labels, and usage."""
    pipeline_task = task.pipeline_args["task"]
    # The path of a local folder means nothing on another machine: the card has only its name.
    local = Path(task.base_model_name).is_dir()
    base = Path(task.base_model_name).name if local else task.base_model_name
    front = ["library_name: transformers", f"pipeline_tag: {pipeline_task}", "tags: [clx]"]
    if not local:
        front.insert(1, f"base_model: {json.dumps(base)}")
    lines = ["---", *front, "---", "", f"# {task.run_name}", ""]
    lines += [
        f"A `{task.name}` model, fine-tuned from {base} with clx {__version__}.",
        "",
        f"Trained on {result.rows.get('train', 0)} rows in {result.steps} steps"
        f" ({result.epochs:g} epochs).",
    ]
    kept = kept_in_words({"kept_model": result.kept, "steps": result.steps})
    lines += [] if kept is None else ["", f"The published model is {kept}."]
    if uses_lora(task) and result.kept != PROBE:
        rank = lora_settings(task)["r"]
        lines += ["", f"A LoRA adapter of rank {rank} was trained and merged into the weights."]
    if result.metrics:
        lines += ["", f"## Evaluation on {result.rows.get('eval', 0)} rows", ""]
        if result.split is not None:
            lines += [split_sentence(result.split.to_dict()), ""]
        lines += ["| metric | value |", "|---|---|"]
        lines += [f"| {name} | {value:.4f} |" for name, value in result.metrics.items()]
    labels = getattr(task, "label_names", None)
    if labels:
        lines += ["", f"## Labels ({len(labels)})", ""]
        lines += [f"- {json.dumps(name, ensure_ascii=False)}" for name in labels]
    lines += [
        "",
        "## Use",
        "",
        "```python",
        "from transformers import pipeline",
        "",
        f'pipe = pipeline("{pipeline_task}", model="path/to/this/folder")',
        'pipe("some text", truncation=True)',
        "```",
    ]
    return "\n".join(lines) + "\n"
