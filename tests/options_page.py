"""Write the table of options into docs/reference/arguments.md, from the one place that has them."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from clx.ml import TrainingRun
from clx.ml.task.options import BY_TASK, OPTIONS

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "arguments.md"
TABLE = re.compile(
    r"(<!-- The table is made from .*? -->\n).*?(<!-- end of the table -->)", re.DOTALL
)
EVERY = "all methods"
TRAINING = "training"
READING = "training, evaluation, prediction"
USED = {
    "run_dir_parent": EVERY,
    "base_model_name": TRAINING,
    "tokenizer_name": TRAINING,
    "tokenize_args": READING,
    "model_args": READING,
    "training_args": "training, evaluation",
    "report_to": TRAINING,
    "device": READING,
    "metrics": "training, evaluation",
    "text_column": READING,
    "label_column": "training, evaluation",
    "weight_column": "training, evaluation",
    "strict_data": "training, check",
    "head_init": TRAINING,
    "pooling": TRAINING,
    "class_weights": TRAINING,
    "label_texts": TRAINING,
    "calibrate": TRAINING,
    "lora": TRAINING,
    "lora_merge": TRAINING,
    "long_text": READING,
    "window_pooling": READING,
    "strict_length": READING,
    "tokenize_lazily": TRAINING,
    "trust_remote_code": READING,
}
"""Where each option is used."""


def type_of(name: str) -> str:
    """Return the annotation of an option, as the signature of a run has it."""
    written = str(inspect.signature(TrainingRun.__init__).parameters[name].annotation)
    return written.removesuffix(" | None").replace(" | ", " or ")


def table() -> str:
    """Return the options as a table of Markdown."""
    lines = ["", "| option | type | default | used in | meaning |", "|---|---|---|---|---|"]
    name = "One path component of at most 200 bytes."
    lines.append(f"| `run_name` | `str` | task and time | {EVERY} | {name} |")
    for option in OPTIONS:
        default = "by the task" if option.default is BY_TASK else f"`{option.default!r}`"
        meaning = option.doc.replace("|", "\\|")
        place = f"`{type_of(option.name)}` | {default} | {USED[option.name]}"
        lines.append(f"| `{option.name}` | {place} | {meaning} |")
    return "\n".join([*lines, "", ""])


def page(text: str) -> str:
    """Return the page with today's table in it."""
    return TABLE.sub(lambda match: match[1] + table() + match[2], text, count=1)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
