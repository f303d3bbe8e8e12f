"""The check of the option ``tokenize_lazily``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clx.ml.task.option_checks import boolean

if TYPE_CHECKING:
    from clx.ml.task.task import Task


def tokenize_lazily(task: Task, name: str) -> list[str]:
    """Return the problems of ``tokenize_lazily``, which counts no tokens before the training."""
    problems = boolean(task, name)
    if problems or not task.tokenize_lazily:
        return problems
    if task.long_text == "window":
        problems.append(
            f"{name} cannot be combined with long_text='window', because the number of windows is "
            f"known only after all texts are tokenized"
        )
    if task.weight_column is not None:
        problems.append(
            f"{name} cannot be combined with weight_column: rows that are tokenized batch by batch "
            f"weigh the same"
        )
    if task.strict_length is True:
        problems.append(
            f"{name} cannot be combined with strict_length, because which texts are too long is known "
            f"only after all texts are tokenized"
        )
    return problems
