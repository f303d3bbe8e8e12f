"""The interface of a student during its training: score texts, scale logits, evaluate, and write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from torch import Tensor

    from clx.ml.evaluation.evaluate import Predicted
    from clx.ml.task.task import Task


@dataclass
class Course:
    """The course and duration of a student's training.

    Attributes:
        epochs: the number of passes over the texts.
        best: the pass whose model was kept, counted from 1.
        steps: the number of optimizer steps.
        loss: the mean loss of the last pass.
        log: one entry per pass, for ``logs/metrics.jsonl``.
        seconds: the duration.
    """

    epochs: int = 0
    best: int = 0
    steps: int = 0
    loss: float = float("nan")
    log: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0


class Student(Protocol):
    """A student with its weights.

    Attributes:
        course: how it was trained.
        facts: entries for the config and the results.
    """

    course: Course
    facts: dict[str, Any]

    def logits(self, rows: np.ndarray[Any, Any]) -> Tensor:
        """Return the logits of some of its texts, shape (rows, labels)."""

    def divide(self, temperature: float) -> bool:
        """Divide its logits by a number; return False if it cannot."""

    def predicted(self, task: Task, frame: pd.DataFrame) -> Predicted:
        """Return its predictions for labeled rows."""

    def write(self, folder: Path, task: Task) -> None:
        """Write the content of the run's ``model/``."""

    def read_logits(self, texts: Sequence[str]) -> np.ndarray[Any, Any]:
        """Return the logits of any texts, as what was written must give them."""
